//! Children: what they print, how they end, what they leave behind.

use std::path::Path;
use std::time::{Duration, Instant};

use super::kit::{None_, Ran, go, go_with, instance, options, plan, sh};
use crate::event::{Event, EventKind, FailureKind, Status};
use crate::exec::Signals;
use crate::plan::{Command, Grammar};

/// Whether a process of that number is there and is no zombie.
fn alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z'))
}

#[test]
fn a_timeout_ends_the_whole_group() {
    let mut slow = instance("slow", vec![sh("sleep 60 & echo $!; sleep 60").into()]);
    slow.timeout = Some(Duration::from_millis(300));
    let begun = Instant::now();
    let ran = go(&plan(vec![slow], &[]), Path::new("/"), &options(1));
    assert_eq!(ran.failure("slow").kind, FailureKind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!alive(ran.lines("slow")[0]));
}

#[test]
fn a_hundred_thousand_lines_arrive_in_order() {
    let count = instance("count", vec![sh("seq 100000; echo end >&2").into()]);
    let ran = go(&plan(vec![count], &[]), Path::new("/"), &options(1));
    let lines = ran.lines("count");
    assert_eq!(lines.len(), 100_001);
    assert!((1..=100_000).zip(&lines).all(|(number, line)| number.to_string() == **line));
    assert_eq!(lines[100_000], "end");
}

#[test]
fn what_is_kept_is_bounded() {
    let endless = sh("exec cat /dev/zero").capture("out", Grammar::Any);
    let ran = go(&plan(vec![instance("endless", vec![endless.into()])], &[]), Path::new("/"), &options(1));
    assert_eq!(ran.failure("endless").kind, FailureKind::Input);
    assert!(ran.failure("endless").message.contains("16 MiB"));
}

#[test]
fn a_grandchild_that_holds_the_pipe_delays_nothing_for_long() {
    let leak = instance("leak", vec![sh("setsid sleep 60 & echo $!; sleep 0.2").into()]);
    let begun = Instant::now();
    let ran = go(&plan(vec![leak], &[]), Path::new("/"), &options(1));
    assert_eq!(*ran.status("leak"), Status::Done);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(
        ran.lines("leak").iter().any(|line| line.contains("leaked its output pipe")),
        "{:?}",
        ran.lines("leak")
    );
    assert!(!alive(ran.lines("leak")[0]));
}

#[test]
fn the_environment_and_stdin_are_only_what_was_given() {
    let env = Command::new(["env"]).env("X", "a b");
    let plan = plan(vec![instance("env", vec![env.into(), sh("cat; echo $0").into()])], &[]);
    let ran = go(&plan, Path::new("/"), &options(1));
    let mut lines = ran.lines("env");
    lines.retain(|line| !line.starts_with("PWD=") && !line.starts_with("_="));
    assert_eq!(
        lines,
        [
            format!("PATH={}", super::kit::env()[std::ffi::OsStr::new("PATH")].to_str().unwrap()).as_str(),
            "X=a b",
            "sh"
        ]
    );
}

#[test]
fn exit_codes_and_signals_are_told_apart() {
    let mut odd = sh("exit 4");
    odd.ok = vec![0, 4].into();
    let mut differs = sh("echo 'the copy differs'; exit 6");
    differs.mismatch = Some(6);
    let plan = plan(
        vec![
            instance("ok@a", vec![odd.into()]),
            instance("exit@b", vec![sh("exit 4").into()]),
            instance("signal@c", vec![sh("kill -9 $$").into()]),
            instance("differs@d", vec![differs.into()]),
            instance("six@e", vec![sh("exit 6").into()]),
        ],
        &[],
    );
    let ran = go(&plan, Path::new("/"), &options(1));
    assert_eq!(*ran.status("ok@a"), Status::Done);
    assert_eq!(ran.failure("exit@b").kind, FailureKind::Exit { code: 4 });
    assert_eq!(ran.failure("differs@d").kind, FailureKind::Mismatch);
    assert!(ran.failure("differs@d").message.ends_with("exited with code 6: the copy differs"));
    assert_eq!(ran.failure("six@e").kind, FailureKind::Exit { code: 6 }, "only where the plan says so");
    assert_eq!(ran.failure("exit@b").message, "`sh -c 'exit 4'` exited with code 4");
    assert_eq!(ran.failure("signal@c").kind, FailureKind::Signal { signal: 9 });
}

