//! Which edges need not be drawn: those that a longer path implies.
//!
//! Only edges that move nothing are looked at: `needs`, gates, and the registering of emulators. An artifact or an output
//! is drawn in any case, because the picture shows where it goes. The rule is that of the transitive reduction, so what
//! must come first still does by the edges that are left.

use std::collections::BTreeSet;

use petgraph::visit::EdgeRef;

use crate::plan::{Artifact, Edge, NodeIndex, Plan};

/// The pairs of instances between which some longer path leads. Only those of edges that move nothing are found.
pub(super) fn implied(plan: &Plan) -> BTreeSet<(NodeIndex, NodeIndex)> {
    let graph = &plan.graph;
    let mut pairs = BTreeSet::new();
    let rank = ranks(plan);
    // Who was the last to reach each instance: cheaper than a set for each.
    let mut reached: Vec<Option<NodeIndex>> = vec![None; graph.node_count()];
    for from in graph.node_indices() {
        let bare = || graph.edges(from).filter(|edge| moves_nothing(edge.weight()));
        let Some(furthest) = bare().map(|edge| rank[edge.target().index()]).max() else { continue };
        // Ranks grow along a path, so nothing behind the furthest leads back to one of them.
        let near = |at: &NodeIndex| rank[at.index()] <= furthest;
        let next = |at: NodeIndex| graph.neighbors(at).filter(near);
        let mut open: Vec<NodeIndex> = next(from).flat_map(next).collect();
        while let Some(at) = open.pop() {
            if reached[at.index()].replace(from) != Some(from) {
                open.extend(next(at));
            }
        }
        let implied = bare().filter(|edge| reached[edge.target().index()] == Some(from));
        pairs.extend(implied.map(|edge| (edge.source(), edge.target())));
    }
    pairs
}

/// The length of the longest path that leads to each instance.
fn ranks(plan: &Plan) -> Vec<usize> {
    let mut rank = vec![0; plan.graph.node_count()];
    for at in plan.order() {
        for next in plan.graph.neighbors(at) {
            rank[next.index()] = rank[next.index()].max(rank[at.index()] + 1);
        }
    }
    rank
}

/// The edge only says what comes first.
pub(super) fn moves_nothing(edge: &Edge) -> bool {
    matches!(edge, Edge::Needs | Edge::Gate | Edge::Artifact(Artifact::Emulation))
}
