//! K3: every signal, to every process of a run; a failure; a timeout.

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Signal, kill_process};

use crate::engine::{Keep, PARTS, Part, Run};
use crate::{SOON, soak};

#[test]
fn every_signal_ends_everything() {
    pipeline_testkit::require!("setsid", "bash");
    let signals = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)];
    soak(
        "K3",
        "rounds of INT, TERM, HUP and QUIT, to the parent or to the engine, 0 orphans",
        (2, 50),
        &|keep, _| {
            for (signal, code) in signals {
                for part in [Part::Parent, Part::Engine] {
                    let mut run = Run::start(keep, &[("hidden", "")]);
                    run.witness.expect(6);
                    run.signal(part, signal);
                    let (status, took) = run.wait();
                    assert_eq!(status.code(), Some(code), "{keep:?} {signal:?} to {part:?}: {status}");
                    assert!(took < SOON, "{took:?}");
                    run.witness.all_end(SOON);
                }
            }
        },
    );
}

/// As `killall` and service managers do it: to every process of that name, or of the group. It is one wish.
#[test]
fn a_signal_to_all_of_them_is_one() {
    pipeline_testkit::require!("setsid", "bash");
    soak("K3", "signals to all at once, each heard as one, 0 orphans", (4, 50), &|keep, _| {
        let mut run = Run::start(keep, &[("stubborn", "")]);
        run.witness.expect(6);
        let pids = PARTS.map(|part| run.pid(part));
        for pid in pids {
            kill_process(pid, Signal::TERM).unwrap();
        }
        // The deaf are still given their time: a second wish would have ended them at once.
        std::thread::sleep(std::time::Duration::from_millis(300));
        run.signal(Part::Parent, Signal::TERM);
        let (status, took) = run.wait();
        assert_eq!(status.code(), Some(143));
        assert!(took < SOON, "{took:?}");
        run.witness.all_end(SOON);
    });
}

#[test]
fn a_kill_of_any_of_them_ends_everything() {
    pipeline_testkit::require!("setsid", "bash");
    soak("K3", "rounds of SIGKILL to each, to every two and to all three, 0 orphans", (2, 50), &|keep, _| {
        for chosen in 1..8 {
            // Three subreapers that all go at once leave nobody who could.
            if chosen == 7 && (keep == Keep::Subreapers || !namespaces()) {
                continue;
            }
            let mut run = Run::start(keep, &[("stubborn", "")]);
            run.witness.expect(6);
            let hit = PARTS.iter().enumerate().filter(|(bit, _)| chosen & (1 << bit) != 0);
            let pids: Vec<_> = hit.map(|(_, part)| run.pid(*part)).collect();
            for pid in pids {
                let _ = kill_process(pid, Signal::KILL);
            }
            println!("{keep:?}, {chosen:03b} killed");
            run.witness.all_end(SOON);
            let (status, _) = run.wait();
            assert_eq!(status.signal(), Some(9), "{status}");
        }
    });
}

#[test]
fn a_failure_and_a_timeout_leave_nobody() {
    pipeline_testkit::require!("setsid", "bash");
    soak("K3", "failures and timeouts, 0 orphans", (2, 50), &|keep, _| {
        let mut run = Run::start(keep, &[("failing", "")]);
        run.witness.expect(6);
        run.witness.release("leader");
        let (status, _) = run.wait();
        assert_eq!(status.code(), Some(1));
        run.witness.all_end(SOON);
        let mut run = Run::start(keep, &[("hidden", "timeout = \"2s\"")]);
        run.witness.expect(6);
        let (status, _) = run.wait();
        assert_eq!(status.code(), Some(1));
        run.witness.all_end(SOON);
    });
}

/// Whether this machine lets us have them.
fn namespaces() -> bool {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pipeline")).arg("doctor").output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("a run has a PID namespace")
}
