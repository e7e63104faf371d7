//! The part of a plan that finds out what the names in it stand for, and does nothing else.

use std::collections::BTreeSet;

use petgraph::Direction::Incoming;
use petgraph::visit::EdgeRef;

use crate::lock::{Key, Lock};
use crate::plan::{Action, Artifact, Edge, Instance, InstanceId, NodeIndex, Place, Plan};

/// See [`names`].
pub struct Names {
    /// Checkouts, patched Dockerfiles, and of builds what comes before.
    pub plan: Plan,
    /// What of it works with the files of a step of another kind: only a run can make those.
    pub left_out: Vec<InstanceId>,
}

/// What of a plan must run for every name in it to be explained. `upstream` asks registries before the engines' stores.
pub fn names(plan: &Plan, upstream: bool) -> Names {
    let mut cut = plan.clone();
    let mut kept = BTreeSet::new();
    let mut left_out = Vec::new();
    for node in plan.order() {
        let instance = &plan.graph[node];
        let pins = instance.actions.iter().position(|action| matches!(action, Action::PinBases(_)));
        let asks = pins.is_some()
            || instance
                .actions
                .iter()
                .any(|action| matches!(action, Action::Checkout(_) | Action::RewriteFrom(_)));
        if !asks {
            continue;
        }
        if !sources(plan, node).all(|source| kept.contains(&source)) {
            if pins.is_some() || !instance.basis.pins.is_empty() {
                left_out.push(instance.id.clone());
            }
            continue;
        }
        kept.insert(node);
        if let Some(last) = pins {
            cut.graph[node].actions = up_to(instance, last, upstream);
            cut.graph[node].cleanup.clear();
        }
    }
    cut.graph.retain_nodes(|_, node| kept.contains(&node));
    Names { plan: cut, left_out }
}

/// Where an instance's files come from.
fn sources(plan: &Plan, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
    let edges = plan.graph.edges_directed(node, Incoming);
    let files = edges.filter(|edge| {
        matches!(edge.weight(), Edge::Artifact(Artifact::Source | Artifact::BuildContext) | Edge::Output(_))
    });
    files.map(|edge| edge.source())
}

/// The actions of a build up to that which explains its base images.
fn up_to(instance: &Instance, last: usize, upstream: bool) -> Vec<Action> {
    let mut actions = instance.actions[..=last].to_vec();
    // Nothing is executed.
    actions.retain(|action| !matches!(action, Action::EnsureBinfmt(_) | Action::MoveImage(_)));
    if let Some(Action::PinBases(pins)) = actions.last_mut() {
        // Nor is a builder needed for it.
        pins.inspect.place = Place::Here;
        (pins.only_ask, pins.upstream) = (true, upstream);
    }
    actions
}

/// Entries for repositories that no step of the plan asks for.
pub fn unused(plan: &Plan, lock: &Lock) -> Vec<Key> {
    let asked: BTreeSet<&Key> = plan.graph.node_weights().flat_map(|instance| &instance.basis.pins).collect();
    let git = lock.iter().map(|(key, _)| key).filter(|key| matches!(key, Key::Git { .. }));
    git.filter(|key| !asked.contains(key)).cloned().collect()
}

/// Names of repositories that the lock does not explain.
pub fn missing(plan: &Plan) -> Vec<Key> {
    let asked: BTreeSet<&Key> = plan.graph.node_weights().flat_map(|instance| &instance.basis.pins).collect();
    asked.into_iter().filter(|key| plan.lock.get(key).is_none()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::testing::plan_of;

    #[test]
    fn what_explains_names_is_kept_and_nothing_is_built() {
        let plan = plan_of(
            "[targets.a]\nplatform = 'linux/arm64'\n[[step]]\nuses = 'binfmt-register'\n\
             [[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.com/a'\nbranch = 'main'\n\
             [[step]]\nid = 'patched'\nuses = 'patch-FROM'\nfrom = 'alpine:3.20'\n\
             [[step]]\nid = 'image'\nuses = 'build'\ntag = 'x'\nsource = 'patched'\n\
             [[step]]\nid = 'made'\nuses = 'run'\nargv = ['true']\nscope = 'target'\noutputs = { context = 'c' }\n\
             [[step]]\nid = 'other'\nuses = 'build'\ntag = 'y'\nsource = 'made'\n\
             [[step]]\nuses = 'smoke'\nimage = 'image'\nargv = ['true']\n",
        );
        let Names { plan: cut, left_out } = names(&plan, true);
        let kept: Vec<&str> = cut.order().into_iter().map(|node| cut.graph[node].id.as_str()).collect();
        assert_eq!(kept, ["source", "patched@a", "image@a"]);
        assert_eq!(left_out.iter().map(InstanceId::as_str).collect::<Vec<_>>(), ["other@a"]);
        let image = cut.find("image@a").unwrap();
        assert!(
            matches!(image.actions.last(), Some(Action::PinBases(pins)) if pins.only_ask && pins.upstream)
        );
        assert!(!image.actions.iter().any(|action| matches!(action, Action::EnsureBinfmt(_))));
        assert_eq!(missing(&plan).len(), 1);
        assert!(
            plan.places.contains_key("image docker.io/library/alpine:3.20 linux/arm64"),
            "{:?}",
            plan.places
        );
        assert_eq!(plan.places["git https://example.com/a refs/heads/main"], "pipeline.toml:10:10");
    }
}
