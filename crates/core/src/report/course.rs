//! The instances of a run, each with what was planned and what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use petgraph::visit::EdgeRef;
use petgraph::{Direction, graph::NodeIndex};
use serde::Serialize;

use super::Source;
use super::verdict::Ended;
use crate::event::{Failure, Status, command_line};
use crate::fresh::Reason;
use crate::history::Course;
use crate::output::bytes;
use crate::plan::{Instance, InstanceId, Plan};
use crate::show;

/// One instance.
pub(super) struct Row<'s> {
    pub(super) id: &'s InstanceId,
    pub(super) ended: Ended,
    /// None where there is no plan.
    pub(super) instance: Option<&'s Instance>,
    /// None where nothing was told of it.
    pub(super) course: Option<&'s Course>,
    at: Option<NodeIndex>,
}

/// All of them: in the plan's order, then those that only events tell of.
pub(super) fn rows<'s>(source: &Source<'s>) -> Vec<Row<'s>> {
    let course = |id: &InstanceId| source.account.course(id);
    let mut rows: Vec<Row<'s>> = Vec::new();
    if let Some(plan) = source.plan {
        rows.extend(plan.order().into_iter().map(|at| {
            let instance = &plan.graph[at];
            let course = course(&instance.id);
            let ended = Ended::of(course);
            Row { id: &instance.id, ended, instance: Some(instance), course, at: Some(at) }
        }));
    }
    let known: BTreeSet<&InstanceId> = rows.iter().map(|row| row.id).collect();
    let told = source.account.courses.iter().filter(|(id, _)| !known.contains(id));
    let mut told: Vec<Row<'s>> = told
        .map(|(id, course)| Row {
            id,
            ended: Ended::of(Some(course)),
            instance: None,
            course: Some(course),
            at: None,
        })
        .collect();
    told.sort_by_key(|row| row.course.and_then(Course::began));
    rows.extend(told);
    rows
}

impl<'s> Row<'s> {
    /// The parts of its id: step, target, node. A name has no `@`.
    fn part(&self, number: usize) -> Option<&'s str> {
        self.id.as_str().split('@').nth(number)
    }

    pub(super) fn step(&self) -> &'s str {
        self.instance.map_or_else(|| self.part(0).unwrap_or_default(), |instance| &instance.step)
    }

    pub(super) fn kind(&self) -> &'s str {
        self.instance.map_or("", |instance| &instance.kind)
    }

    pub(super) fn target(&self) -> Option<&'s str> {
        match self.instance {
            Some(instance) => instance.target.as_deref(),
            None => self.part(1),
        }
    }

    pub(super) fn node(&self) -> Option<&'s str> {
        match self.instance {
            Some(instance) => instance.node.as_deref(),
            None => self.part(2),
        }
    }

    pub(super) fn platform(&self) -> Option<String> {
        self.instance?.platform.as_ref().map(ToString::to_string)
    }

    /// Whether the platform's programs, which it runs, were emulated; none where it runs none, or did not run. What a recipe's
    /// own command runs is known only when it was emulated.
    pub(super) fn emulated(&self, source: &Source<'_>) -> Option<bool> {
        let instance = self.instance.filter(|instance| instance.runs_its_programs())?;
        self.course?.began()?;
        let platform = instance.platform.as_ref()?;
        let there = instance.builders().next().is_some()
            && source.account.builders.get(platform).is_some_and(|built| built.native);
        let emulated = !there && source.account.emulators.contains_key(platform);
        (emulated || !instance.is_own_command()).then_some(emulated)
    }

    pub(super) fn failure(&self) -> Option<&'s Failure> {
        match self.course?.status()? {
            Status::Failed(failure) | Status::Allowed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Why it ran, or why it did not.
    pub(super) fn why(&self) -> String {
        let reason = self.course.and_then(|course| course.reason.as_ref());
        match self.course.and_then(Course::status) {
            Some(Status::UpToDate) => {
                "nothing that it depends on has changed, and what it left is there".into()
            }
            Some(Status::Skipped { because: Some(other) }) => format!("it needs {other}, which failed"),
            Some(Status::Skipped { because: None }) => "the run was ending before its turn came".into(),
            _ => match (reason, self.course.and_then(Course::began)) {
                (Some(reason), _) => reason.to_string(),
                (None, Some(_)) => "it was not on record".into(),
                (None, None) => "its turn did not come".into(),
            },
        }
    }

    /// The same in the few words that there is room for where many stand together.
    pub(super) fn why_in_short(&self) -> String {
        match (self.failure(), self.course.and_then(|course| course.reason.as_ref())) {
            (Some(failure), _) => failure.message.clone(),
            (None, Some(Reason::NoRecord)) => "no record of it yet".into(),
            (None, _) if self.ended == Ended::UpToDate => "nothing has changed".into(),
            (None, _) => self.why(),
        }
    }

    /// Its commands word for word, in the order of those that are told; none for one that is told so already.
    pub(super) fn exact(&self) -> Vec<Option<String>> {
        let commands = self.course.map(|course| course.commands.as_slice()).unwrap_or_default();
        let exact = commands.iter().take(COMMANDS).map(|(_, argv)| {
            // A shell reads no zero byte, and no process ever got one.
            let exact = shlex::try_join(argv.iter().map(String::as_str)).ok()?;
            (exact.len() <= LONGEST && exact != command_line(argv)).then_some(exact)
        });
        exact.collect()
    }

    /// How long it took; none where it did not run or has no end.
    pub(super) fn took(&self) -> Option<Duration> {
        let course = self.course?;
        course.began()?;
        course.end.as_ref().map(|_| course.took)
    }
}

