//! K2: processes that hear nothing, and hide.

use std::time::{Duration, Instant};

use pipeline_testkit::CTRL_C;

use crate::engine::{Keep, Run};
use crate::{SOON, count, soak, times};

/// The time that a child is given.
const GRACE: Duration = Duration::from_secs(10);

#[test]
fn a_second_ctrl_c_waits_for_nobody() {
    pipeline_testkit::require!("setsid", "bash");
    soak(
        "K2",
        "second Ctrl-Cs with deaf, hidden and pipe-holding processes, 0 orphans",
        (4, 50),
        &|keep, _| {
            let mut run = Run::on_terminal(keep, &[("stubborn", "")]);
            run.witness.expect(6);
            let terminal = run.terminal.as_mut().unwrap();
            terminal.press(CTRL_C);
            terminal.shows("interrupted:");
            terminal.press(CTRL_C);
            let (status, took) = run.wait();
            assert_eq!(status.code(), Some(130));
            assert!(took < Duration::from_millis(500), "{took:?}");
            run.witness.all_end(SOON);
        },
    );
}

#[test]
fn the_deaf_are_killed_after_the_grace_period() {
    pipeline_testkit::require!("setsid", "bash");
    // Some at once: each takes ten seconds, of waiting.
    let runs = times(2, 50);
    for first in (0..runs).step_by(10) {
        std::thread::scope(|scope| {
            for number in first..runs.min(first + 10) {
                scope.spawn(move || {
                    let keep = if number % 2 == 0 { Keep::Namespace } else { Keep::Subreapers };
                    let mut run = Run::on_terminal(keep, &[("stubborn", "")]);
                    run.witness.expect(6);
                    let begun = Instant::now();
                    run.terminal.as_mut().unwrap().press(CTRL_C);
                    let (status, _) = run.wait();
                    assert_eq!(status.code(), Some(130));
                    // All of it: the terminal and the parent tell the engine of one Ctrl-C, not of two.
                    let took = begun.elapsed();
                    assert!((GRACE..GRACE + Duration::from_secs(1)).contains(&took), "{took:?}");
                    run.witness.all_end(SOON);
                });
            }
        });
    }
    count("K2", runs, "single Ctrl-Cs with deaf, hidden and pipe-holding processes, 0 orphans");
}
