//! What there is to be seen of a run, as a projection of its plan and events. Knows no terminal and no clock.

use std::collections::HashMap;
use std::time::Duration;

use pipeline_core::event::{Event, EventKind, Status, Stream};
use pipeline_core::plan::{InstanceId, Plan};
use pipeline_core::platform::Platform;

use super::remaining::{Course, Remaining};
use super::text::one_line;
use super::transfer::Transfer;

/// No terminal is wider than so many bytes of a line.
const WIDEST: usize = 2000;

/// So often it is looked at how long a run may yet take.
const SETTLED: Duration = Duration::from_secs(1);

/// A run's plan, what is known of earlier runs, and this machine.
pub(crate) struct Scene<'a> {
    pub(crate) plan: &'a Plan,
    /// What each instance took the last time, by its number in the plan's graph.
    pub(crate) usual: Vec<Option<Duration>>,
    pub(crate) here: Platform,
}

/// All of a run.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) recipe: String,
    pub(super) total: usize,
    pub(super) ended: usize,
    pub(super) failed: usize,
    /// It was told to stop.
    pub(super) stopping: bool,
    pub(super) blocks: Vec<Block>,
    jobs: usize,
    /// The numbers of instances in the plan, and of their blocks.
    places: HashMap<InstanceId, (usize, usize)>,
    courses: Vec<Course>,
    remaining: Remaining,
    /// How long the run may yet take, and when that was so.
    left: Option<(Option<Duration>, Duration)>,
}

/// The steps of a target, or those that run once.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) platform: Option<Platform>,
    /// This machine executes its programs itself.
    pub(super) native: bool,
    /// The version of what emulates it; empty where nobody knows it.
    pub(super) emulator: Option<String>,
    /// Who builds its images natively elsewhere.
    pub(super) builder: Option<String>,
    pub(super) total: usize,
    pub(super) done: usize,
    pub(super) unchanged: usize,
    pub(super) failed: usize,
    /// Stopped or never started.
    pub(super) left_out: usize,
    /// In the order in which they began.
    pub(super) running: Vec<Running>,
    /// When its first step began.
    pub(super) began: Option<Duration>,
    /// When its last step ended.
    pub(super) ended: Duration,
}

/// One instance that has begun and not ended.
#[derive(Debug)]
pub(super) struct Running {
    number: usize,
    /// Without the target, which its block has.
    pub(super) name: String,
    pub(super) attempt: u32,
    pub(super) began: Duration,
    /// What it took the last time.
    pub(super) usual: Option<Duration>,
    /// The last line that a tool printed, as it came.
    pub(super) line: String,
    /// When anything was last heard of it.
    pub(super) heard: Duration,
    pub(super) transfer: Option<Transfer>,
}

impl Block {
    fn new(name: String, platform: Option<Platform>, here: &Platform) -> Self {
        Self {
            name,
            native: platform.as_ref().is_some_and(|platform| here.runs_natively(platform)),
            platform,
            emulator: None,
            builder: None,
            total: 0,
            done: 0,
            unchanged: 0,
            failed: 0,
            left_out: 0,
            running: Vec::new(),
            began: None,
            ended: Duration::ZERO,
        }
    }

    /// How many have ended.
    pub(super) fn over(&self) -> usize {
        self.done + self.unchanged + self.failed + self.left_out
    }
}

impl Model {
    pub(super) fn new(scene: Scene<'_>) -> Self {
        let Scene { plan, usual, here } = scene;
        let mut blocks: Vec<Block> = Vec::new();
        let mut by_target = HashMap::new();
        let mut places = HashMap::with_capacity(plan.graph.node_count());
        for node in plan.graph.node_indices() {
            let instance = &plan.graph[node];
            let block = *by_target.entry(instance.target.clone()).or_insert_with(|| {
                let name = instance.target.as_deref().unwrap_or("once");
                blocks.push(Block::new(one_line(name), instance.platform.clone(), &here));
                blocks.len() - 1
            });
            blocks[block].total += 1;
            places.insert(instance.id.clone(), (node.index(), block));
        }
        Self {
            recipe: one_line(&plan.recipe),
            total: plan.graph.node_count(),
            ended: 0,
            failed: 0,
            stopping: false,
            blocks,
            jobs: 1,
            places,
            courses: vec![Course::Waiting; plan.graph.node_count()],
            remaining: Remaining::new(plan, usual),
            left: None,
        }
    }

