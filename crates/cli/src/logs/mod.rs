//! What steps printed, from the logs of a run: a piece at a time, however long they are.

mod follow;
mod read;

use std::collections::BTreeSet;
use std::io;

use pipeline_core::diag::{did_you_mean, list_names};
use pipeline_core::event::Status;
use pipeline_core::history::{Account, RunFolder};
use pipeline_core::plan::InstanceId;
use pipeline_core::spec::glob;

use crate::terminal;

pub(crate) use follow::follow;
pub(crate) use read::{from_events, last_lines, show};

/// Text for stdout, handed on in large pieces.
#[derive(Debug, Default)]
pub(crate) struct Out {
    text: String,
    closed: bool,
}

/// As much is gathered before it is printed.
const PIECE: usize = 64 * 1024;

impl Out {
    /// A line, or a piece of one that is very long. Nothing in it acts on a terminal afterwards.
    pub(crate) fn line(&mut self, prefix: &str, bytes: &[u8]) -> io::Result<()> {
        self.text += prefix;
        self.text += &terminal::clean(&String::from_utf8_lossy(bytes));
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        if self.text.len() < PIECE { Ok(()) } else { self.flush() }
    }

    /// Everything so far is printed.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let result = terminal::out_whole(&terminal::ci::no_commands(&self.text));
        self.text.clear();
        self.closed |= result.is_err();
        result
    }

    /// Nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// Which instances are meant.
pub(crate) enum Wanted {
    All,
    /// A step, or the beginning of an instance's id up to an `@`: a name or a glob.
    Named(Box<dyn Fn(&str) -> bool>),
}

impl Wanted {
    /// The error says what is wrong with the pattern.
    pub(crate) fn of(step: Option<&str>) -> Result<Self, String> {
        let Some(step) = step else { return Ok(Self::All) };
        let matcher = glob(step)?;
        Ok(Self::Named(Box::new(move |text| matcher.is_match(text))))
    }

    pub(crate) fn takes(&self, instance: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(matches) => {
                let beginnings = instance.match_indices('@').map(|(at, _)| &instance[..at]);
                beginnings.chain([instance]).any(matches)
            }
        }
    }
}

/// The instances of a run that have something to show: a log, or events of one that is gone.
pub(crate) fn instances(run: &RunFolder, account: &Account) -> BTreeSet<InstanceId> {
    let began =
        account.courses.iter().filter(|(_, course)| !course.attempts.is_empty() || course.reason.is_some());
    let mut all: BTreeSet<InstanceId> = began.map(|(id, _)| id.clone()).collect();
    all.extend(files(run));
    all
}

/// The instances that have a log.
pub(crate) fn files(run: &RunFolder) -> Vec<InstanceId> {
    let entries = std::fs::read_dir(run.path().join("logs")).into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        Some(InstanceId::new(name.strip_suffix(".log")?, None, None))
    };
    entries.filter_map(name).collect()
}

/// It failed, whether that is allowed or not.
pub(crate) fn has_failed(account: &Account, instance: &InstanceId) -> bool {
    let status = account.course(instance).and_then(|course| course.status());
    matches!(status, Some(Status::Failed(_) | Status::Allowed(_)))
}

/// What to do about a name that no instance has.
pub(crate) fn advice(name: &str, known: &BTreeSet<InstanceId>) -> String {
    let steps: BTreeSet<&str> =
        known.iter().map(|id| id.as_str().split('@').next().unwrap_or_default()).collect();
    let listed = || match &steps {
        steps if steps.is_empty() => "no step of it has printed anything".into(),
        steps => format!("there are logs of {}", list_names(steps)),
    };
    did_you_mean(name, steps.iter().copied()).unwrap_or_else(listed)
}
