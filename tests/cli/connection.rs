//! A run has one connection to each node, and none when it has ended.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipeline_testkit::{Sshd, TestSpace};

use crate::PIPELINE;
use crate::image::{docker_archive, native};

const STEPS: &str = "[[step]]\nid = 'make'\nuses = 'run'\nargv = ['cp', 'image.tar', 'x.tar']\n\
    outputs = { archive = 'x.tar' }\nreference = 'docker.io/library/x:1'\n[[step]]\nuses = 'scp'\n";

/// A recipe that brings a file to the node.
fn space(sshd: &Sshd) -> TestSpace {
    let space = TestSpace::with_real_tools();
    let node = sshd.node("n1", &format!("dir = '{}'", space.path("there").display()));
    let target = format!("[targets.t]\nplatform = '{}'\nnodes = ['n1']\n", native().0);
    docker_archive(&space.path("image.tar"), "x");
    space.write("pipeline.toml", format!("version = 1\n{target}{node}{STEPS}"));
    space
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_look_ahead_and_all_commands_are_one_connection() {
    let Some(sshd) = Sshd::start("") else { return };
    let space = space(&sshd);
    for (run, long) in [(1, false), (2, true)] {
        let mut command = space.command(PIPELINE);
        if long {
            // Then sockets are reached by the link below `.pipeline`.
            let folder = space.path("y".repeat(100));
            std::fs::create_dir(&folder).unwrap();
            command.env("TMPDIR", folder);
        }
        let output = command.args(["run", "--force"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(sshd.accepted(), run, "{}", sshd.log());
        wait_for("the connection outlives the run", || sshd.connections().is_empty());
    }
    let events =
        text(&space.command("sh").args(["-c", "cat .pipeline/runs/*/events.jsonl"]).output().unwrap().stdout);
    let commands = events.lines().filter(|line| line.contains("\"argv\":[\"s"));
    assert!(commands.count() > 4, "several commands went to the node: {events}");
}

/// A run whose command on the node takes a minute, and the node.
fn busy() -> Option<(Sshd, TestSpace, Child)> {
    let tools = TestSpace::with_real_tools();
    tools.write("begun", "");
    let sshd = Sshd::start(&format!("SetEnv PATH={}:/usr/bin:/bin", tools.path("").display()))?;
    let slow = format!("#!/bin/sh\necho >> {}\nexec sleep 60\n", tools.path("begun").display());
    tools.write("sha256sum", slow);
    assert!(tools.command("chmod").args(["+x", "sha256sum"]).status().unwrap().success());
    let space = space(&sshd);
    let mut command = space.command(PIPELINE);
    let run = command.arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("nothing is done on the node", || !tools.read("begun").is_empty());
    Some((sshd, space, run))
}

#[test]
fn no_end_of_a_run_leaves_its_connection() {
    for signal in ["INT", "TERM", "KILL"] {
        let Some((sshd, _space, mut run)) = busy() else { return };
        assert!(!sshd.connections().is_empty());
        let pid = run.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let at = Instant::now();
        run.wait().unwrap();
        wait_for(&format!("{signal} leaves a connection"), || sshd.connections().is_empty());
        assert!(at.elapsed() < Duration::from_secs(5), "{signal}: {:?}", at.elapsed());
        assert_eq!(sshd.accepted(), 1, "{signal}: also clean-up goes through it");
    }
}
