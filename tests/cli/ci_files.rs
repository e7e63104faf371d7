//! `pipeline ci`: files for CI systems, as they are written, and as the readers of these systems take them.

use std::fs;
use std::path::Path;
use std::process::Command;

use pipeline_testkit::require;
use serde_json::Value;

use crate::lab::{Lab, Ran};

/// Two architectures, one node, and nothing that joins.
const DELIVERED: &str = r#"version = 1

[pipeline]
name   = "app"
engine = "buildah"

[env]
secret = ["TOKEN"]

[ci.runners]
"linux/arm64" = "ubuntu-24.04-arm"

[targets.amd64]
platform = "linux/amd64"

[targets.arm64]
platform = "linux/arm64"
nodes    = ["edge-1"]

[nodes.edge-1]
host = "edge-1"

[[step]]
uses = "binfmt-register"

[[step]]
id      = "context"
scope   = "once"
uses    = "run"
argv    = ["true"]
inputs  = ["image"]
outputs = { context = "image" }

[[step]]
uses = "build"
tag  = "example.com/team/app:1"

[[step]]
uses    = "deliver"
targets = ["arm64"]
"#;

/// The same without nodes, joined, with all of `[ci]`.
fn joined() -> String {
    let ci = "runner          = \"big\"\ndeliver-runner  = \"lab\"\nenvironment     = \"production\"\n\
              image           = \"registry.example.com/pipeline:1\"\ninstall         = \"sh ci/install.sh\"\n\
              timeout-minutes = 30\n";
    let text = DELIVERED.split("[[step]]\nuses    = \"deliver\"").next().unwrap();
    text.replace("[ci.runners]", &format!("[ci]\n{ci}\n[ci.runners]"))
        .replace("nodes    = [\"edge-1\"]\n\n[nodes.edge-1]\nhost = \"edge-1\"\n", "")
        + "[[step]]\nuses = \"manifest\"\ndest = \"docker://example.com/team/app:1\"\n"
}

fn written(recipe: &str, args: &[&str]) -> String {
    let lab = Lab::new();
    lab.recipe(recipe);
    lab.output(&[&["ci"], args].concat()).must(0).stdout
}

#[test]
fn a_workflow_of_github() {
    insta::assert_snapshot!("github_with_a_node", written(DELIVERED, &["github"]));
    insta::assert_snapshot!("github_joined", written(&joined(), &["github"]));
}

#[test]
fn a_pipeline_of_gitlab() {
    let named = DELIVERED.replace("[ci.runners]", "[ci]\nrunner = \"amd64\"\n\n[ci.runners]");
    insta::assert_snapshot!("gitlab_with_a_node", written(&named, &["gitlab"]));
    insta::assert_snapshot!("gitlab_joined", written(&joined(), &["gitlab"]));
    insta::assert_snapshot!("gitlab_parent", written(&joined(), &["gitlab", "--child"]));
}

#[test]
fn a_command_a_job() {
    insta::assert_snapshot!("generic_with_a_node", written(DELIVERED, &["generic"]));
    insta::assert_snapshot!("generic_joined", written(&joined(), &["generic", "--format", "json"]));
}

