//! The trace event format of Chrome, as Perfetto and `chrome://tracing` open it: a process for each target, a thread for each
//! lane, a slice for each instance, attempt and command, and counters of what is sent to nodes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{of_target, targets};
use crate::event::{EventKind, Status, command_line};
use crate::history::{Account, Course, RunFolder, Unread, critical_path};
use crate::output::plain;
use crate::plan::{Instance, InstanceId, Plan};

/// Of a command's line, so many characters are a name.
const NAME: usize = 80;

/// The process that the critical path is drawn in.
const CRITICAL: usize = 1;

/// Where an instance is drawn.
#[derive(Debug, Clone, Copy)]
struct Lane {
    process: usize,
    thread: usize,
}

#[derive(Serialize)]
struct Slice<'a> {
    name: &'a str,
    cat: &'a str,
    ph: &'a str,
    ts: u64,
    dur: u64,
    pid: usize,
    tid: usize,
    args: Value,
}

/// Writes events one by one: there may be very many.
struct Writer<'w> {
    to: &'w mut dyn Write,
    is_first: bool,
}

impl Writer<'_> {
    fn event(&mut self, event: &impl Serialize) -> io::Result<()> {
        self.to.write_all(if self.is_first { b"\n" } else { b",\n" })?;
        self.is_first = false;
        Ok(serde_json::to_writer(&mut *self.to, event)?)
    }
}

/// Writes the trace. Of a run that is not over, what goes on ends with the last event.
pub fn trace(plan: &Plan, account: &Account, run: &RunFolder, to: &mut dyn Write) -> Result<(), TraceError> {
    let about = json!({
        "run": account.run,
        "recipe": account.recipe,
        "began": account.began,
        "jobs": account.jobs,
        "result": account.ending(false),
    });
    write!(to, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{about},\"traceEvents\":[")?;
    let mut writer = Writer { to, is_first: true };
    let path = critical_path(plan, account);
    let is_critical = |id: &InstanceId| path.iter().any(|link| link.instance == *id);
    let mut lanes: BTreeMap<InstanceId, Lane> = BTreeMap::new();
    process(&mut writer, CRITICAL, "critical path")?;
    thread(&mut writer, CRITICAL, 1)?;
    for (index, target) in targets(plan).iter().enumerate() {
        let number = index + CRITICAL + 1;
        process(&mut writer, number, target.as_deref().unwrap_or(&account.recipe))?;
        let mut courses: Vec<(&Instance, &Course)> = of_target(plan, target.as_deref())
            .filter_map(|instance| Some((instance, account.course(&instance.id)?)))
            .filter(|(_, course)| course.began().is_some())
            .collect();
        courses.sort_by_key(|(_, course)| course.began());
        // When each lane is free again: no two slices of one may overlap.
        let mut free: Vec<Duration> = Vec::new();
        for (instance, course) in courses {
            let (began, ended) = (course.began().unwrap_or_default(), end(course, account));
            let lane = free.iter().position(|free| *free <= began).unwrap_or_else(|| {
                free.push(Duration::ZERO);
                free.len() - 1
            });
            free[lane] = ended;
            let lane = Lane { process: number, thread: lane + 1 };
            lanes.insert(instance.id.clone(), lane);
            slices(&mut writer, instance, course, account, lane, is_critical(&instance.id))?;
        }
        (1..=free.len()).try_for_each(|lane| thread(&mut writer, number, lane))?;
    }
    critical(&mut writer, account, &path, &lanes)?;
    moments(&mut writer, run, &lanes)?;
    writer.to.write_all(b"\n]}\n")?;
    Ok(())
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The record of the run cannot be read.
    #[error(transparent)]
    Unread(#[from] Unread),
}

fn process(writer: &mut Writer<'_>, pid: usize, name: &str) -> io::Result<()> {
    let name = plain(name);
    writer.event(
        &json!({ "name": "process_name", "ph": "M", "pid": pid, "tid": 0, "args": { "name": name } }),
    )?;
    writer.event(
        &json!({ "name": "process_sort_index", "ph": "M", "pid": pid, "tid": 0, "args": { "sort_index": pid } }),
    )
}

fn thread(writer: &mut Writer<'_>, pid: usize, tid: usize) -> io::Result<()> {
    let name = if pid == CRITICAL { "what the run was as long as".into() } else { format!("lane {tid}") };
    writer
        .event(&json!({ "name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": { "name": name } }))
}

fn end(course: &Course, account: &Account) -> Duration {
    course.end.as_ref().map_or(account.elapsed, |(end, _)| *end)
}

/// Rounded down, so that what lies in another slice still does.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn slices(
    writer: &mut Writer<'_>,
    instance: &Instance,
    course: &Course,
    account: &Account,
    lane: Lane,
    critical: bool,
) -> io::Result<()> {
    let ended = end(course, account);
    let mut slice = |name: &str, cat: &str, from: Duration, to: Duration, args: Value| {
        let (ts, until) = (micros(from), micros(to));
        let (pid, tid) = (lane.process, lane.thread);
        writer.event(&Slice { name, cat, ph: "X", ts, dur: until.saturating_sub(ts), pid, tid, args })
    };
    let (result, message) = match course.status() {
        Some(Status::Failed(failure)) => ("failed", Some(&failure.message)),
        Some(Status::Allowed(failure)) => ("failed as allowed", Some(&failure.message)),
        Some(Status::Done) => ("done", None),
        Some(Status::UpToDate) => ("up to date", None),
        Some(Status::Cancelled) => ("stopped", None),
        Some(Status::Skipped { .. }) => ("not started", None),
        None => ("has no end", None),
    };
    let args = json!({
        "step": &*instance.step,
        "kind": &*instance.kind,
        "node": instance.node,
        "reason": course.reason.as_ref().map(|reason| plain(&reason.to_string()).into_owned()),
        "result": result,
        "message": message.map(|message| plain(message).into_owned()),
        "attempts": course.attempts.len(),
        "critical": critical,
    });
    let began = course.began().unwrap_or_default();
    slice(instance.id.as_str(), "step", began, ended, args)?;
    for (index, attempt) in course.attempts.iter().enumerate() {
        let over = course.attempts.get(index + 1).copied().unwrap_or(ended);
        if course.attempts.len() > 1 {
            slice(&format!("attempt {}", index + 1), "attempt", *attempt, over, json!({}))?;
        }
        let commands: Vec<_> =
            course.commands.iter().filter(|(at, _)| (*attempt..over).contains(at)).collect();
        for (index, (at, argv)) in commands.iter().enumerate() {
            let until = commands.get(index + 1).map_or(over, |(next, _)| *next);
            let line = command_line(argv);
            let line = plain(&line);
            let name: String = line.chars().take(NAME).collect();
            slice(&name, "command", *at, until, json!({ "argv": argv }))?;
        }
    }
    Ok(())
}