/// What the page's script knows of an instance. Times are in milliseconds since the run began.
#[derive(Serialize)]
pub(super) struct Told<'s> {
    id: &'s str,
    step: &'s str,
    kind: &'s str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emulated: Option<bool>,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'s str>,
    began: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<u64>,
    /// What the plan says, a line each.
    does: Vec<String>,
    /// What was executed, and when.
    ran: Vec<(u64, String)>,
    outputs: Vec<(&'s str, String)>,
    /// Name, what it stands for, whether the lock did not say so before.
    pins: Vec<(String, String, bool)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<String>,
    lines: u64,
    /// What it waited for: an instance, and why.
    needs: Vec<(usize, String)>,
}

/// More commands of one instance are in its log.
const COMMANDS: usize = 100;
/// Longer than a command line that anybody wants to paste.
const LONGEST: usize = 64 << 10;

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl<'s> Told<'s> {
    pub(super) fn new(row: &Row<'s>, source: &Source<'s>, places: &Places) -> Self {
        let course = row.course;
        let failure = row.failure();
        let times = |course: &Course| course.attempts.iter().map(|at| milliseconds(*at)).collect();
        let ran = |course: &Course| {
            let shown = course.commands.iter().take(COMMANDS);
            shown.map(|(at, argv)| (milliseconds(*at), command_line(argv))).collect()
        };
        let pins = |course: &Course| {
            course.pins.iter().map(|(key, pin, new)| (key.to_string(), pin.to_string(), *new)).collect()
        };
        Self {
            id: row.id.as_str(),
            step: row.step(),
            kind: row.kind(),
            status: row.ended.class(),
            target: row.target(),
            node: row.node(),
            platform: row.platform(),
            emulated: row.emulated(source),
            why: row.why(),
            message: failure.map(|failure| failure.message.as_str()),
            help: failure.and_then(|failure| failure.help.as_deref()),
            began: course.map(times).unwrap_or_default(),
            ended: course.and_then(|course| Some(milliseconds(course.end.as_ref()?.0))),
            took: row.took().map(milliseconds),
            does: row.instance.map(show::actions).unwrap_or_default(),
            ran: course.map(ran).unwrap_or_default(),
            outputs: outputs(row, source),
            pins: course.map(pins).unwrap_or_default(),
            traffic: traffic(course),
            lines: course.map_or(0, |course| course.lines),
            needs: needs(row, source.plan, places),
        }
    }
}

/// Where each instance of a plan stands among the rows.
pub(super) struct Places(Vec<usize>);

impl Places {
    pub(super) fn new(rows: &[Row<'_>]) -> Self {
        let mut places = vec![0; rows.len()];
        for (place, row) in rows.iter().enumerate() {
            if let Some(at) = row.at {
                places[at.index()] = place;
            }
        }
        Self(places)
    }
}

fn needs(row: &Row<'_>, plan: Option<&Plan>, places: &Places) -> Vec<(usize, String)> {
    let (Some(plan), Some(at)) = (plan, row.at) else { return Vec::new() };
    let mut needs: Vec<(usize, String)> = plan
        .graph
        .edges_directed(at, Direction::Incoming)
        .map(|edge| (places.0[edge.source().index()], edge.weight().to_string()))
        .collect();
    needs.sort();
    needs
}

fn traffic(course: Option<&Course>) -> Option<String> {
    let course = course?;
    let under_way = || {
        let (sent, total, part) = course.transfer?;
        let (sent, total) = (bytes(sent), bytes(total));
        Some(format!("{sent} of {total} of blob {} of {}, and no end", part.blob, part.blobs))
    };
    course.traffic.map(|traffic| traffic.to_string()).or_else(under_way)
}

/// What it left: as the plan has it, as far as it is known, and what else was told.
fn outputs<'s>(row: &Row<'s>, source: &Source<'s>) -> Vec<(&'s str, String)> {
    let planned = row.instance.into_iter().flat_map(|instance| {
        let known = |name: &str| source.account.output(instance, name);
        instance.outputs.iter().filter_map(move |output| Some((output.name.as_str(), known(&output.name)?)))
    });
    let mut outputs: BTreeMap<&str, String> = planned.collect();
    let told = row.course.into_iter().flat_map(|course| &course.values);
    outputs.extend(told.map(|(name, value)| (name.as_str(), value.clone())));
    outputs.into_iter().collect()
}