#[test]
fn the_child_pipeline_has_the_jobs_of_a_frozen_plan() {
    let lab = Lab::new();
    lab.recipe(&joined());
    let whole = lab.output(&["ci", "gitlab"]).must(0).stdout;
    lab.output(&["plan", "-o", "plan.json"]).must(0);
    let child = lab.output(&["ci", "gitlab", "--plan", "plan.json"]).must(0).stdout;
    let bare = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.contains("--check"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(bare(&child), bare(&whole));
    assert!(whole.contains("--check") && !child.contains("--check"), "{child}");
}

#[test]
fn a_file_that_is_stale_is_told_with_the_difference() {
    let lab = Lab::new();
    lab.recipe(DELIVERED);
    let usual = ".github/workflows/pipeline-app.yml";
    let told = lab.output(&["ci", "github", "--check"]).must(4).stderr;
    assert!(
        told.contains("error[ci::stale]") && told.contains(usual) && told.contains("it is not there"),
        "{told}"
    );
    lab.output(&["ci", "github", "-o", usual]).must(0);
    lab.output(&["ci", "github", "--check"]).must(0);
    // The file compares itself with the recipe where it runs.
    assert!(lab.space.read(usual).contains(&format!("WORKFLOW: {usual}")));

    lab.recipe(&DELIVERED.replace("ubuntu-24.04-arm", "arm"));
    let ran = lab.output(&["ci", "github", "--check", usual]).must(4);
    assert!(
        ran.stdout.contains("-            runner: ubuntu-24.04-arm\n+            runner: arm\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains(&format!("`-o {usual}`")), "{}", ran.stderr);
    // What a version of this program or a comment changes is no other recipe.
    lab.recipe(&format!("# a comment\n{DELIVERED}"));
    lab.output(&["ci", "github", "--check", usual]).must(0);
    // Nor is what this machine alone has.
    lab.space.write("pipeline.local.toml", "version = 1\n[targets.amd64]\nplatform = \"linux/386\"\n");
    lab.output(&["ci", "github", "--check", usual]).must(0);
}

#[test]
fn values_of_the_command_line_are_in_the_file_as_they_are_or_refused() {
    let lab = Lab::new();
    lab.recipe(&format!("{DELIVERED}\n[vars]\nname = \"x\"\nbase = \"${{vars.name}}\"\n"));
    let set = "name=a b'$(id)\"\n${HOME}";
    let github = lab.output(&["ci", "github", "--set", set]).must(0).stdout;
    assert!(github.contains(r#"SET_1: "name=a b'$(id)\"\n${HOME}""#), "{github}");
    assert!(github.contains(r#"--set="$SET_1""#), "{github}");
    let told = lab.output(&["ci", "github", "--set", "name=${{ secrets.TOKEN }}"]).must(2).stderr;
    assert!(
        told.contains("error[ci::value]: GitHub would replace `${{` in `name=${{ secrets.TOKEN }}`"),
        "{told}"
    );
    lab.recipe(&DELIVERED.replace("TOKEN", "GITHUB_TOKEN"));
    let told = lab.output(&["ci", "github"]).must(2).stderr;
    assert!(told.contains("`GITHUB_TOKEN` is no name of a secret"), "{told}");
}

#[test]
fn what_cannot_be_a_file_is_told_with_its_remedy() {
    let lab = Lab::new();
    lab.recipe(DELIVERED);
    let told = lab.output(&["ci", "gitlab"]).must(2).stderr;
    assert!(told.contains("`amd64` has no runner of its own") && told.contains("[ci] runner"), "{told}");
    lab.output(&["ci", "github", "--child"]).must(2);
    lab.output(&["ci", "github", "--format", "json"]).must(2);
    // Jobs begin in the root of a repository.
    fs::create_dir_all(lab.space.path(".git")).unwrap();
    fs::create_dir_all(lab.space.path("below")).unwrap();
    let told = Ran::of(lab.pipeline(&["ci", "github"]).current_dir(lab.space.path("below"))).must(2).stderr;
    assert!(told.contains("error[ci::place]") && told.contains("../pipeline.toml"), "{told}");
    let absolute = lab.space.path("pipeline.toml");
    let github = lab.output(&["ci", "github", absolute.to_str().unwrap()]).must(0).stdout;
    assert!(github.contains("RECIPE: pipeline.toml"), "{github}");
}

/// A program of this machine, in a folder.
fn real(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

#[test]
fn actionlint_finds_nothing_in_a_workflow() {
    let Some(actionlint) = require("actionlint") else { return };
    let hosted = joined().replace("\"big\"", "\"ubuntu-24.04\"");
    let nodes =
        DELIVERED.replace("[ci.runners]", "[ci]\ndeliver-runner = \"self-hosted, linux\"\n\n[ci.runners]");
    for recipe in [DELIVERED.to_owned(), hosted, nodes] {
        let lab = Lab::new();
        lab.recipe(&recipe);
        lab.output(&["ci", "github", "-o", "w.yml"]).must(0);
        let lint = || real(&actionlint, &lab.space.path(".")).args(["-no-color", "w.yml"]).output().unwrap();
        let found = lint();
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
        // It does read the file.
        let text = lab.space.read("w.yml").replace("needs.plan.result", "needs.plam.result");
        lab.space.write("w.yml", text);
        assert!(!lint().status.success());
    }
}

#[test]
fn gitlab_ci_local_and_gitlabs_schema_take_a_pipeline() {
    let Some(local) = require("gitlab-ci-local") else { return };
    let lab = Lab::new();
    let git = |args: &[&str]| {
        let git = require("git").unwrap();
        assert!(real(&git, &lab.space.path(".")).args(args).output().unwrap().status.success());
    };
    lab.recipe(&joined());
    lab.output(&["ci", "gitlab", "-o", ".gitlab-ci.yml"]).must(0);
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["remote", "add", "origin", "git@example.com:team/app.git"]);
    let list = || real(&local, &lab.space.path(".")).args(["--list-json"]).output().unwrap();
    let listed = list();
    let (out, err) = (String::from_utf8_lossy(&listed.stdout), String::from_utf8_lossy(&listed.stderr));
    assert!(listed.status.success() && err.contains("schema validated"), "{out}\n{err}");
    let jobs: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<&str> = jobs.as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    let build = ["build: [amd64,big,false]", "build: [arm64,ubuntu-24.04-arm,true]"];
    assert_eq!(names, ["plan", build[0], build[1], "join", "report"]);
    // It does read the file.
    lab.space.write(
        ".gitlab-ci.yml",
        lab.space.read(".gitlab-ci.yml").replace("    when: always\n", "    when: never\n"),
    );
    assert!(!list().status.success());
}
