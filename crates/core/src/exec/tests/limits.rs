//! What bounds an instance: silence, attempts, pools.

use std::path::Path;
use std::time::{Duration, Instant};

use super::kit::{go, instance, options, plan, sh};
use crate::event::{EventKind, FailureKind, Status};
use crate::plan::{Cause, Grammar, Instance, Retry, Share};

#[test]
fn a_silent_tool_is_ended_and_a_slow_one_that_talks_is_not() {
    let mut silent = instance("silent@a", vec![sh("echo begun; sleep 60").into()]);
    let mut talks =
        instance("talks@b", vec![sh("for i in 1 2 3 4 5 6 7 8; do sleep 0.1; echo $i; done").into()]);
    // What it prints is kept, and counts all the same.
    let value = sh("for i in 1 2 3 4 5 6 7 8; do sleep 0.1; printf a; done").capture("x", Grammar::Any);
    let mut kept = instance("kept@c", vec![value.into()]);
    for one in [&mut silent, &mut talks, &mut kept] {
        one.silent_timeout = Some(Duration::from_millis(500));
    }
    let begun = Instant::now();
    let ran = go(&plan(vec![silent, talks, kept], &[]), Path::new("/"), &options(3));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let failure = ran.failure("silent@a");
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(
        failure.message.ends_with("was ended: it had printed nothing for 500.0ms"),
        "{}",
        failure.message
    );
    assert!(failure.help.as_ref().unwrap().contains("`silent-timeout`"));
    assert_eq!(*ran.status("talks@b"), Status::Done);
    assert_eq!(*ran.status("kept@c"), Status::Done);
}

/// An instance that fails as `script` says, with three attempts.
fn tries(id: &str, script: &str, on: &[&str]) -> Instance {
    let mut tries = instance(id, vec![sh(script).into()]);
    let on = on.iter().map(|cause| cause.parse().unwrap()).collect::<Vec<Cause>>();
    let usual = Retry::new(3, Duration::ZERO);
    tries.retry = Some(if on.is_empty() { usual } else { Retry { on, ..usual } });
    tries
}

#[test]
fn only_what_may_pass_is_tried_again() {
    let cases = [
        ("any@a", "exit 1", &[][..], 3),
        ("other@b", "exit 1", &["exit:75"], 1),
        ("this@c", "exit 75", &["timeout", "exit:75"], 3),
        ("signal@d", "kill -9 $$", &["signal:9"], 3),
        ("never@e", "exit 1", &["unreachable"], 1),
        // Whatever the last words are.
        ("full@f", "cat /etc/passwd > /dev/full; echo giving up; exit 1", &["exit", "io", "mismatch"], 1),
        (
            "scp@h",
            "echo 'scp: write remote \"/x/y\": Failure'; echo 'scp: failed to upload'; exit 1",
            &["exit"],
            1,
        ),
        ("go@g", "echo 'Error: write /x: no space left on device'; exit 125", &["exit"], 1),
    ];
    let instances = cases.iter().map(|(id, script, on, _)| tries(id, script, on)).collect();
    let ran = go(&plan(instances, &[]), Path::new("/"), &options(2));
    for (id, script, _, wanted) in cases {
        let started = ran.events.iter().filter(
            |event| matches!(&event.kind, EventKind::Started { instance, .. } if instance.as_str() == id),
        );
        assert_eq!(started.count(), wanted, "{id}: {script}");
    }
    assert_eq!(ran.failure("full@f").kind, FailureKind::NoSpace);
    assert!(ran.failure("full@f").message.contains("No space left on device"), "{:?}", ran.failure("full@f"));
}

#[test]
fn what_needed_a_second_attempt_is_flaky_in_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let flaky = tries("flaky@a", "test -e again || { touch again; exit 1; }", &[]);
    let steady = tries("steady@b", "true", &[]);
    let ran = go(&plan(vec![flaky, steady], &[]), folder.path(), &options(1));
    assert_eq!((ran.summary.counts.done, ran.summary.counts.flaky), (2, 1));
    let attempts = ran.events.iter().filter_map(|event| match &event.kind {
        EventKind::Finished { instance, attempts, .. } => Some((instance.as_str(), *attempts)),
        _ => None,
    });
    assert_eq!(attempts.collect::<Vec<_>>(), [("flaky@a", 2), ("steady@b", 1)]);
}

#[test]
fn a_pool_and_a_node_bound_what_runs_at_once() {
    let pool = |one: &mut Instance| one.share = Some(Share { pool: "emulated".into(), at_once: 2 });
    let node = |one: &mut Instance| (one.node, one.node_bound) = (Some("n".into()), Some(2));
    let busy = "mkdir in.$$; set -- in.*; echo $#; sleep 0.2; rmdir in.$$";
    for bound in [&pool as &dyn Fn(&mut Instance), &node] {
        let folder = tempfile::tempdir().unwrap();
        let instances = (0..6).map(|index| {
            let mut one = instance(&format!("s{index}@t{index}"), vec![sh(busy).into()]);
            bound(&mut one);
            one
        });
        let ran = go(&plan(instances.collect(), &[]), folder.path(), &options(6));
        let at_once =
            (0..6).map(|index| ran.lines(&format!("s{index}@t{index}"))[0].trim().parse::<u32>().unwrap());
        assert_eq!(at_once.max(), Some(2));
    }
}

#[test]
fn the_log_of_an_instance_is_bounded_over_all_its_commands() {
    let mut much = instance("much", vec![sh("seq 100000").into(), sh("seq 100000 >&2; echo end").into()]);
    much.max_log = Some(100 * 1024);
    let ran = go(&plan(vec![much], &[]), Path::new("/"), &options(1));
    let lines = ran.lines("much");
    assert_eq!(lines[..3], ["1", "2", "3"]);
    assert_eq!(*lines.last().unwrap(), "end");
    let told: Vec<&&str> = lines.iter().filter(|line| line.contains("`max-log`")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    // Everything that was printed is there, or counted.
    let counted =
        told.iter().map(|line| line.split(' ').nth(3).unwrap().parse::<usize>().unwrap()).sum::<usize>();
    assert_eq!(lines.len() - told.len() + counted, 200_001);
    let size: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!(size < 100 * 1024, "{size}");
}
