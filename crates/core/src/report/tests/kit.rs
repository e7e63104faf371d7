//! Runs by hand, and their pages.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::event::{Counts, Event, EventKind, Status};
use crate::history::Account;
use crate::plan::{Edge, Instance, InstanceId, Plan};
use crate::report::{Source, write};

pub(super) fn id(step: &str) -> InstanceId {
    InstanceId::new(step, None, None)
}

/// A plan of these steps, each of which waits for the one before.
pub(super) fn plan(steps: &[&str]) -> Plan {
    let mut plan = Plan { recipe: "made".into(), ..Plan::default() };
    let mut before = None;
    for step in steps {
        let at = plan.graph.add_node(Instance::new(id(step), "run", Vec::new()));
        if let Some(before) = before.replace(at) {
            plan.graph.add_edge(before, at, Edge::Needs);
        }
    }
    plan
}

pub(super) fn account(kinds: Vec<EventKind>) -> Account {
    let event =
        |(seq, kind)| Event { seq, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_secs(seq), kind };
    let events: Vec<Event> = (0..).zip(kinds).map(event).collect();
    Account::of(&events)
}

pub(super) fn begun(recipe: &str) -> EventKind {
    EventKind::RunStarted { version: 1, run: "r1".into(), recipe: recipe.into(), instances: 2, jobs: 2 }
}

pub(super) fn started(step: &str) -> EventKind {
    EventKind::Started { instance: id(step), attempt: 1 }
}

pub(super) fn finished(step: &str, status: Status) -> EventKind {
    EventKind::Finished { instance: id(step), status, took: Duration::from_secs(1), attempts: 1 }
}

pub(super) fn over() -> EventKind {
    EventKind::RunFinished { counts: Counts::default() }
}

/// A run's folder with these logs.
pub(super) fn folder(logs: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    for (step, text) in logs {
        fs::write(folder.path().join("logs").join(format!("{step}.log")), text).unwrap();
    }
    folder
}

pub(super) fn page(plan: Option<&Plan>, account: &Account, folder: &Path) -> String {
    let mut out = Vec::new();
    write(&mut out, &Source { plan, account, folder, before: None }).unwrap();
    String::from_utf8(out).unwrap()
}

/// The data that the page's script reads.
pub(super) fn data(page: &str, id: &str) -> serde_json::Value {
    let begin = format!("<script type=\"application/json\" id=\"{id}\">");
    let rest = page.split_once(&begin).unwrap().1;
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}
