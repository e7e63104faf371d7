//! What a delivery shows on a terminal while layers travel, and that nothing of it is left.

use std::fs;
use std::process::Child;
use std::time::Duration;

use pipeline_testkit::{CTRL_C, CTRL_Z, Terminal};

use crate::kit::{Parcel, eventually};
use crate::require_lab;

const LAYERS: [usize; 2] = [30_000, 3_000_000];
const LONG: Duration = Duration::from_mins(2);
const ROWS: u16 = 24;

/// A layer takes some seconds to arrive.
const SLOW_CAT: &str = "#!/usr/bin/env python3\n\
    import os, time\n\
    while data := os.read(0, 16384):\n    os.write(1, data)\n    time.sleep(0.02)\n";

/// A run on a terminal.
struct Run {
    terminal: Terminal,
    columns: u16,
    child: Child,
}

impl Run {
    /// `pipeline run ARGS`, after these words.
    fn start(parcel: &Parcel, columns: u16, before: &[&str], args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = parcel.work.command("setsid");
        command.arg("--ctty").args(before).args(["env", "--default-signal=INT,TERM,HUP,TSTP,CONT"]);
        command.args([env!("CARGO_BIN_EXE_pipeline"), "run"]).args(args);
        command.env_remove("NO_COLOR").env("TERM", "xterm").envs(env.iter().copied());
        let terminal = Terminal::open(&mut command);
        terminal.resize(ROWS, columns);
        let child = command.spawn().unwrap();
        Self { terminal, columns, child }
    }

    /// What is to be seen now.
    fn screen(&self) -> Vec<String> {
        let size = |count: u16| count.try_into().unwrap();
        let mut parser = vt100::Parser::new(size(ROWS), size(self.columns), 0);
        parser.process(self.terminal.text().as_bytes());
        parser.screen().contents().lines().map(str::to_owned).collect()
    }

    /// What is there of the lines at the bottom that have a bar or a percentage: that of the run, and those of transfers.
    fn bars(&self) -> Vec<String> {
        let is_bar = |line: &String| [" %", "[#", "[."].iter().any(|mark| line.contains(mark));
        self.screen().into_iter().filter(is_bar).collect()
    }

    /// The bar that is there, as soon as it holds that.
    #[track_caller]
    fn bar(&self, text: &str) -> String {
        let found = eventually("a bar", LONG, || {
            let bars = self.bars().into_iter().filter(|bar| bar.contains("@own"));
            Some(bars.collect::<Vec<_>>()).filter(|bars| bars.concat().contains(text))
        });
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].chars().count() < self.columns.into(), "{found:?}");
        found[0].clone()
    }

    /// Waits for the end; nothing of what was at the bottom is there then.
    #[track_caller]
    fn ends(mut self, code: i32) -> String {
        let status = self.child.wait().unwrap();
        let screen = self.screen().join("\n");
        assert_eq!(status.code(), Some(code), "{screen}");
        assert_eq!(self.bars(), Vec::<String>::new(), "{screen}");
        screen
    }
}

#[test]
fn a_bar_while_a_layer_travels_and_a_line_afterwards() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo", "python3", "setsid");
    let parcel = Parcel::new("progress", &LAYERS);
    parcel.node.install("cat", SLOW_CAT);
    for (columns, holds) in [(20, " %"), (40, "B/s"), (80, " 2/2 [#")] {
        parcel.pack(&LAYERS);
        let run = Run::start(&parcel, columns, &[], &[], &[]);
        let bar = run.bar(holds);
        assert!(bar.contains("@own"), "{bar}");
        if columns == 80 {
            assert!(bar.contains("B of 3.0 MB "), "{bar}");
            let screen = run.ends(0);
            // The line is longer than the terminal is wide.
            let flat = screen.replace('\n', "");
            assert!(flat.contains("    sent  deliver@arm64@own  3.0 MB of 2 layers in "), "{screen}");
            assert!(screen.contains("; 3.0 MB sent, 0 B avoided"), "{screen}");
        } else {
            run.ends(0);
        }
    }
}

#[test]
fn nothing_is_left_by_ctrl_c_nor_by_a_kill_nor_by_a_failure() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo", "python3", "setsid");
    let parcel = Parcel::new("progress-ends", &LAYERS);
    parcel.node.install("cat", SLOW_CAT);
    let mut run = Run::start(&parcel, 40, &[], &[], &[]);
    run.bar("B/s");
    run.terminal.press(CTRL_C);
    assert!(run.ends(130).contains("1 done, 1 stopped"));

    parcel.pack(&LAYERS);
    let run = Run::start(&parcel, 80, &[], &[], &[]);
    run.bar("B/s");
    let child = |pid: &str| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let init = child(&run.child.id().to_string());
    let engine = child(init.trim());
    let engine = rustix::process::Pid::from_raw(engine.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(engine, rustix::process::Signal::KILL).unwrap();
    run.terminal.shows("the engine was ended by signal 9");
    // Alone on its line.
    let ended = "error[run::ended]: the engine was ended by signal 9".to_owned();
    assert!(run.screen().contains(&ended) && run.bars().is_empty(), "{:?}", run.screen());
    drop(run);

    parcel.node.install("skopeo", "#!/bin/sh\necho refused >&2\nexit 1\n");
    parcel.pack(&LAYERS);
    let run = Run::start(&parcel, 80, &[], &[], &[]);
    run.bar("B/s");
    assert!(run.ends(1).contains("1 done, 1 failed"));
}

#[test]
fn a_run_that_stands_still_leaves_the_terminal_to_the_shell() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo", "python3", "setsid", "bash");
    let parcel = Parcel::new("progress-stop", &LAYERS);
    parcel.node.install("cat", SLOW_CAT);
    let script = "\"$@\"; echo stopped $?; read -r; fg >/dev/null; echo ended $?";
    let mut run = Run::start(&parcel, 80, &["bash", "-mc", script, "bash"], &[], &[]);
    run.bar("B/s");
    run.terminal.press(CTRL_Z);
    run.terminal.shows("stopped 148");
    assert_eq!(run.bars(), Vec::<String>::new());
    run.terminal.press(b'\n');
    run.bar("B/s");
    // What was printed last may come after the end is known.
    run.terminal.shows("ended 0");
    run.ends(0);
}

#[test]
fn no_bar_where_none_is_wanted_and_no_colour_in_one() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo", "setsid");
    let parcel = Parcel::new("progress-plain", &LAYERS);
    let written = |args: &[&str], env: &[(&str, &str)]| {
        parcel.pack(&LAYERS);
        let run = Run::start(&parcel, 80, &[], args, env);
        run.terminal.shows("2 done in ");
        let written = run.terminal.text();
        run.ends(0);
        written
    };
    let bars = written(&[], &[("NO_COLOR", "1")]);
    assert!(bars.contains(" 2/2 [") && bars.contains("\x1b[J"), "{bars:?}");
    assert!(!bars.contains("\x1b[0m"), "{bars:?}");
    for (args, env) in [
        (&["--progress", "plain"][..], &[][..]),
        (&[], &[("PIPELINE_PROGRESS", "plain")]),
        (&[], &[("TERM", "dumb")]),
        (&[], &[("TERM", "dumb"), ("FORCE_COLOR", "1")]),
    ] {
        let plain = written(args, env);
        assert!(!plain.contains(" 2/2 [") && !plain.contains("\x1b[J"), "{args:?} {env:?}: {plain:?}");
        assert!(plain.contains(" of 2 layers in "), "{plain:?}");
    }
}