/// The critical path by itself, and as arrows from one of its slices to the next.
fn critical(
    writer: &mut Writer<'_>,
    account: &Account,
    path: &[crate::history::Link],
    lanes: &BTreeMap<InstanceId, Lane>,
) -> io::Result<()> {
    let mut before: Option<(Lane, u64)> = None;
    for (index, link) in path.iter().enumerate() {
        let Some(course) = account.course(&link.instance) else { continue };
        let began = course.began().unwrap_or_default();
        let (ts, until) = (micros(began), micros(end(course, account)));
        let waited = began.saturating_sub(link.waited);
        if micros(waited) < ts {
            let (dur, ts) = (ts - micros(waited), micros(waited));
            let args = json!({ "for": link.instance });
            writer.event(&Slice {
                name: "waits",
                cat: "wait",
                ph: "X",
                ts,
                dur,
                pid: CRITICAL,
                tid: 1,
                args,
            })?;
        }
        let (name, dur) = (link.instance.as_str(), until.saturating_sub(ts));
        writer.event(&Slice {
            name,
            cat: "critical",
            ph: "X",
            ts,
            dur,
            pid: CRITICAL,
            tid: 1,
            args: json!({}),
        })?;
        let Some(lane) = lanes.get(&link.instance).copied() else { continue };
        if let Some((from, at)) = before {
            let arrow = |ph: &str, lane: Lane, ts: u64| {
                json!({
                    "name": "critical path", "cat": "critical", "ph": ph, "id": index, "bp": "e",
                    "ts": ts, "pid": lane.process, "tid": lane.thread,
                })
            };
            writer.event(&arrow("s", from, at))?;
            writer.event(&arrow("f", lane, ts.max(at)))?;
        }
        // Within the slice, or it would be nobody's.
        before = Some((lane, until.saturating_sub(1).max(ts)));
    }
    Ok(())
}

/// What happened at a point in time: bytes that were on their way, warnings, signals.
fn moments(
    writer: &mut Writer<'_>,
    run: &RunFolder,
    lanes: &BTreeMap<InstanceId, Lane>,
) -> Result<(), TraceError> {
    let mut result = Ok(());
    let mut sent: BTreeMap<InstanceId, (usize, u64, u64)> = BTreeMap::new();
    run.happenings(|event| {
        if result.is_err() {
            return;
        }
        let ts = micros(event.elapsed);
        let moment = |name: String| json!({ "name": name, "cat": "run", "ph": "i", "s": "g", "ts": ts, "pid": CRITICAL, "tid": 1 });
        let value = match &event.kind {
            EventKind::Transfer { instance, sent: now, part, .. } => {
                let Some(lane) = lanes.get(instance) else { return };
                let (blob, before, last) = sent.entry(instance.clone()).or_default();
                if *blob != part.blob {
                    (*blob, *before) = (part.blob, *before + *last);
                }
                *last = *now;
                json!({
                    "name": format!("bytes of {instance}"), "ph": "C", "ts": ts, "pid": lane.process, "tid": 0,
                    "args": { "bytes": *before + *now },
                })
            }
            EventKind::Warning { message } => moment(format!("warning: {}", plain(message))),
            EventKind::Interrupted { signal } => moment(format!("interrupted by signal {signal}")),
            _ => return,
        };
        result = writer.event(&value);
    })?;
    Ok(result?)
}
