//! A run on a terminal: what is to be seen while it goes on, and that nothing of it is left.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipeline_testkit::{CTRL_C, CTRL_Z, Terminal};
use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Lab, Ran};

const SOON: Duration = Duration::from_mins(1);

/// A run that somebody watches.
struct Watched {
    terminal: Terminal,
    child: Child,
}

impl Watched {
    fn start(lab: &Lab, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::spawn(lab.pipeline(&[&["run"], args].concat()), env)
    }

    /// On a terminal that is the run's own, as a shell gives it to what it starts in the foreground.
    fn in_foreground(lab: &Lab, shell: &[&str]) -> Self {
        let run = lab.pipeline(&["run"]);
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(shell).arg(run.get_program()).args(run.get_args());
        command.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(run.get_current_dir().unwrap());
        Self::spawn(command, &[])
    }

    fn spawn(mut command: Command, env: &[(&str, &str)]) -> Self {
        command.env("TERM", "xterm").envs(env.iter().copied());
        let terminal = Terminal::open(&mut command);
        terminal.resize(24, 80);
        let child = command.spawn().unwrap();
        Self { terminal, child }
    }

    /// What is to be seen of what was written from there on, in a terminal of that size.
    fn screen(&self, from: usize, rows: u16, columns: u16) -> String {
        let mut parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        parser.process(&self.terminal.text().as_bytes()[from..]);
        parser.screen().contents()
    }

