//! How a run and its instances ended, in words.

use crate::event::Status;
use crate::history::{Account, Course};

/// How an instance ended, as a class of the page and as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ended {
    Failed,
    Unfinished,
    Allowed,
    Cancelled,
    Skipped,
    NotStarted,
    Flaky,
    Done,
    UpToDate,
}

impl Ended {
    /// In the order in which they are told: the worst first.
    pub(super) const ALL: [Self; 9] = [
        Self::Failed,
        Self::Unfinished,
        Self::Allowed,
        Self::Cancelled,
        Self::Skipped,
        Self::NotStarted,
        Self::Flaky,
        Self::Done,
        Self::UpToDate,
    ];

    pub(super) fn of(course: Option<&Course>) -> Self {
        let Some(course) = course else { return Self::NotStarted };
        match course.status() {
            Some(Status::Done) if course.is_flaky() => Self::Flaky,
            Some(Status::Done) => Self::Done,
            Some(Status::UpToDate) => Self::UpToDate,
            Some(Status::Failed(_)) => Self::Failed,
            Some(Status::Allowed(_)) => Self::Allowed,
            Some(Status::Cancelled) => Self::Cancelled,
            Some(Status::Skipped { .. }) => Self::Skipped,
            None if course.is_running() => Self::Unfinished,
            None => Self::NotStarted,
        }
    }

    /// The class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Allowed => "allowed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Flaky => "flaky",
            Self::Done => "done",
            Self::UpToDate => "up-to-date",
            Self::NotStarted => "not-started",
        }
    }

    /// The word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unfinished => "no end",
            Self::Allowed => "failed, allowed",
            Self::Cancelled => "stopped",
            Self::Skipped => "skipped",
            Self::Flaky => "done, flaky",
            Self::Done => "done",
            Self::UpToDate => "up to date",
            Self::NotStarted => "not started",
        }
    }

    /// For who does not see the colour.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Failed => "✗",
            Self::Unfinished => "…",
            Self::Allowed => "!",
            Self::Cancelled => "■",
            Self::Skipped => "–",
            Self::Flaky => "↻",
            Self::Done => "✓",
            Self::UpToDate => "=",
            Self::NotStarted => "○",
        }
    }
}

/// How the run ended: a class, and a sentence.
pub(super) fn verdict(account: &Account) -> (Ended, String) {
    let some = |wanted: fn(&Status) -> bool| {
        account.courses.values().filter(|course| course.status().is_some_and(wanted)).count()
    };
    let failed = some(|status| matches!(status, Status::Failed(_)));
    let behind = some(|status| matches!(status, Status::Skipped { because: Some(_) }));
    let stopped = some(|status| matches!(status, Status::Cancelled));
    let allowed = some(|status| matches!(status, Status::Allowed(_)));
    let steps = |count: usize| if count == 1 { "1 step".to_owned() } else { format!("{count} steps") };
    if account.counts.is_none() && account.interrupted.is_none() {
        let ended = "No end on record: the run was killed, or it still goes on";
        return (Ended::Unfinished, ended.into());
    }
    if let Some(signal) = account.interrupted {
        let by = match signal {
            2 => "Ctrl-C".to_owned(),
            15 => "SIGTERM".to_owned(),
            other => format!("signal {other}"),
        };
        return (Ended::Cancelled, format!("Stopped by {by}"));
    }
    if failed > 0 {
        return (Ended::Failed, format!("{} failed", steps(failed)));
    }
    if behind + stopped > 0 {
        return (Ended::Failed, format!("{} did not run", steps(behind + stopped)));
    }
    if allowed > 0 {
        return (Ended::Allowed, format!("Done, and {} failed, as the recipe allows", steps(allowed)));
    }
    let is_idle = !account.courses.values().any(|course| course.began().is_some());
    if is_idle { (Ended::UpToDate, "Nothing had to be done".into()) } else { (Ended::Done, "Done".into()) }
}
