//! The coordinator: one owner of all state, on the thread that called.
//!
//! It takes instances from the queue, hands them to a rayon pool, and turns what workers send into events; the sink is
//! called here and nowhere else. Workers only send, over one bounded channel: when the sink is slow, tools wait. Three traps
//! of rayon shape this: the body of `in_place_scope` runs on the caller, so that it may block (`scope` would block a
//! worker); no more is spawned than may run at once, so that the order is the queue's and not rayon's; and nothing inside
//! a step may call rayon, as its wait would run another step inside this one.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::assess::{self, Assessment, Left, Question, Verdict};
use super::cancel::Cancel;
use super::context::{ActionCx, Shared};
use super::memory::Memory;
use super::queue::{Queue, Skipped};
use super::reaper::Bracket;
use super::remedy;
use super::{Host, Options, Records, Signals, Summary, Values, hide, worker};
use crate::event::{Counts, Event, EventKind, Failure, FailureKind, Status, VERSION};
use crate::fresh::{self, Observed};
use crate::output::Redactor;
use crate::plan::{Instance, InstanceId, NodeIndex, Plan, Pool};
use crate::state::{Detail, Digest, Record};

/// Messages on their way to the coordinator.
const CAPACITY: usize = 256;

/// What the coordinator is told.
pub(super) enum Message {
    /// By a worker: something to pass on.
    Event(EventKind),
    /// By a worker: whether its instance must run.
    Assessed(NodeIndex, Box<Assessment>, Took),
    /// By a worker, last and always: its instance has ended, with what is to be kept of it.
    Finished(NodeIndex, Status, Took, Option<Box<Left>>),
    /// By the thread that receives signals: look at the wish to stop.
    Signal,
}

/// What an instance took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Took {
    time: Duration,
    attempts: u32,
}

/// Where workers send.
pub(super) struct Port(pub(super) SyncSender<Message>);

impl Port {
    /// Waits while the coordinator is behind. When it is gone, so is the message: then the run is being torn down.
    pub(super) fn send(&self, message: Message) {
        let _ = self.0.send(message);
    }
}

/// The state of a run that only this thread touches.
struct Coordinator<'a, 'r> {
    plan: &'a Plan,
    memory: Memory<'a, 'r>,
    sink: &'a mut dyn FnMut(&Event),
    redactor: &'a Redactor,
    begun: Instant,
    seq: u64,
    counts: Counts,
    /// Those whose version was told.
    tools: BTreeSet<String>,
    results: BTreeMap<InstanceId, (Status, Duration)>,
    interrupted: Option<i32>,
}

pub(super) fn run(
    plan: &Plan,
    host: &Host<'_>,
    options: &Options,
    signals: Option<&Signals>,
    values: Values,
    records: Option<&mut Records<'_>>,
    sink: &mut dyn FnMut(&Event),
) -> Summary {
    let mut coordinator = Coordinator::begin(plan, host, options, Memory::new(plan, records), sink);
    let values = match engine(plan, options) {
        Ok((cancel, pool)) => {
            let bracket = Bracket::begin();
            let values = coordinator.drive(host, options, signals, values, &cancel, &pool);
            let left = bracket.end();
            if !left.is_empty() {
                let left: Vec<String> = left.iter().map(ToString::to_string).collect();
                coordinator.emit(EventKind::Warning {
                    message: format!(
                        "processes that the run started could not be ended: {}. They belong to another user, or hang in \
                         the kernel; end them by hand",
                        left.join(", ")
                    ),
                });
            }
            values
        }
        Err(failure) => {
            coordinator.give_up(&failure);
            values
        }
    };
    coordinator.end(host, values)
}

/// A run in which nothing has to be done, as records and stamps tell.
pub struct Settled<'a, 'r> {
    plan: &'a Plan,
    memory: Memory<'a, 'r>,
    order: Vec<NodeIndex>,
    values: Values,
}

/// Whether nothing has to be done, without a thread or a process; none as soon as one instance may have to run, or only a
/// tool can tell.
pub(super) fn settled<'a, 'r>(
    plan: &'a Plan,
    host: &Host<'_>,
    records: &'a mut Records<'r>,
) -> Option<Settled<'a, 'r>> {
    let cancel = Arc::new(Cancel::new().ok()?);
    let port = Port(sync_channel(1).0);
    let shared = Shared::new(plan, host, &cancel, Duration::ZERO, port, Values::new());
    let mut memory = Memory::new(plan, Some(records));
    let order = plan.order();
    for node in &order {
        let result = memory.glance(&shared, *node)?;
        memory.fresh(*node, result, None);
    }
    let values = std::mem::take(&mut *shared.values());
    Some(Settled { plan, memory, order, values })
}

