//! What the coordinator remembers: of earlier runs, by their records, and of this one, which results are known and which
//! are only believed to be there.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use petgraph::Direction::Incoming;
use petgraph::visit::EdgeRef;

use super::asked::Asked;
use super::assess::{self, Left, Question};
use super::context::Shared;
use super::records::{Records, sync_outputs};
use super::remedy;
use super::round::Rounds;
use crate::event::{Failure, FailureKind};
use crate::fresh::Reason;
use crate::plan::{Action, Command, Instance, Late, NodeIndex, Place, Plan, Probe};
use crate::state::{Detail, Digest, Record, State};

/// So long, what was recorded may be lost in a power cut: it is only done again.
const SYNCED_EVERY: Duration = Duration::from_secs(2);

/// What to do where the cause is none of those that are known.
const WRITABLE: &str = "see that it is a file that can be written to";

pub(super) struct Memory<'a, 'r> {
    plan: &'a Plan,
    records: Option<&'a mut Records<'r>>,
    /// What each instance left, as far as it is known.
    results: Vec<Option<Digest>>,
    /// Up to date by the record, and nobody has looked whether what they left is there.
    unproven: Vec<bool>,
    /// To be looked at: another instance needs what it left.
    wanted: Vec<bool>,
    /// They were to be made again, and that failed.
    lost: Vec<bool>,
    /// Why it must run, of one that waits for what it needs.
    due: Vec<Option<Reason>>,
    synced: Instant,
    problem: Option<String>,
}

impl<'a, 'r> Memory<'a, 'r> {
    pub(super) fn new(plan: &'a Plan, records: Option<&'a mut Records<'r>>) -> Self {
        let count = if records.is_some() { plan.graph.node_count() } else { 0 };
        Self {
            plan,
            records,
            results: vec![None; count],
            unproven: vec![false; count],
            wanted: vec![false; count],
            lost: vec![false; count],
            due: vec![None; count],
            synced: Instant::now(),
            problem: None,
        }
    }

