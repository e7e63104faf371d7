//! What a run would do, and why: found out without doing it.
//!
//! The same look at each instance that a run takes when the instance is ready. What depends on something that has to run
//! first is not decided, unless it must run whatever comes of that.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use petgraph::Direction::Incoming;
use petgraph::visit::EdgeRef;

use super::assess::{Verdict, assess};
use super::cancel::Cancel;
use super::context::Shared;
use super::memory::Memory;
use super::{Host, Port, Records, Values, probe};
use crate::fresh::{Observed, Reason, configuration, content};
use crate::plan::{Edge, InstanceId, NodeIndex, Plan};

/// Whether an instance would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which.
    pub instance: InstanceId,
    /// Why; none where it is up to date.
    pub due: Option<Reason>,
    /// What running it would mean, as far as a look tells.
    pub expects: Option<String>,
}

/// Looks at all instances of a plan, dependencies first.
pub fn explain(plan: &Plan, host: &Host<'_>, records: &mut Records<'_>) -> std::io::Result<Vec<Explained>> {
    let cancel = Arc::new(Cancel::new()?);
    let (sender, _) = sync_channel(1);
    let mut shared = Shared::new(plan, host, &cancel, Duration::from_secs(2), Port(sender), Values::new());
    let mut walk =
        Walk { plan, due: vec![None; plan.graph.node_count()], memory: Memory::new(plan, Some(records)) };
    shared.rounds = walk.memory.rounds(&host.here);
    walk.memory.tools(&shared.asked);
    let order = plan.order();
    for node in &order {
        walk.look(&shared, *node);
    }
    // From the ends upwards: what is only for other steps is asked for by those that run.
    for node in order.iter().rev() {
        walk.look_again(&shared, *node);
    }
    let told = |node: NodeIndex| Explained {
        instance: plan.graph[node].id.clone(),
        due: walk.due[node.index()].clone(),
        expects: walk.expects(&shared, node),
    };
    Ok(order.into_iter().map(told).collect())
}

struct Walk<'a, 'r> {
    plan: &'a Plan,
    due: Vec<Option<Reason>>,
    memory: Memory<'a, 'r>,
}

impl Walk<'_, '_> {
    fn look(&mut self, shared: &Shared<'_>, node: NodeIndex) {
        let Some(question) = self.memory.question(node) else { return };
        let instance = &self.plan.graph[node];
        let upstream = self.data(node).find(|before| self.due[before.index()].is_some());
        let Some(upstream) = upstream else {
            match assess(shared, instance, question, content).verdict {
                Verdict::Fresh { result, .. } => {
                    self.memory.fresh(node, result, None);
                }
                Verdict::Due(reason) => self.due[node.index()] = Some(reason),
            }
            return;
        };
        let undecided = || Reason::Undecided { upstream: self.plan.graph[upstream].id.to_string() };
        self.due[node.index()] = Some(match question.earlier {
            _ if question.forced => Reason::Forced,
            None => Reason::NoRecord,
            Some((_, detail)) => {
                let mut observed = Observed { detail: detail.clone() };
                (observed.detail.config, observed.detail.env) = (configuration(instance), question.env);
                match observed.differs(&detail) {
                    Some(reason) => reason,
                    None if instance.basis.always => Reason::Always,
                    None => undecided(),
                }
            }
        });
    }

    fn look_again(&mut self, shared: &Shared<'_>, node: NodeIndex) {
        if !self.memory.is_unproven(node) {
            return;
        }
        let left = |edge: &Edge| edge.uses_what_is_left(&self.plan.graph[node]);
        let after = self.plan.graph.edges(node).filter(|edge| left(edge.weight())).map(|edge| edge.target());
        let after: Vec<NodeIndex> = after.collect();
        let asks = |sure: bool| {
            let undecided = |due: &Option<Reason>| matches!(due, Some(Reason::Undecided { .. }));
            let due = |next: &&NodeIndex| {
                let due = &self.due[next.index()];
                due.is_some() && undecided(due) != sure
            };
            after.iter().find(due).copied()
        };
        let (sure, perhaps) = (asks(true), asks(false));
        let Some(next) = sure.or(perhaps) else { return };
        self.memory.want(node);
        let Some(question) = self.memory.question(node) else { return };
        if let Verdict::Due(reason) = assess(shared, &self.plan.graph[node], question, content).verdict {
            let upstream = self.plan.graph[next].id.to_string();
            self.due[node.index()] =
                Some(if sure.is_some() { reason } else { Reason::Undecided { upstream } });
        }
    }

    /// Of an instance whose inputs are there.
    fn expects(&self, shared: &Shared<'_>, node: NodeIndex) -> Option<String> {
        let runs =
            matches!(&self.due[node.index()], Some(reason) if !matches!(reason, Reason::Undecided { .. }));
        if !runs || self.data(node).any(|before| self.due[before.index()].is_some()) {
            return None;
        }
        let instance = &self.plan.graph[node];
        let cx = probe::quiet(shared, instance);
        instance.actions.iter().find_map(|action| shared.host.actions.expects(action, &cx))
    }

    /// The instances whose results, or values, this one uses.
    fn data(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        let edges = self.plan.graph.edges_directed(node, Incoming);
        let data = edges.filter(|edge| matches!(edge.weight(), Edge::Artifact(_) | Edge::Output(_)));
        data.map(|edge| edge.source())
    }
}
