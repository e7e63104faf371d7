//! One child process, from start to end: the only place that starts any.
//!
//! Every child has a process group of its own, a complete environment, and one pipe for stdout and stderr (two when
//! stdout is kept), which the calling thread reads itself: it waits with one `poll` for output, for the child's end, for
//! the wish to stop and for deadlines. No thread is started (but for what a child's stdin gets from us), nothing is polled in
//! intervals (but where the kernel has no pidfd). Unaware of plans, instances and events.

mod background;
mod find;
mod spawn;
mod watch;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

pub(super) use background::Background;
pub(crate) use find::find;

use super::cancel::Cancel;
use super::lifeline;
use super::pace::Pace;
use crate::event::Stream;
use crate::output::{Line, Redactor};

/// More on a kept stdout is an error: values are digests and names, at most a manifest.
pub(super) const KEPT: usize = 16 * 1024 * 1024;

/// What to run.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The tool as written, and its arguments.
    pub(super) argv: &'a [OsString],
    /// Where the tool was found: absolute.
    pub(super) program: &'a Path,
    /// The working directory: absolute.
    pub(super) dir: &'a Path,
    /// The complete environment.
    pub(super) env: &'a BTreeMap<OsString, OsString>,
    pub(super) stdin: Stdin<'a>,
    /// Keep stdout; only stderr comes as lines.
    pub(super) keep_stdout: bool,
    /// Where long lines may be cut.
    pub(super) redactor: &'a Redactor,
}

/// What a child reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stdin<'a> {
    /// Nothing: `/dev/null`.
    Null,
    /// From a pipe whose other end stays open while the child runs, and tells it now and then that we are there.
    Held,
    /// The file, from where it stands: the position moves as the child reads.
    File(&'a File),
    /// The same, no faster than that.
    Paced(&'a File, &'a Pace),
}

impl Stdin<'_> {
    /// Held open or nothing.
    pub(super) fn held(hold: bool) -> Self {
        if hold { Self::Held } else { Self::Null }
    }
}

/// What ends it early.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) cancel: &'a Arc<Cancel>,
    /// The first wish to stop is heard. Clean-up hears only the second.
    pub(super) heed_stop: bool,
    pub(super) deadline: Option<Instant>,
    /// The longest that it may print nothing.
    pub(super) silence: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub(super) grace: Duration,
    /// Set while a line is handled, it closes the child's held stdin.
    pub(super) release: Option<&'a std::cell::Cell<bool>>,
}

/// Why a child was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Cancelled,
    Timeout,
    /// It printed nothing for too long.
    Silence,
    /// It printed more than [`KEPT`] on a kept stdout.
    TooMuch,
}

/// How a child ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// It was ended by us.
    pub(super) why: Option<Why>,
    pub(super) stdout: Vec<u8>,
    /// A descendant that left the group keeps the output pipe open.
    pub(super) leaked: bool,
}

/// Runs a child to its end, and its process group with it.
pub(super) fn run(
    request: &Request<'_>,
    limits: &Limits<'_>,
    line: &mut dyn FnMut(Stream, Line),
) -> io::Result<Ended> {
    let mut child = spawn::spawn(request, limits.cancel)?;
    let (lifeline, paced) = (child.stdin.as_ref().map(Arc::downgrade), child.paced.take());
    let (cancel, stdin) = (limits.cancel, request.stdin);
    let (going, over) = mpsc::channel();
    thread::scope(|scope| {
        let beside = move || match (stdin, paced, lifeline) {
            (Stdin::Paced(file, pace), Some(pipe), _) => pace.feed(file, pipe, &|| cancel.now(), &over),
            (_, _, Some(lifeline)) => {
                lifeline::speak(&lifeline, &over);
                Ok(())
            }
            _ => Ok(()),
        };
        let beside = match stdin {
            Stdin::Held | Stdin::Paced(..) => Some(thread::Builder::new().spawn_scoped(scope, beside)?),
            Stdin::Null | Stdin::File(_) => None,
        };
        let ended = watch::Watch::new(child, limits).follow(request.redactor, line);
        drop(going);
        if let Some(beside) = beside {
            beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        ended
    })
}
