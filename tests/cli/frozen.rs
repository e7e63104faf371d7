//! `plan -o` and `run --plan`: the same plan on another machine, or a refusal that says what is another.

use std::fs;

use pipeline_core::event::EventKind;

use crate::exports::Schema;
use crate::lab::{Lab, Ran};

const RECIPE: &str = r#"version = 1
include = ["shared/vars.toml"]

[targets.one]
platform = "linux/arm64"
nodes    = ["n1"]

[targets.two]
platform = "linux/arm/v7"

[nodes.n1]
host = "n1"

[env]
pass = ["CHANNEL"]

[[step]]
id    = "source"
uses  = "run"
scope = "once"
argv  = ["git", "--version"]

[[step]]
id    = "say"
uses  = "run"
needs = ["source"]
argv  = ["docker", "${target.name}", "${vars.tag}", "${vars.other}", "${env.CHANNEL}"]

[[step]]
id      = "each"
uses    = "run"
scope   = "node"
targets = ["one"]
needs   = ["say"]
argv    = ["podman", "${node.name}"]

[[step]]
id    = "join"
uses  = "run"
scope = "once"
needs = ["say"]
argv  = ["buildah", "join"]
"#;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.recipe(RECIPE);
    lab.space.write("shared/vars.toml", "version = 1\n[vars]\ntag = \"default\"\nother = \"o\"\n");
    lab
}

fn freeze(lab: &Lab) {
    let mut command = lab.pipeline(&["plan", "-o", "frozen.json", "--set", "tag=given"]);
    let ran = Ran::of(command.env("PIPELINE_VAR_OTHER", "of-env").env("CHANNEL", "stable")).must(0);
    assert!(
        ran.stdout.is_empty() && ran.stderr.starts_with("frozen.json: 5 steps, sha256:"),
        "{}",
        ran.stderr
    );
}

/// The ids of what ran, in any order.
fn done(lab: &Lab) -> Vec<String> {
    let started = |kind| match kind {
        EventKind::Started { instance, .. } => Some(instance.to_string()),
        _ => None,
    };
    let mut ids: Vec<String> = lab.events().into_iter().filter_map(|event| started(event.kind)).collect();
    ids.sort();
    ids
}

#[test]
fn values_are_those_of_the_plan_wherever_it_runs() {
    let lab = lab();
    freeze(&lab);
    let mut command = lab.pipeline(&["run", "--plan", "frozen.json", "-t", "one"]);
    Ran::of(command.env("PIPELINE_VAR_TAG", "another").env("CHANNEL", "edge")).must(0);
    assert_eq!(done(&lab), ["each@one@n1", "say@one", "source"]);
    assert_eq!(lab.calls_of("docker"), [["docker", "one", "given", "of-env", "stable"]]);
    // What waits for both targets is for whoever runs the whole.
    assert!(lab.calls_of("buildah").is_empty());
    lab.output(&["run", "--plan", "frozen.json"]).must(0);
    assert_eq!(done(&lab), ["each@one@n1", "join", "say@one", "say@two", "source"]);
}

#[test]
fn another_folder_and_another_name_of_it_are_the_same_recipe() {
    let lab = lab();
    freeze(&lab);
    for file in ["pipeline.toml", "shared/vars.toml", "frozen.json"] {
        lab.space.write(format!("elsewhere/{file}"), lab.space.read(file));
    }
    let frozen = lab.space.read("frozen.json");
    assert!(!frozen.contains(&lab.space.root().display().to_string()), "{frozen}");
    lab.output(&["run", "elsewhere", "--plan", "elsewhere/frozen.json", "-n"]).must(0);
    let plan = Ran::of(
        lab.pipeline(&["plan", "elsewhere", "-o", "-", "--set", "tag=given"]).env("CHANNEL", "stable"),
    );
    let plan = plan.must(0).stdout;
    assert!(
        plan.contains("\"recipe\": \"elsewhere\"") && plan.contains("\"path\": \"shared/vars.toml\""),
        "{plan}"
    );
}

