//! Everything that a run tells the outside, as one stream. Reporters, logs and records are consumers of it.

mod logged;
mod schema;
mod shown;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fresh::Reason;
use crate::lock::{Key, Pin};
use crate::output::{bytes, seconds};
use crate::plan::InstanceId;
use crate::platform::Platform;

pub use logged::log_line;
pub use schema::schema;
pub use shown::command_line;

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Counts from 0 without gaps.
    pub seq: u64,
    /// Wall clock, for people; it may jump.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: jiff::Timestamp,
    /// Since the run began, by the monotonic clock.
    pub elapsed: Duration,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// See [`Event`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// A platform's programs are run by an emulator. Once for each in a run.
    Emulator {
        /// The platform.
        #[schemars(with = "String")]
        platform: Platform,
        /// The emulator's file, as the kernel knows it; with its flag `F` it may be gone.
        interpreter: String,
        /// The version of QEMU; none where the file does not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Where the images of a platform are built that a builder is named for, and why. Once for each engine in a run, before the
    /// first step that uses it.
    Builder {
        /// The platform.
        #[schemars(with = "String")]
        platform: Platform,
        /// The builder, as ssh reaches it.
        builder: String,
        /// They are built there; else here.
        native: bool,
        /// The engine there and its version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<String>,
        /// Why, in words.
        why: String,
    },
    /// The version of a build engine. Once for each in a run, before the first step that it builds.
    Tool {
        /// The program.
        name: String,
        /// As it tells it.
        version: String,
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
    /// How far data is on its way to a node. Told when a blob begins, now and then, and when it ends.
    Transfer {
        /// For which instance.
        instance: InstanceId,
        /// Bytes so far, of this blob; with those that had arrived before.
        sent: u64,
        /// Bytes of the whole blob.
        total: u64,
        /// Which of the blobs that are to be sent.
        #[serde(flatten)]
        part: Part,
    },
    /// An image has arrived on a node.
    Delivered {
        /// By which instance.
        instance: InstanceId,
        /// What that took.
        #[serde(flatten)]
        traffic: Traffic,
    },
    /// What a name stands for, by the lock or as it was found out now.
    Pinned {
        /// For which instance.
        instance: InstanceId,
        /// The name.
        #[schemars(with = "String")]
        key: Key,
        /// What it stands for.
        pin: Pin,
        /// The lock did not say so before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        new: bool,
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

/// One of several blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Which one; 1 is the first.
    pub blob: usize,
    /// How many there are.
    pub blobs: usize,
}

/// What crossed the wire for an image, and what did not have to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// Bytes that were sent, as they travel: compressed.
    pub sent: u64,
    /// The layers that these belong to.
    pub sent_layers: usize,
    /// Bytes of the other layers, as they are in the image.
    pub avoided: u64,
    /// How many these are.
    pub avoided_layers: usize,
    /// How long bytes travelled.
    pub sending: Duration,
}

impl Traffic {
    /// Bytes a second; none where nothing was sent, or in no time.
    pub fn rate(&self) -> Option<u64> {
        let nanos = self.sending.as_nanos();
        let rate = (u128::from(self.sent) * 1_000_000_000).checked_div(nanos)?;
        u64::try_from(rate).ok().filter(|rate| *rate > 0)
    }
}

/// What was sent: `1.1 MB of 1 layer in 0.3 s, 3.6 MB/s; 199.0 MB of 4 layers avoided`.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: u64, layers: usize| {
            format!("{} of {layers} layer{}", bytes(count), if layers == 1 { "" } else { "s" })
        };
        match self.sent_layers {
            0 => f.write_str("nothing")?,
            layers => write!(f, "{} in {}", of(self.sent, layers), seconds(self.sending))?,
        }
        if let Some(rate) = self.rate() {
            write!(f, ", {}/s", bytes(rate))?;
        }
        match self.avoided_layers {
            0 => Ok(()),
            layers => write!(f, "; {} avoided", of(self.avoided, layers)),
        }
    }
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The class, which decides the exit code.
    pub kind: FailureKind,
    /// What happened.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Emulation is what failed, and another attempt may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emulation: bool,
}

/// Classes of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The lock says nothing of a name, or something else than what is there.
    Lock,
    /// A defect of the engine.
    Internal,
}

impl FailureKind {
    /// A stable name such as `step::exit`, as diagnostics have one.
    pub fn code(self) -> &'static str {
        match self {
            Self::Exit { .. } => "step::exit",
            Self::Signal { .. } => "step::signal",
            Self::Timeout => "step::timeout",
            Self::Tool => "step::tool",
            Self::Unreachable => "step::unreachable",
            Self::Refused => "step::refused",
            Self::Mismatch => "step::mismatch",
            Self::Io => "step::io",
            Self::NoSpace => "step::no-space",
            Self::Input => "step::input",
            Self::Lock => "step::lock",
            Self::Internal => "step::internal",
        }
    }
}

impl Failure {
    /// A failure without advice.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, emulation: false }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// How many instances ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// `20 done (1 flaky), 1 failed`
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} done", self.done)?;
        if self.flaky > 0 {
            write!(f, " ({} flaky)", self.flaky)?;
        }
        for (number, what) in [
            (self.up_to_date, "up to date"),
            (self.failed, "failed"),
            (self.allowed, "failed as allowed"),
            (self.cancelled, "stopped"),
            (self.skipped, "not started"),
        ] {
            if number > 0 {
                write!(f, ", {number} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_delivery_took_is_one_line() {
        let traffic = Traffic {
            sent: 1_080_000,
            sent_layers: 1,
            avoided: 199_000_000,
            avoided_layers: 4,
            sending: Duration::from_millis(300),
        };
        assert_eq!(traffic.to_string(), "1.1 MB of 1 layer in 0.3 s, 3.6 MB/s; 199.0 MB of 4 layers avoided");
        let all = Traffic { sent_layers: 2, avoided: 0, avoided_layers: 0, ..traffic };
        assert_eq!(all.to_string(), "1.1 MB of 2 layers in 0.3 s, 3.6 MB/s");
        let none = Traffic { avoided: 5, avoided_layers: 2, ..Traffic::default() };
        assert_eq!(none.to_string(), "nothing; 5 B of 2 layers avoided");
        assert_eq!(none.rate(), None);
    }
}
