//! K4: Ctrl-Z, `fg`, and many of them.

use std::time::{Duration, Instant};

use pipeline_testkit::CTRL_Z;
use rustix::process::{Signal, kill_process};

use crate::engine::{Keep, PARTS, Part, Run};
use crate::processes;
use crate::witness::PATIENCE;
use crate::{SOON, count, soak, times};

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn time_that_stands_still_is_not_counted() {
    pipeline_testkit::require!("setsid", "bash");
    for keep in [Keep::Namespace, Keep::Subreapers] {
        // It comes back after longer than the step may take.
        let script = "\"$@\"; echo ended $?; sleep 6; fg >/dev/null; echo ended $?";
        let mut run = Run::in_shell(keep, &[("polite", "timeout = \"5s\"")], script);
        run.witness.expect(2);
        let parent = processes::children(run.pid(Part::Parent))[0];
        let engine = processes::children(processes::children(parent)[0])[0];
        let all = [parent, engine, processes::step(engine)];
        run.terminal.as_mut().unwrap().press(CTRL_Z);
        // The shell's number for a job that SIGTSTP stopped.
        run.terminal.as_ref().unwrap().shows("ended 148");
        until("all stand still", || all.into_iter().all(processes::stopped));
        until("all go on", || !all.into_iter().any(processes::stopped));
        run.witness.release("leader");
        run.wait();
        run.terminal.as_ref().unwrap().shows("1 done in");
        run.terminal.as_ref().unwrap().shows("ended 0");
        run.witness.all_end(SOON);
    }
}

#[test]
fn a_storm_of_stops_is_weathered() {
    pipeline_testkit::require!("setsid", "bash");
    let runs = times(100, 500);
    for keep in [Keep::Namespace, Keep::Subreapers] {
        let mut run = Run::start(keep, &[("polite", "timeout = \"10m\""); 16]);
        run.witness.expect(32);
        for number in 0..runs {
            run.signal(Part::Parent, Signal::TSTP);
            // Now at once, now in the middle of it, now afterwards.
            std::thread::sleep(Duration::from_micros([0, 50, 300, 3000][number % 4]));
            run.signal(Part::Parent, Signal::CONT);
        }
        run.witness.release("leader");
        let (status, took) = run.wait();
        assert_eq!(status.code(), Some(0));
        assert!(took < SOON * 5, "{took:?}");
        run.witness.all_end(SOON);
    }
    count("K4", runs, "SIGTSTPs and SIGCONTs during -j16, with and without a namespace, no hang, 0 orphans");
}

/// Who is stopped for good does not stay.
#[test]
fn a_kill_while_all_stand_still_ends_everything() {
    pipeline_testkit::require!("setsid", "bash");
    soak("K4", "kills of a run that stands still, 0 orphans", (6, 50), &|keep, number| {
        let mut run = Run::start(keep, &[("stubborn", "")]);
        run.witness.expect(6);
        let engine = run.pid(Part::Engine);
        let step = processes::step(engine);
        let part = PARTS[number % 3];
        let hit = run.pid(part);
        run.signal(Part::Parent, Signal::TSTP);
        until("all stand still", || [engine, step].into_iter().all(processes::stopped));
        kill_process(hit, Signal::KILL).unwrap();
        if part != Part::Parent {
            // A parent that stands still ends nothing until it goes on.
            run.signal(Part::Parent, Signal::CONT);
        }
        run.witness.all_end(SOON);
        run.wait();
    });
}
