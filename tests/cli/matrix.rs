//! `pipeline matrix`: the jobs of a CI matrix.

use serde_json::{Value, json};

use crate::lab::Lab;

const RECIPE: &str = r#"version = 1

[ci]
runner = "self-hosted, big"

[ci.runners]
arm64       = "ubuntu-24.04-arm"
"linux/386" = "other"

[targets.on]
platform = "linux/arm64"

[targets."1e3"]
platform = "linux/riscv64"

[[step]]
uses = "run"
argv = ["true"]
"#;

fn printed(lab: &Lab, args: &[&str]) -> Value {
    serde_json::from_str(&lab.output(&[&["matrix"], args].concat()).must(0).stdout).unwrap()
}

#[test]
fn each_target_has_a_job_on_its_runner() {
    let lab = Lab::new();
    lab.recipe(RECIPE);
    let line = lab.output(&["matrix"]).must(0).stdout;
    assert_eq!(line.lines().count(), 1);
    assert_eq!(
        printed(&lab, &[]),
        json!({ "include": [
            { "target": "on", "platform": "linux/arm64", "runner": "ubuntu-24.04-arm", "native": true },
            { "target": "1e3", "platform": "linux/riscv64", "runner": ["self-hosted", "big"], "native": false },
        ] })
    );
    assert_eq!(
        printed(&lab, &["--format", "gitlab", "-t", "on"]),
        json!([{ "TARGET": "on", "PLATFORM": "linux/arm64", "RUNNER": "ubuntu-24.04-arm" }])
    );
    let told = lab.output(&["matrix", "--format", "gitlab"]).must(2).stderr;
    assert!(told.contains("error[frozen::matrix]: the runner of `1e3` has several tags"), "{told}");
    let whole = printed(&lab, &["--format", "json"]);
    assert_eq!(whole["jobs"][1]["runner"], json!(["self-hosted", "big"]));
    assert_eq!(whole["jobs"][0]["tools"], json!(["true"]));
}

#[test]
fn a_frozen_plan_gives_the_same_without_its_recipe() {
    let lab = Lab::new();
    lab.recipe(RECIPE);
    lab.output(&["plan", "-o", "plan.json"]).must(0);
    let before = printed(&lab, &[]);
    std::fs::remove_file(lab.space.path("pipeline.toml")).unwrap();
    assert_eq!(printed(&lab, &["--plan", "plan.json"]), before);
    lab.output(&["matrix", "--plan", "plan.json", "-t", "on"]).must(2);
}

#[test]
fn more_jobs_than_a_matrix_has_are_refused() {
    let lab = Lab::new();
    let many = |most: usize| {
        let targets: String =
            (0..most).map(|at| format!("[targets.t{at}]\nplatform = \"linux/arm64\"\n")).collect();
        lab.recipe(&format!("version = 1\n{targets}[[step]]\nuses = \"run\"\nargv = [\"true\"]\n"));
    };
    many(256);
    assert_eq!(printed(&lab, &[])["include"].as_array().unwrap().len(), 256);
    let told = lab.output(&["matrix", "--format", "gitlab"]).must(2).stderr;
    assert!(told.contains("256 targets") && told.contains("at most 200 jobs"), "{told}");
    many(257);
    let told = lab.output(&["matrix"]).must(2).stderr;
    assert!(told.contains("at most 256 jobs") && told.contains("`--target`"), "{told}");
    assert_eq!(printed(&lab, &["-t", "t1*"])["include"].as_array().unwrap().len(), 111);
}

#[test]
fn runners_that_could_mean_something_else_are_refused() {
    let lab = Lab::new();
    for runner in ["${{ secrets.X }}", "a\\nb", "", "a,,b", "x'y", "${vars.x}"] {
        lab.recipe(&RECIPE.replace("ubuntu-24.04-arm", runner));
        let told = lab.output(&["matrix"]).must(3).stderr;
        assert!(told.contains("spec::"), "{runner}: {told}");
    }
    lab.recipe(&RECIPE.replace("arm64       =", "arm46 ="));
    let told = lab.output(&["matrix"]).must(3).stderr;
    assert!(told.contains("spec::unknown-platform") && told.contains("did you mean `linux/arm64`"), "{told}");
}
