//! Commands on a node, with an `ssh` that runs the remote command line here, as sshd does: by a shell, in another session.

use std::path::Path;
use std::time::{Duration, Instant};

use super::kit::{None_, Ran, env, instance, options, plan};
use crate::event::{EventKind, FailureKind, Status};
use crate::exec::{Host, Signals, run};
use crate::output::Redactor;
use crate::plan::{Action, Command, Node, Runtime, Ssh};

/// The last argument is the remote command line. The remote side lives on when `ssh` is killed, and sees the end of stdin.
const SSH: &str = "#!/bin/sh\n\
    [ -e \"$0.down\" ] && { echo 'connect to host n1 port 22: Connection refused' >&2; exit 255; }\n\
    for last; do :; done\n\
    setsid -w sh -c \"$last\"\n";

fn over_ssh(folder: &Path, actions: Vec<Action>, signals: Option<&Signals>, ready: &mut dyn FnMut()) -> Ran {
    let mut plan = plan(vec![instance("a@t@n1", actions)], &[]);
    plan.nodes.insert(
        "n1".into(),
        Node {
            name: "n1".into(),
            ssh: Some(Ssh {
                destination: "n1".into(),
                config: None,
                port: None,
                identity: None,
                host_key: None,
                known_hosts: None,
            }),
            sudo: false,
            platform: None,
            emulates: Vec::new(),
            runtime: Runtime::CriO,
            cri: None,
            storage: None,
            dir: "/tmp".into(),
        },
    );
    let mut env = env();
    let path = env.get_mut(std::ffi::OsStr::new("PATH")).unwrap();
    *path = format!("{}:{}", folder.display(), path.to_str().unwrap()).into();
    let host = Host { here: folder.to_owned(), env, redactor: Redactor::default(), actions: &None_ };
    let mut events = Vec::new();
    let summary = run(&plan, &host, &options(1), signals, &mut |event| {
        events.push(event.clone());
        if matches!(&event.kind, EventKind::Line { text, .. } if text == "ready") {
            ready();
        }
    });
    Ran { summary, events }
}

/// A folder with that `ssh`. Another process writes it: a test beside this one that forks just then would hold the file
/// open for writing, and nobody could execute it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    duct::cmd!("sh", "-c", "cat > ssh && chmod +x ssh").dir(folder.path()).stdin_bytes(SSH).run().unwrap();
    folder
}

#[test]
fn arguments_arrive_as_they_are() {
    let odd = ["a b", "$(touch pwned)", "it's", "", "-x;y", "line\nbreak"];
    let command = Command::new(["printf", "%s|"]).args(odd).on_node("n1");
    let folder = folder();
    let ran = over_ssh(folder.path(), vec![command.into()], None, &mut || ());
    assert_eq!(ran.lines("a@t@n1").join("\n"), format!("{}|", odd.join("|")));
    let argv = ran.events.iter().find_map(|event| match &event.kind {
        EventKind::Command { argv, .. } => Some(argv.clone()),
        _ => None,
    });
    assert_eq!(argv.unwrap()[0], "ssh");
}

#[test]
fn an_unreachable_node_a_missing_tool_and_an_exit_code_are_three_things() {
    let folder = folder();
    let fails = |command: Command| {
        let ran = over_ssh(folder.path(), vec![command.on_node("n1").into()], None, &mut || ());
        ran.failure("a@t@n1").clone()
    };
    let failure = fails(Command::new(["skopeo-of-a-test", "copy"]));
    assert_eq!(failure.kind, FailureKind::Tool);
    assert!(failure.message.contains("not installed on node `n1`"), "{failure:?}");
    let failure = fails(Command::new(["sh", "-c", "exit 3"]));
    assert_eq!(failure.kind, FailureKind::Exit { code: 3 });
    assert_eq!(failure.message, "`sh -c 'exit 3'` on node `n1` exited with code 3");
    std::fs::write(folder.path().join("ssh.down"), "").unwrap();
    let failure = fails(Command::new(["true"]));
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.help.unwrap().contains("Connection refused"));
}

#[test]
fn what_is_meant_for_an_unknown_node_runs_nowhere() {
    let folder = folder();
    let ran =
        over_ssh(folder.path(), vec![Command::new(["touch", "x"]).on_node("n2").into()], None, &mut || ());
    assert_eq!(ran.failure("a@t@n1").kind, FailureKind::Internal);
    assert!(!folder.path().join("x").exists());
}

#[test]
fn the_remote_side_ends_when_the_run_is_stopped() {
    let folder = folder();
    let command = Command::new([
        "sh",
        "-c",
        "trap 'echo told > told; echo bye; exit 0' TERM; sleep 60 & sleep 0.2; echo ready; wait",
    ]);
    let (signals, relay) = Signals::by_hand();
    let mut at = Instant::now();
    let ran = over_ssh(folder.path(), vec![command.on_node("n1").into()], Some(&signals), &mut || {
        at = Instant::now();
        relay.send(15);
    });
    assert_eq!(*ran.status("a@t@n1"), Status::Cancelled);
    assert!(at.elapsed() < Duration::from_secs(3), "{:?}", at.elapsed());
    // By its own watchdog, at the end of stdin: no signal of ours reaches another session.
    assert!(folder.path().join("told").exists());
    // And with time for a last word: the connection is ended after the remote command, not before.
    assert_eq!(ran.lines("a@t@n1"), ["ready", "bye"]);
}