/// Runs `script`, which prints pids and then `ready`; then sends as many signals as asked.
fn interrupted(script: &str, signals: usize, grace: Duration) -> (Ran, Duration) {
    let plan = plan(
        vec![instance("stubborn", vec![sh(script).into()]), instance("next", vec![sh("true").into()])],
        &[],
    );
    let (receiver, relay) = Signals::by_hand();
    let mut at = Instant::now();
    let options = crate::exec::Options { grace, ..options(1) };
    let ran = go_with(&plan, Path::new("/"), &options, &None_, Some(&receiver), &mut |event: &Event| {
        if matches!(&event.kind, EventKind::Line { text, .. } if text == "ready") {
            at = Instant::now();
            (0..signals).for_each(|_| relay.send(2));
        }
    });
    let took = at.elapsed();
    assert_eq!(ran.summary.interrupted, Some(2));
    assert!(ran.events.iter().any(|event| matches!(event.kind, EventKind::Interrupted { signal: 2 })));
    assert_eq!(*ran.status("stubborn"), Status::Cancelled);
    assert_eq!(*ran.status("next"), Status::Skipped { because: None });
    for line in ran.lines("stubborn").iter().filter(|line| line.parse::<u32>().is_ok()) {
        assert!(!alive(line), "{line} is left");
    }
    (ran, took)
}

#[test]
fn a_signal_leaves_no_descendant() {
    // In its own session; double-forked; ignoring every polite signal; and a polite one.
    let script = "trap '' TERM INT HUP; setsid sh -c 'echo $$; exec sleep 60' & \
                  sh -c 'setsid sleep 60 >/dev/null 2>&1 & echo $!'; (trap '' TERM; sleep 60) & echo $!; \
                  sleep 0.2; echo ready; sleep 60; sleep 60";
    let (ran, took) = interrupted(script, 1, Duration::from_millis(300));
    assert_eq!(ran.lines("stubborn").iter().filter(|line| line.parse::<u32>().is_ok()).count(), 3);
    assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_second_signal_waits_for_nothing() {
    let (_, took) =
        interrupted("trap '' TERM; echo $$; echo ready; sleep 60; sleep 60", 2, Duration::from_mins(1));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_polite_child_ends_on_the_first_signal() {
    let script = "trap 'echo bye; exit 0' TERM; echo $$; sleep 60 & sleep 0.2; echo ready; wait";
    let (ran, took) = interrupted(script, 1, Duration::from_mins(1));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(ran.lines("stubborn").contains(&"bye"));
}

#[test]
fn children_that_were_there_before_are_left_alone() {
    let bystander = duct::cmd!("sleep", "60").start().unwrap();
    let ran = go(&plan(vec![instance("a", vec![sh("true").into()])], &[]), Path::new("/"), &options(1));
    assert_eq!(*ran.status("a"), Status::Done);
    assert!(bystander.try_wait().unwrap().is_none());
    bystander.kill().unwrap();
    let _ = bystander.wait();
}

#[test]
fn a_slow_sink_makes_the_tool_wait_and_costs_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let finished = folder.path().join("finished");
    let plan = plan(vec![instance("much", vec![sh("seq 200000; : > finished").into()])], &[]);
    let mut first = true;
    let ran = go_with(&plan, folder.path(), &options(1), &None_, None, &mut |event: &Event| {
        if matches!(event.kind, EventKind::Line { .. }) && std::mem::take(&mut first) {
            std::thread::sleep(Duration::from_millis(400));
            // Over a megabyte does not fit into what is between the tool and here.
            assert!(!finished.exists());
        }
    });
    assert_eq!(ran.lines("much").len(), 200_000);
    assert!(finished.exists());
}

#[test]
fn a_sink_that_panics_leaves_no_child_and_does_not_hang() {
    let plan = plan(vec![instance("a", vec![sh("echo $$; exec sleep 60").into()])], &[]);
    let mut pid = String::new();
    let begun = Instant::now();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        go_with(&plan, Path::new("/"), &options(1), &None_, None, &mut |event: &Event| {
            if let EventKind::Line { text, .. } = &event.kind {
                pid.clone_from(text);
                panic!("a sink's own defect");
            }
        })
    }));
    assert!(panicked.is_err());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!alive(&pid));
}

#[test]
fn a_signal_before_the_run_lets_nothing_start() {
    let (signals, relay) = Signals::by_hand();
    relay.send(15);
    let plan = plan(vec![instance("a", vec![sh("true").into()])], &[]);
    let ran = go_with(&plan, Path::new("/"), &options(1), &None_, Some(&signals), &mut |_| {});
    assert_eq!(*ran.status("a"), Status::Skipped { because: None });
    assert_eq!(ran.summary.interrupted, Some(15));
}

#[test]
fn a_background_job_ends_with_its_leader_and_not_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let leaves = sh("sleep 60 & echo $! > pid");
    let looks = sh("read -r pid < pid; [ ! -e /proc/$pid ] || grep -q '^State:.Z' /proc/$pid/status");
    let plan = plan(vec![instance("a", vec![leaves.into(), looks.into()])], &[]);
    let ran = go(&plan, folder.path(), &options(1));
    assert_eq!(*ran.status("a"), Status::Done);
    assert!(ran.lines("a").is_empty(), "{:?}", ran.lines("a"));
}
