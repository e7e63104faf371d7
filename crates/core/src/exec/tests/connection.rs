//! One connection for each node and run, to a real sshd.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pipeline_testkit::Sshd;

use super::kit::{None_, Ran, env, go_with, instance, options, plan};
use crate::event::{EventKind, Failure, FailureKind, Status};
use crate::exec::{Connections, Host, Options, Signals};
use crate::output::Redactor;
use crate::plan::{Action, Command, Instance, Node, Plan, Retry, Ssh};

fn node(sshd: &Sshd) -> Node {
    let text = |path: std::path::PathBuf| Some(path.display().to_string());
    let ssh = Ssh {
        config: text(sshd.client("n1", Some("host"))),
        port: Some(sshd.port),
        identity: text(sshd.file("id")),
        ..Ssh::to(sshd.destination())
    };
    Node { ssh: Some(ssh), ..Node::new("n1") }
}

fn on_node(script: &str) -> Action {
    Command::new(["sh", "-c", script]).on_node("n1").into()
}

/// Commands on the node, each an instance, one after another where `chain` says so.
fn commands(node: Node, scripts: &[&str], chain: bool) -> Plan {
    let names: Vec<String> = (0..scripts.len()).map(|at| format!("s{at}@t@n1")).collect();
    let instances = names.iter().zip(scripts).map(|(name, script)| instance(name, vec![on_node(script)]));
    let edges = names.iter().zip(names.iter().skip(1)).filter(|_| chain);
    let edges: Vec<(&str, &str)> = edges.map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let mut plan = plan(instances.collect(), &edges);
    plan.nodes.insert("n1".into(), node);
    plan
}

fn through(folder: &Path) -> Options {
    let connections = Connections::new(folder.to_owned()).unwrap();
    let grace = Duration::from_secs(10);
    Options { keep_going: true, grace, connections: Some(Arc::new(connections)), ..options(8) }
}

fn run(plan: &Plan, folder: &Path, signals: Option<&Signals>, told: &mut dyn FnMut(&EventKind)) -> Ran {
    go_with(plan, folder, &through(folder), &None_, signals, &mut |event| told(&event.kind))
}

/// How long it took: runs of other tests may have been waited for before.
fn took(ran: &Ran, id: &str) -> Duration {
    ran.summary.results.iter().find(|(of, _)| of.as_str() == id).unwrap().1.1
}

