//! Commands on a node, with an `ssh` that runs the remote command line here, as sshd does: by a shell, in another session.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::kit::{None_, Ran, env, instance, options, plan};
use crate::event::{EventKind, Failure, FailureKind, Status};
use crate::exec::{ActionCx, Actions, Bracket, Host, Options, Records, Signals, explain, run, run_recorded};
use crate::output::Redactor;
use crate::plan::{Action, Command, Instance, Node, Probe, Ssh, WATCHDOG, WriteFile};

/// The last argument is the remote command line. The remote side lives on when `ssh` is killed, and sees the end of stdin.
const SSH: &str = "#!/bin/sh\n\
    echo >> \"$0.calls\"\n\
    [ -e \"$0.down\" ] && { echo 'connect to host n1 port 22: Connection refused' >&2; exit 255; }\n\
    for last; do :; done\n\
    setsid -w sh -c \"$last\"\n";

fn n1() -> Node {
    let ssh = Ssh::to("n1");
    Node { ssh: Some(ssh), ..Node::new("n1") }
}

fn host(folder: &Path) -> Host<'static> {
    let mut env = env();
    let path = env.get_mut(std::ffi::OsStr::new("PATH")).unwrap();
    *path = format!("{}:{}", folder.display(), path.to_str().unwrap()).into();
    Host {
        here: folder.to_owned(),
        env,
        redactor: Redactor::default(),
        secrets: crate::exec::Secrets::default(),
        actions: &None_,
    }
}

fn over_ssh(folder: &Path, actions: Vec<Action>, signals: Option<&Signals>, ready: &mut dyn FnMut()) -> Ran {
    let mut plan = plan(vec![instance("a@t@n1", actions)], &[]);
    plan.nodes.insert("n1".into(), n1());
    let mut events = Vec::new();
    let summary = run(&plan, &host(folder), &options(1), signals, &mut |event| {
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

/// The programs of a node: one with that shell as `sh`. A node with busybox has nothing else.
struct Programs(&'static str, tempfile::TempDir);

impl Programs {
    /// All that are here.
    fn all() -> Vec<Self> {
        let of = |shell| {
            let program = pipeline_testkit::require(shell)?;
            let folder = tempfile::tempdir().unwrap();
            if shell == "busybox" {
                duct::cmd!(program, "--install", "-s", folder.path()).run().unwrap();
            } else {
                std::os::unix::fs::symlink(program, folder.path().join("sh")).unwrap();
            }
            Some(Self(shell, folder))
        };
        ["dash", "bash", "busybox"].into_iter().filter_map(of).collect()
    }

    /// The script, with the watchdog that waits one second for a word, which hears `words`.
    fn watched(&self, script: &str, words: &[u8]) -> (std::process::Child, std::process::ChildStdin) {
        let watchdog = WATCHDOG.replace("timeout 30", "timeout 1");
        let more = if self.0 == "busybox" { "" } else { ":/usr/bin:/bin" };
        let mut child = std::process::Command::new(self.1.path().join("sh"))
            .args(["-c", &watchdog, "sh", "sh", "-c", script])
            .env("PATH", format!("{}{more}", self.1.path().display()))
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that ends at once may have ended before.
        let _ = stdin.write_all(words);
        (child, stdin)
    }
}

#[test]
fn a_node_that_hears_nothing_more_ends_the_command_as_a_broken_connection() {
    // Who watches the time for busybox's `timeout` is an orphan, and the end of another test's run would end it.
    let _alone = Bracket::begin();
    let all = Programs::all();
    // However it ends.
    let scripts = ["exec sleep 60", "trap 'exit 3' TERM; sleep 60 & wait", "trap '' TERM; sleep 60"];
    let each = all.iter().flat_map(|programs| scripts.map(|script| (programs, script)));
    let begun: Vec<_> =
        each.map(|(programs, script)| (programs.0, script, programs.watched(script, b".\n.\n"))).collect();
    for (shell, script, (mut child, _held)) in begun {
        assert_eq!(child.wait().unwrap().code(), Some(255), "{shell}: {script}");
    }
}

#[test]
fn who_was_told_to_wait_or_told_nothing_waits_for_the_end_of_stdin() {
    let all = Programs::all();
    let each = all.iter().flat_map(|programs| [&b""[..], b".\n-\n"].map(|words| (programs, words)));
    let begun: Vec<_> =
        each.map(|(programs, words)| (programs.0, words, programs.watched("exec sleep 60", words))).collect();
    std::thread::sleep(Duration::from_millis(2500));
    for (shell, words, (mut child, stdin)) in begun {
        assert!(child.try_wait().unwrap().is_none(), "{shell}: {words:?}");
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(128 + 15), "{shell}: {words:?}");
    }
}

#[test]
fn no_exit_code_of_a_command_is_taken_for_a_broken_connection() {
    for programs in Programs::all() {
        // `git` says so of a usage that is wrong.
        let (mut child, _held) = programs.watched("exit 129", b".\n");
        assert_eq!(child.wait().unwrap().code(), Some(129), "{}", programs.0);
    }
}

/// Another `ssh`.
fn listens(folder: &Path, script: &str) {
    let ssh = format!("#!/bin/sh\n{script}");
    duct::cmd!("sh", "-c", "cat > ssh").dir(folder).stdin_bytes(ssh).run().unwrap();
}

#[test]
fn the_node_hears_that_we_live_while_nobody_reads_what_it_prints() {
    /// Asks through a way for as long as it takes until the node has heard of us twice.
    struct Asks;
    impl Actions for Asks {
        fn perform(&self, _: &Action, cx: &ActionCx<'_>) -> Result<Option<String>, Failure> {
            let heard = || fs::read_to_string(cx.here().join("heard")).unwrap_or_default();
            cx.beside(&["ssh".into()], "ready", &|| {
                let until = Instant::now() + Duration::from_secs(20);
                while heard() != ".\n.\n" && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(10));
                }
                assert_eq!(heard(), ".\n.\n");
                Ok(None)
            })
        }
    }
    let folder = folder();
    listens(folder.path(), "echo ready; exec dd bs=2 of=heard 2>/dev/null\n");
    let action = Action::WriteFile(WriteFile { path: "x".into(), contents: "x".into() });
    let host = Host { actions: &Asks, ..host(folder.path()) };
    let summary = run(&plan(vec![instance("a", vec![action])], &[]), &host, &options(1), None, &mut |_| ());
    assert_eq!(summary.counts.done, 1, "{:?}", summary.results);
}

#[test]
fn the_node_hears_that_we_live_and_that_we_stand_still() {
    let folder = folder();
    let heard = folder.path().join("heard");
    // What it hears is written where it can be looked at: Ctrl-Z does not stop who carries the last word.
    listens(folder.path(), "echo ready; exec dd bs=2 count=3 of=heard 2>/dev/null\n");
    let (signals, relay) = Signals::by_hand();
    let ran =
        over_ssh(folder.path(), vec![Command::new(["x"]).on_node("n1").into()], Some(&signals), &mut || {
            let wait = |wanted: &str| {
                let until = Instant::now() + Duration::from_secs(20);
                while fs::read_to_string(&heard).unwrap_or_default() != wanted && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(10));
                }
            };
            wait(".\n");
            relay.send(20);
            wait(".\n-\n");
            assert_eq!(fs::read_to_string(&heard).unwrap(), ".\n-\n");
            relay.send(18);
        });
    assert_eq!(*ran.status("a@t@n1"), Status::Done);
    assert_eq!(fs::read_to_string(&heard).unwrap(), ".\n-\n.\n");
}

