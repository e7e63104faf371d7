//! A question put to a tool outside a run: nothing is logged, and the answer is judged by whoever asks.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::process::{self, Limits, Request, Stdin, Why};
use crate::output::{Line, Redactor};

/// From SIGTERM to SIGKILL, when there is no answer in time.
const GRACE: Duration = Duration::from_millis(500);

/// More lines of stderr are not kept, the first of them go.
const LINES: usize = 40;

/// What to run.
#[derive(Debug)]
pub(crate) struct Question<'q> {
    /// The tool, found on PATH of `env`, and its arguments.
    pub(crate) argv: &'q [OsString],
    /// The working directory: absolute.
    pub(crate) dir: &'q Path,
    /// The complete environment.
    pub(crate) env: &'q BTreeMap<OsString, OsString>,
    /// stdin stays open while it runs, as remote commands need it.
    pub(crate) hold_stdin: bool,
    /// The longest that the answer may take.
    pub(crate) within: Duration,
}

/// How a tool answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// The last lines that are not empty.
    pub(crate) stderr: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The tool is not on PATH.
    NotFound,
    /// It could not be started, or followed.
    Io(io::Error),
    /// It did not end in time, and was ended. This is what it had printed on stderr.
    TooLate(Vec<String>),
}

/// Asks, and waits for the answer.
pub(crate) fn ask(question: &Question<'_>) -> Result<Answer, NoAnswer> {
    let name = question.argv.first().map_or(OsStr::new(""), OsString::as_os_str);
    let program = process::find(name, question.dir, question.env).ok_or(NoAnswer::NotFound)?;
    let request = Request {
        argv: question.argv,
        program: &program,
        dir: question.dir,
        env: question.env,
        stdin: Stdin::held(question.hold_stdin),
        keep_stdout: true,
        redactor: &Redactor::default(),
    };
    let cancel = Arc::new(Cancel::new().map_err(NoAnswer::Io)?);
    let deadline = Instant::now().checked_add(question.within);
    let limits =
        Limits { cancel: &cancel, heed_stop: false, deadline, silence: None, grace: GRACE, release: None };
    let mut stderr = Vec::new();
    let ended = process::run(&request, &limits, &mut |_, Line { text, .. }| {
        if !text.trim().is_empty() {
            if stderr.len() == LINES {
                stderr.remove(0);
            }
            stderr.push(text);
        }
    })
    .map_err(NoAnswer::Io)?;
    match ended.why {
        Some(Why::Timeout) => Err(NoAnswer::TooLate(stderr)),
        Some(why @ (Why::Cancelled | Why::Silence | Why::TooMuch)) => {
            Err(NoAnswer::Io(io::Error::other(match why {
                Why::TooMuch => "it prints without end",
                _ => "it was stopped",
            })))
        }
        None => Ok(Answer {
            status: ended.status,
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr,
        }),
    }
}
