//! Exit codes and what is said with them.

use pipeline_testkit::Rule;

use crate::image::native;
use crate::lab::{Lab, Ran};

const TWO_CHAINS: &str = r#"version = 1

[[step]]
id   = "bad"
uses = "run"
argv = ["docker"]

[[step]]
id    = "after-bad"
uses  = "run"
argv  = ["podman"]
needs = ["bad"]

[[step]]
id   = "good"
uses = "run"
argv = ["skopeo", "1"]
needs = ["slow"]

[[step]]
id   = "slow"
uses = "run"
argv = ["crictl"]
"#;

#[test]
fn a_failure_stops_the_rest_and_keep_going_does_not() {
    let lab = Lab::new();
    lab.recipe(TWO_CHAINS);
    lab.script(&[Rule::of("docker").exit(1), Rule::of("crictl").sleep_ms(300)]);
    let ran = lab.output(&["run", "-j", "2"]).must(1);
    assert!(ran.stderr.contains("1 failed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\n          more: pipeline explain-error step::exit\n"), "{}", ran.stderr);
    assert_eq!(lab.calls_of("podman").len() + lab.calls_of("skopeo").len(), 0, "{}", ran.stderr);
    let ran = lab.output(&["run", "-j", "2", "-k"]).must(1);
    assert!(ran.stderr.contains("2 done, 1 failed, 1 not started"), "{}", ran.stderr);
    assert_eq!((lab.calls_of("podman").len(), lab.calls_of("skopeo").len()), (0, 1));
}

#[test]
fn an_allowed_failure_is_told_and_fails_nothing() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\"]\nallow-failure = true\n");
    lab.script(&[Rule::of("docker").exit(1)]);
    let ran = lab.output(&["run"]).must(0);
    assert!(ran.stderr.contains("1 failed as allowed"), "{}", ran.stderr);
}

#[test]
fn a_step_is_tried_again() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\"]\nretry = { attempts = 3 }\n");
    lab.script(&[Rule::of("docker").times(2).exit(1)]);
    let ran = lab.output(&["run"]).must(0);
    assert_eq!(lab.calls().len(), 3);
    assert!(
        ran.stderr.contains("   flaky  [1/1] run@host  ") && ran.stderr.contains(", done by attempt 3\n"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("\n1 done (1 flaky) in "), "{}", ran.stderr);
    lab.script(&[Rule::of("docker").exit(1)]);
    lab.output(&["run"]).must(1);
    assert_eq!(lab.calls().len(), 6);
}

#[test]
fn a_step_that_takes_too_long_ends() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\"]\ntimeout = \"1s\"\n");
    lab.script(&[Rule::of("docker").sleep_ms(120_000)]);
    let ran = lab.output(&["run"]).must(1);
    assert!(ran.stderr.contains("1s") || ran.stderr.contains("1 s"), "{}", ran.stderr);
    crate::process::gone(&lab);
}

#[test]
fn a_wrong_output_of_a_smoke_test_keeps_the_image_here() {
    let lab = Lab::new();
    let (platform, _, _) = native();
    lab.recipe(&format!(
        r#"version = 1
[pipeline]
engine = "docker"
[targets.native]
platform = "{platform}"
nodes = ["edge"]
[nodes.edge]
host = "edge"
dir = "{}"
[[step]]
uses = "git-checkout"
url = "upstream"
allow-protocols = ["file"]
[[step]]
uses = "build"
tag = "app:1"
[[step]]
uses = "smoke"
argv = ["app", "--version"]
stdout = {{ regex = "^app 1\\." }}
[[step]]
uses = "save"
path = "app.img"
[[step]]
uses = "scp"
"#,
        lab.space.root().join("node").display()
    ));
    lab.script(&[Rule::of("docker").args(&["run"]).stdout("app 2.0\n")]);
    let ran = lab.output(&["run", "-k"]).must(6);
    assert!(ran.stderr.contains("^app 1\\.") && ran.stderr.contains("app 2.0"), "{}", ran.stderr);
    assert_eq!(lab.calls_of("scp"), Vec::<Vec<String>>::new());
    assert!(!lab.space.root().join("node").exists());
    // The container is removed by name although its client ended.
    let removed = lab.calls_of("docker").into_iter().filter(|call| call[1] == "rm").count();
    assert_eq!(removed, 2);
    lab.script(&[Rule::of("docker").args(&["run"]).stdout("app 1.7\n")]);
    lab.output(&["run"]).must(0);
    assert!(lab.space.root().join("node/app.img").exists());
}