    #[track_caller]
    fn until(&self, what: &str, done: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !done(&self.screen(0, 24, 80)) {
            assert!(begun.elapsed() < SOON, "{what}:\n{}", self.screen(0, 24, 80));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn engine(&self) -> Pid {
        let child = |pid: &str| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let init = child(&self.child.id().to_string());
        Pid::from_raw(child(init.trim()).trim().parse().unwrap()).unwrap()
    }

    /// Waits for the end; the block is gone, and so is everything that a frame does to the terminal.
    #[track_caller]
    fn ends(mut self, code: Option<i32>) -> (String, String) {
        assert_eq!(self.child.wait().unwrap().code(), code, "{}", self.terminal.text());
        let written = self.terminal.whole();
        let screen = self.screen(0, 24, 80);
        assert!(!is_live(&screen), "{screen}");
        assert!(self.terminal.echoes(), "keys are shown again");
        let last = |on: &str, off: &str| written.rfind(on) < written.rfind(off) || !written.contains(on);
        assert!(last("\x1b[?2026h", "\x1b[?2026l") && last("\x1b[?7l", "\x1b[?7h"), "{written:?}");
        (screen, written)
    }
}

/// Lines of the run, of its target or of the step.
fn is_live(screen: &str) -> bool {
    let target = |line: &str| line.starts_with("  host  0/1");
    screen.contains("[#")
        || screen.contains("[.")
        || screen.lines().any(|line| line.starts_with("    step  ") || target(line))
}

fn recipe(argv: &str) -> Lab {
    let lab = Lab::new();
    lab.recipe(&format!("version = 1\n[[step]]\nid = \"step\"\nuses = \"run\"\nargv = {argv}\n"));
    lab
}

#[test]
fn times_go_on_though_nothing_happens_and_ctrl_c_leaves_nothing() {
    let lab = recipe(r#"["sh", "-c", "echo hello there; sleep 600"]"#);
    let run = Watched::start(&lab, &[], &[]);
    run.until("the step is shown", |screen| screen.contains("    step  1 s  hello there"));
    run.until("its time goes on", |screen| screen.contains("    step  3 s  hello there"));
    // Another terminal, another layout; and the screen has it once.
    let before = run.terminal.text().len();
    run.terminal.resize(10, 20);
    run.until("it is drawn again", |_| run.screen(before, 10, 20).contains("\n step  "));
    assert!(run.screen(before, 10, 20).lines().all(|line| line.len() < 20));
    run.signal(Signal::INT);
    let (screen, _) = run.ends(Some(130));
    assert!(screen.contains("interrupted: stopping"), "{screen}");
    assert!(screen.contains("1 stopped in "), "{screen}");
}

#[test]
fn keys_that_somebody_presses_meanwhile_change_nothing_and_are_shown_afterwards() {
    type End = fn(&Watched);
    pipeline_testkit::require!("setsid");
    let lab = recipe(r#"["sleep", "600"]"#);
    let ends: [(&str, End, Option<i32>); 4] = [
        ("Ctrl-C", |run| run.signal(Signal::INT), Some(130)),
        ("SIGTERM", |run| run.signal(Signal::TERM), Some(143)),
        ("SIGHUP", |run| run.signal(Signal::HUP), Some(129)),
        ("the engine is killed", |run| kill_process(run.engine(), Signal::KILL).unwrap(), None),
    ];
    for (how, end, code) in ends {
        let mut run = Watched::in_foreground(&lab, &[]);
        run.until("the step is shown", |screen| screen.contains("    step  1 s"));
        let before = run.screen(0, 24, 80);
        "\r\rQ\r".bytes().for_each(|key| run.terminal.press(key));
        run.until("its time goes on", |screen| screen.contains("    step  3 s"));
        let now = run.screen(0, 24, 80);
        assert_eq!(now.lines().count(), before.lines().count(), "{how}: {now}");
        assert!(!now.contains('Q'), "{how}: {now}");
        end(&run);
        run.ends(code);
    }
}

#[test]
fn keys_are_shown_while_a_run_stands_still() {
    pipeline_testkit::require!("setsid", "bash");
    let lab = recipe(r#"["sleep", "600"]"#);
    let script = "\"$@\"; echo ended $?; read key; fg >/dev/null; exit $?";
    let mut run = Watched::in_foreground(&lab, &["/bin/bash", "-mc", script, "bash"]);
    run.until("no keys are shown", |_| !run.terminal.echoes());
    run.terminal.press(CTRL_Z);
    run.terminal.shows("ended 148");
    assert!(run.terminal.echoes());
    run.terminal.press(b'\n');
    run.until("no keys are shown, again", |_| !run.terminal.echoes());
    run.terminal.press(CTRL_C);
    run.ends(Some(130));
}

#[test]
fn in_the_background_there_are_lines_and_the_prompt_is_left_alone() {
    pipeline_testkit::require!("setsid", "bash");
    let lab = recipe(r#"["sleep", "0.2"]"#);
    let run = |script: &str| {
        let run = Watched::in_foreground(&lab, &["/bin/bash", "-mc", script, "bash"]);
        run.until("it has ended", |screen| screen.contains("1 done in "));
        run.ends(Some(0)).1.contains("\x1b[?2026h")
    };
    assert!(!run("\"$@\" --force & wait"));
    assert!(run("\"$@\" --force; true") && run("\"$@\" --force --progress tty & wait"));
}

#[test]
fn what_it_took_the_last_time_is_told() {
    let lab = recipe(r#"["sh", "-c", "sleep 3.3"]"#);
    lab.output(&["run"]).must(0);
    let run = Watched::start(&lab, &["--force"], &[]);
    run.until("how long it may take", |screen| {
        screen.contains("1 s, about 1 s left") || screen.contains("1 s, about 2 s left")
    });
    run.ends(Some(0));
}

#[test]
fn a_killed_engine_leaves_nothing() {
    let lab = recipe(r#"["sleep", "600"]"#);
    let run = Watched::start(&lab, &[], &[]);
    run.until("the step is shown", |screen| {
        screen.contains("    step  0 s") || screen.contains("    step  1 s")
    });
    kill_process(run.engine(), Signal::KILL).unwrap();
    let (screen, _) = run.ends(None);
    assert!(
        screen.lines().any(|line| line.starts_with("error[run::ended]: the engine was ended by signal 9")),
        "{screen}"
    );
}

#[test]
fn many_lines_are_no_more_frames() {
    let lab = recipe(r#"["sh", "-c", "i=0; while [ $i -lt 10 ]; do cat lines; i=$((i+1)); done"]"#);
    let lines: String =
        (0..10_000).map(|number| format!("{number} is another line than the last one\n")).collect();
    lab.space.write("lines", lines);
    let begun = Instant::now();
    let run = Watched::start(&lab, &[], &[]);
    let (screen, written) = run.ends(Some(0));
    assert!(screen.contains("1 done in "), "{screen}");
    // Ten a second; on a machine that is slow there are less.
    let frames = u32::try_from(written.matches("\x1b[?2026h").count()).unwrap();
    assert!(
        frames > 0 && Duration::from_millis(100) * frames < begun.elapsed() + Duration::from_secs(1),
        "{frames} in {:?}",
        begun.elapsed()
    );
    // All of them, where they are asked for.
    let run = Watched::start(&lab, &["--force", "-v"], &[]);
    let (screen, written) = run.ends(Some(0));
    assert!(screen.contains("1 done in "), "{screen}");
    let all =
        written.lines().filter(|line| line.contains("step@host | ") && line.contains(" is another line"));
    assert_eq!(all.count(), 100_000);
}

#[test]
fn a_step_prints_what_it_likes_and_the_screen_stays() {
    let lab = recipe(r#"["sh", "-c", "cat odd; sleep 1; cat odd; exit 3"]"#);
    lab.space
        .write("odd", "\x1b[2J\x1b[1;1Hescaped\n\x1b]0;title\x07\u{202e}bidi\r\n日本語 👩‍🚀\n\x1b[41mred\n");
    let run = Watched::start(&lab, &[], &[]);
    let (screen, written) = run.ends(Some(1));
    for kept in ["work: 1 step", "| escaped", "| \\u{202e}bidi", "| 日本語", "| red", "log: "] {
        assert!(screen.contains(kept), "`{kept}` is not in: {screen}");
    }
    assert!(!written.contains("\x1b[2J") && !written.contains("\x1b]0;") && !written.contains('\u{202e}'));
}

/// Where a run is live.
#[test]
fn lines_where_a_terminal_cannot_or_nobody_watches() {
    let lab = recipe(r#"["sh", "-c", "sleep 0.3"]"#);
    let shown = |args: &[&str], env: &[(&str, &str)]| {
        let (screen, written) = Watched::start(&lab, &[&["--force"], args].concat(), env).ends(Some(0));
        assert!(screen.contains("1 done in "), "{args:?} {env:?}: {screen}");
        let live = written.contains("\x1b[?2026h");
        assert_eq!(screen.contains("   start  step@host"), !live, "{args:?} {env:?}: {screen}");
        live
    };
    for (live, args, env) in [
        (true, &[][..], &[][..]),
        (true, &[], &[("CI", "false")]),
        (true, &["--progress", "tty"], &[("CI", "true")]),
        (true, &["--progress", "tty"], &[("TERM", "dumb")]),
        (true, &[], &[("PIPELINE_PROGRESS", "tty"), ("CI", "1")]),
        (false, &["--progress", "plain"], &[]),
        (false, &[], &[("CI", "true")]),
        (false, &[], &[("TERM", "dumb")]),
        (false, &[], &[("TERM", "")]),
    ] {
        assert_eq!(shown(args, env), live, "{args:?} {env:?}");
    }
    // No terminal at all.
    let ran = lab.output(&["run", "--force", "--progress", "tty"]).must(0);
    assert!(ran.stderr.contains("   start  step@host") && !ran.stderr.contains('\x1b'), "{}", ran.stderr);
}

#[test]
fn who_wants_quiet_hears_what_went_wrong() {
    let lab = recipe(r#"["sh", "-c", "echo said; test ! -e broken"]"#);
    let ran = lab.output(&["run", "--progress", "quiet"]).must(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    lab.space.write("broken", "");
    let ran = lab.output(&["run", "--force", "--progress", "quiet"]).must(1);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines[0].starts_with("  FAILED  [1/1] step@host"), "{}", ran.stderr);
    assert!(ran.stderr.contains("| said\n") && ran.stderr.contains("log: "), "{}", ran.stderr);
    assert!(lines.last().unwrap().starts_with("0 done, 1 failed in "), "{}", ran.stderr);
    let (screen, written) = Watched::start(&lab, &["--force", "--progress", "quiet"], &[]).ends(Some(1));
    assert!(screen.starts_with("  FAILED") && !written.contains("\x1b[?"), "{screen}");
}

#[test]
fn a_reader_or_a_terminal_that_goes_away_does_no_harm() {
    let lab = recipe(r#"["sh", "-c", "cat lines; sleep 0.5; cat lines"]"#);
    lab.space.write("lines", "a line\n".repeat(10_000));
    // Its terminal is closed: what is written to it fails, and nobody can be told.
    let Watched { terminal, mut child } = Watched::start(&lab, &["--force", "-v"], &[]);
    drop(terminal);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    for args in [&["run", "--force"][..], &["run", "--force", "-v", "--progress", "tty"]] {
        let mut child = lab.pipeline(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 0);
    }
}