    /// How long the run may yet take. It is looked at once a second, and not before most of what need not run has been told.
    pub(super) fn left(&mut self, now: Duration) -> Option<Duration> {
        if now < SETTLED {
            return None;
        }
        let known = self.left.filter(|(_, at)| now.saturating_sub(*at) < SETTLED);
        let (left, at) = known.unwrap_or_else(|| (self.remaining.time(&self.courses, self.jobs, now), now));
        self.left = Some((left, at));
        left.map(|left| left.saturating_sub(now.saturating_sub(at)))
    }

    /// Takes the next event. Whether anything may look otherwise now.
    pub(super) fn on(&mut self, event: &Event) -> bool {
        let now = event.elapsed;
        match &event.kind {
            EventKind::RunStarted { jobs, .. } => self.jobs = *jobs,
            EventKind::Emulator { platform, version, .. } => {
                let version = version.as_deref().and_then(|version| version.split(' ').next());
                for block in self.blocks.iter_mut().filter(|block| block.platform.as_ref() == Some(platform))
                {
                    block.emulator = Some(one_line(version.unwrap_or_default()));
                }
            }
            EventKind::Builder { platform, builder, native: true, .. } => {
                let built = self.blocks.iter_mut().filter(|block| block.platform.as_ref() == Some(platform));
                built.for_each(|block| block.builder = Some(one_line(builder)));
            }
            EventKind::Interrupted { .. } => self.stopping = true,
            EventKind::Started { instance, attempt } => self.started(instance, *attempt, now),
            EventKind::Finished { instance, status, .. } => self.finished(instance, status, now),
            EventKind::Transfer { instance, sent, total, part } => {
                let Some(running) = self.running(instance) else { return false };
                running.heard = now;
                running.transfer.get_or_insert_default().move_to(now, *sent, *total, *part);
            }
            EventKind::Command { instance, .. } => {
                // The next blob is told of before its command: this one does something else.
                if let Some(running) = self.running(instance) {
                    running.transfer.take_if(|transfer| transfer.is_whole());
                }
            }
            EventKind::Line { instance, stream, text, .. } => {
                let Some(running) = self.running(instance) else { return false };
                running.heard = now;
                let mut end = text.len().min(WIDEST);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                running.line.clear();
                running.line.push_str(&text[..end]);
                // Such as that it waits.
                if *stream == Stream::Engine {
                    running.transfer = None;
                }
            }
            EventKind::Delivered { instance, .. } => {
                if let Some(running) = self.running(instance) {
                    running.transfer = None;
                }
            }
            _ => return false,
        }
        true
    }

    fn running(&mut self, instance: &InstanceId) -> Option<&mut Running> {
        let (number, block) = *self.places.get(instance)?;
        self.blocks[block].running.iter_mut().find(|running| running.number == number)
    }

    fn started(&mut self, instance: &InstanceId, attempt: u32, now: Duration) {
        if let Some(again) = self.running(instance) {
            (again.attempt, again.heard, again.transfer) = (attempt, now, None);
            return;
        }
        let Some((number, block)) = self.places.get(instance).copied() else { return };
        self.courses[number] = Course::Running(now);
        let block = &mut self.blocks[block];
        block.began.get_or_insert(now);
        let mut parts = instance.as_str().split('@');
        let step = parts.next().unwrap_or_default();
        let name = parts.nth(1).map_or_else(|| step.to_owned(), |node| format!("{step}@{node}"));
        block.running.push(Running {
            number,
            name: one_line(&name),
            attempt,
            began: now,
            usual: self.remaining.usual(number),
            line: String::new(),
            heard: now,
            transfer: None,
        });
    }

    fn finished(&mut self, instance: &InstanceId, status: &Status, now: Duration) {
        self.ended += 1;
        let Some((number, block)) = self.places.get(instance).copied() else { return };
        self.courses[number] = Course::Ended;
        let block = &mut self.blocks[block];
        block.running.retain(|running| running.number != number);
        block.ended = now;
        let count = match status {
            Status::Done => &mut block.done,
            Status::UpToDate => &mut block.unchanged,
            Status::Failed(_) => {
                self.failed += 1;
                &mut block.failed
            }
            Status::Allowed(_) => &mut block.failed,
            Status::Cancelled | Status::Skipped { .. } => &mut block.left_out,
        };
        *count += 1;
    }
}
