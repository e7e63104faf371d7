//! Why steps would run, in situations that people meet. `plan --probe` and `run` say the same.

use std::fs;

use pipeline_core::event::{EventKind, Status};
use pipeline_testkit::Rule;

use crate::image::native;
use crate::lab::Lab;

/// From a branch to a node, with what a recipe may say of each step.
fn recipe(lab: &Lab, args: &str) {
    let (platform, ..) = native();
    let dir = lab.space.root().join("node");
    lab.recipe(&format!(
        r#"version = 1

[pipeline]
name   = "app"
engine = "docker"

[vars]
go = "1.22"

[env]
pass = ["FLAVOUR"]

[targets.native]
platform = "{platform}"
nodes    = ["edge"]

[nodes.edge]
host    = "root@edge"
runtime = "cri-o"
dir     = "{}"

[[step]]
id              = "source"
uses            = "git-checkout"
url             = "upstream"
branch          = "main"
allow-protocols = ["file"]

[[step]]
uses = "patch-FROM"
from = "alpine:3.20"

[[step]]
id   = "image"
uses = "build"
tag  = "app:1"
args = {{ GO = "${{vars.go}}" }}
{args}

[[step]]
uses = "smoke"
argv = ["uname", "-m"]

[[step]]
uses = "save"
path = "out/app.img"

[[step]]
uses = "scp"

[[step]]
uses = "skopeo-copy"
dest = "containers-storage:docker.io/library/app:1"

[[step]]
uses  = "crictl-verify"
image = "docker.io/library/app:1"
"#,
        dir.display()
    ));
}

/// After a run, when it is past.
fn ran() -> Lab {
    let lab = Lab::new();
    recipe(&lab, "");
    lab.output(&["run"]).must(0);
    lab
}

/// What `explain` says; a run then does just that.
#[track_caller]
fn explained(lab: &Lab, args: &[&str]) -> String {
    let before = fs::read(lab.space.path(".pipeline/state")).ok();
    let text = lab.output(&[&["explain"], args].concat()).must(0).stdout;
    assert_eq!(fs::read(lab.space.path(".pipeline/state")).ok(), before, "it only looks");
    lab.output(&[&["run"], args].concat());
    for event in lab.events() {
        let EventKind::Finished { instance, status, .. } = &event.kind else { continue };
        let line = text.lines().find(|line| line.contains(&format!(" {instance}"))).unwrap();
        match status {
            Status::UpToDate => assert!(
                line.starts_with("up to date") || line.starts_with("perhaps"),
                "{instance} did not run: {line}"
            ),
            _ => assert!(line.starts_with("runs") || line.starts_with("perhaps"), "{instance} ran: {line}"),
        }
    }
    lab.normalised(&text)
}

/// The next two of these calls say nothing: that of `explain`, and that of the run.
fn twice(lab: &Lab, tool: &str, args: &[&str], exit: u8) {
    lab.script(&[Rule::of(tool).args(args).exit(exit).times(2)]);
}

