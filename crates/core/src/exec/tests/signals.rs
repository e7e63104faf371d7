//! Real signals, to a process of its own: this test binary again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::kit::{None_, go_with, instance, options, plan, sh};
use crate::event::EventKind;
use crate::exec::Signals;

const MARK: &str = "PIPELINE_TEST_ENGINE";

/// Does nothing unless it is started by the test below.
#[test]
fn engine() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let signals = Signals::install().unwrap();
    let script = "trap '' TERM; echo $$; setsid sh -c 'echo $$; exec sleep 60' & sleep 0.2; echo ready; sleep 60; sleep 60";
    let plan = plan(vec![instance("stubborn", vec![sh(script).into()])], &[]);
    let ran = go_with(&plan, Path::new("/"), &options(1), &None_, Some(&signals), &mut |event| {
        if let EventKind::Line { text, .. } = &event.kind {
            // Not `println!`: the test harness keeps that.
            writeln!(std::io::stderr(), "line {text}").unwrap();
        }
    });
    writeln!(std::io::stderr(), "line interrupted {:?}", ran.summary.interrupted).unwrap();
}

#[test]
fn a_real_signal_ends_a_real_engine_and_all_below_it() {
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15), (Signal::HUP, 1)] {
        let (reader, writer) = os_pipe::pipe().unwrap();
        // A background job ignores Ctrl-C, and so would an engine that it starts. env becomes the engine.
        let engine = duct::cmd!(
            "env",
            "--default-signal=INT,TERM,HUP",
            std::env::current_exe().unwrap(),
            "--exact",
            "exec::tests::signals::engine",
            "--nocapture"
        )
        .env(MARK, "1")
        .stdout_null()
        .stderr_file(writer)
        .start()
        .unwrap();
        let (mut pids, mut said, mut at) = (Vec::new(), None, Instant::now());
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            match line.strip_prefix("line ") {
                Some("ready") => {
                    at = Instant::now();
                    kill_process(Pid::from_raw(i32::try_from(engine.pids()[0]).unwrap()).unwrap(), signal)
                        .unwrap();
                }
                Some(text) if text.starts_with("interrupted") => said = Some(text.to_owned()),
                Some(pid) if pid.parse::<u32>().is_ok() => pids.push(pid.to_owned()),
                Some(_) | None => {}
            }
        }
        engine.wait().unwrap();
        assert!(at.elapsed() < Duration::from_secs(3), "{:?}", at.elapsed());
        assert_eq!(said.unwrap(), format!("interrupted Some({number})"));
        assert_eq!(pids.len(), 2);
        for pid in pids {
            assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} is left");
        }
    }
}
