//! Which targets, nodes and steps; which values; which environment.

use std::collections::BTreeSet;

use pipeline_core::event::EventKind;
use pipeline_testkit::Rule;

use crate::lab::{Lab, Ran};

const RECIPE: &str = r#"version = 1

[vars]
tag   = "default"
other = "o"

[targets.one]
platform = "linux/arm64"
nodes    = ["n1", "n2"]
vars     = { other = "of-one" }

[targets.two]
platform = "linux/arm/v7"
nodes    = ["n2"]

[nodes.n1]
host = "n1"

[nodes.n2]
host = "n2"

[env]
pass = ["PASSED", "UNSET"]

[[step]]
id   = "say"
uses = "run"
argv = ["docker", "${target.name}", "${vars.tag}", "${vars.other}", "$${HOME}"]

[[step]]
id    = "each"
uses  = "run"
scope = "node"
argv  = ["podman", "${target.name}", "${node.name}", "${target.arch}", "${target.variant}"]

[[step]]
id    = "once"
uses  = "run"
scope = "once"
argv  = ["buildah"]
env   = { STEP = "of the step" }
"#;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.recipe(RECIPE);
    lab
}

/// The calls as lines, sorted: targets run side by side.
fn run(lab: &Lab, args: &[&str]) -> Vec<String> {
    let before = lab.calls().len();
    lab.output(&[&["run"], args].concat()).must(0);
    // Nodes are asked before a run whether they answer.
    let mut lines: Vec<String> = lab
        .calls()
        .split_off(before)
        .into_iter()
        .filter(|call| call[0] != "ssh")
        .map(|call| call.join(" "))
        .collect();
    lines.sort();
    lines
}

#[test]
fn targets_nodes_and_steps_by_name_and_glob() {
    let lab = lab();
    let all = run(&lab, &[]);
    assert_eq!(
        all,
        [
            "buildah",
            "docker one default of-one ${HOME}",
            "docker two default o ${HOME}",
            "podman one n1 arm64 ",
            "podman one n2 arm64 ",
            "podman two n2 arm v7",
        ]
    );
    assert_eq!(
        run(&lab, &["--target", "one"]),
        ["buildah", "docker one default of-one ${HOME}", "podman one n1 arm64 ", "podman one n2 arm64 "]
    );
    assert_eq!(run(&lab, &["-t", "t*"]), ["buildah", "docker two default o ${HOME}", "podman two n2 arm v7"]);
    assert_eq!(run(&lab, &["-t", "one,two"]), all);
    assert_eq!(run(&lab, &["--target=one", "--target", "two"]), all);
    assert_eq!(
        run(&lab, &["--node", "n1"]),
        ["buildah", "docker one default of-one ${HOME}", "podman one n1 arm64 "],
        "a target without a selected node is left out"
    );
    assert_eq!(run(&lab, &["-t", "two", "--skip", "say,once"]), ["podman two n2 arm v7"]);
    assert_eq!(run(&lab, &["-t", "two", "--skip", "*"]), [""; 0]);
}

#[test]
fn a_pattern_that_selects_nothing_is_a_usage_error() {
    let lab = lab();
    for (args, says) in [
        (["-t", "arm64"], "`one` and `two`"),
        (["--node", "edge"], "`n1` and `n2`"),
        (["--skip", "sya"], "`say`, `each` and `once`"),
        (["-t", "["], "no pattern"),
        (["--set", "tga=1"], "did you mean `tag`?"),
        (["--set", "tag"], "`--set NAME=VALUE`"),
    ] {
        for command in ["run", "plan"] {
            let ran = lab.output(&[&[command][..], &args].concat()).must(2);
            assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
            assert_eq!(ran.stdout, "");
        }
    }
    assert_eq!(lab.calls(), Vec::<Vec<String>>::new());
}

