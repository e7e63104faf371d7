//! What of a plan several machines do after each other: first what is made for each target, then what goes to nodes, then what joins.

use std::collections::BTreeMap;

use petgraph::Direction::Incoming;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::closure;
use crate::plan::{InstanceId, Plan};

/// Which of the jobs of a CI system does an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Of the chain of one target, before anything comes to a node.
    Build,
    /// Of the chain of one target: on a node, or waiting for what is.
    Deliver,
    /// Of no target's chain: it waits for several targets, or no target needs it.
    Join,
}

/// The targets that an instance is of: its own and those of all that it waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span<'p> {
    None,
    One(&'p str),
    Many,
}

impl Span<'_> {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (span, Self::None) | (Self::None, span) => span,
            (one, other) if one == other => one,
            _ => Self::Many,
        }
    }
}

/// The stage of each instance of a whole plan: of one that was cut down, some would seem to be of no target's chain.
pub fn stages(plan: &Plan) -> BTreeMap<InstanceId, Stage> {
    let count = plan.graph.node_count();
    let (mut spans, mut at_node) = (vec![Span::None; count], vec![false; count]);
    for node in plan.order() {
        let (instance, at) = (&plan.graph[node], node.index());
        spans[at] = instance.target.as_deref().map_or(Span::None, Span::One);
        at_node[at] = instance.node.is_some();
        for before in plan.graph.neighbors_directed(node, Incoming) {
            spans[at] = spans[at].and(spans[before.index()]);
            at_node[at] |= at_node[before.index()];
        }
    }
    // What is of no target belongs to the chain of each that needs it.
    let chain = closure(plan, spans.iter().map(|span| matches!(span, Span::One(_))).collect(), Incoming);
    let stage = |at: usize| match spans[at] {
        Span::Many => Stage::Join,
        _ if !chain[at] => Stage::Join,
        _ if at_node[at] => Stage::Deliver,
        _ => Stage::Build,
    };
    plan.graph.node_indices().map(|node| (plan.graph[node].id.clone(), stage(node.index()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::testing::plan_of;

    const RECIPE: &str = "[targets.a]\nplatform = 'linux/arm64'\nnodes = ['n1']\n[targets.b]\nplatform = 'linux/amd64'\n\
        [nodes.n1]\nhost = 'n1'\nruntime = 'cri-o'\n\
        [[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.com/a'\nbranch = 'main'\n\
        [[step]]\nid = 'image'\nuses = 'build'\ntag = 'example.com/x:1'\nsource = 'source'\n\
        [[step]]\nid = 'd'\nuses = 'deliver'\ntargets = ['a']\n\
        [[step]]\nid = 'after'\nuses = 'run'\nscope = 'target'\ntargets = ['a']\nargv = ['true']\nneeds = ['d']\n\
        [[step]]\nid = 'all'\nuses = 'run'\nscope = 'once'\nargv = ['true']\nneeds = ['image']\n\
        [[step]]\nid = 'apart'\nuses = 'run'\nscope = 'once'\nargv = ['true']\n";

    #[test]
    fn builds_come_before_deliveries_and_those_before_what_joins() {
        let stages = stages(&plan_of(RECIPE));
        let told: Vec<_> = stages.iter().map(|(id, stage)| format!("{id} {stage:?}")).collect();
        assert_eq!(
            told,
            [
                "after@a Deliver",
                "all Join",
                "apart Join",
                "d@a@n1 Deliver",
                "image@a Build",
                "image@b Build",
                "source Build"
            ]
        );
    }
}
