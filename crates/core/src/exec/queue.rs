//! What can run, in which order. Pure: no threads, no clock. Every instance and every edge is looked at once.
//!
//! An instance is ready when a counter of what it waits for reaches zero. Of those that are ready, the one with the longest
//! path to the end goes first, within the bound of its pool and with room at its `gates`, the mutex and the recipe's pool.
//!
//! After a failure, everything downstream of it is skipped, and without `keep_going` also everything else that has not
//! started *within the failed instance's target and node*: that delivery is lost anyway. Other targets, and other nodes of
//! the same target, go on to their end: a failing node never cancels its siblings. Steps that run once go on as long as
//! something that is still to come for a target needs them. Nothing that runs is ever ended by another's failure.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use petgraph::Direction::Incoming;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::gates::Gates;
use super::state::{InstanceState, States};
use crate::plan::{Edge, Instance, Pool};

/// The longest path first, then as the recipe lists them.
type Rank = (u64, Reverse<NodeIndex>);

/// See the module.
pub(super) struct Queue<'p> {
    graph: &'p DiGraph<Instance, Edge>,
    states: States,
    /// Edges from what is not done.
    waiting: Vec<usize>,
    priority: Vec<u64>,
    local: Slots,
    node: Slots,
    gates: Gates<'p, Rank>,
    /// Instances that are looked at again, and who waits for them.
    again: HashMap<NodeIndex, Vec<NodeIndex>>,
    keep_going: bool,
}

/// One pool.
struct Slots {
    free: usize,
    ready: BinaryHeap<Rank>,
}

/// An instance that will not start, and the failed one that it needed, if that is why.
pub(super) type Skipped = (NodeIndex, Option<NodeIndex>);

impl<'p> Queue<'p> {
    /// `weight` is what an instance adds to a path. The graph has no cycle.
    pub(super) fn new(
        graph: &'p DiGraph<Instance, Edge>,
        weight: &dyn Fn(&Instance) -> u64,
        (jobs, node_jobs): (usize, usize),
        keep_going: bool,
    ) -> Self {
        let waiting: Vec<usize> =
            graph.node_indices().map(|n| graph.edges_directed(n, Incoming).count()).collect();
        let slots = |free: usize| Slots { free: free.max(1), ready: BinaryHeap::new() };
        let mut queue = Self {
            graph,
            states: States::new(waiting.len()),
            priority: longest_paths(graph, weight),
            local: slots(jobs),
            node: slots(node_jobs),
            gates: Gates::new(),
            again: HashMap::new(),
            keep_going,
            waiting,
        };
        for node in graph.node_indices() {
            if queue.waiting[node.index()] == 0 {
                queue.make_ready(node);
            }
        }
        queue
    }

    /// The next instance to start; it counts as running from now on.
    pub(super) fn pop(&mut self) -> Option<NodeIndex> {
        loop {
            if let Some(node) = [Pool::Local, Pool::Node].into_iter().find_map(|pool| self.pop_from(pool)) {
                return Some(node);
            }
            // The second pool may have let something out of a gate's park into the first.
            if [&self.local, &self.node].iter().all(|slots| slots.free == 0 || slots.ready.is_empty()) {
                return None;
            }
        }
    }

    fn pop_from(&mut self, pool: Pool) -> Option<NodeIndex> {
        while self.slots(pool).free > 0 {
            let rank = self.slots(pool).ready.pop()?;
            let Reverse(node) = rank.1;
            let graph = self.graph;
            // One that was skipped meanwhile may have been let out of a gate's park: then the next one is due.
            if self.states.get(node) != InstanceState::Ready || !self.gates.enter(&graph[node], rank) {
                self.pass_on(node);
                continue;
            }
            self.slots(pool).free -= 1;
            self.states.set(node, InstanceState::Running);
            return Some(node);
        }
        None
    }

    /// It succeeded. Yields what is ready now.
    pub(super) fn finish(&mut self, node: NodeIndex) -> Vec<NodeIndex> {
        self.end(node, InstanceState::Done);
        if let Some(waiters) = self.again.remove(&node) {
            return waiters.into_iter().filter_map(|waiter| self.settle(waiter)).collect();
        }
        let graph = self.graph;
        graph.edges(node).filter_map(|edge| self.settle(edge.target())).collect()
    }

    /// It failed. Yields what will not start. Where that is allowed, it counts as done for those that only `needs` it.
    pub(super) fn fail(&mut self, node: NodeIndex, allowed: bool) -> Vec<Skipped> {
        self.end(node, if allowed { InstanceState::Allowed } else { InstanceState::Failed });
        let mut skipped = Vec::new();
        let graph = self.graph;
        if let Some(waiters) = self.again.remove(&node) {
            // Whoever else uses what it made has decided on its own, or will: it may be up to date without it.
            for waiter in waiters {
                self.skip_from(waiter, Some(node), &mut skipped);
            }
        } else if allowed {
            // First what uses something of it, so that an instance that uses and also `needs` it does not become ready.
            for edge in graph.edges(node).filter(|edge| *edge.weight() != Edge::Needs) {
                self.skip_from(edge.target(), Some(node), &mut skipped);
            }
            for edge in graph.edges(node).filter(|edge| *edge.weight() == Edge::Needs) {
                self.settle(edge.target());
            }
        } else {
            for next in graph.neighbors(node) {
                self.skip_from(next, Some(node), &mut skipped);
            }
        }
        if !allowed && !self.keep_going {
            self.narrow(node, &mut skipped);
        }
        skipped
    }

