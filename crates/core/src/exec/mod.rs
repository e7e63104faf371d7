//! Carrying out a plan.
//!
//! [`run`] is the door: one coordinator on the calling thread (`scheduler`) takes instances from a pure ready queue
//! (`queue`, with `state`), hands each to a worker (`worker`) and turns what workers tell into [`Event`]s. Children are
//! started in one place (`process`), stopped through one latch (`cancel`, fed by [`Signals`]), and none outlives the run
//! (`reaper`). [`RunDir`] and [`Lock`] are what a run leaves on disk and how two runs stay apart.
//!
//! Kept by tests: an instance starts only when everything it waits for is done; each has exactly one `Finished` event, and
//! its lines come before it; no child outlives [`run`]. What a failure stops is said in `queue`: what is downstream, and
//! without `keep_going` the rest of the same target and node. It never ends what runs, nor another target.

mod ask;
mod asked;
mod assess;
mod beside;
mod builder;
mod cancel;
mod clock;
mod connection;
mod context;
mod emulation;
mod explain;
mod failure;
mod gates;
mod hide;
mod lifeline;
mod lock;
mod memory;
mod pace;
mod poll;
mod probe;
mod process;
mod queue;
mod reaper;
mod record;
mod records;
mod refusal;
mod remedy;
mod retry;
mod round;
mod scheduler;
mod scratch;
mod secrets;
mod signal;
mod state;
mod sweep;
pub mod tools;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use ask::{Answer, NoAnswer, Question, ask};
pub(crate) use builder::{Ask, may_be_emulated};
pub use connection::Connections;
pub(crate) use connection::Start;
pub use context::{ActionCx, Captured};
pub use explain::{Explained, explain};
pub use lock::{Holder, Lock, LockError};
pub(crate) use process::find;
pub use reaper::Bracket;
pub use record::RunDir;
pub use records::Records;
pub(crate) use refusal::{Cause, cause, offending};
pub use remedy::remedy;
pub use scheduler::Settled;
pub use scratch::Scratch;
pub use secrets::Secrets;
pub use signal::{ENDING, Relay, Signals};

use crate::event::{Counts, Event, Failure, FailureKind, Status};
use crate::output::Redactor;
use crate::plan::{Action, Instance, InstanceId, Plan, Presence};
use crate::platform::Platform;
use scheduler::{Message, Port};

/// How a run is to be done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Local instances at once.
    pub jobs: usize,
    /// Instances at once whose work is a node's.
    pub node_jobs: usize,
    /// After a failure, run everything that is not downstream of it.
    pub keep_going: bool,
    /// From SIGTERM to SIGKILL for a child that is stopped.
    pub grace: Duration,
    /// The run's id.
    pub run: String,
    /// `TMPDIR` of the tools that the engine chose; what a recipe's own commands get is the environment's.
    pub scratch: Option<PathBuf>,
    /// To nodes, closed when the run ends; without them, each command connects for itself.
    pub connections: Option<Arc<Connections>>,
    /// A name of which the lock says nothing is a failure.
    pub locked: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            jobs: 1,
            node_jobs: 8,
            keep_going: false,
            grace: Duration::from_secs(10),
            run: String::new(),
            scratch: None,
            connections: None,
            locked: false,
        }
    }
}

/// The machine that a plan runs on.
pub struct Host<'a> {
    /// The recipe's folder, absolute.
    pub here: PathBuf,
    /// The environment of every child, complete. Tools are found on its PATH.
    pub env: BTreeMap<OsString, OsString>,
    /// What nobody may see.
    pub redactor: Redactor,
    /// What builds are handed of it.
    pub secrets: Secrets,
    /// The actions that are not commands.
    pub actions: &'a dyn Actions,
}