/// The node sees soon that nobody is connected any more.
fn nobody_is_left(sshd: &Sshd) {
    let until = Instant::now() + Duration::from_secs(3);
    while !sshd.connections().is_empty() {
        assert!(Instant::now() < until, "a connection outlives the run:\n{}", sshd.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Kills the ssh whose socket is in the folder.
fn kill_master(folder: &Path) {
    let here = folder.display().to_string();
    let ours = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("\0-M\0") && line.contains(&here)
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pid = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).find(ours);
    let number = pid.expect("a master");
    let pid = rustix::process::Pid::from_raw(number).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // It does not end at once.
    let stat = || fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    while !stat().contains(") Z ") && !stat().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn five_commands_on_a_node_are_one_connection() {
    let Some(sshd) = Sshd::start("") else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = commands(node(&sshd), &["echo 0", "echo 1", "echo 2", "echo 3", "exit 0"], false);
    let ran = run(&plan, folder.path(), None, &mut |_| ());
    assert_eq!(ran.summary.counts.done, 5, "{:?}", ran.summary.results);
    assert_eq!(ran.lines("s3@t@n1"), ["3"]);
    assert_eq!(sshd.accepted(), 1, "{}", sshd.log());
    nobody_is_left(&sshd);
    // What is told is what the plan shows.
    for event in &ran.events {
        if let EventKind::Command { argv, .. } = &event.kind {
            assert!(argv[0] == "ssh" && !argv.iter().any(|arg| arg.contains("Control")), "{argv:?}");
        }
    }
}

#[test]
fn a_file_goes_the_same_way() {
    let Some(sshd) = Sshd::start("") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    let to = folder.path().join("arrived");
    let node = node(&sshd);
    let copy = Command {
        argv: node.ssh.as_ref().unwrap().scp(&"file".into(), &to.to_str().unwrap().into(), None),
        ..Command::new(["x"])
    };
    let about =
        Instance { node: Some("n1".into()), ..instance("copy@t@n1", vec![copy.into(), on_node("true")]) };
    let mut plan = plan(vec![about], &[]);
    plan.nodes.insert("n1".into(), node);
    let ran = run(&plan, folder.path(), None, &mut |_| ());
    assert_eq!(*ran.status("copy@t@n1"), Status::Done);
    assert_eq!((fs::read(to).unwrap(), sshd.accepted()), (b"x".to_vec(), 1));
}

#[test]
fn a_master_that_is_killed_is_followed_by_another() {
    let Some(sshd) = Sshd::start("") else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = commands(node(&sshd), &["true", "true", "true"], true);
    let ran = run(&plan, folder.path(), None, &mut |kind| {
        if matches!(kind, EventKind::Finished { instance, .. } if instance.as_str() == "s0@t@n1") {
            kill_master(folder.path());
        }
    });
    assert_eq!((ran.summary.counts.done, sshd.accepted()), (3, 2), "{:?}", ran.summary.results);
    nobody_is_left(&sshd);
}

#[test]
fn more_sessions_than_the_node_takes_connect_for_themselves() {
    let Some(sshd) = Sshd::start("MaxSessions 1") else { return };
    let folder = tempfile::tempdir().unwrap();
    // Each waits until all are there.
    let meet = format!(
        "cd {} && touch $$.there && while [ $(ls *.there | wc -l) -lt 3 ]; do sleep 0.02; done",
        folder.path().display()
    );
    let plan = commands(node(&sshd), &[&meet, &meet, &meet], false);
    let ran = run(&plan, folder.path(), None, &mut |_| ());
    assert_eq!(ran.summary.counts.done, 3, "{:?}", ran.summary.results);
    assert_eq!(sshd.accepted(), 3);
}

#[test]
fn where_a_socket_would_have_too_long_a_path_commands_connect_for_themselves() {
    let Some(sshd) = Sshd::start("") else { return };
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(100));
    fs::create_dir(&long).unwrap();
    let plan = commands(node(&sshd), &["true", "true"], false);
    let ran = run(&plan, &long, None, &mut |_| ());
    assert_eq!((ran.summary.counts.done, sshd.accepted()), (2, 2));
}

#[test]
fn odd_characters_in_the_sockets_path_are_only_that() {
    let Some(sshd) = Sshd::start("") else { return };
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a %h b");
    fs::create_dir(&odd).unwrap();
    let plan = commands(node(&sshd), &["true", "true"], false);
    let ran = run(&plan, &odd, None, &mut |_| ());
    assert_eq!((ran.summary.counts.done, sshd.accepted()), (2, 1));
}

#[test]
fn clean_up_after_a_signal_still_goes_through_it() {
    let Some(sshd) = Sshd::start("") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (signals, relay) = Signals::by_hand();
    let mut plan = commands(node(&sshd), &["echo ready; exec sleep 60"], false);
    let cleaned = folder.path().join("cleaned");
    let at = plan.graph.node_indices().next().unwrap();
    plan.graph[at].cleanup = vec![on_node(&format!("touch {}", cleaned.display()))];
    let ran = run(&plan, folder.path(), Some(&signals), &mut |kind| {
        if matches!(kind, EventKind::Line { text, .. } if text == "ready") {
            relay.send(2);
        }
    });
    assert_eq!(*ran.status("s0@t@n1"), Status::Cancelled);
    assert!(cleaned.exists());
    assert_eq!(sshd.accepted(), 1);
    nobody_is_left(&sshd);
}

#[test]
fn a_node_that_never_answers_is_waited_for_once() {
    pipeline_testkit::require!("ssh");
    // It accepts connections, in its backlog, and says nothing: ssh gives up after 10 s.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = Some(mute.local_addr().unwrap().port());
    let ssh = Ssh { port, config: Some("/dev/null".into()), ..Ssh::to("127.0.0.1") };
    let folder = tempfile::tempdir().unwrap();
    let plan = commands(Node { ssh: Some(ssh), ..Node::new("n1") }, &["true"; 4], false);
    let ran = run(&plan, folder.path(), None, &mut |_| ());
    for at in 0..4 {
        let failure = ran.failure(&format!("s{at}@t@n1"));
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.message.starts_with("node `n1` could not be reached"), "{failure:?}");
        assert!(failure.help.as_ref().unwrap().contains("does not answer"), "{failure:?}");
        assert!(took(&ran, &format!("s{at}@t@n1")) < Duration::from_secs(20));
    }
    mute.set_nonblocking(true).unwrap();
    assert_eq!(mute.incoming().take_while(Result::is_ok).count(), 1);
}

#[test]
fn a_wait_for_a_node_ends_with_the_step_or_the_run() {
    pipeline_testkit::require!("ssh");
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = Some(mute.local_addr().unwrap().port());
    let ssh = Ssh { port, config: Some("/dev/null".into()), ..Ssh::to("127.0.0.1") };
    let folder = tempfile::tempdir().unwrap();
    let mut plan = commands(Node { ssh: Some(ssh), ..Node::new("n1") }, &["true"], false);
    let at = plan.graph.node_indices().next().unwrap();
    let (signals, relay) = Signals::by_hand();
    let ran = run(&plan, folder.path(), Some(&signals), &mut |kind| {
        if matches!(kind, EventKind::Command { .. }) {
            relay.send(15);
        }
    });
    assert_eq!(*ran.status("s0@t@n1"), Status::Cancelled);
    assert!(took(&ran, "s0@t@n1") < Duration::from_secs(4));
    plan.graph[at].timeout = Some(Duration::from_millis(300));
    let ran = run(&plan, folder.path(), None, &mut |_| ());
    assert_eq!(ran.failure("s0@t@n1").kind, FailureKind::Timeout);
    assert!(took(&ran, "s0@t@n1") < Duration::from_secs(4));
}

#[test]
fn a_wait_for_a_connection_that_another_makes_ends_with_the_run() {
    pipeline_testkit::require!("ssh");
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = Some(mute.local_addr().unwrap().port());
    let ssh = Ssh { port, config: Some("/dev/null".into()), ..Ssh::to("127.0.0.1") };
    let folder = tempfile::tempdir().unwrap();
    let plan = commands(Node { ssh: Some(ssh), ..Node::new("n1") }, &["true"], false);
    let options = through(folder.path());
    let connections = options.connections.clone().unwrap();
    let host = Host {
        here: folder.path().to_owned(),
        env: env(),
        redactor: Redactor::default(),
        secrets: crate::exec::Secrets::default(),
        actions: &None_,
    };
    let over = AtomicBool::new(false);
    let (signals, relay) = Signals::by_hand();
    std::thread::scope(|scope| {
        scope.spawn(|| connections.reach(&plan.nodes["n1"], &host, &|| over.load(Ordering::SeqCst)));
        // It is under way.
        let _silent = mute.accept().unwrap();
        let ran = go_with(&plan, folder.path(), &options, &None_, Some(&signals), &mut |event| {
            if matches!(event.kind, EventKind::Command { .. }) {
                relay.send(15);
            }
        });
        over.store(true, Ordering::SeqCst);
        assert_eq!(*ran.status("s0@t@n1"), Status::Cancelled);
        assert!(took(&ran, "s0@t@n1") < Duration::from_secs(4));
    });
}

/// How a step that may be tried three times ends on a node, and after how many attempts.
fn refused(node: Node) -> (Failure, u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = commands(node, &["true"], false);
    let at = plan.graph.node_indices().next().unwrap();
    plan.graph[at].retry = Some(Retry::new(3, Duration::from_millis(10)));
    let ran = run(&plan, folder.path(), None, &mut |_| ());
    let attempts = ran.events.iter().find_map(|event| match event.kind {
        EventKind::Finished { attempts, .. } => Some(attempts),
        _ => None,
    });
    let failure = ran.failure("s0@t@n1").clone();
    assert!(failure.message.starts_with("node `n1` could not be reached by `sh -c true`"), "{failure:?}");
    (failure, attempts.unwrap())
}

type Change<'c> = &'c dyn Fn(&mut Ssh);

#[test]
fn each_refusal_is_told_with_what_to_do_and_only_what_may_pass_is_tried_again() {
    let Some(sshd) = Sshd::start("") else { return };
    let with = |change: &dyn Fn(&mut Ssh)| {
        let mut node = node(&sshd);
        change(node.ssh.as_mut().unwrap());
        node
    };
    let client = |name: &str, known| Some(sshd.client(name, known).display().to_string());
    let nobody = pipeline_testkit::free_port();
    let final_ones: [(Change<'_>, &str); 3] = [
        (&|ssh| ssh.config = client("unknown", None), "accept it once by hand, or put it into the recipe"),
        (&|ssh| ssh.config = client("changed", Some("other")), "changed.known, line 1"),
        (&|ssh| ssh.identity = Some(sshd.file("other").display().to_string()), "it does not accept our key"),
    ];
    for (change, help) in final_ones {
        let (failure, attempts) = refused(with(change));
        assert_eq!((failure.kind, attempts), (FailureKind::Refused, 1), "{failure:?}");
        assert!(failure.help.as_ref().unwrap().contains(help), "{failure:?}");
    }
    let may_pass: [(Change<'_>, &str); 2] = [
        (&|ssh| ssh.port = Some(nobody), "does sshd run, on this `port`?"),
        (&|ssh| ssh.destination = "no-such-host.invalid".into(), "its host name is not found"),
    ];
    for (change, help) in may_pass {
        let (failure, attempts) = refused(with(change));
        assert_eq!((failure.kind, attempts), (FailureKind::Unreachable, 3), "{failure:?}");
        assert!(failure.help.as_ref().unwrap().contains(help), "{failure:?}");
    }
    assert_eq!(sshd.accepted(), 0);
}

#[test]
fn a_node_that_stops_answering_is_noticed() {
    let Some(sshd) = Sshd::start("") else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = commands(node(&sshd), &["echo ready; exec sleep 60"], false);
    let ran = run(&plan, folder.path(), None, &mut |kind| {
        if matches!(kind, EventKind::Line { text, .. } if text == "ready") {
            for pid in sshd.connections() {
                let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
            }
        }
    });
    let failure = ran.failure("s0@t@n1");
    assert_eq!(failure.kind, FailureKind::Unreachable);
    let help = failure.help.as_ref().unwrap();
    assert!(help.contains("not responding") && help.contains("does not answer, or no longer"), "{failure:?}");
    assert!(took(&ran, "s0@t@n1") < Duration::from_secs(22));
}