    /// It would have to run, and `lost`, which it needs, failed when it was looked at again. Yields what will not start.
    pub(super) fn lose(&mut self, node: NodeIndex, lost: NodeIndex) -> Vec<Skipped> {
        self.end(node, InstanceState::Waiting);
        let mut skipped = Vec::new();
        self.skip_from(node, Some(lost), &mut skipped);
        skipped
    }

    /// It turned out that `first` must be looked at again before it can run. What they waited for is done, so they are
    /// ready at once, and nobody else waits for them a second time.
    pub(super) fn wait_for(&mut self, node: NodeIndex, first: &[NodeIndex]) {
        self.end(node, InstanceState::Waiting);
        self.waiting[node.index()] = first.len();
        for before in first {
            let waiters = self.again.entry(*before).or_default();
            waiters.push(node);
            // Two that need it wait for one.
            if self.states.get(*before) == InstanceState::Done {
                self.make_ready(*before);
            }
        }
    }

    /// It was stopped, or not even begun by its worker, because the run ends.
    pub(super) fn cancel(&mut self, node: NodeIndex) {
        self.end(node, InstanceState::Cancelled);
    }

    /// The run ends: nothing more starts. Yields what did not.
    pub(super) fn drain(&mut self) -> Vec<NodeIndex> {
        let rest: Vec<NodeIndex> = self.states.pending().collect();
        for node in &rest {
            self.states.set(*node, InstanceState::Skipped);
        }
        rest
    }

    fn slots(&mut self, pool: Pool) -> &mut Slots {
        match pool {
            Pool::Local => &mut self.local,
            Pool::Node => &mut self.node,
        }
    }

    fn make_ready(&mut self, node: NodeIndex) {
        self.states.set(node, InstanceState::Ready);
        let rank = (self.priority[node.index()], Reverse(node));
        self.slots(self.graph[node].pool).ready.push(rank);
    }

    /// One thing less to wait for.
    fn settle(&mut self, node: NodeIndex) -> Option<NodeIndex> {
        let waiting = &mut self.waiting[node.index()];
        *waiting -= 1;
        if *waiting > 0 || self.states.get(node) != InstanceState::Waiting {
            return None;
        }
        self.make_ready(node);
        Some(node)
    }

    fn end(&mut self, node: NodeIndex, state: InstanceState) {
        self.states.set(node, state);
        self.slots(self.graph[node].pool).free += 1;
        let graph = self.graph;
        self.gates.leave(&graph[node]);
        self.pass_on(node);
    }

    /// Whoever is parked at the instance's gates may try again, as far as there is room.
    fn pass_on(&mut self, node: NodeIndex) {
        let graph = self.graph;
        for (pool, rank) in self.gates.turn(&graph[node]) {
            self.slots(pool).ready.push(rank);
        }
    }

    /// Skips `from` and everything downstream. What is skipped already is not walked again.
    fn skip_from(&mut self, from: NodeIndex, because: Option<NodeIndex>, skipped: &mut Vec<Skipped>) {
        let mut stack = vec![from];
        while let Some(node) = stack.pop() {
            if self.states.get(node).is_pending() {
                self.states.set(node, InstanceState::Skipped);
                skipped.push((node, because));
                match self.again.remove(&node) {
                    Some(waiters) => stack.extend(waiters),
                    None => stack.extend(self.graph.neighbors(node)),
                }
            }
        }
    }

    /// Fail-fast, as the module says.
    fn narrow(&mut self, failed: NodeIndex, skipped: &mut Vec<Skipped>) {
        let graph = self.graph;
        let failed = &graph[failed];
        let runs_once = |node: NodeIndex| graph[node].target.is_none() && graph[node].node.is_none();
        let lost = |instance: &Instance| {
            (failed.target.is_some() || failed.node.is_some())
                && (failed.target.is_none() || instance.target == failed.target)
                && (failed.node.is_none() || instance.node == failed.node)
        };
        let pending: Vec<NodeIndex> = self.states.pending().collect();
        for node in pending.into_iter().filter(|node| lost(&graph[*node])) {
            self.skip_from(node, None, skipped);
        }
        let (once, mut stack): (Vec<_>, Vec<_>) = self.states.pending().partition(|node| runs_once(*node));
        let mut needed = vec![false; graph.node_count()];
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut needed[node.index()], true) {
                stack.extend(graph.neighbors_directed(node, Incoming));
            }
        }
        for node in once.into_iter().filter(|node| !needed[node.index()]) {
            self.skip_from(node, None, skipped);
        }
    }
}

/// The weight of the heaviest path that begins at each instance.
fn longest_paths(graph: &DiGraph<Instance, Edge>, weight: &dyn Fn(&Instance) -> u64) -> Vec<u64> {
    let mut left: Vec<usize> = graph.node_indices().map(|n| graph.edges(n).count()).collect();
    let mut longest = vec![0; left.len()];
    let mut stack: Vec<NodeIndex> = graph.node_indices().filter(|n| left[n.index()] == 0).collect();
    while let Some(node) = stack.pop() {
        let below = graph.neighbors(node).map(|next| longest[next.index()]).max().unwrap_or(0);
        longest[node.index()] = below + weight(&graph[node]);
        for before in graph.neighbors_directed(node, Incoming) {
            left[before.index()] -= 1;
            if left[before.index()] == 0 {
                stack.push(before);
            }
        }
    }
    longest
}
