//! The order in which nodes get an image: one or a few first, and the others when those have it and its checks passed.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::expand::Members;
use super::link::Graph;
use crate::plan::{Artifact, Edge, Instance, Share};
use crate::steps::{Configured, OnFailure, Rollout};

/// Makes later nodes wait for earlier ones, where a step asks for it.
pub(super) fn waves(configured: &[Configured<'_>], members: &Members, graph: &mut Graph) {
    for (step, configured) in configured.iter().enumerate() {
        let Some(rollout) = configured.body.rollout() else { continue };
        let mut targets: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for index in members.ranges[step].clone() {
            targets.entry(members.list[index].target).or_default().push(index);
        }
        for deliveries in targets.values() {
            let waves = divided(deliveries, rollout);
            for (before, after) in waves.iter().zip(waves.iter().skip(1)) {
                let before: Vec<NodeIndex> =
                    before.iter().flat_map(|index| with_checks(members, graph, *index)).collect();
                for later in after.iter().map(|index| NodeIndex::new(*index)) {
                    for earlier in &before {
                        if graph.find_edge(*earlier, later).is_none() {
                            graph.add_edge(*earlier, later, Edge::Gate);
                        }
                    }
                }
            }
        }
    }
}

/// Nodes that go at once, wave after wave.
fn divided(deliveries: &[usize], rollout: &Rollout) -> Vec<Vec<usize>> {
    let (canary, rest) = deliveries.split_at(rollout.canary().min(deliveries.len()));
    let mut waves = Vec::new();
    if !canary.is_empty() {
        waves.push(canary.to_vec());
    }
    match (rollout.on_failure(), rollout.max_parallel()) {
        (OnFailure::Stop, at_once) => {
            waves.extend(rest.chunks(at_once.unwrap_or(1)).map(<[usize]>::to_vec));
        }
        (OnFailure::Continue, _) if !rest.is_empty() => waves.push(rest.to_vec()),
        (OnFailure::Continue, _) => {}
    }
    waves
}

/// The delivery, and on its node whatever looks at the image.
fn with_checks(members: &Members, graph: &Graph, delivery: usize) -> Vec<NodeIndex> {
    let delivery = NodeIndex::new(delivery);
    let node = &members.list[delivery.index()].node;
    let checks = graph
        .edges(delivery)
        .filter(|edge| matches!(edge.weight(), Edge::Artifact(Artifact::NodeImage)))
        .map(|edge| edge.target())
        .filter(|check| members.list[check.index()].node == *node);
    std::iter::once(delivery).chain(checks).collect()
}

/// At most so many nodes at once.
pub(super) fn bound(configured: &Configured<'_>, instance: &mut Instance) {
    if let Some(at_once) = configured.body.rollout().and_then(Rollout::max_parallel) {
        let target = instance.target.as_deref().unwrap_or_default();
        instance.share = Some(Share {
            pool: format!("rollout of {} to {target}", instance.step).into(),
            at_once: u32::try_from(at_once).unwrap_or(u32::MAX),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(toml: &str, nodes: usize) -> Vec<Vec<usize>> {
        let rollout: Rollout = toml::from_str(toml).unwrap();
        divided(&(0..nodes).collect::<Vec<_>>(), &rollout)
    }

    #[test]
    fn canaries_go_first_and_then_the_rest_at_once_or_in_waves() {
        assert_eq!(of("canary = 1", 4), [vec![0], vec![1, 2, 3]]);
        assert_eq!(of("canary = 1\nmax-parallel = 2", 4), [vec![0], vec![1, 2, 3]]);
        let stop = "on-failure = \"stop\"\ncanary = 1\nmax-parallel = 2";
        assert_eq!(of(stop, 6), [vec![0], vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(of(stop, 1), [vec![0]]);
        assert_eq!(of("on-failure = \"stop\"", 3), [vec![0], vec![1], vec![2]]);
        assert_eq!(of("max-parallel = 2", 3), [vec![0, 1, 2]]);
        assert_eq!(of("canary = 9", 3), [vec![0, 1, 2]]);
    }
}