    /// What the instance adds to a path: the milliseconds that it took the last time.
    pub(super) fn weight(&self, instance: &Instance) -> u64 {
        let took = self.records.as_ref().and_then(|records| records.took(instance));
        took.map_or(1_000, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1))
    }

    /// What the instance left, where records and stamps tell that it need not run; it is answered here and now.
    pub(super) fn glance(&mut self, shared: &Shared<'_>, node: NodeIndex) -> Option<Digest> {
        let instance = &self.plan.graph[node];
        let plain = assess::is_plain(instance, *self.wanted.get(node.index())?);
        if !plain || self.due[node.index()].is_some() {
            return None;
        }
        // What a fingerprint was made of is read only where stamps are in it: otherwise the fingerprint says enough.
        let question = self.ask(node, !instance.basis.reads.is_empty())?;
        question.earlier.is_some().then(|| assess::glance(shared, instance, question)).flatten()
    }

    /// What an assessment has to know; none where there are no records at all.
    pub(super) fn question(&mut self, node: NodeIndex) -> Option<Question> {
        self.ask(node, true)
    }

    fn ask(&mut self, node: NodeIndex, detailed: bool) -> Option<Question> {
        let records = self.records.as_deref_mut()?;
        let instance = &self.plan.graph[node];
        let key = records.key(instance);
        let record = records.state.record(&key).cloned();
        let earlier = record.and_then(|record| {
            let detail = if detailed { records.state.detail(&key).ok()?? } else { Detail::default() };
            Some((record, detail))
        });
        let inputs = self.plan.graph.edges_directed(node, Incoming).filter_map(|edge| {
            let producer = &self.plan.graph[edge.source()];
            let counts = edge.weight().uses_what_is_left(producer);
            let result = counts.then(|| self.results[edge.source().index()])??;
            Some((producer.id.to_string(), result))
        });
        Some(Question {
            earlier,
            inputs: inputs.collect(),
            env: records.env.clone(),
            forced: (records.force)(instance),
            due: self.due[node.index()].take(),
            prove: self.wanted[node.index()],
        })
    }

    /// It may not run.
    pub(super) fn held(&self, instance: &Instance) -> bool {
        self.records.as_ref().is_some_and(|records| (records.hold)(instance))
    }

    /// It need not run. Whether that can be told already: not while what it left may still be asked for.
    pub(super) fn fresh(
        &mut self,
        node: NodeIndex,
        result: Digest,
        again: Option<Box<(Record, Detail)>>,
    ) -> bool {
        self.results[node.index()] = Some(result);
        let proven = !self.plan.graph[node].basis.intermediate || self.wanted[node.index()];
        self.unproven[node.index()] = !proven;
        if let Some(again) = again {
            let (record, detail) = *again;
            self.write(node, |state, key| state.reword(key, record, &detail));
        }
        proven
    }

    /// The values on record, when they are first used: an instance that is looked at again tells nothing new.
    pub(super) fn values(&self, node: NodeIndex) -> BTreeMap<String, String> {
        let Some(records) = self.records.as_deref().filter(|_| !self.wanted[node.index()]) else {
            return BTreeMap::new();
        };
        let record = records.state.record(&records.key(&self.plan.graph[node]));
        record.map(|record| record.values.clone()).unwrap_or_default()
    }

    /// What names stood for when an instance ran that need not run now.
    pub(super) fn pins(&mut self, node: NodeIndex) -> BTreeMap<String, String> {
        let instance = &self.plan.graph[node];
        let wanted = self.wanted[node.index()];
        let Some(records) = self.records.as_deref_mut().filter(|_| !wanted) else { return BTreeMap::new() };
        // Only checkouts and builds ask for names; the details of others are not worth reading.
        if instance.basis.pins.is_empty() && instance.basis.engine.is_none() {
            return BTreeMap::new();
        }
        let key = records.key(instance);
        records.state.detail(&key).ok().flatten().map(|detail| detail.pins).unwrap_or_default()
    }

    pub(super) fn is_unproven(&self, node: NodeIndex) -> bool {
        self.unproven.get(node.index()).is_some_and(|unproven| *unproven)
    }

    /// It ended, and what it was to leave is there or not.
    pub(super) fn ended(&mut self, node: NodeIndex, good: bool) {
        self.proven(node);
        if let Some(lost) = self.lost.get_mut(node.index()) {
            *lost = !good;
        }
    }

    /// What the instance needs and is not to be had in this run.
    pub(super) fn lost_before(&self, node: NodeIndex) -> Option<NodeIndex> {
        let edges = self.plan.graph.edges_directed(node, Incoming);
        edges
            .filter(|edge| edge.weight().uses_what_is_left(&self.plan.graph[edge.source()]))
            .map(|edge| edge.source())
            .find(|source| self.lost[source.index()])
    }

    /// From now on it counts as looked at.
    pub(super) fn proven(&mut self, node: NodeIndex) {
        if let Some(unproven) = self.unproven.get_mut(node.index()) {
            *unproven = false;
        }
    }

    /// What it left is to be looked at.
    pub(super) fn want(&mut self, node: NodeIndex) {
        if let Some(wanted) = self.wanted.get_mut(node.index()) {
            *wanted = true;
        }
    }

    /// All that are still believed.
    pub(super) fn unproven(&self) -> Vec<NodeIndex> {
        self.plan.graph.node_indices().filter(|node| self.is_unproven(*node)).collect()
    }

    /// What the instance needs and nobody has looked at; it is to be looked at now, before the instance runs for this
    /// reason.
    pub(super) fn unproven_before(&mut self, node: NodeIndex, reason: &Reason) -> Vec<NodeIndex> {
        let edges = self.plan.graph.edges_directed(node, Incoming);
        let mut before: Vec<NodeIndex> = edges
            .filter(|edge| edge.weight().uses_what_is_left(&self.plan.graph[edge.source()]))
            .map(|edge| edge.source())
            .filter(|source| self.is_unproven(*source))
            .collect();
        before.sort_unstable();
        before.dedup();
        for source in &before {
            self.wanted[source.index()] = true;
        }
        if !before.is_empty() {
            self.due[node.index()] = Some(reason.clone());
        }
        before
    }

    /// It is about to run: its record goes first.
    pub(super) fn begin(&mut self, node: NodeIndex) -> Result<(), Failure> {
        let Some(records) = self.records.as_deref_mut() else { return Ok(()) };
        let key = records.key(&self.plan.graph[node]);
        records.state.invalidate(&key).map_err(|error| {
            let message = format!("the step was not started, as .pipeline/state cannot be written: {error}");
            let help = format!("{}, and run again", remedy(&message).unwrap_or(WRITABLE));
            Failure::new(FailureKind::Io, message).help(help)
        })
    }

    /// It is done, and this is what it left.
    pub(super) fn keep(&mut self, node: NodeIndex, left: Left, here: &Path) {
        self.results[node.index()] = Some(left.record.result);
        self.write(node, |state, key| state.keep(key, left.record, &left.detail));
        if self.synced.elapsed() >= SYNCED_EVERY {
            self.sync(here);
        }
    }

    fn write(&mut self, node: NodeIndex, write: impl FnOnce(&mut State, &str) -> io::Result<()>) {
        let Some(records) = self.records.as_deref_mut() else { return };
        let key = records.key(&self.plan.graph[node]);
        if let Err(error) = write(&mut records.state, &key) {
            self.problem.get_or_insert(error.to_string());
        }
    }

    fn sync(&mut self, here: &Path) {
        let Some(records) = self.records.as_deref_mut() else { return };
        if let Err(error) = records.state.sync(|| sync_outputs(here)) {
            self.problem.get_or_insert(error.to_string());
        }
        self.synced = Instant::now();
    }

    /// What is asked of nodes, as far as it is known beforehand: with the values on record.
    pub(super) fn rounds(&self, here: &Path) -> Rounds {
        let mut rounds = Rounds::default();
        let Some(records) = self.records.as_deref() else { return rounds };
        let value = |late: &Late| {
            let key = format!("{}/{}", records.recipe, late.instance);
            records.state.record(&key)?.values.get(&late.output).map(String::as_str)
        };
        for instance in self.plan.graph.node_weights() {
            let Probe::Actions(actions) = &instance.probe else { continue };
            let known = records.state.record(&records.key(instance)).is_some();
            // What is only for other steps is asked for when one of them runs, and may take long.
            if !known || instance.basis.intermediate || (records.force)(instance) {
                continue;
            }
            for action in actions {
                let Action::Command(Command { place: Place::Node(node), argv, .. }) = action else {
                    continue;
                };
                let remote = self.plan.nodes.get(node).is_some_and(|node| node.ssh.is_some());
                let argv: Result<Vec<_>, _> = argv.iter().map(|arg| arg.resolve(here, &value)).collect();
                if let (true, Ok(argv)) = (remote, argv) {
                    rounds.add(node, argv);
                }
            }
        }
        rounds
    }

    /// Versions of tools that were asked in earlier runs.
    pub(super) fn tools(&self, tools: &Asked) {
        let known = self.records.as_ref().map(|records| records.state.tools());
        for (path, stamp, version) in known.into_iter().flatten() {
            tools.know(path.into(), (stamp, version.to_owned()));
        }
    }

    pub(super) fn keep_tools(&mut self, tools: &Asked) {
        let Some(records) = self.records.as_deref_mut() else { return };
        for (path, (stamp, version)) in tools.take() {
            // It is only asked again.
            let _ = records.state.keep_tool(&path.to_string_lossy(), stamp, &version);
        }
    }

    /// Why something is not on record that should be.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The run is over. Yields what is wrong with the records.
    pub(super) fn close(&mut self, here: &Path) -> Option<String> {
        self.sync(here);
        if let Some(records) = self.records.as_deref_mut()
            && let Err(error) = records.state.compact()
        {
            self.problem.get_or_insert(error.to_string());
        }
        let problem = self.problem.as_ref()?;
        Some(format!(
            "{} cannot be written: {problem}. What was done in this run is done, and some of it will be done again the next \
             time; {}",
            here.join(".pipeline/state").display(),
            remedy(problem).unwrap_or(WRITABLE)
        ))
    }
}
