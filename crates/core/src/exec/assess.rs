//! Whether one instance must run, and why: on a worker, as files are read and tools asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::context::{ActionCx, Shared};
use super::probe;
use crate::event::{Failure, FailureKind};
use crate::fresh::{self, Look, Observed, Reason};
use crate::lock::Key;
use crate::plan::{Action, Grammar, Instance, Probe, Text, Value};
use crate::state::{Detail, Digest, Leaf, Record};

/// What the coordinator knows when an instance is ready.
pub(super) struct Question {
    /// What is on record.
    pub(super) earlier: Option<(Record, Detail)>,
    /// What the instances left whose artifacts it consumes.
    pub(super) inputs: Vec<(String, Digest)>,
    /// Environment variables that count.
    pub(super) env: BTreeMap<String, String>,
    pub(super) forced: bool,
    /// It was found before that it must run; it waited for what it needs.
    pub(super) due: Option<Reason>,
    /// What it left is asked for, also when it is only for other steps.
    pub(super) prove: bool,
}

/// What came out of it.
pub(super) struct Assessment {
    pub(super) observed: Observed,
    pub(super) verdict: Verdict,
}

/// See [`Assessment`].
pub(super) enum Verdict {
    /// It need not run. A record in other words, where files were read again that had just been written the last time.
    Fresh { result: Digest, again: Option<Box<(Record, Detail)>> },
    /// It must.
    Due(Reason),
}

/// What an instance left, to be kept on record.
pub(super) struct Left {
    pub(super) record: Record,
    pub(super) detail: Detail,
}

/// Whether an instance need not run, found out from records and stamps alone: nothing is started, asked or read. None
/// where that does not tell.
pub(super) fn glance(shared: &Shared<'_>, instance: &Instance, question: Question) -> Option<Digest> {
    match assess(shared, instance, question, fresh::glance).verdict {
        Verdict::Fresh { result, again: None } => Some(result),
        Verdict::Fresh { .. } | Verdict::Due(_) => None,
    }
}

/// Nothing but files decides whether the instance must run.
pub(super) fn is_plain(instance: &Instance, prove: bool) -> bool {
    let basis = &instance.basis;
    let left = matches!(instance.probe, Probe::Paths(_) | Probe::Nothing) || basis.intermediate && !prove;
    left && basis.engine.is_none()
}

/// Gathers what counts, and compares it with what is on record.
pub(super) fn assess(shared: &Shared<'_>, instance: &Instance, question: Question, look: Look) -> Assessment {
    let cx = probe::quiet(shared, instance);
    let Question { earlier, inputs, env, forced, due: found, prove } = question;
    if let Some((record, _)) = &earlier {
        let mut values = shared.values();
        for (name, value) in &record.values {
            values.insert((instance.id.as_str().to_owned(), name.clone()), value.clone());
        }
    }
    let known = earlier.as_ref().map(|(_, detail)| detail.reads.as_slice()).unwrap_or_default();
    let (mut observed, unknown) = observe(&cx, instance, inputs, env, known, look);
    // A builder that does not answer makes nothing out of date.
    if let (Some(builder), Some(engine)) = (&instance.basis.builder, instance.basis.engine) {
        let told = cx.engine_version(builder, engine);
        observed.detail.tool =
            told.unwrap_or_else(|_| earlier.as_ref().and_then(|(_, detail)| detail.tool.clone()));
    }
    let none = BTreeMap::new();
    let (pins, unlocked) = pins(&cx, instance, earlier.as_ref().map_or(&none, |(_, detail)| &detail.pins));
    observed.detail.pins = pins;
    let due = |reason| Verdict::Due(reason);
    let verdict = if forced {
        due(Reason::Forced)
    } else if let Some(reason) = found {
        due(reason)
    } else if let Some((record, detail)) = earlier {
        let same = observed.fingerprint() == record.fingerprint;
        if let Some(name) = unlocked {
            due(Reason::NotLocked { name })
        } else if let Some(reason) = (!same).then(|| observed.differs(&detail)).flatten() {
            due(reason)
        } else if let Some(why) = unknown {
            due(Reason::OutputUnknown { why })
        } else if !same {
            due(Reason::NoRecord)
        } else if instance.basis.always {
            due(Reason::Always)
        } else if instance.basis.intermediate && !prove {
            Verdict::Fresh { result: record.result, again: None }
        } else {
            still_there(&cx, instance, record, detail, &observed, look)
        }
    } else {
        due(Reason::NoRecord)
    };
    Assessment { observed, verdict }
}

