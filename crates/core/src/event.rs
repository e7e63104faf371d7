//! Everything that a run tells the outside, as one stream. Reporters, logs and records are consumers of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fresh::Reason;
use crate::plan::InstanceId;

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 0 without gaps.
    pub seq: u64,
    /// Wall clock, for people; it may jump.
    pub at: jiff::Timestamp,
    /// Since the run began, by the monotonic clock.
    pub elapsed: Duration,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// See [`Event`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum EventKind {
    /// First of a run.
    RunStarted {
        /// Version of this format.
        version: u32,
        /// The run's id.
        run: String,
        /// The recipe's name.
        recipe: String,
        /// Number of instances.
        instances: usize,
        /// Bound on local instances at once.
        jobs: usize,
    },
    /// An instance is going to run, and why. Only where there are records of earlier runs to compare with.
    Due {
        /// Which.
        instance: InstanceId,
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
    /// An instance has begun (each attempt of it).
    Started {
        /// Which.
        instance: InstanceId,
        /// 1 for the first.
        attempt: u32,
    },
    /// A child process has begun.
    Command {
        /// For which instance.
        instance: InstanceId,
        /// Exactly what was executed.
        argv: Vec<String>,
    },
    /// A line that a tool printed, or that an action has to say.
    Line {
        /// For which instance.
        instance: InstanceId,
        /// Where it came from.
        stream: Stream,
        /// The line without its end and without terminal sequences. Invalid UTF-8 is replaced.
        text: String,
        /// The same in the tool's colours, for terminals; nothing of it is kept.
        #[serde(skip)]
        painted: Option<String>,
    },
    /// How far data is on its way to a node. Told now and then.
    Transfer {
        /// For which instance.
        instance: InstanceId,
        /// Bytes so far, of this blob.
        sent: u64,
        /// Bytes of the whole blob.
        total: u64,
    },
    /// A late value has become known.
    Output {
        /// Of which instance.
        instance: InstanceId,
        /// The output's name.
        name: String,
        /// The value.
        value: String,
    },
    /// An instance has ended, once each.
    Finished {
        /// Which.
        instance: InstanceId,
        /// How.
        status: Status,
        /// How long it took, all attempts; zero when it did not start.
        took: Duration,
        /// How many attempts it took: what is done after more than one is flaky. Zero when it did not start.
        #[serde(default)]
        attempts: u32,
    },
    /// Something that did not stop the run.
    Warning {
        /// What, where, what to do.
        message: String,
    },
    /// The run was told to stop.
    Interrupted {
        /// Number of the signal.
        signal: i32,
    },
    /// Last of a run.
    RunFinished {
        /// Counts by [`Status`].
        counts: Counts,
    },
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// A tool's stdout and stderr, in the order written.
    Output,
    /// A tool's stderr, where stdout is kept as a value.
    Error,
    /// The engine itself.
    Engine,
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All its actions succeeded.
    Done,
    /// It did not have to run: nothing that it depends on has changed, and what it left is there.
    UpToDate,
    /// One failed.
    Failed(Failure),
    /// One failed, and the recipe allows it.
    Allowed(Failure),
    /// It was stopped because the run ends.
    Cancelled,
    /// It did not start: what it needs failed, or the run was ending.
    Skipped {
        /// The failed instance that it needed, if that is why.
        because: Option<InstanceId>,
    },
}

/// Why an instance failed: what, where, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class, which decides the exit code.
    pub kind: FailureKind,
    /// What happened.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Classes of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A tool exited with a code that does not mean success.
    Exit {
        /// The code.
        code: i32,
    },
    /// A tool was ended by a signal.
    Signal {
        /// Its number.
        signal: i32,
    },
    /// It took longer than `timeout`, or was silent for longer than `silent-timeout`.
    Timeout,
    /// A tool is not installed or could not be started.
    Tool,
    /// A node could not be reached.
    Unreachable,
    /// A node does not let us in, or is not known to be the one it is called: another attempt would be the same.
    Refused,
    /// Something is other than what it must be: a digest, an architecture, a reference.
    Mismatch,
    /// A file could not be read or written.
    Io,
    /// There is no room left on a disk.
    NoSpace,
    /// The input was refused: a Dockerfile, a value.
    Input,
    /// A defect of the engine.
    Internal,
}

impl Failure {
    /// A failure without advice.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// How many instances ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// [`Status::Done`].
    pub done: usize,
    /// [`Status::UpToDate`].
    #[serde(default)]
    pub up_to_date: usize,
    /// Those of them that needed more than one attempt.
    #[serde(default)]
    pub flaky: usize,
    /// [`Status::Failed`].
    pub failed: usize,
    /// [`Status::Allowed`].
    pub allowed: usize,
    /// [`Status::Cancelled`].
    pub cancelled: usize,
    /// [`Status::Skipped`].
    pub skipped: usize,
}
