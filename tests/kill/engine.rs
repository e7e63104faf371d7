//! A run of the program, and the three processes that it is.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pipeline_testkit::{Terminal, TestSpace};
use rustix::process::{Pid, Signal, kill_process};

use crate::processes;
use crate::witness::{PATIENCE, Witness};

pub(crate) const MEMBER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kill/member.sh");

/// How descendants are kept. Where there can be no namespace, the first is the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Namespace,
    Subreapers,
}

/// One of the processes that a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Parent,
    Init,
    Engine,
}

/// All of them, in the order of their birth.
pub(crate) const PARTS: [Part; 3] = [Part::Parent, Part::Init, Part::Engine];

pub(crate) struct Run {
    pub(crate) witness: Witness,
    pub(crate) terminal: Option<Terminal>,
    child: Child,
    _space: TestSpace,
}

impl Run {
    /// Starts a recipe of steps: the shape of each, and more keys. Without a terminal.
    pub(crate) fn start(keep: Keep, steps: &[(&str, &str)]) -> Self {
        Self::recipe(keep, steps, None)
    }

    /// The same as a terminal's foreground job.
    pub(crate) fn on_terminal(keep: Keep, steps: &[(&str, &str)]) -> Self {
        Self::recipe(keep, steps, Some(&[]))
    }

    /// The same as a job of a shell, which has the command as `"$@"`.
    pub(crate) fn in_shell(keep: Keep, steps: &[(&str, &str)], script: &str) -> Self {
        Self::recipe(keep, steps, Some(&["bash", "-mc", script, "bash"]))
    }

    fn recipe(keep: Keep, steps: &[(&str, &str)], terminal: Option<&[&str]>) -> Self {
        let (space, witness) = (TestSpace::with_real_tools(), Witness::new());
        let port = witness.port();
        let steps: String = (0..)
            .zip(steps)
            .map(|(number, (shape, keys))| {
                format!(
                    "[[step]]\nid = \"s{number}\"\nuses = \"run\"\n\
                     argv = [\"{MEMBER}\", \"{port}\", \"{shape}\"]\n{keys}\n"
                )
            })
            .collect();
        space.write("pipeline.toml", format!("version = 1\n{steps}"));
        Self::begin(space, witness, keep, &["run", "--jobs", "16"], terminal)
    }

    /// Starts the program in that space.
    pub(crate) fn begin(
        space: TestSpace,
        witness: Witness,
        keep: Keep,
        args: &[&str],
        terminal: Option<&[&str]>,
    ) -> Self {
        // A background job ignores Ctrl-C, and so would an engine that it starts. env becomes the engine.
        let mut words = vec!["env", "--default-signal=INT,TERM,HUP,QUIT,TSTP,CONT"];
        if let Some(shell) = terminal {
            words.splice(0..0, ["setsid", "--ctty"]);
            words.extend(shell);
        }
        words.push(env!("CARGO_BIN_EXE_pipeline"));
        words.extend(args);
        let mut command = space.command(words[0]);
        command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
        if keep == Keep::Subreapers {
            command.env("PIPELINE_NO_NAMESPACE", "1");
        }
        if terminal.is_none() {
            // In a group of which nobody's parent is in another one, as in the background of a CI, Ctrl-Z stops nothing.
            command.process_group(0);
        }
        let terminal = terminal.map(|_| Terminal::open(&mut command));
        let child = command.spawn().unwrap();
        Self { witness, terminal, child, _space: space }
    }

    /// The number of a part. Parent and child of each other, they are told by that.
    pub(crate) fn pid(&self, part: Part) -> Pid {
        let parent = Pid::from_child(&self.child);
        let only = |pid| processes::children(pid).first().copied().expect("a part of the run");
        match part {
            Part::Parent => parent,
            Part::Init => only(parent),
            Part::Engine => only(only(parent)),
        }
    }

    pub(crate) fn signal(&self, part: Part, signal: Signal) {
        kill_process(self.pid(part), signal).unwrap();
    }

    /// Waits for the program's end; how it ended, and after how long.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A test that failed leaves no run behind.
impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
