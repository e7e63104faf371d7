//! How a run ends before its time: Ctrl-C, and a kill.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::kit::{Marked, TestNode, Work, eventually, processes};
use crate::require_lab;

const LONG: Duration = Duration::from_mins(2);

/// With the signals as a terminal's child has them: a background job, such as a CI runner's, ignores Ctrl-C, and so does
/// an engine that it starts.
pub(crate) fn start(work: &Work, args: &[&str]) -> Child {
    let mut command = work.command("env");
    command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_pipeline"), "run"]);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// Whatever mentions the folder: in its command line, or by where it runs.
fn about(folder: &std::path::Path) -> Vec<u32> {
    let folder = folder.to_str().unwrap();
    let mut found = processes(|words| words.iter().any(|word| word.contains(folder)));
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let inside =
            |link: &str| fs::read_link(entry.path().join(link)).is_ok_and(|at| at.starts_with(folder));
        if inside("cwd") || inside("root") {
            found.push(pid);
        }
    }
    found
}

#[track_caller]
fn interrupted_build(work: &Work, mark: &Marked) {
    let engine = start(work, &[]);
    // Foreign `sleep` under QEMU, started by the builder.
    eventually("the emulated build runs", LONG, || mark.sleepers().first().copied());
    signal("-INT", engine.id());
    let output = engine.wait_with_output().unwrap();
    let ended = Instant::now();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    eventually("no process is left", Duration::from_secs(2), || {
        (mark.sleepers().is_empty() && about(work.root()).is_empty()).then_some(())
    });
    assert!(ended.elapsed() <= Duration::from_secs(2));
    assert!(said.contains("stopped"), "{said}");
    assert!(work.partials().is_empty(), "{:?}", work.partials());
    let file = "context-arm64/Dockerfile";
    work.write(file, work.read(file).replace(mark.seconds(), "0"));
    work.run(&[]).exits(0);
}

#[test]
fn ctrl_c_during_an_emulated_build_of_buildah() {
    let _lab = require_lab!();
    let mark = Marked::new(1);
    let run = format!("RUN sleep {}", mark.seconds());
    let work = Work::tiny("stop-buildah", "buildah", &[("arm64", "")], &run, "");
    interrupted_build(&work, &mark);
}

#[test]
fn ctrl_c_during_an_emulated_build_of_docker() {
    let lab = require_lab!("dockerd");
    let mark = Marked::new(2);
    let run = format!("RUN sleep {}", mark.seconds());
    let mut work = Work::tiny("stop-docker", "docker", &[("arm64", "")], &run, "");
    work.with_docker(lab);
    interrupted_build(&work, &mark);
}

#[test]
fn ctrl_c_during_a_command_on_a_node() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv");
    let mark = Marked::new(3);
    let work = Work::tiny("stop-remote", "buildah", &[("arm64", "\"own\"")], "", "");
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let own = TestNode::start(&work.root().join("node"), path);
    // It ignores the gentle signal, and so does its child.
    own.install("skopeo", &format!("#!/bin/sh\ntrap '' TERM HUP INT\nsleep {}\n", mark.seconds()));
    let steps = "[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n\
        [[step]]\nid = \"import\"\nuses = \"skopeo-copy\"\ndest = \"containers-storage:docker.io/library/x:1\"\n";
    let recipe = work.read("pipeline.toml");
    work.write("pipeline.toml", recipe.clone() + &own.toml("") + steps);
    let engine = start(&work, &[]);
    eventually("the node works", LONG, || mark.sleepers().first().copied());
    signal("-INT", engine.id());
    let output = engine.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let ended = Instant::now();
    eventually("the node has nothing left", Duration::from_secs(3), || {
        mark.sleepers().is_empty().then_some(())
    });
    assert!(ended.elapsed() <= Duration::from_secs(3));
    let partial = |entry: fs::DirEntry| entry.file_name().to_string_lossy().contains("partial");
    assert!(!fs::read_dir(own.path("files")).unwrap().flatten().any(partial));

    fs::remove_file(own.path("bin/skopeo")).unwrap();
    let store = own.path("storage");
    let keys = format!(
        "storage = {{ driver = \"overlay\", root = \"{0}/root\", runroot = \"{0}/run\" }}\n",
        store.display()
    );
    work.write("pipeline.toml", recipe + &own.toml(&keys) + steps);
    work.run(&[]).exits(0);
}

#[test]
fn a_kill_leaves_nothing_and_the_next_run_works() {
    let _lab = require_lab!();
    let mark = Marked::new(4);
    let run = format!("RUN sleep {}", mark.seconds());
    let work = Work::tiny("kill-engine", "buildah", &[("arm64", "")], &run, "[[step]]\nuses = \"save\"\n");
    let mut engine = start(&work, &[]);
    // Foreign `sleep` under QEMU, in a container of the builder.
    eventually("the emulated build runs", LONG, || mark.sleepers().first().copied());
    signal("-KILL", engine.id());
    engine.wait().unwrap();
    eventually("no process is left", Duration::from_secs(2), || {
        (mark.sleepers().is_empty() && about(work.root()).is_empty()).then_some(())
    });
    // What the builder had mounted was the run's own, and went with it.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(work.root().to_str().unwrap()), "{mounts}");
    let file = "context-arm64/Dockerfile";
    work.write(file, work.read(file).replace(mark.seconds(), "0"));
    work.run(&[]).exits(0).output("save@arm64", "sha256");
    assert!(work.partials().is_empty());
}
