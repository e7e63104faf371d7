//! `plan --format sh` does what `run` does.

use std::collections::BTreeMap;
use std::fs;

use pipeline_core::event::EventKind;
use pipeline_testkit::{Call, Rule, TestSpace, faketool};

use crate::kit::{Lab, Outcome, Work};
use crate::require_lab;

/// What recipes call. Tools that these call in turn are logged as well, the same in both. Not `test`, which a shell does
/// by itself.
const TOOLS: [&str; 10] = ["git", "buildah", "skopeo", "ssh", "scp", "mkdir", "cp", "mv", "rm", "cat"];

/// Logs each call, then becomes the real tool.
fn shims() -> TestSpace {
    let space = TestSpace::new();
    space.install_fakes(&TOOLS);
    let rule = |tool: &&str| Rule::of(tool).exec(pipeline_testkit::find(tool).unwrap());
    space.script(&TOOLS.iter().map(rule).collect::<Vec<_>>());
    space
}

/// The demo with the shims first on its PATH; always the same image and folders, so that only the workspace differs.
fn demo(lab: &Lab, space: &TestSpace) -> Work {
    let mut work = Work::demo(lab, "docker.io/library/demo-script:2");
    let path = format!("{}:{}", space.root().join("bin").display(), std::env::var("PATH").unwrap());
    work.env("PATH", path);
    work
}

/// The argv of each target in order, and of neither; the workspace's path replaced.
fn by_target(work: &Work, calls: &[Call]) -> BTreeMap<&'static str, Vec<String>> {
    let mut sorted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for call in calls {
        let line = shown(work, &call.line());
        // The script's own fifo; and the look ahead and the connection, which are no part of the plan.
        if line.starts_with("rm -f [ROOT]/tmp/tmp.")
            || line.contains("say end: yes")
            || line.starts_with("ssh -M ")
        {
            continue;
        }
        let about = format!("{line} {}", call.cwd.display());
        let has = |words: &[&str]| words.iter().any(|word| about.contains(word));
        let target = match (has(&["arm64"]), has(&["armv7", "armhf"])) {
            (true, false) => "arm64",
            (false, true) => "armv7",
            _ => "neither",
        };
        sorted.entry(target).or_default().push(line);
    }
    sorted
}

fn shown(work: &Work, line: &str) -> String {
    let line = line.replace(work.root().to_str().unwrap(), "[ROOT]");
    // The mirror of a repository in the recipe's own folder.
    let line = pipeline_testkit::normalise(&line, &[(r"/git/[0-9a-f]{16}\.git", "/git/[MIRROR].git")]);
    // A run goes through its one connection to the node.
    let words = line.split(' ').collect::<Vec<_>>();
    match words.as_slice() {
        [tool, "-o", "ControlMaster=no", "-o", path, rest @ ..] if path.contains("ControlPath=") => {
            [&[*tool], rest].concat().join(" ")
        }
        _ => line,
    }
}

/// What each instance of a run executed, by the run's own account; only what the shims see.
fn commands(work: &Work, run: &Outcome) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in &run.events {
        if let EventKind::Command { instance, argv } = &event.kind
            && TOOLS.contains(&argv[0].as_str())
        {
            found.entry(instance.to_string()).or_default().push(shown(work, &argv.join(" ")));
        }
    }
    found
}

#[test]
fn the_script_executes_the_argv_of_run_and_does_the_same_job() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    let image = "docker.io/library/demo-script:2";

    let space = shims();
    let work = demo(lab, &space);
    let run = work.run(&[]).exits(0);
    let mut by_run = by_target(&work, &space.calls());
    // What tells whether a step must run is asked by a run only.
    for calls in by_run.values_mut() {
        calls.retain(|call| {
            !call.contains(" ls-remote ") && !matches!(call.split_once(' '), Some((_, "--version")))
        });
    }
    let steps = commands(&work, &run);
    assert!(steps.len() > 15, "{steps:?}");
    let ids: Vec<_> = ["arm64", "armv7"].map(|target| run.output(&format!("image@{target}"), "id")).into();
    drop(work);
    for (node, line) in [
        (
            "edge-arm64",
            format!(
                "skopeo delete 'containers-storage:[overlay@{0}/crio/root+{0}/crio/run]{image}'",
                lab.dir.display()
            ),
        ),
        (
            "edge-armv7",
            format!("ctr -a {}/containerd.sock -n k8s.io images rm --sync {image}", lab.dir.display()),
        ),
    ] {
        lab.on_node(node, &line);
        assert_eq!(lab.delivered(node, image), None);
    }

    let space = shims();
    let work = demo(lab, &space);
    let plan = work.pipeline(&["plan", "--format", "sh"]).output().unwrap();
    assert!(plan.status.success());
    assert!(faketool::calls(&space.root().join("calls.jsonl")).unwrap().is_empty(), "a plan calls nothing");
    let script = work.root().join("p.sh");
    fs::write(&script, &plan.stdout).unwrap();
    let output =
        work.command("sh").arg(&script).env("PIPELINE", env!("CARGO_BIN_EXE_pipeline")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (node, id) in ["edge-arm64", "edge-armv7"].iter().zip(&ids) {
        assert_eq!(lab.delivered(node, image).as_ref(), Some(id), "{node}");
    }
    let by_script = by_target(&work, &space.calls());
    let scripted: Vec<String> = space.calls().iter().map(|call| shown(&work, &call.line())).collect();
    for (target, calls) in &by_run {
        // Checks run beside other steps: the order is that of each step.
        let (mut calls, mut scripted) = (calls.clone(), by_script[target].clone());
        calls.sort();
        scripted.sort();
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|call| !those.contains(call)).cloned().collect()
        };
        let (by_run, by_script) = (only(&calls, &scripted), only(&scripted, &calls));
        assert_eq!(calls, scripted, "{target}: only by run {by_run:#?}, only by the script {by_script:#?}");
    }
    for (instance, commands) in &steps {
        let mut lines = scripted.iter();
        for command in commands {
            assert!(
                lines.any(|line| line == command),
                "{instance}: the script does not do in turn: {command}"
            );
        }
    }
    assert_eq!(by_run.keys().collect::<Vec<_>>(), by_script.keys().collect::<Vec<_>>());
}
