//! What is another in a run than in an earlier one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{Account, Course};
use crate::event::Status;
use crate::fresh::{Reason, changed, configuration};
use crate::output::seconds;
use crate::plan::{Instance, InstanceId, Plan};

/// Times differ from run to run. A step is slower or faster when it took so much longer or shorter: by both of these.
const NOISE: Duration = Duration::from_millis(500);
const NOISE_PERCENT: u128 = 20;

/// What two runs are compared by, in the order in which one leads to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// How instances ended.
    Results,
    /// What names stood for: commits, base images; and other inputs that a step ran for.
    Inputs,
    /// What the recipe, its variables and its selection made of the plan.
    Configuration,
    /// Versions of build engines.
    Tools,
    /// Which platforms were emulated, and by what.
    Emulators,
    /// Values that steps yielded: image ids, digests, paths.
    Outputs,
    /// How long steps took, beyond noise.
    Times,
}

/// One thing that is another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What it is about.
    pub section: Section,
    /// The instance, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// What of it.
    pub what: String,
    /// In the earlier run; none where it was not there.
    pub old: Option<String>,
    /// In the later run; none where it is not there.
    pub new: Option<String>,
    /// For how much longer or shorter it ran, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// All of it, ordered by section.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Difference {
    /// What is another.
    pub changes: Vec<Change>,
    /// Plans could be compared: both runs kept theirs.
    pub with_plans: bool,
}

/// Compares two runs, by their accounts and, where both kept one, their plans.
pub fn difference(old: (&Account, Option<&Plan>), new: (&Account, Option<&Plan>)) -> Difference {
    let mut changes = Changes(Vec::new());
    let ids: BTreeSet<&InstanceId> = old.0.courses.keys().chain(new.0.courses.keys()).collect();
    let nothing = Course::default();
    for id in ids {
        let of = |account: &Account| account.course(id).cloned().unwrap_or_else(|| nothing.clone());
        course(id, &of(old.0), &of(new.0), &mut changes);
    }
    pins(old.0, new.0, &mut changes);
    if let (Some(old), Some(new)) = (old.1, new.1) {
        plans(old, new, &mut changes);
    }
    let version = |account: &Account| account.tools.clone();
    changes.maps(Section::Tools, None, &version(old.0), &version(new.0));
    let emulators = |account: &Account| -> BTreeMap<String, String> {
        let told = account.emulators.iter().map(|(platform, emulated)| {
            let version = emulated.version.as_deref().unwrap_or("of an unknown version");
            (platform.to_string(), format!("QEMU {version}, {}", emulated.interpreter))
        });
        let built = account
            .builders
            .iter()
            .map(|(platform, built)| (format!("{platform} is built"), built.why.clone()));
        told.chain(built).collect()
    };
    changes.maps(Section::Emulators, None, &emulators(old.0), &emulators(new.0));
    let Changes(mut changes) = changes;
    changes.sort_by_key(|change| change.section);
    Difference { changes, with_plans: old.1.is_some() && new.1.is_some() }
}

struct Changes(Vec<Change>);

impl Changes {
    fn add(
        &mut self,
        section: Section,
        instance: Option<&InstanceId>,
        what: &str,
        old: Option<String>,
        new: Option<String>,
    ) {
        if old != new {
            let (instance, what) = (instance.cloned(), what.to_owned());
            self.0.push(Change { section, instance, what, old, new, seconds: None });
        }
    }

    fn maps(
        &mut self,
        section: Section,
        instance: Option<&InstanceId>,
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
    ) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            self.add(section, instance, name, old.get(name).cloned(), new.get(name).cloned());
        }
    }
}

