//! `pipeline repro`, with engines that play what they built.

use pipeline_testkit::Rule;

use crate::image::{docker_archive, native};
use crate::lab::Lab;

fn recipe(more: &str) -> String {
    format!(
        "version = 1\n[pipeline]\nname = \"app\"\nengine = \"podman\"\n[targets.native]\nplatform = \"{}\"\n\
         [[step]]\nid = \"context\"\nuses = \"run\"\nargv = [\"test\", \"-e\", \"ctx\"]\noutputs = {{ context = \"ctx\" }}\n{more}",
        native().0
    )
}

const BUILD: &str = "[[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"app:1\"\n[[step]]\nuses = \"smoke\"\nargv = [\"x\"]\n";

fn lab(more: &str) -> Lab {
    let lab = Lab::new();
    lab.space.write("ctx/Dockerfile", "FROM scratch\n");
    lab.recipe(&recipe(more));
    lab
}

/// The first build is another image than the second.
fn changing(lab: &Lab) {
    let other = lab.space.root().join("other.tar");
    let id = docker_archive(&other, "hullo");
    let (_, architecture, _) = native();
    let inspected =
        format!(r#"[{{"Id":"{}","Os":"linux","Architecture":"{architecture}","Variant":""}}]"#, &id[7..]);
    lab.script(&[
        Rule::of("podman").args(&["build"]).write_after("--iidfile", &id).times(1),
        Rule::of("podman").args(&["image", "inspect"]).stdout(&inspected).times(1),
        Rule::of("podman").args(&["save"]).copy_after("--output", &other).times(1),
    ]);
}

#[test]
fn both_builds_are_alike_but_for_their_surroundings() {
    let lab = lab(BUILD);
    let ran = lab.output(&["repro"]).must(0);
    assert!(ran.stdout.starts_with(&format!("same     image@native  {}  ", lab.id)), "{}", ran.stdout);
    let calls: Vec<_> = lab.space.calls().into_iter().filter(|call| call.tool == "podman").collect();
    let of =
        |word: &str| calls.iter().filter(|call| call.argv.iter().any(|arg| arg == word)).collect::<Vec<_>>();
    let builds = of("build");
    assert_eq!((builds.len(), of("save").len(), of("rm").len(), of("run").len()), (2, 2, 2, 0));
    assert_eq!(builds[0].argv, builds[1].argv, "the same command");
    for build in &builds {
        let line = build.line();
        assert!(
            line.contains(" --no-cache -- ")
                && line.contains("--tag localhost/pipeline/repro/app/image/native:latest")
        );
    }
    assert_eq!(
        (builds[0].env.get("TZ"), builds[1].env.get("TZ").map(String::as_str)),
        (None, Some("LINT-14"))
    );
    assert_ne!(builds[0].env["TMPDIR"], builds[1].env["TMPDIR"]);
    assert!(!lab.space.path(".pipeline/repro").exists() && !lab.space.path("pipeline.lock").exists());
}

#[test]
fn what_differs_is_an_exit_code_and_a_document() {
    let lab = lab(BUILD);
    changing(&lab);
    let ran = lab.output(&["repro"]).must(6);
    assert!(
        ran.stdout.contains("layer 1, /file: content from byte 1 on: `ello` and `ullo`")
            || ran.stdout.contains("`ullo` and `ello`"),
        "{}",
        ran.stdout
    );
    changing(&lab);
    let json = lab.output(&["repro", "--format", "json"]).must(6).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["images"][0]["found"]["files"]["differ"]["told"][0]["path"], "/file");
    assert_eq!(json["images"][0]["reason"], serde_json::Value::Null);
}

#[test]
fn what_cannot_be_built_twice_is_told() {
    let ran = lab("").output(&["repro"]).must(2);
    assert!(ran.stderr.contains("builds nothing here that could be compared"), "{}", ran.stderr);
    let lab = lab(BUILD);
    lab.script(&[Rule::of("podman").args(&["build"]).stderr("no\n").exit(3)]);
    let ran = lab.output(&["repro"]).must(1);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("FAILED"), "{}", ran.stderr);
    assert!(!lab.space.path(".pipeline/repro").exists());
    let builds = lab.calls_of("podman").iter().filter(|call| call.iter().any(|arg| arg == "build")).count();
    assert_eq!(builds, 1, "the second is not begun");
}
