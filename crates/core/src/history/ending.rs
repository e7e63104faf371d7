//! How a run ended.

use std::fmt;

use serde::Serialize;

use super::Account;
use crate::event::{Counts, Status};
use crate::plan::InstanceId;

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// All that was asked for is done.
    Done,
    /// Something failed.
    Failed,
    /// Nothing failed but what may, and not all was done for want of that.
    Incomplete,
    /// It was told to stop.
    Interrupted,
    /// Its record has no end, and nobody is at it any more.
    Killed,
    /// Its record has no end yet.
    UnderWay,
}

impl Ending {
    /// Nobody has to look at it.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Done | Self::UnderWay)
    }
}

/// In words, without numbers.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
            Self::UnderWay => "under way",
        })
    }
}

impl Account {
    /// How the run ended; `alive` says whether it may still be at work where its record has no end.
    pub fn ending(&self, alive: bool) -> Ending {
        match self.counts {
            None if alive => Ending::UnderWay,
            None => Ending::Killed,
            Some(_) if self.interrupted.is_some() => Ending::Interrupted,
            Some(counts) if counts.failed > 0 => Ending::Failed,
            Some(counts) if counts.cancelled + counts.skipped > 0 => Ending::Incomplete,
            Some(_) => Ending::Done,
        }
    }

    /// How many instances ended how, as far as they have ended.
    pub fn so_far(&self) -> Counts {
        self.counts.unwrap_or_else(|| {
            let mut counts = Counts::default();
            for course in self.courses.values() {
                match course.status() {
                    Some(Status::Done) => counts.done += 1,
                    Some(Status::UpToDate) => counts.up_to_date += 1,
                    Some(Status::Failed(_)) => counts.failed += 1,
                    Some(Status::Allowed(_)) => counts.allowed += 1,
                    Some(Status::Cancelled) => counts.cancelled += 1,
                    Some(Status::Skipped { .. }) => counts.skipped += 1,
                    None => {}
                }
                counts.flaky += usize::from(course.is_flaky());
            }
            counts
        })
    }

    /// The instances that failed and may not, in the order of their ids.
    pub fn failed(&self) -> impl Iterator<Item = &InstanceId> {
        let failed = |status: Option<&Status>| matches!(status, Some(Status::Failed(_)));
        self.courses.iter().filter(move |(_, course)| failed(course.status())).map(|(id, _)| id)
    }
}