fn course(id: &InstanceId, old: &Course, new: &Course, changes: &mut Changes) {
    let result = |course: &Course| course.status().map(|status| word(status).to_owned());
    // That something is up to date that was done before is how it should be.
    if !(old.is_there() && new.is_there()) {
        changes.add(Section::Results, Some(id), "result", result(old), result(new));
    }
    if let Some(reason) = &new.reason {
        match reason {
            Reason::InputChanged { input, old, new } => {
                changes.add(Section::Inputs, Some(id), input, Some(old.clone()), Some(new.clone()));
            }
            Reason::OutputMissing { output } => {
                changes.add(
                    Section::Inputs,
                    Some(id),
                    output,
                    Some("there".into()),
                    Some("not there any more".into()),
                );
            }
            Reason::OutputChanged { output } => {
                changes.add(
                    Section::Inputs,
                    Some(id),
                    output,
                    Some("as it was left".into()),
                    Some("changed by somebody else".into()),
                );
            }
            // The others are told by lock, plan and tools.
            _ => {}
        }
    }
    // Of one that was not done there are no values to compare.
    if old.is_there() && new.is_there() {
        changes.maps(Section::Outputs, Some(id), &old.values, &new.values);
    }
    if old.status() == Some(&Status::Done)
        && new.status() == Some(&Status::Done)
        && is_noticeable(old.took, new.took)
    {
        let (before, now) = (old.took.as_secs_f64(), new.took.as_secs_f64());
        changes.0.push(Change {
            section: Section::Times,
            instance: Some(id.clone()),
            what: if now > before { "slower" } else { "faster" }.into(),
            old: Some(seconds(old.took)),
            new: Some(seconds(new.took)),
            seconds: Some(now - before),
        });
    }
}

fn is_noticeable(old: Duration, new: Duration) -> bool {
    let (by, of) = (old.abs_diff(new), old.min(new));
    by >= NOISE && by.as_nanos() * 100 >= of.as_nanos() * NOISE_PERCENT
}

/// How an instance ended, in a word.
fn word(status: &Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::UpToDate => "up to date",
        Status::Failed(_) => "failed",
        Status::Allowed(_) => "failed, which is allowed",
        Status::Cancelled => "stopped",
        Status::Skipped { .. } => "not started",
    }
}

/// What names stood for in each run, whoever asked for them. A name that only one of them asked for tells nothing.
fn pins(old: &Account, new: &Account, changes: &mut Changes) {
    let of = |account: &Account| -> BTreeMap<String, String> {
        let told = account.courses.values().flat_map(|course| &course.pins);
        told.map(|(key, pin, _)| (key.to_string(), pin.to_string())).collect()
    };
    let (old, new) = (of(old), of(new));
    for (name, before) in &old {
        if let Some(now) = new.get(name) {
            changes.add(Section::Inputs, None, name, Some(before.clone()), Some(now.clone()));
        }
    }
}

/// Instances that came or went, and keys of those that stayed.
fn plans(old: &Plan, new: &Plan, changes: &mut Changes) {
    let of = |plan: &Plan| -> BTreeMap<InstanceId, Instance> {
        plan.graph.node_weights().map(|instance| (instance.id.clone(), instance.clone())).collect()
    };
    let (before, now) = (of(old), of(new));
    let ids: BTreeSet<&InstanceId> = before.keys().chain(now.keys()).collect();
    for id in ids {
        match (before.get(id), now.get(id)) {
            (Some(before), Some(now)) => keys(id, before, now, changes),
            (before, now) => {
                let told = |there: bool| there.then(|| "in the plan".to_owned());
                changes.add(
                    Section::Configuration,
                    Some(id),
                    "step",
                    told(before.is_some()),
                    told(now.is_some()),
                );
            }
        }
    }
    let nodes = |plan: &Plan| -> BTreeMap<String, String> {
        plan.nodes
            .iter()
            .map(|(name, node)| (format!("node {name}"), text(serde_json::to_value(node).ok())))
            .collect()
    };
    changes.maps(Section::Configuration, None, &nodes(old), &nodes(new));
}

/// What tools are told comes first; then the bounds of the step. What follows from these is left out.
fn keys(id: &InstanceId, old: &Instance, new: &Instance, changes: &mut Changes) {
    const FOLLOWS: [&str; 5] = ["actions", "outputs", "probe", "basis", "cleanup"];
    if old == new {
        return;
    }
    let (before, now) = (configuration(old), configuration(new));
    if before != now
        && let Reason::ConfigChanged { key, old, new } = changed(&before, &now)
    {
        changes.add(Section::Configuration, Some(id), &key, Some(old), Some(new));
    }
    let of = |instance: &Instance| -> BTreeMap<String, String> {
        let keys = serde_json::to_value(instance).ok();
        let keys = keys.as_ref().and_then(Value::as_object).into_iter().flatten();
        let told = keys.filter(|(key, value)| !FOLLOWS.contains(&key.as_str()) && !value.is_null());
        told.map(|(key, value)| (key.clone(), text(Some(value.clone())))).collect()
    };
    changes.maps(Section::Configuration, Some(id), &of(old), &of(new));
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        value => value.unwrap_or_default().to_string(),
    }
}
