//! The drawings of a run's plan.

use std::collections::BTreeSet;

use crate::graph::{Detail, Drawing};
use crate::plan::{Instance, NodeIndex, Plan};

/// More instances than this in one drawing are no picture any more.
const WHOLE: usize = 60;
/// And all drawings of single targets have no more than this.
const TARGETS: usize = 2000;

/// A drawing, and what of.
pub(super) struct Graph {
    pub(super) name: String,
    pub(super) svg: String,
    /// Its boxes are steps.
    pub(super) of_steps: bool,
}

/// The first is shown to begin with: every instance where that can be taken in at a glance, else the steps. Then, of a
/// large plan, each target by itself.
pub(super) fn graphs(plan: &Plan) -> Vec<Graph> {
    let draw = |plan: &Plan, detail| Drawing::of(plan, detail).svg_in_html();
    let steps = Graph { name: "Steps".into(), svg: draw(plan, Detail::Steps), of_steps: true };
    let all: BTreeSet<&str> = plan.graph.node_weights().map(|one| &*one.step).collect();
    let count = plan.graph.node_count();
    if all.len() == count {
        return vec![steps];
    }
    if count <= WHOLE {
        let svg = draw(plan, Detail::Instances);
        return vec![Graph { name: "All instances".into(), svg, of_steps: false }, steps];
    }
    let mut graphs = vec![steps];
    let mut left = TARGETS;
    let targets: BTreeSet<&str> = plan.graph.node_weights().filter_map(|one| one.target.as_deref()).collect();
    for target in targets {
        let part = only(plan, target);
        let count = part.graph.node_count();
        if count <= 2 * WHOLE && count <= left {
            left -= count;
            let svg = draw(&part, Detail::Instances);
            graphs.push(Graph { name: format!("Target {target}"), svg, of_steps: false });
        }
    }
    graphs
}

/// A target's instances, and those of no target that they wait for or that wait for them.
fn only(plan: &Plan, target: &str) -> Plan {
    let of_target = |at: NodeIndex| plan.graph[at].target.as_deref() == Some(target);
    let belongs = |at: NodeIndex| {
        let instance = &plan.graph[at];
        let near = || plan.graph.neighbors_undirected(at).any(of_target);
        of_target(at) || (instance.target.is_none() && near())
    };
    let graph = plan.graph.filter_map(
        |at, instance| {
            belongs(at).then(|| {
                let mut shown = Instance::new(instance.id.clone(), "", Vec::new());
                shown.kind.clone_from(&instance.kind);
                shown.step.clone_from(&instance.step);
                shown.target.clone_from(&instance.target);
                shown.platform.clone_from(&instance.platform);
                shown.node.clone_from(&instance.node);
                shown.pool = instance.pool;
                shown
            })
        },
        |_, edge| Some(edge.clone()),
    );
    Plan { recipe: plan.recipe.clone(), graph, ..Plan::default() }
}