#[test]
fn overlays_and_values_in_files_are_part_of_it() {
    let lab = lab();
    lab.space.write("over.toml", "version = 1\n[vars]\nother = \"over\"\n");
    lab.space.write("values", "tag = \"in-a-file\"\n");
    let mut command = lab.pipeline(&[
        "plan",
        "-f",
        "pipeline.toml",
        "-f",
        "over.toml",
        "--var-file",
        "values",
        "-o",
        "f.json",
    ]);
    // The file counts more than the environment.
    Ran::of(command.env("PIPELINE_VAR_TAG", "of-env").env("CHANNEL", "x")).must(0);
    // What is set where it runs is not part of it, and what was not set is not either.
    let mut run = lab.pipeline(&["run", "--plan", "f.json", "-t", "two"]);
    Ran::of(run.env("PIPELINE_VAR_OTHER", "of-env")).must(0);
    assert_eq!(lab.calls_of("docker"), [["docker", "two", "in-a-file", "over", "x"]]);
    lab.space.write("over.toml", "version = 1\n[vars]\nother = \"changed\"\n");
    let told = lab.output(&["run", "--plan", "f.json"]).must(4).stderr;
    assert!(told.contains("frozen::stale") && told.contains("`over.toml` has changed"), "{told}");
    fs::remove_file(lab.space.path("over.toml")).unwrap();
    assert!(lab.output(&["run", "--plan", "f.json"]).must(2).stderr.contains("over.toml"));
}

#[test]
fn a_recipe_that_is_another_by_a_byte_is_refused_and_nothing_runs() {
    let lab = lab();
    freeze(&lab);
    let refused = |says: &str| {
        let told = lab.output(&["run", "--plan", "frozen.json"]).must(4).stderr;
        assert!(told.contains("frozen::stale") && told.contains(says), "{told}");
    };
    lab.space.write("pipeline.toml", format!("{RECIPE}\n"));
    refused("`pipeline.toml` has changed");
    // Also where it cannot be read any more.
    lab.space.write("pipeline.toml", format!("{RECIPE}]"));
    refused("`pipeline.toml` has changed");
    lab.recipe(RECIPE);
    let vars = lab.space.read("shared/vars.toml");
    lab.space.write("shared/vars.toml", vars.replace('o', "0"));
    refused("`shared/vars.toml` has changed");
    lab.space.write("shared/vars.toml", vars);
    lab.space.write("pipeline.local.toml", "version = 1\n[vars]\ntag = \"mine\"\n");
    // It was not there, so it does not count, whatever the machine says of such files.
    lab.output(&["run", "--plan", "frozen.json", "-n"]).must(0);
    Ran::of(lab.pipeline(&["run", "--plan", "frozen.json", "-n"]).env("PIPELINE_NO_LOCAL", "1")).must(0);
    let lock = "version = 1\n\n[git]\n\"https://example.com/a refs/heads/main\" = { commit = \
                \"0123456789012345678901234567890123456789\", tree = \"0123456789012345678901234567890123456789\" }\n";
    lab.space.write("pipeline.lock", lock);
    refused("there is a `pipeline.lock` now");
    assert!(lab.calls().is_empty());
}

