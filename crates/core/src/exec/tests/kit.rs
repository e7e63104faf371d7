//! Plans of shell commands, and a run of one with everything it told.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use petgraph::graph::DiGraph;

use crate::event::{Event, EventKind, Failure, Status};
use crate::exec::{ActionCx, Actions, Host, Options, Signals, Summary, run};
use crate::output::Redactor;
use crate::plan::{Action, Command, Edge, Instance, InstanceId, Plan, Pool, Text};

/// `sh -c script`.
pub(in crate::exec) fn sh(script: impl Into<Text>) -> Command {
    Command::new(["sh", "-c"]).arg(script)
}

/// An instance `step` or `step@target` that does the actions.
pub(in crate::exec) fn instance(id: &str, actions: Vec<Action>) -> Instance {
    let mut parts = id.splitn(3, '@');
    let step = parts.next().unwrap();
    let (target, node) = (parts.next(), parts.next());
    Instance {
        target: target.map(Into::into),
        node: node.map(Into::into),
        pool: if node.is_some() { Pool::Node } else { Pool::Local },
        ..Instance::new(InstanceId::new(step, target, node), "run", actions)
    }
}

/// A plan of instances and edges by id.
pub(in crate::exec) fn plan(instances: Vec<Instance>, edges: &[(&str, &str)]) -> Plan {
    let mut plan =
        Plan { recipe: "test".into(), graph: DiGraph::new(), nodes: BTreeMap::new(), ..Plan::default() };
    for instance in instances {
        plan.graph.add_node(instance);
    }
    for (from, to) in edges {
        let find = |id: &str| plan.graph.node_indices().find(|n| plan.graph[*n].id.as_str() == id).unwrap();
        plan.graph.add_edge(find(from), find(to), Edge::Needs);
    }
    plan
}

/// No own actions.
pub(in crate::exec) struct None_;

impl Actions for None_ {
    fn perform(&self, action: &Action, cx: &ActionCx<'_>) -> Result<Option<String>, Failure> {
        match action {
            Action::WriteFile(file) => crate::actions::write_file::perform(file, cx).map(|()| None),
            Action::Check(check) => crate::actions::check::perform(check, cx).map(|()| None),
            other => panic!("not for this test: {other:?}"),
        }
    }
}

/// An environment that finds the usual tools.
pub(in crate::exec) fn env() -> BTreeMap<OsString, OsString> {
    BTreeMap::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into())])
}

pub(in crate::exec) fn options(jobs: usize) -> Options {
    Options { jobs, grace: Duration::from_millis(300), run: "r".into(), ..Options::default() }
}

/// A run and everything it told.
pub(in crate::exec) struct Ran {
    pub(in crate::exec) summary: Summary,
    pub(in crate::exec) events: Vec<Event>,
}

pub(in crate::exec) fn go(plan: &Plan, here: &Path, options: &Options) -> Ran {
    go_with(plan, here, options, &None_, None, &mut |_| {})
}

pub(in crate::exec) fn go_with(
    plan: &Plan,
    here: &Path,
    options: &Options,
    actions: &dyn Actions,
    signals: Option<&Signals>,
    also: &mut dyn FnMut(&Event),
) -> Ran {
    let host = Host {
        here: here.to_owned(),
        env: env(),
        redactor: Redactor::default(),
        secrets: crate::exec::Secrets::default(),
        actions,
    };
    let mut events: Vec<Event> = Vec::new();
    let summary = run(plan, &host, options, signals, &mut |event| {
        events.push(event.clone());
        also(event);
    });
    let ran = Ran { summary, events };
    ran.holds(plan);
    ran
}

impl Ran {
    /// What is true of every run.
    fn holds(&self, plan: &Plan) {
        assert!((0..).zip(&self.events).all(|(seq, event)| event.seq == seq));
        assert!(matches!(self.events.first().unwrap().kind, EventKind::RunStarted { .. }));
        assert!(matches!(self.events.last().unwrap().kind, EventKind::RunFinished { .. }));
        for instance in plan.graph.node_weights() {
            let about: Vec<&EventKind> =
                self.events.iter().map(|e| &e.kind).filter(|kind| of(kind) == Some(&instance.id)).collect();
            let finished = about.iter().filter(|kind| matches!(kind, EventKind::Finished { .. })).count();
            assert_eq!(finished, 1, "{} ends once", instance.id);
            assert!(matches!(about.last().unwrap(), EventKind::Finished { .. }), "{} ends last", instance.id);
        }
    }

    pub(in crate::exec) fn status(&self, id: &str) -> &Status {
        let found = self.summary.results.iter().find(|(instance, _)| instance.as_str() == id);
        &found.unwrap_or_else(|| panic!("no {id}")).1.0
    }

    pub(in crate::exec) fn failure(&self, id: &str) -> &Failure {
        match self.status(id) {
            Status::Failed(failure) | Status::Allowed(failure) => failure,
            other => panic!("{id}: {other:?}"),
        }
    }

    pub(in crate::exec) fn lines(&self, id: &str) -> Vec<&str> {
        let lines = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Line { instance, text, .. } if instance.as_str() == id => Some(text.as_str()),
            _ => None,
        });
        lines.collect()
    }

    /// Position of an instance's first or last event.
    pub(in crate::exec) fn started(&self, id: &str) -> Option<usize> {
        self.position(id, |kind| matches!(kind, EventKind::Started { .. }))
    }

    pub(in crate::exec) fn finished(&self, id: &str) -> Option<usize> {
        self.position(id, |kind| matches!(kind, EventKind::Finished { .. }))
    }

    fn position(&self, id: &str, wanted: impl Fn(&EventKind) -> bool) -> Option<usize> {
        self.events.iter().position(|e| of(&e.kind).is_some_and(|of| of.as_str() == id) && wanted(&e.kind))
    }
}

fn of(kind: &EventKind) -> Option<&InstanceId> {
    match kind {
        EventKind::Due { instance, .. }
        | EventKind::Started { instance, .. }
        | EventKind::Command { instance, .. }
        | EventKind::Line { instance, .. }
        | EventKind::Output { instance, .. }
        | EventKind::Transfer { instance, .. }
        | EventKind::Delivered { instance, .. }
        | EventKind::Pinned { instance, .. }
        | EventKind::Finished { instance, .. } => Some(instance),
        EventKind::RunStarted { .. }
        | EventKind::Emulator { .. }
        | EventKind::Builder { .. }
        | EventKind::Tool { .. }
        | EventKind::Warning { .. }
        | EventKind::Interrupted { .. }
        | EventKind::RunFinished { .. } => None,
    }
}