impl Settled<'_, '_> {
    /// Tells of the run as of any other.
    pub fn tell(self, host: &Host<'_>, options: &Options, sink: &mut dyn FnMut(&Event)) -> Summary {
        let mut coordinator = Coordinator::begin(self.plan, host, options, self.memory, sink);
        for node in self.order {
            coordinator.tell_values(node);
            coordinator.ended(node, Status::UpToDate, Took::default());
        }
        coordinator.end(host, self.values)
    }
}

/// What a run needs of the system before it starts anything.
fn engine(plan: &Plan, options: &Options) -> Result<(Arc<Cancel>, rayon::ThreadPool), Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        let failure =
            Failure::new(FailureKind::Internal, format!("the engine cannot start: {what}: {error}"));
        match remedy(&failure.message) {
            Some(help) => failure.help(help),
            None => failure,
        }
    };
    let cancel = Cancel::new().map_err(|error| failed("no pipe", &error))?;
    let of = |pool: Pool| plan.graph.node_weights().filter(|instance| instance.pool == pool).count();
    let threads = of(Pool::Local).min(options.jobs.max(1)) + of(Pool::Node).min(options.node_jobs.max(1));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .thread_name(|index| format!("worker-{index}"))
        .build()
        .map_err(|error| failed("no threads", &error))?;
    Ok((Arc::new(cancel), pool))
}

impl<'a, 'r> Coordinator<'a, 'r> {
    fn begin(
        plan: &'a Plan,
        host: &'a Host<'_>,
        options: &Options,
        memory: Memory<'a, 'r>,
        sink: &'a mut dyn FnMut(&Event),
    ) -> Self {
        let mut coordinator = Self {
            plan,
            memory,
            sink,
            redactor: &host.redactor,
            begun: Instant::now(),
            seq: 0,
            counts: Counts::default(),
            tools: BTreeSet::new(),
            results: BTreeMap::new(),
            interrupted: None,
        };
        coordinator.emit(EventKind::RunStarted {
            version: VERSION,
            run: options.run.clone(),
            recipe: plan.recipe.clone(),
            instances: plan.graph.node_count(),
            jobs: options.jobs.max(1),
        });
        coordinator
    }

    fn end(mut self, host: &Host<'_>, values: Values) -> Summary {
        if let Some(message) = self.memory.close(&host.here) {
            self.emit(EventKind::Warning { message });
        }
        self.emit(EventKind::RunFinished { counts: self.counts });
        Summary {
            counts: self.counts,
            results: self.results,
            values,
            interrupted: self.interrupted,
            unrecorded: self.memory.problem().is_some(),
        }
    }

    fn drive(
        &mut self,
        host: &Host<'_>,
        options: &Options,
        signals: Option<&Signals>,
        values: Values,
        cancel: &Arc<Cancel>,
        pool: &rayon::ThreadPool,
    ) -> Values {
        let (sender, receiver) = sync_channel(CAPACITY);
        if let Some(signals) = signals {
            let (cancel, sender) = (Arc::clone(cancel), sender.clone());
            signals.attach(move |signal| {
                cancel.request(signal);
                // When the channel is full the coordinator looks anyway, after the next message.
                let _ = sender.try_send(Message::Signal);
            });
        }
        let plan = self.plan;
        let mut shared = Shared::new(plan, host, cancel, options.grace, Port(sender), values);
        shared.scratch = options.scratch.as_deref();
        shared.connections = options.connections.as_deref();
        shared.locked = options.locked;
        shared.rounds = self.memory.rounds(&host.here);
        let shared = shared;
        self.memory.tools(&shared.asked);
        let bounds = (options.jobs, options.node_jobs);
        let weight = |instance: &Instance| self.memory.weight(instance);
        let mut queue = Queue::new(&plan.graph, &weight, bounds, options.keep_going);
        let guard = StopOnPanic(cancel);
        pool.in_place_scope(|scope| {
            // Owned by this closure: should the sink panic, workers find nobody to send to, and do not wait for ever.
            let receiver: Receiver<Message> = receiver;
            let _guard = guard;
            let mut running = 0;
            loop {
                self.hear(cancel);
                while !cancel.requested()
                    && let Some(node) = queue.pop()
                {
                    if let Some(result) = self.memory.glance(&shared, node) {
                        self.fresh(&mut queue, node, result, None, Took::default());
                        continue;
                    }
                    running += 1;
                    let (shared, question) = (&shared, self.memory.question(node));
                    match question {
                        Some(question) => scope.spawn(move |_| look(shared, node, question)),
                        None => scope.spawn(move |_| job(shared, node, None)),
                    }
                }
                if running == 0 {
                    break;
                }
                match receiver.recv() {
                    Ok(Message::Event(kind)) => self.emit(kind),
                    Ok(Message::Assessed(node, assessment, took)) => {
                        let shared = &shared;
                        match self.assessed(&mut queue, node, *assessment, took) {
                            Some(observed) => scope.spawn(move |_| job(shared, node, Some(&observed))),
                            None => running -= 1,
                        }
                    }
                    Ok(Message::Finished(node, status, took, left)) => {
                        running -= 1;
                        if let Some(left) = left {
                            self.memory.keep(node, *left, &host.here);
                        }
                        self.memory.keep_tools(&shared.asked);
                        self.finished(&mut queue, node, status, took);
                    }
                    Ok(Message::Signal) => {}
                    Err(_) => break,
                }
            }
            for node in queue.drain() {
                // What was up to date when it was looked at first, and was to be looked at again.
                let status = if self.memory.is_unproven(node) {
                    Status::UpToDate
                } else {
                    Status::Skipped { because: None }
                };
                self.ended(node, status, Took::default());
            }
            for node in self.memory.unproven() {
                self.ended(node, Status::UpToDate, Took::default());
            }
        });
        if let Some(connections) = shared.connections {
            connections.close();
        }
        if let Some(signals) = signals {
            signals.detach();
        }
        std::mem::take(&mut *shared.values())
    }