/// Carries out the actions that are not commands. It must not call rayon (a wait in it would run another step inside this
/// one), nor begin a run (that would wait for this one to end).
pub trait Actions: Sync {
    /// Does it; yields the value that the action yields, if any.
    fn perform(&self, action: &Action, cx: &ActionCx<'_>) -> Result<Option<String>, Failure>;

    /// What it would do that only a look can tell, such as how much would be sent. Changes nothing.
    fn expects(&self, action: &Action, cx: &ActionCx<'_>) -> Option<String> {
        let _ = (action, cx);
        None
    }

    /// Whether this machine executes the platform's programs, if at all, only by an emulator.
    fn is_foreign(&self, platform: &Platform) -> bool {
        let _ = platform;
        false
    }

    /// Whether this machine executes the platforms' programs, found out without changing anything.
    fn emulates(&self, platforms: &[Platform]) -> Presence {
        let _ = platforms;
        Presence::Unknown
    }
}

/// Outputs by instance and name: `("image@arm64", "id")`.
pub type Values = BTreeMap<(String, String), String>;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// How many instances ended how.
    pub counts: Counts,
    /// How each ended, and how long it took.
    pub results: BTreeMap<InstanceId, (Status, Duration)>,
    /// The late values that became known.
    pub values: Values,
    /// The signal that stopped the run.
    pub interrupted: Option<i32>,
    /// Something that was done is not on record.
    pub unrecorded: bool,
}

/// Carries out a plan. `sink` gets every event, on this thread. `signals` stop it while it runs.
///
/// Blocks until the last instance has ended and no process of the run is left. One run at a time in a process: a second
/// one waits, as orphaned descendants do not tell whose they are.
pub fn run(
    plan: &Plan,
    host: &Host<'_>,
    options: &Options,
    signals: Option<&Signals>,
    sink: &mut dyn FnMut(&Event),
) -> Summary {
    scheduler::run(plan, host, options, signals, Values::new(), None, sink)
}

/// Carries out a plan as [`run`] does, and only what of it is not up to date by the records.
pub fn run_recorded(
    plan: &Plan,
    host: &Host<'_>,
    options: &Options,
    signals: Option<&Signals>,
    records: &mut Records<'_>,
    sink: &mut dyn FnMut(&Event),
) -> Summary {
    scheduler::run(plan, host, options, signals, Values::new(), Some(records), sink)
}

/// Carries out a plan that goes on where another run ended: `values` are those of its instances.
pub fn run_after(
    plan: &Plan,
    host: &Host<'_>,
    options: &Options,
    signals: Option<&Signals>,
    values: &Values,
    sink: &mut dyn FnMut(&Event),
) -> Summary {
    scheduler::run(plan, host, options, signals, values.clone(), None, sink)
}

/// A run of the plan, where records and stamps tell that nothing has to be done. Starts neither thread nor process; where
/// something must run or only a tool can tell, it yields nothing, and [`run_recorded`] is to be called.
pub fn settled<'a, 'r>(
    plan: &'a Plan,
    host: &Host<'_>,
    records: &'a mut Records<'r>,
) -> Option<Settled<'a, 'r>> {
    scheduler::settled(plan, host, records)
}

/// Carries out one action outside a recipe's run, on the same path: for scripts that a plan was written to.
///
/// `plan` is what it knows of others: nodes, builders and the lock. `values` are the outputs of other instances that the
/// action's texts use.
pub fn perform_one(
    action: &Action,
    mut plan: Plan,
    connections: Option<Arc<Connections>>,
    host: &Host<'_>,
    values: &Values,
    signals: Option<&Signals>,
    sink: &mut dyn FnMut(&Event),
) -> Result<Option<String>, Failure> {
    let id = InstanceId::new("action", None, None);
    plan.graph.add_node(Instance::new(id.clone(), "action", vec![action.clone()]));
    let options = Options { run: "action".into(), connections, ..Options::default() };
    let mut summary = scheduler::run(&plan, host, &options, signals, values.clone(), None, sink);
    match summary.results.remove(&id) {
        Some((Status::Done, _)) => Ok(action
            .yields()
            .and_then(|output| summary.values.remove(&(id.as_str().to_owned(), output.to_owned())))),
        Some((Status::Failed(failure) | Status::Allowed(failure), _)) => Err(failure),
        Some((Status::Cancelled | Status::Skipped { .. } | Status::UpToDate, _)) | None => {
            let signal = summary.interrupted.unwrap_or_default();
            Err(Failure::new(FailureKind::Signal { signal }, "the action was stopped"))
        }
    }
}
