//! How long a run may yet take, by what its steps took the last time.

use std::time::Duration;

use petgraph::Direction::Outgoing;
use pipeline_core::plan::{NodeIndex, Plan, Pool};

/// Where an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Waiting,
    /// Since then.
    Running(Duration),
    Ended,
}

/// The plan as far as it matters for that, by the numbers of its instances.
#[derive(Debug)]
pub(super) struct Remaining {
    /// What comes later stands further back.
    order: Vec<usize>,
    next: Vec<Vec<usize>>,
    /// Takes one of the places of this machine.
    local: Vec<bool>,
    usual: Vec<Option<Duration>>,
}

impl Remaining {
    pub(super) fn new(plan: &Plan, usual: Vec<Option<Duration>>) -> Self {
        let graph = &plan.graph;
        let next = |node| graph.neighbors_directed(node, Outgoing).map(NodeIndex::index).collect();
        Self {
            order: plan.order().into_iter().map(NodeIndex::index).collect(),
            next: graph.node_indices().map(next).collect(),
            local: graph.node_weights().map(|instance| instance.pool == Pool::Local).collect(),
            usual,
        }
    }

    /// What an instance took the last time.
    pub(super) fn usual(&self, instance: usize) -> Option<Duration> {
        self.usual.get(instance).copied().flatten()
    }

    /// The longer of the longest path and what so many jobs have to do. None where one that has not ended never ran before.
    pub(super) fn time(&self, courses: &[Course], jobs: usize, now: Duration) -> Option<Duration> {
        let mut paths = vec![Duration::ZERO; self.order.len()];
        let mut work = Duration::ZERO;
        for &at in self.order.iter().rev() {
            let own = match courses[at] {
                Course::Ended => Duration::ZERO,
                Course::Waiting => self.usual[at]?,
                Course::Running(since) => self.usual[at]?.saturating_sub(now.saturating_sub(since)),
            };
            if self.local[at] {
                work += own;
            }
            let after = self.next[at].iter().map(|next| paths[*next]).max().unwrap_or_default();
            paths[at] = own + after;
        }
        let longest = paths.into_iter().max().unwrap_or_default();
        Some(longest.max(work / u32::try_from(jobs.max(1)).unwrap_or(u32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use pipeline_core::plan::{Edge, Instance, InstanceId};

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// a → b, and c to e beside them.
    fn plan() -> Plan {
        let mut plan = Plan::default();
        let nodes: Vec<_> = ["a", "b", "c", "d", "e"]
            .map(|id| plan.graph.add_node(Instance::new(InstanceId::new(id, None, None), "run", Vec::new())))
            .into();
        plan.graph.add_edge(nodes[0], nodes[1], Edge::Needs);
        plan
    }

    #[test]
    fn the_longest_path_or_all_the_work() {
        use Course::{Ended, Running, Waiting};
        let rest =
            Remaining::new(&plan(), vec![Some(s(10)), Some(s(20)), Some(s(8)), Some(s(8)), Some(s(8))]);
        let all = [Waiting; 5];
        assert_eq!(rest.time(&all, 8, s(0)), Some(s(30)));
        assert_eq!(rest.time(&all, 1, s(0)), Some(s(54)));
        assert_eq!(rest.time(&[Running(s(1)), Waiting, Ended, Ended, Ended], 8, s(5)), Some(s(26)));
        // Longer than the last time already.
        assert_eq!(rest.time(&[Running(s(1)), Waiting, Ended, Ended, Ended], 8, s(50)), Some(s(20)));
        assert_eq!(rest.time(&[Ended; 5], 8, s(50)), Some(s(0)));
    }

    #[test]
    fn nobody_knows_of_a_step_that_never_ran() {
        let rest = Remaining::new(&plan(), vec![None, Some(s(20)), Some(s(8)), Some(s(8)), Some(s(8))]);
        assert_eq!(rest.time(&[Course::Waiting; 5], 8, s(0)), None);
        let mut known = [Course::Waiting; 5];
        known[0] = Course::Ended;
        assert_eq!(rest.time(&known, 8, s(0)), Some(s(20)));
        assert_eq!((rest.usual(0), rest.usual(1)), (None, Some(s(20))));
    }
}