/// Everything that counts, and why some of it could not be found out.
fn observe(
    cx: &ActionCx<'_>,
    instance: &Instance,
    inputs: Vec<(String, Digest)>,
    env: BTreeMap<String, String>,
    known: &[Leaf],
    look: Look,
) -> (Observed, Option<String>) {
    let mut observed = Observed::new(fresh::configuration(instance));
    let mut unknown = None;
    observed.detail.env = env;
    for (id, digest) in inputs {
        observed.detail.inputs.insert(format!("what `{id}` left"), digest.to_string());
    }
    // Where an image is does not count.
    let count = instance.actions.iter().filter(|action| !matches!(action, Action::MoveImage(_)));
    let texts = count.flat_map(Action::texts);
    let lates: BTreeSet<_> =
        texts.flat_map(Text::lates).filter(|late| late.instance != instance.id.as_str()).collect();
    for late in lates {
        let value = cx.shared.values().get(&(late.instance.clone(), late.output.clone())).cloned();
        observed
            .detail
            .inputs
            .insert(format!("`{}` of `{}`", late.output, late.instance), value.unwrap_or_default());
    }
    for text in &instance.basis.reads {
        let Ok(path) = cx.resolve_path(text) else { continue };
        let name = text.to_string();
        let earlier = known.iter().find(|leaf| leaf.path == name).map(|leaf| &leaf.seen);
        match look(&path, earlier) {
            Ok(Some(seen)) => observed.read(Leaf { path: name, seen }),
            Ok(None) => observed.read_nothing(&name),
            Err(error) => unknown = Some(format!("{}: {error}", path.display())),
        }
    }
    if let Some(engine) = instance.basis.engine.filter(|_| instance.basis.builder.is_none()) {
        observed.detail.tool = cx.shared.asked.version(cx, engine);
    }
    (observed, unknown)
}

/// What the lock says of the names that the instance has, or had the last time; and one of which it says nothing.
fn pins(
    cx: &ActionCx<'_>,
    instance: &Instance,
    earlier: &BTreeMap<String, String>,
) -> (BTreeMap<String, String>, Option<String>) {
    let lock = cx.shared.pins();
    let fixed = instance.basis.pins.iter().cloned();
    let keys: BTreeSet<Key> = fixed.chain(earlier.keys().filter_map(|key| key.parse().ok())).collect();
    let (known, unknown): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| lock.get(key).is_some());
    let known = known.into_iter().filter_map(|key| Some((key.to_string(), lock.get(&key)?.to_string())));
    (known.collect(), unknown.first().map(ToString::to_string))
}

fn still_there(
    cx: &ActionCx<'_>,
    instance: &Instance,
    mut record: Record,
    mut detail: Detail,
    observed: &Observed,
    look: Look,
) -> Verdict {
    let mut again = refresh(&mut detail.reads, &observed.detail.reads);
    if let Probe::Paths(paths) = &instance.probe {
        let mut now = Vec::new();
        for text in paths {
            let (name, Ok(path)) = (text.to_string(), cx.resolve_path(text)) else { continue };
            let known = record.outputs.iter().find(|leaf| leaf.path == name).map(|leaf| &leaf.seen);
            match look(&path, known) {
                Ok(Some(seen)) if known.is_some_and(|known| known.digest == seen.digest) => {
                    now.push(Leaf { path: name, seen });
                }
                Ok(Some(_)) => return Verdict::Due(Reason::OutputChanged { output: format!("`{name}`") }),
                Ok(None) => return Verdict::Due(Reason::OutputMissing { output: format!("`{name}`") }),
                Err(error) => {
                    return Verdict::Due(Reason::OutputUnknown {
                        why: format!("{}: {error}", path.display()),
                    });
                }
            }
        }
        again |= refresh(&mut record.outputs, &now);
    }
    match probe::ask(cx, instance) {
        Ok(true) => {
            let result = record.result;
            Verdict::Fresh { result, again: again.then(|| Box::new((record, detail))) }
        }
        Ok(false) => Verdict::Due(Reason::OutputMissing { output: what(instance) }),
        Err(why) => Verdict::Due(Reason::OutputUnknown { why }),
    }
}

