//! One run at a time, and nothing left of it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pipeline_core::event::{EventKind, Status};
use pipeline_testkit::Rule;
use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Lab, Ran};

/// Long enough for a machine that does much else.
const SOON: Duration = Duration::from_mins(1);

/// Waits until `done` is true.
#[track_caller]
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < end, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// No process is left that runs something of the lab's, or runs in its folder. A tool does not know its own number: in a
/// namespace it has another one than here.
#[track_caller]
pub(crate) fn gone(lab: &Lab) {
    assert!(!lab.calls().is_empty());
    let ours = |process: &std::fs::DirEntry| {
        let at = |link: &str| std::fs::read_link(process.path().join(link));
        ["exe", "cwd"].iter().any(|link| at(link).is_ok_and(|path| path.starts_with(lab.space.root())))
    };
    wait_for("every process ends", || !std::fs::read_dir("/proc").unwrap().flatten().any(|it| ours(&it)));
}

fn start(lab: &Lab, args: &[&str]) -> Child {
    let mut command = lab.pipeline(args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the tool is called", || !lab.calls().is_empty());
    child
}

fn sleeper() -> Lab {
    let lab = Lab::new();
    lab.recipe(
        "version = 1\n[[step]]\nid = \"sleeps\"\nuses = \"run\"\nargv = [\"docker\"]\n\
         [[step]]\nid = \"next\"\nuses = \"run\"\nargv = [\"podman\"]\nneeds = [\"sleeps\"]\n",
    );
    lab.script(&[Rule::of("docker").sleep_ms(600_000)]);
    lab
}

#[test]
fn an_interrupted_run_leaves_no_process_and_says_130() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let lab = sleeper();
        let child = start(&lab, &["run"]);
        let begun = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap()).must(code);
        assert!(begun.elapsed() < SOON);
        assert!(ran.stderr.contains("interrupted:"), "{}", ran.stderr);
        gone(&lab);
        assert_eq!(lab.calls_of("podman"), Vec::<Vec<String>>::new());
        let events = lab.events();
        assert!(matches!(events.last().unwrap().kind, EventKind::RunFinished { .. }), "{events:?}");
        assert!(
            events
                .iter()
                .any(|event| matches!(event.kind, EventKind::Interrupted { signal } if signal + 128 == code))
        );
        assert!(events.iter().any(|event| {
            matches!(&event.kind, EventKind::Finished { instance, status: Status::Cancelled, .. } if instance.as_str() == "sleeps@host")
        }));
        // The lock went with it, and nothing is in the way of the next run.
        lab.script(&[]);
        lab.output(&["run"]).must(0);
    }
}

#[test]
fn a_killed_run_leaves_no_process() {
    let lab = sleeper();
    let mut child = start(&lab, &["run"]);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    lab.script(&[]);
    // At once: the lock is free as soon as the last process of the other is gone, and that is waited for.
    lab.output(&["run"]).must(0);
    gone(&lab);
}

#[test]
fn a_second_run_is_told_who_is_at_work() {
    let lab = sleeper();
    let child = start(&lab, &["run"]);
    let ran = lab.output(&["run"]).must(5);
    assert!(ran.stderr.contains("another run is under way"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("process {}", child.id())), "{}", ran.stderr);
    assert_eq!(lab.calls().len(), 1, "the second called nothing");
    // What only reads is not in its way.
    lab.output(&["plan"]).must(0);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Ran::from(child.wait_with_output().unwrap()).must(130);
    gone(&lab);
}

/// A run that waits for another one, and what it has said.
fn waiter(lab: &Lab, args: &[&str]) -> (Child, String) {
    let mut child = lab.pipeline(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    (child, said)
}

#[test]
fn who_waits_says_for_whom_and_runs_then() {
    let lab = sleeper();
    let first = start(&lab, &["run"]);
    let (second, said) = waiter(&lab, &["run", "--wait-lock"]);
    assert!(said.starts_with("waiting for another run in "), "{said}");
    assert!(said.contains(&format!(" to end: process {} on ", first.id())), "{said}");
    assert_eq!(lab.calls().len(), 1, "the second called nothing");
    // Ctrl-C ends one that waits, and the other ones notice nothing.
    let (mut third, _) = waiter(&lab, &["run", "--wait-lock=1h"]);
    kill_process(Pid::from_child(&third), Signal::INT).unwrap();
    assert_eq!(third.wait().unwrap().signal(), Some(2));
    lab.script(&[]);
    kill_process(Pid::from_child(&first), Signal::INT).unwrap();
    Ran::from(first.wait_with_output().unwrap()).must(130);
    let ran = Ran::from(second.wait_with_output().unwrap()).must(0);
    assert!(!ran.stderr.contains("waiting for"), "once is enough: {}", ran.stderr);
    assert_eq!(lab.calls_of("podman").len(), 1);
}

#[test]
fn nobody_waits_longer_than_told() {
    let lab = sleeper();
    let mut first = start(&lab, &["run"]);
    for (args, variable) in [(&["run", "--wait-lock=1s"][..], None), (&["run"], Some("1s"))] {
        let mut command = lab.pipeline(args);
        command.envs(variable.map(|limit| ("PIPELINE_WAIT_LOCK", limit)));
        let ran = Ran::of(&mut command).must(5);
        assert!(ran.stderr.starts_with("waiting for another run in "), "{}", ran.stderr);
        assert!(ran.stderr.contains("error[place::locked]: another run is under way in "), "{}", ran.stderr);
        assert!(ran.stderr.contains("help: wait longer"), "{}", ran.stderr);
    }
    let ran = lab.output(&["run"]).must(5);
    assert!(ran.stderr.contains("help: `--wait-lock` waits until it has ended"), "{}", ran.stderr);
    let ran = lab.output(&["run", "--wait-lock=soon"]).must(2);
    assert!(ran.stderr.contains("a duration such as `90s` or `10m`"), "{}", ran.stderr);
    kill_process(Pid::from_child(&first), Signal::INT).unwrap();
    let mut text = String::new();
    first.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(130), "{text}");
}

#[test]
fn a_reader_that_goes_away_does_no_harm() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\"]\n");
    for args in [&["run", "--progress", "json"][..], &["plan"], &["schema"]] {
        let mut child = lab.pipeline(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::from(child.wait_with_output().unwrap()).must(0);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    assert_eq!(lab.calls().len(), 1);
}