#[test]
fn an_edited_plan_and_what_is_none_are_refused() {
    let lab = lab();
    freeze(&lab);
    let frozen = lab.space.read("frozen.json");
    let refused = |text: &str, says: &str| {
        lab.space.write("f.json", text);
        let told = lab.output(&["run", "--plan", "f.json"]).must(2).stderr;
        assert!(
            told.contains("error[frozen::unread]: cannot take `f.json`: ") && told.contains(says),
            "{told}"
        );
    };
    refused(&frozen.replace("\"given\"", "\"givem\""), "it was edited");
    refused(&frozen.replace("\"version\": 1", "\"version\": 2"), "version 2");
    refused(&frozen.replace("\"env\":", "\"more\": 1,\n  \"env\":"), "unknown field `more`");
    refused("{}", "no `version`");
    refused("[1]", "no frozen plan");
    refused("", "no frozen plan");
    refused(&frozen[..frozen.len() / 2], "no frozen plan");
    let plan = Ran::of(lab.pipeline(&["plan", "--format", "json"]).env("CHANNEL", "x")).must(0).stdout;
    refused(&plan, "no `digest`");
    assert!(lab.output(&["run", "--plan", "nowhere.json"]).must(2).stderr.contains("frozen::unread"));
    assert!(lab.output(&["run", "--plan", "."]).must(2).stderr.contains("frozen::unread"));
    for args in [&["--set", "tag=x"][..], &["-f", "over.toml"], &["--skip", "say"]] {
        lab.output(&[&["run", "--plan", "frozen.json"], args].concat()).must(2);
    }
    let told = lab.output(&["run", "--plan", "frozen.json", "-t", "three"]).must(2).stderr;
    assert!(told.contains("no target of the plan matches `three`") && told.contains("`one`"), "{told}");
    assert!(lab.calls().is_empty());
}

#[test]
fn what_is_not_locked_is_not_frozen() {
    let lab = lab();
    lab.recipe(
        "version = 1\n[[step]]\nuses = \"git-checkout\"\nurl = \"https://example.com/a.git\"\nbranch = \"main\"\n",
    );
    let told = lab.output(&["plan", "-o", "f.json"]).must(4).stderr;
    assert!(told.contains("lock::missing") && told.contains("pipeline lock"), "{told}");
    assert!(!lab.space.path("f.json").exists());
    lab.recipe(RECIPE);
    let full = Ran::of(lab.pipeline(&["plan", "-o", "/dev/full"]).env("CHANNEL", "x")).must(1).stderr;
    assert!(full.contains("error[frozen::unwritten]: cannot write /dev/full"), "{full}");
}

#[test]
fn it_is_as_its_schema_says_and_states_what_a_target_needs() {
    let lab = lab();
    lab.recipe(
        "version = 1\n[targets.one]\nplatform = \"linux/arm64\"\nnodes = [\"n1\"]\n[nodes.n1]\nhost = \"n1\"\nruntime = \"cri-o\"\n\
         [env]\nsecret = [\"TOKEN\"]\n[[step]]\nuses = \"binfmt-register\"\n\
         [[step]]\nid = \"context\"\nuses = \"run\"\nargv = [\"true\"]\noutputs = { context = \"c\" }\n\
         [[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"example.com/app:1\"\n\
         secrets = { token = { env = \"TOKEN\" } }\n\
         [[step]]\nuses = \"deliver\"\n",
    );
    let text = Ran::of(lab.pipeline(&["plan", "-o", "-"]).env("TOKEN", "hidden-value")).must(0).stdout;
    assert!(!text.contains("hidden-value"));
    let frozen: serde_json::Value = serde_json::from_str(&text).unwrap();
    let schema = Schema::of("plan.schema.json");
    assert_eq!(schema.problem(&frozen), None);
    let mut more = frozen.clone();
    more["more"] = 1.into();
    assert!(schema.problem(&more).is_some());
    let target = &frozen["targets"][0];
    assert_eq!(
        (&target["name"], &target["platform"], &target["any-engine"], &target["privileged"]),
        (&"one".into(), &"linux/arm64".into(), &true.into(), &true.into())
    );
    assert_eq!((&target["nodes"], &target["secrets"]), (&["n1"][..].into(), &["TOKEN"][..].into()));
    let tools: Vec<&str> =
        target["tools"].as_array().unwrap().iter().filter_map(|tool| tool.as_str()).collect();
    assert!(tools.contains(&"ssh") && !tools.contains(&"docker"), "{tools:?}");
}