#[test]
fn nothing_was_ever_done() {
    let lab = Lab::new();
    recipe(&lab, "");
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn nothing_has_changed() {
    let lab = ran();
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn a_variable_is_another() {
    let lab = ran();
    insta::assert_snapshot!(explained(&lab, &["--set", "go=1.23"]));
}

#[test]
fn the_branch_has_moved() {
    let lab = ran();
    let upstream = lab.space.path("upstream");
    fs::write(upstream.join("new"), "").unwrap();
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new(pipeline_testkit::find("git").unwrap());
        git.current_dir(&upstream).args(["-c", "user.name=Test", "-c", "user.email=test@example.com"]);
        git.env("GIT_COMMITTER_DATE", "1700000000 +0000").env("GIT_AUTHOR_DATE", "1700000000 +0000");
        assert!(git.args(args).output().unwrap().status.success());
    };
    git(&["add", "-A"]);
    git(&["commit", "-qm", "new"]);
    let ran = lab.output(&["explain"]).must(0).stdout;
    assert!(ran.contains("1 of 8 would run"), "what the lock says counts: {ran}");
    lab.output(&["lock", "--update"]).must(0);
    let text = explained(&lab, &[]);
    // The new commit is the same on every machine only as far as the repository is.
    insta::assert_snapshot!(pipeline_testkit::normalise(&text, &[(r"\b[0-9a-f]{40}\b", "[COMMIT]")]));
}

#[test]
fn the_archive_is_gone() {
    let lab = ran();
    fs::remove_file(lab.space.path("out/app.img")).unwrap();
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn somebody_wrote_over_the_archive() {
    let lab = ran();
    fs::write(lab.space.path("out/app.img"), "other").unwrap();
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn the_engine_has_lost_the_image() {
    let lab = ran();
    twice(&lab, "docker", &["image", "ls"], 0);
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn the_node_has_lost_the_image_and_the_file() {
    let lab = ran();
    fs::remove_dir_all(lab.space.root().join("node")).unwrap();
    twice(&lab, "skopeo", &["inspect"], 1);
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn the_engine_is_of_another_version() {
    let lab = ran();
    // Another file under its name, which says another version.
    let docker = lab.space.root().join("bin/docker");
    let other = docker.with_extension("new");
    fs::copy(&docker, &other).unwrap();
    fs::rename(&other, &docker).unwrap();
    lab.script(&[Rule::of("docker").args(&["--version"]).stdout("Docker version 99.0.0\n")]);
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn a_passed_variable_of_the_environment_is_another() {
    let lab = ran();
    let mut explain = lab.pipeline(&["explain"]);
    let ran = crate::lab::Ran::of(explain.env("FLAVOUR", "sweet")).must(0);
    insta::assert_snapshot!(lab.normalised(&ran.stdout));
}

#[test]
fn the_last_run_failed_half_way() {
    let lab = Lab::new();
    recipe(&lab, "");
    lab.script(&[Rule::of("docker")
        .args(&["save", "--output", ".pipeline/work/save@native/exported.tar"])
        .exit(1)
        .times(1)]);
    lab.output(&["run"]).must(1);
    insta::assert_snapshot!(explained(&lab, &[]));
}

#[test]
fn what_is_asked_for_runs() {
    let lab = ran();
    insta::assert_snapshot!(explained(&lab, &["--from", "save"]));
    assert!(explained(&lab, &["--force"]).ends_with("8 of 8 would run\n"));
    assert!(explained(&lab, &["--until", "image"]).ends_with("0 of 3 would run\n"));
    assert!(explained(&lab, &["--only", "save", "--force"]).ends_with("1 of 4 would run\n"));
}

#[test]
fn a_step_alone_fails_where_something_would_have_to_run_first() {
    let lab = ran();
    fs::remove_dir_all(lab.space.path(".pipeline/work")).unwrap();
    lab.output(&["run", "--only", "crictl-verify"]).must(0);
    let ran = lab.output(&["run", "--only", "image", "--force"]).must(1);
    assert!(ran.stderr.contains("it would have to run first: `.pipeline/work/"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`--until` runs what a step needs as well"), "{}", ran.stderr);
}

#[test]
fn as_json_with_typed_reasons() {
    let lab = ran();
    fs::remove_file(lab.space.path("out/app.img")).unwrap();
    let text = lab.output(&["explain", "--set", "go=1.23", "--format", "json"]).must(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let one =
        |id: &str| json["instances"].as_array().unwrap().iter().find(|one| one["instance"] == id).unwrap();
    assert_eq!(one("image@native")["reason"], "config-changed");
    assert_eq!(one("image@native")["old"], "GO=1.22");
    assert_eq!(one("image@native")["new"], "GO=1.23");
    assert_eq!(one("save@native")["reason"], "undecided");
    assert_eq!(one("save@native")["upstream"], "image@native");
    assert_eq!(one("source")["runs"], false);
    assert_eq!(one("crictl-verify@native@edge")["reason"], "always");
}
