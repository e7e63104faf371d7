//! A machine without any tool: what `check`, `plan` and `doctor` say there.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Output;

use pipeline_testkit::TestSpace;

const RECIPE: &str = r#"
version = 1
[pipeline]
name = "r"

[[step]]
uses = "git-checkout"
url = "https://example.org/r.git"
branch = "main"

[[step]]
uses = "build"
tag = "example.org/r:1"
@ENGINE@
"#;

fn recipe(space: &TestSpace, engine: &str) {
    space.write("pipeline.toml", RECIPE.replace("@ENGINE@", engine));
}

fn pipeline(space: &TestSpace, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        space.command(env!("CARGO_BIN_EXE_pipeline")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_recipe_is_checked_and_the_doctor_reports_without_an_engine() {
    let space = TestSpace::new();
    recipe(&space, "");
    let (code, _, stderr) = pipeline(&space, &["check"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("no build engine works on this machine"), "{stderr}");
    let (code, stdout, stderr) = pipeline(&space, &["doctor"]);
    assert_eq!(code, Some(5), "{stderr}");
    assert!(stdout.contains("auto: no build engine works") && stdout.contains("buildah: "), "{stdout}");
    assert!(stdout.contains("workspace"), "{stdout}");
    let (code, _, stderr) = pipeline(&space, &["plan"]);
    assert_eq!(code, Some(5), "{stderr}");
    assert!(stderr.contains("engine::none"), "{stderr}");
}

#[test]
fn engines_are_not_looked_for_when_every_build_names_its_own() {
    let space = TestSpace::new();
    recipe(&space, "engine = \"podman\"\n");
    let (code, stdout, stderr) = pipeline(&space, &["plan"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("podman build"), "{stdout}");
    let (_, stdout, _) = pipeline(&space, &["doctor"]);
    assert!(!stdout.contains("auto: "), "{stdout}");
}

#[test]
fn steps_that_are_left_out_need_no_engine() {
    let space = TestSpace::new();
    space.write(
        "pipeline.toml",
        format!("{}\n[[step]]\nuses = \"run\"\nargv = [\"true\"]\n", RECIPE.replace("@ENGINE@", "")),
    );
    let (code, _, stderr) = pipeline(&space, &["plan", "--skip", "build"]);
    assert_eq!(code, Some(0), "{stderr}");
}
