//! Everything that the events of a run say, instance by instance.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::event::{Counts, Event, EventKind, Part, Status, Traffic};
use crate::fresh::Reason;
use crate::lock::{Key, Pin};
use crate::plan::InstanceId;
use crate::platform::Platform;

/// A run, as far as its events have come. Lines are counted and not kept: logs have them.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The run's id.
    pub run: String,
    /// The recipe's name.
    pub recipe: String,
    /// Number of instances in its plan.
    pub total: usize,
    /// Bound on local instances at once.
    pub jobs: usize,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When the last event came, since the beginning.
    pub elapsed: Duration,
    /// The instances that were told of.
    pub courses: BTreeMap<InstanceId, Course>,
    /// Platforms that were emulated.
    pub emulators: BTreeMap<Platform, Emulated>,
    /// Where images of platforms were built that a builder was named for; of two engines the later.
    pub builders: BTreeMap<Platform, Built>,
    /// Versions of build engines, by program.
    pub tools: BTreeMap<String, String>,
    /// What did not stop the run.
    pub warnings: Vec<String>,
    /// The signal that it was told to stop by.
    pub interrupted: Option<i32>,
    /// How many instances ended how; none while it runs, and of a run that was killed.
    pub counts: Option<Counts>,
}

/// What runs a platform's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulated {
    /// The emulator's file.
    pub interpreter: String,
    /// The version of QEMU, where the file tells it.
    pub version: Option<String>,
}

/// Where a platform's images were built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The builder, as ssh reaches it.
    pub builder: String,
    /// They were built there, natively.
    pub native: bool,
    /// The engine there and its version.
    pub engine: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// What became of one instance. Times are since the run's beginning.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Why it ran, where that was told.
    pub reason: Option<Reason>,
    /// When its attempts began.
    pub attempts: Vec<Duration>,
    /// What was executed, and when.
    pub commands: Vec<(Duration, Vec<String>)>,
    /// How many lines its tools printed, or the engine had to say of it.
    pub lines: u64,
    /// The names that it asked for, what these stood for, and whether the lock did not say so before.
    pub pins: Vec<(Key, Pin, bool)>,
    /// Its values that became known.
    pub values: BTreeMap<String, String>,
    /// What is on its way to a node: bytes so far, of how many, and of which blob.
    pub transfer: Option<(u64, u64, Part)>,
    /// What a delivery took.
    pub traffic: Option<Traffic>,
    /// When and how it ended.
    pub end: Option<(Duration, Status)>,
    /// How long it took, all attempts.
    pub took: Duration,
    /// How many attempts that were, as the engine counted them.
    pub tried: u32,
}

impl Course {
    /// When it began; none when it never did.
    pub fn began(&self) -> Option<Duration> {
        self.attempts.first().copied()
    }

    /// How it ended; none while it runs or waits, and for ever when the run was killed.
    pub fn status(&self) -> Option<&Status> {
        self.end.as_ref().map(|(_, status)| status)
    }

    /// It has begun and not ended.
    pub fn is_running(&self) -> bool {
        !self.attempts.is_empty() && self.end.is_none()
    }

    /// What is there, made now or before.
    pub fn is_there(&self) -> bool {
        matches!(self.status(), Some(Status::Done | Status::UpToDate))
    }

    /// It was done, and not by its first attempt.
    pub fn is_flaky(&self) -> bool {
        self.tried > 1 && self.status() == Some(&Status::Done)
    }
}

impl Account {
    /// The account of a whole run.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
        let mut account = Self::default();
        events.into_iter().for_each(|event| account.on(event));
        account
    }

    /// The course of an instance that was told of.
    pub fn course(&self, instance: &InstanceId) -> Option<&Course> {
        self.courses.get(instance)
    }

    /// Takes the next event.
    pub fn on(&mut self, event: &Event) {
        self.elapsed = event.elapsed;
        match &event.kind {
            EventKind::RunStarted { run, recipe, instances, jobs, .. } => {
                self.run.clone_from(run);
                self.recipe.clone_from(recipe);
                (self.total, self.jobs, self.began) = (*instances, *jobs, Some(event.at));
            }
            EventKind::Emulator { platform, interpreter, version } => {
                let emulated = Emulated { interpreter: interpreter.clone(), version: version.clone() };
                self.emulators.insert(platform.clone(), emulated);
            }
            EventKind::Builder { platform, builder, native, engine, why } => {
                let (builder, engine, why) = (builder.clone(), engine.clone(), why.clone());
                self.builders.insert(platform.clone(), Built { builder, native: *native, engine, why });
            }
            EventKind::Tool { name, version } => {
                self.tools.insert(name.clone(), version.clone());
            }
            EventKind::Warning { message } => self.warnings.push(message.clone()),
            EventKind::Interrupted { signal } => self.interrupted = Some(*signal),
            EventKind::RunFinished { counts } => self.counts = Some(*counts),
            EventKind::Due { instance, reason } => self.of_mut(instance).reason = Some(reason.clone()),
            EventKind::Started { instance, .. } => self.of_mut(instance).attempts.push(event.elapsed),
            EventKind::Command { instance, argv } => {
                self.of_mut(instance).commands.push((event.elapsed, argv.clone()));
            }
            EventKind::Line { instance, .. } => self.of_mut(instance).lines += 1,
            EventKind::Transfer { instance, sent, total, part } => {
                self.of_mut(instance).transfer = Some((*sent, *total, *part));
            }
            EventKind::Delivered { instance, traffic } => {
                let course = self.of_mut(instance);
                (course.transfer, course.traffic) = (None, Some(*traffic));
            }
            EventKind::Pinned { instance, key, pin, new } => {
                self.of_mut(instance).pins.push((key.clone(), pin.clone(), *new));
            }
            EventKind::Output { instance, name, value } => {
                self.of_mut(instance).values.insert(name.clone(), value.clone());
            }
            EventKind::Finished { instance, status, took, attempts } => {
                let course = self.of_mut(instance);
                course.end = Some((event.elapsed, status.clone()));
                (course.took, course.tried, course.transfer) = (*took, *attempts, None);
            }
        }
    }

    fn of_mut(&mut self, instance: &InstanceId) -> &mut Course {
        self.courses.entry(instance.clone()).or_default()
    }
}
