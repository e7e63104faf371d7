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
    for from in graph.node_indices() {
        if !graph.edges(from).any(|edge| moves_nothing(edge.weight())) {
            continue;
        }
        let mut reached = vec![false; graph.node_count()];
        let mut open: Vec<NodeIndex> = graph.neighbors(from).flat_map(|next| graph.neighbors(next)).collect();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut reached[at.index()], true) {
                open.extend(graph.neighbors(at));
            }
        }
        let bare = graph.edges(from).filter(|edge| moves_nothing(edge.weight()));
        pairs.extend(
            bare.filter(|edge| reached[edge.target().index()]).map(|edge| (edge.source(), edge.target())),
        );
    }
    pairs
}

/// The edge only says what comes first.
pub(super) fn moves_nothing(edge: &Edge) -> bool {
    matches!(edge, Edge::Needs | Edge::Gate | Edge::Artifact(Artifact::Emulation))
}