    /// Tells of the wish to stop, once.
    fn hear(&mut self, cancel: &Cancel) {
        if self.interrupted.is_none()
            && let Some(signal) = cancel.signal()
        {
            self.interrupted = Some(signal);
            self.emit(EventKind::Interrupted { signal });
        }
    }

    /// What follows from an assessment; yields what the instance depends on when it is to run now.
    fn assessed(
        &mut self,
        queue: &mut Queue<'_>,
        node: NodeIndex,
        assessment: Assessment,
        took: Took,
    ) -> Option<Box<Observed>> {
        let instance = &self.plan.graph[node];
        let reason = match assessment.verdict {
            Verdict::Fresh { result, again } => {
                self.fresh(queue, node, result, again, took);
                return None;
            }
            Verdict::Due(reason) => reason,
        };
        if self.memory.held(instance) {
            let failure = Failure::new(FailureKind::Input, format!("it would have to run first: {reason}"))
                .help("`--only` leaves it out; `--until` runs what a step needs as well");
            self.finished(queue, node, Status::Failed(failure), took);
            return None;
        }
        let gone = self.memory.unproven_before(node, &reason);
        if !gone.is_empty() {
            queue.wait_for(node, &gone);
            return None;
        }
        if let Some(lost) = self.memory.lost_before(node) {
            let skipped = queue.lose(node, lost);
            self.skipped(skipped);
            return None;
        }
        if let Err(failure) = self.memory.begin(node) {
            self.finished(queue, node, Status::Failed(failure), took);
            return None;
        }
        if let Some((name, version)) = &assessment.observed.detail.tool
            && self.tools.insert(name.clone())
        {
            self.emit(EventKind::Tool { name: name.clone(), version: version.clone() });
        }
        self.emit(EventKind::Due { instance: instance.id.clone(), reason });
        Some(Box::new(assessment.observed))
    }

    /// It need not run.
    fn fresh(
        &mut self,
        queue: &mut Queue<'_>,
        node: NodeIndex,
        result: Digest,
        again: Option<Box<(Record, Detail)>>,
        took: Took,
    ) {
        // Where nobody may ask for it, that is all; otherwise its end is told when all is over.
        let told = self.memory.fresh(node, result, again);
        self.tell_values(node);
        queue.finish(node);
        if told {
            self.ended(node, Status::UpToDate, took);
        }
    }

    fn tell_values(&mut self, node: NodeIndex) {
        for (name, value) in self.memory.values(node) {
            self.emit(EventKind::Output { instance: self.plan.graph[node].id.clone(), name, value });
        }
        let names = self.memory.pins(node);
        for key in names.keys().filter_map(|name| name.parse().ok()) {
            let Some(pin) = self.plan.lock.get(&key).cloned() else { continue };
            self.emit(EventKind::Pinned { instance: self.plan.graph[node].id.clone(), key, pin, new: false });
        }
    }

