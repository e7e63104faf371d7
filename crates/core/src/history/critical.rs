//! The chain of instances that a run was as long as.

use std::time::Duration;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::Account;
use crate::plan::{InstanceId, Plan};

/// One instance of the critical path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Which.
    pub instance: InstanceId,
    /// How long it could have begun and had not: for want of a job, a pool or a mutex.
    pub waited: Duration,
    /// How long it took.
    pub took: Duration,
}

/// From the first to the one that ended last; each is the one that the next had to wait for longest. Only what ran in this
/// run is in it; empty where nothing did.
pub fn critical_path(plan: &Plan, account: &Account) -> Vec<Link> {
    let span = |at: NodeIndex| {
        let course = account.course(&plan.graph[at].id)?;
        Some((course.began()?, course.end.as_ref()?.0))
    };
    let last_of = |nodes: &mut dyn Iterator<Item = NodeIndex>| {
        let ended = nodes.filter_map(|at| Some((span(at)?.1, at)));
        // Of several that ended at once, the first in the plan: the same answer each time.
        ended.max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1))).map(|(_, at)| at)
    };
    let mut path = Vec::new();
    let mut at = last_of(&mut plan.graph.node_indices());
    while let Some(here) = at {
        let Some((began, ended)) = span(here) else { break };
        let before = last_of(&mut plan.graph.neighbors_directed(here, Direction::Incoming));
        let free = before.and_then(span).map_or(Duration::ZERO, |(_, ended)| ended);
        path.push(Link {
            instance: plan.graph[here].id.clone(),
            waited: began.saturating_sub(free),
            took: ended.saturating_sub(began),
        });
        at = before;
    }
    path.reverse();
    path
}