#[test]
fn a_recipe_that_is_not_there_is_a_usage_error_with_the_nearest() {
    let lab = Lab::new();
    let ran = lab.output(&["run"]).must(2);
    assert!(ran.stderr.contains("there is no `pipeline.toml` here or in a folder above"), "{}", ran.stderr);
    let recipe = "version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\"]\n";
    lab.space.write("pipelines/registry/pipeline.toml", recipe);
    lab.space.write("pipelines/demo/pipeline.toml", recipe);
    for command in ["run", "plan", "check", "list"] {
        let ran = lab.output(&[command, "regsitry"]).must(2);
        assert!(ran.stderr.contains("there is no recipe `regsitry`"), "{}", ran.stderr);
        assert!(ran.stderr.contains("did you mean `registry`?"), "{}", ran.stderr);
    }
    let ran = lab.output(&["run", "other"]).must(2);
    assert!(ran.stderr.contains("known recipes: `demo` and `registry`"), "{}", ran.stderr);
    let ran = lab.output(&["run", "-f", "no/such.toml"]).must(2);
    assert!(ran.stderr.contains("cannot read `no/such.toml`"), "{}", ran.stderr);
    let ran = lab.output(&["run", "-f", "pipelines"]).must(2);
    assert!(ran.stderr.contains("`pipelines/pipeline.toml`"), "{}", ran.stderr);
    assert_eq!(lab.calls(), Vec::<Vec<String>>::new());
    // By name, from a folder below, by folder and by file.
    lab.output(&["run", "registry"]).must(0);
    Ran::of(lab.pipeline(&["run", "demo"]).current_dir(lab.space.path("upstream"))).must(0);
    lab.output(&["run", "pipelines/demo"]).must(0);
    lab.output(&["run", "-f", "pipelines/demo/pipeline.toml"]).must(0);
    Ran::of(lab.pipeline(&["run"]).current_dir(lab.space.path("pipelines/demo"))).must(0);
    assert_eq!(lab.calls().len(), 5);
    assert!(lab.space.path("pipelines/demo/.pipeline/runs").is_dir(), "state is in the recipe's folder");
    assert!(!lab.space.path(".pipeline").exists());
}

#[test]
fn words_that_are_no_command_line_are_usage_errors() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\"]\n");
    for args in [
        &["rnu"][..],
        &["run", "--no-such-flag"],
        &["run", "-j", "many"],
        &["run", "--progress", "loud"],
        &["run", "a", "-f", "b"],
        &["plan", "--format", "yaml"],
        &["completions", "tcsh"],
        &[],
    ] {
        let ran = lab.output(args).must(2);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{args:?}");
    }
    assert_eq!(lab.calls(), Vec::<Vec<String>>::new());
}

#[test]
fn a_missing_tool_is_told_before_anything_runs_with_the_command_that_installs_it() {
    let lab = Lab::new();
    lab.recipe(
        "version = 1\n[[step]]\nid = \"a\"\nuses = \"run\"\nargv = [\"docker\"]\n\
         [[step]]\nid = \"b\"\nuses = \"run\"\nargv = [\"zstd\", \"x\"]\n",
    );
    let ran = lab.output(&["run"]).must(5);
    assert!(ran.stderr.contains("zstd") && ran.stderr.contains("apt-get install zstd"), "{}", ran.stderr);
    assert_eq!(lab.calls(), Vec::<Vec<String>>::new());
    assert!(!lab.space.path(".pipeline/runs").exists(), "no run was begun");
    // `-k` does what can be done.
    let ran = lab.output(&["run", "-k"]).must(1);
    assert_eq!(lab.calls(), [["docker"]]);
    assert!(ran.stderr.contains("apt-get install zstd"), "{}", ran.stderr);
}

#[test]
fn no_engine_at_all_is_a_preflight_failure() {
    let space = pipeline_testkit::TestSpace::new();
    space.write(
        "pipeline.toml",
        "version = 1\n[[step]]\nuses = \"git-checkout\"\nurl = \"https://example.org/a.git\"\n[[step]]\nuses = \"build\"\ntag = \"a\"\n",
    );
    // A recipe can be right on a machine that cannot build it.
    let ran = Ran::of(space.command(crate::PIPELINE).arg("check")).must(0);
    assert!(ran.stderr.contains("note: no build engine works on this machine"), "{}", ran.stderr);
    for command in ["run", "plan"] {
        let ran = Ran::of(space.command(crate::PIPELINE).arg(command)).must(5);
        assert!(
            ran.stderr.contains("engine::none") && ran.stderr.contains("apt-get install buildah"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_node_that_does_not_answer_is_told_before_anything_runs() {
    let lab = Lab::new();
    let dir = lab.space.root().join("node");
    let node = format!("[nodes.edge]\nhost = \"edge\"\nruntime = \"docker\"\ndir = \"{}\"\n", dir.display());
    lab.recipe(&crate::kinds::every_kind("docker", &node, "[[step]]\nuses = \"load\"\n"));
    let refused = "ssh: connect to host edge port 22: Connection refused\n";
    lab.script(&[Rule::of("ssh").stderr(refused).exit(255)]);
    let ran = lab.output(&["run"]).must(5);
    assert!(ran.stderr.contains("node edge") && ran.stderr.contains("Connection refused"), "{}", ran.stderr);
    assert!(lab.calls().iter().all(|call| call[0] == "ssh"), "{:?}", lab.calls());
    // `-k` does what needs no node.
    let ran = lab.output(&["run", "-k"]).must(1);
    assert!(lab.space.path("out/app.native.img").exists(), "{}", ran.stderr);
    assert!(!dir.exists());
}