    fn finished(&mut self, queue: &mut Queue<'_>, node: NodeIndex, status: Status, took: Took) {
        let skipped: Vec<Skipped> = match status {
            Status::Done | Status::UpToDate => {
                queue.finish(node);
                Vec::new()
            }
            Status::Failed(_) => queue.fail(node, false),
            Status::Allowed(_) => queue.fail(node, true),
            Status::Cancelled | Status::Skipped { .. } => {
                queue.cancel(node);
                Vec::new()
            }
        };
        self.ended(node, status, took);
        self.skipped(skipped);
    }

    fn skipped(&mut self, skipped: Vec<Skipped>) {
        for (node, because) in skipped {
            let because = because.map(|failed| self.plan.graph[failed].id.clone());
            self.ended(node, Status::Skipped { because }, Took::default());
        }
    }

    /// The one terminal event of an instance.
    fn ended(&mut self, node: NodeIndex, status: Status, took: Took) {
        self.memory.ended(node, matches!(status, Status::Done | Status::UpToDate));
        let count = match status {
            Status::Done => &mut self.counts.done,
            Status::UpToDate => &mut self.counts.up_to_date,
            Status::Failed(_) => &mut self.counts.failed,
            Status::Allowed(_) => &mut self.counts.allowed,
            Status::Cancelled => &mut self.counts.cancelled,
            Status::Skipped { .. } => &mut self.counts.skipped,
        };
        *count += 1;
        self.counts.flaky += usize::from(status == Status::Done && took.attempts > 1);
        let instance = self.plan.graph[node].id.clone();
        let Took { time: took, attempts } = took;
        self.emit(EventKind::Finished { instance, status, took, attempts });
    }

    /// Nothing can run: the first instance says why.
    fn give_up(&mut self, failure: &Failure) {
        for (index, node) in self.plan.order().into_iter().enumerate() {
            let status =
                if index == 0 { Status::Failed(failure.clone()) } else { Status::Skipped { because: None } };
            self.ended(node, status, Took::default());
        }
    }

    fn emit(&mut self, mut kind: EventKind) {
        hide::secrets(self.redactor, &mut kind);
        // Whoever reads the results sees what was told.
        if let EventKind::Finished { instance, status, took, .. } = &kind {
            self.results.insert(instance.clone(), (status.clone(), *took));
        }
        let event = Event { seq: self.seq, at: jiff::Timestamp::now(), elapsed: self.begun.elapsed(), kind };
        self.seq += 1;
        (self.sink)(&event);
    }
}

/// Whether an instance must run, found out by a worker.
fn look(shared: &Shared<'_>, node: NodeIndex, question: Question) {
    let begun = Instant::now();
    let instance: &Instance = &shared.plan.graph[node];
    let looked =
        catch_unwind(AssertUnwindSafe(|| assess::assess(shared, instance, question, fresh::content)));
    let took = Took { time: begun.elapsed(), attempts: 0 };
    shared.port.send(match looked {
        Ok(assessment) => Message::Assessed(node, Box::new(assessment), took),
        Err(panic) => Message::Finished(node, Status::Failed(worker::defect(panic.as_ref())), took, None),
    });
}

/// One instance on a worker. Whatever happens in it, the coordinator hears of its end.
fn job(shared: &Shared<'_>, node: NodeIndex, observed: Option<&Observed>) {
    let begun = Instant::now();
    let instance: &Instance = &shared.plan.graph[node];
    shared.rounds.begin(instance);
    let mut left = None;
    let mut prove = |cx: &ActionCx<'_>| {
        let Some(observed) = observed else { return Ok(()) };
        left = Some(Box::new(assess::left(cx, instance, observed, begun.elapsed())?));
        if let Some(path) = assess::changed_meanwhile(cx, instance, observed) {
            cx.say(format!("`{path}` changed while the step ran, so the step will run again the next time"));
            left = None;
        }
        Ok(())
    };
    let (status, attempts) = catch_unwind(AssertUnwindSafe(|| worker::work(shared, instance, &mut prove)))
        .unwrap_or_else(|panic| (Status::Failed(worker::defect(panic.as_ref())), 1));
    let left = left.filter(|_| status == Status::Done);
    let took = Took { time: begun.elapsed(), attempts };
    shared.port.send(Message::Finished(node, status, took, left));
}

/// When the coordinator itself panics (a sink did), children must not be waited for.
struct StopOnPanic<'a>(&'a Cancel);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.kill();
        }
    }
}