/// Three steps that each leave a file on the node, and a look at it that says what is in it.
fn deliveries(folder: &Path) -> Vec<Instance> {
    let delivery = |name: &str| {
        let path = folder.join(name).display().to_string();
        let leave = Command::new(["sh", "-c", "echo \"$0\" > \"$0\""]).arg(&*path).on_node("n1");
        let look = Command::new(["cat", &path]).on_node("n1");
        Instance {
            probe: Probe::Actions(vec![look.into()]),
            ..instance(&format!("{name}@t@n1"), vec![leave.into()])
        }
    };
    ["it's", "two words", "plain"].map(|name| delivery(&name.replace([' ', '\''], "_"))).to_vec()
}

fn records(here: &Path) -> Records<'static> {
    Records {
        state: Records::open(here).unwrap().0,
        recipe: "test".into(),
        env: BTreeMap::new(),
        force: &|_| false,
        hold: &|_| false,
    }
}

#[test]
fn a_node_is_asked_once_for_all_that_it_may_have() {
    let folder = folder();
    let here = folder.path();
    fs::create_dir(here.join(".pipeline")).unwrap();
    let mut plan = plan(deliveries(here), &[]);
    plan.nodes.insert("n1".into(), n1());
    let calls = || {
        let calls = fs::read(here.join("ssh.calls")).unwrap_or_default().len();
        let _ = fs::remove_file(here.join("ssh.calls"));
        calls
    };
    let again = |jobs: usize| {
        let mut records = records(here);
        let told = explain(&plan, &host(here), &mut records).unwrap();
        let due = told.iter().filter(|told| told.due.is_some()).count();
        let asked = calls();
        let options = Options { keep_going: true, ..options(jobs) };
        let counts = run_recorded(&plan, &host(here), &options, None, &mut records, &mut |_| ()).counts;
        (due, asked, counts.done, counts.up_to_date, counts.failed, calls())
    };
    assert_eq!(again(2), (3, 0, 3, 0, 0, 3), "nothing is on record, so nothing is asked");
    assert_eq!(again(1), (0, 1, 0, 3, 0, 1));
    assert_eq!(again(3), (0, 1, 0, 3, 0, 1));
    fs::remove_file(here.join("two_words")).unwrap();
    let (due, asked, done, up_to_date, failed, _) = again(1);
    assert_eq!((due, asked, done, up_to_date, failed), (1, 1, 1, 2, 0));
    // A node that is down is tried once before each step itself tries.
    fs::write(here.join("ssh.down"), "").unwrap();
    let (due, asked, done, up_to_date, failed, _) = again(1);
    assert_eq!((due, asked, done, up_to_date, failed), (3, 1, 0, 0, 3));
}

#[test]
fn what_a_node_said_does_not_count_when_something_has_run_since() {
    let folder = folder();
    let here = folder.path();
    fs::create_dir(here.join(".pipeline")).unwrap();
    let [first, second, _] = <[Instance; 3]>::try_from(deliveries(here)).unwrap();
    let (asks_all, gone) = (first.id.to_string(), second.id.to_string());
    // Nobody knows that it reaches what is on the node.
    let mut wipes = instance("wipes", vec![Command::new(["rm", "-f", "two_words"]).into()]);
    wipes.basis.always = true;
    let mut plan = plan(vec![first, wipes, second], &[(&asks_all, "wipes"), ("wipes", &gone)]);
    plan.nodes.insert("n1".into(), n1());
    let go = || {
        let mut records = records(here);
        let summary = run_recorded(&plan, &host(here), &options(1), None, &mut records, &mut |_| ());
        (summary.counts.done, summary.counts.up_to_date)
    };
    assert_eq!(go(), (3, 0));
    assert_eq!(go(), (2, 1), "the second delivery was there when the first one was asked for");
    assert!(here.join("two_words").exists());
}