/// What an instance leaves where only tools can look.
fn what(instance: &Instance) -> String {
    if let Probe::Emulation(platforms) = &instance.probe {
        let platforms: Vec<String> = platforms.iter().map(ToString::to_string).collect();
        return format!("the emulator for {}", platforms.join(", "));
    }
    let known = |wanted: &str| {
        instance.outputs.iter().find(|output| output.name == wanted).and_then(|output| match &output.value {
            Value::Known(text) => Some(text.to_string()),
            Value::Late(_) => None,
        })
    };
    let name = known("path").or_else(|| known("ref")).or_else(|| known("reference"));
    let name = name.unwrap_or_else(|| instance.id.to_string());
    match &instance.node {
        Some(node) => format!("`{name}` on node `{node}`"),
        None => format!("`{name}`"),
    }
}

/// Takes over what was seen now, where that can be believed the next time and what was seen then could not.
fn refresh(leaves: &mut [Leaf], now: &[Leaf]) -> bool {
    let mut changed = false;
    for (leaf, now) in leaves.iter_mut().zip(now) {
        if leaf.path == now.path && !fresh::settled(&leaf.seen) && fresh::settled(&now.seen) {
            leaf.seen = now.seen.clone();
            changed = true;
        }
    }
    changed
}

/// Looks at what an instance left when its actions have succeeded. Exit code 0 proves nothing.
pub(super) fn left(
    cx: &ActionCx<'_>,
    instance: &Instance,
    observed: &Observed,
    took: Duration,
) -> Result<Left, Failure> {
    let mut outputs = Vec::new();
    if let Probe::Paths(paths) = &instance.probe {
        for text in paths {
            let path = cx.resolve_path(text)?;
            let seen =
                fresh::content(&path, None).map_err(|error| unreadable(&path, &error))?.ok_or_else(|| {
                    Failure::new(
                        FailureKind::Io,
                        format!("the step went well, and there is no {} now", path.display()),
                    )
                    .help("it must be made by the step, under exactly this name")
                })?;
            outputs.push(Leaf { path: text.to_string(), seen });
        }
    }
    let lasting = instance
        .outputs
        .iter()
        .filter(|output| matches!(&output.value, Value::Late(g) if *g != Grammar::Any));
    let known = cx.shared.values();
    let values: BTreeMap<String, String> = lasting
        .filter_map(|output| {
            let value = known.get(&(instance.id.as_str().to_owned(), output.name.clone()))?;
            Some((output.name.clone(), value.clone()))
        })
        .collect();
    drop(known);
    let took = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    let observed = Observed { detail: Detail { pins: cx.used_pins(), ..observed.detail.clone() } };
    let (fingerprint, result) = (observed.fingerprint(), fresh::result(&values, &outputs));
    let record = Record { fingerprint, result, values, outputs, took };
    Ok(Left { record, detail: observed.detail })
}

/// An input that changed while the step ran: what it made is of nobody knows which.
pub(super) fn changed_meanwhile(
    cx: &ActionCx<'_>,
    instance: &Instance,
    observed: &Observed,
) -> Option<String> {
    instance.basis.reads.iter().find_map(|text| {
        let name = text.to_string();
        let before = observed.detail.reads.iter().find(|leaf| leaf.path == name).map(|leaf| &leaf.seen);
        let now = cx.resolve_path(text).ok().and_then(|path| fresh::content(&path, before).ok())?;
        (now.map(|seen| seen.digest) != before.map(|seen| seen.digest)).then_some(name)
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Io, format!("{} cannot be read: {error}", path.display()))
}