#[test]
fn the_strongest_value_of_a_variable_wins() {
    let lab = lab();
    let says = |args: &[&str], env: &[(&str, &str)]| {
        let before = lab.calls().len();
        let mut command = lab.pipeline(&["run", "-t", "one", "--skip", "each,once"]);
        Ran::of(command.args(args).envs(env.iter().copied())).must(0);
        lab.calls().split_off(before).pop().unwrap()[2..4].join(" ")
    };
    assert_eq!(says(&[], &[]), "default of-one");
    assert_eq!(says(&[], &[("PIPELINE_VAR_other", "env"), ("PIPELINE_VAR_tag", "e")]), "e env");
    assert_eq!(says(&["--set", "other=set"], &[("PIPELINE_VAR_other", "env")]), "default set");
    assert_eq!(says(&["--set", "tag=a=b", "--set", "other="], &[]), "a=b ");
    // A value from outside is text: nothing in it is looked up.
    assert_eq!(says(&["--set", "tag=${vars.other}"], &[]), "${vars.other} of-one");
}

#[test]
fn flags_can_come_from_the_environment() {
    let lab = lab();
    let mut command = lab.pipeline(&["run"]);
    Ran::of(command.env("PIPELINE_TARGET", "two").env("PIPELINE_SKIP", "once,each")).must(0);
    assert_eq!(lab.calls(), [["docker", "two", "default", "o", "${HOME}"]]);
}

#[test]
fn tools_get_the_listed_environment_and_no_other() {
    let lab = lab();
    let mut command = lab.pipeline(&["run", "--skip", "each"]);
    command.envs([
        ("PASSED", "yes"),
        ("SECRET", "no"),
        ("GIT_DIR", "/x"),
        ("LD_LIBRARY_PATH", "/x"),
        ("PIPELINE_VAR_tag", "x"),
        ("DOCKER_HOST", "unix:///x"),
        ("HTTPS_PROXY", "http://proxy"),
        ("LANG", "de_DE.UTF-8"),
    ]);
    Ran::of(&mut command).must(0);
    let calls = lab.space.calls();
    assert_eq!(calls.len(), 3);
    for call in calls {
        let names: BTreeSet<&str> = call.env.keys().map(String::as_str).collect();
        let mut expected =
            BTreeSet::from(["PATH", "HOME", "TMPDIR", "LC_ALL", "PASSED", "DOCKER_HOST", "HTTPS_PROXY"]);
        if call.tool == "buildah" {
            expected.insert("STEP");
            assert_eq!(call.env["STEP"], "of the step");
        }
        assert_eq!(names, expected, "{}", call.tool);
        assert_eq!((call.env["PASSED"].as_str(), call.env["LC_ALL"].as_str()), ("yes", "C.UTF-8"));
        assert_eq!(call.cwd, lab.space.path(".").canonicalize().unwrap());
    }
}

#[test]
fn a_variable_that_is_needed_and_not_set_is_told() {
    let lab = lab();
    lab.recipe("version = 1\n[env]\npass = [\"TOKEN\"]\n[[step]]\nuses = \"run\"\nargv = [\"docker\", \"${env.TOKEN}\"]\n");
    let ran = lab.output(&["run"]).must(3);
    assert!(ran.stderr.contains("set it: `TOKEN=… pipeline …`"), "{}", ran.stderr);
    Ran::of(lab.pipeline(&["run"]).env("TOKEN", "-x y")).must(0);
    assert_eq!(lab.calls(), [["docker", "-x y"]]);
}

#[test]
fn jobs_bound_what_runs_at_once() {
    let lab = lab();
    lab.script(&[Rule::of("docker").sleep_ms(50)]);
    lab.output(&["run", "-j", "1", "--skip", "each"]).must(0);
    let mut running = 0;
    for event in lab.events() {
        match event.kind {
            EventKind::Started { .. } => running += 1,
            EventKind::Finished { .. } => running -= 1,
            _ => {}
        }
        assert!(running <= 1);
    }
    lab.output(&["run", "-j", "0"]).must(2);
}
