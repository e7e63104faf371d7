//! Plans made by hand; nothing here knows recipes.

use std::collections::BTreeMap;

use petgraph::graph::DiGraph;
use proptest::prelude::*;

use crate::plan::{Artifact, Edge, Instance, InstanceId, NodeIndex, Plan, Pool};
use crate::platform::Platform;

/// A plan that grows.
pub(super) struct Made(pub(super) Plan);

impl Made {
    pub(super) fn new() -> Self {
        Self(Plan { recipe: "made".into(), graph: DiGraph::new(), nodes: BTreeMap::new(), ..Plan::default() })
    }

    /// An instance `step@target@node` of that kind.
    pub(super) fn add(
        &mut self,
        step: &str,
        kind: &'static str,
        target: Option<&str>,
        node: Option<&str>,
    ) -> NodeIndex {
        let mut instance = Instance::new(InstanceId::new(step, target, node), kind, Vec::new());
        instance.step = step.into();
        instance.target = target.map(Into::into);
        instance.platform = target.map(|_| Platform::parse("linux/arm64").unwrap());
        instance.node = node.map(Into::into);
        instance.pool = if node.is_some() { Pool::Node } else { Pool::Local };
        self.0.graph.add_node(instance)
    }

    pub(super) fn link(&mut self, from: NodeIndex, to: NodeIndex, reason: Edge) {
        self.0.graph.add_edge(from, to, reason);
    }
}

/// From a checkout to nodes, for as many targets with as many nodes each: 2 + targets × (4 + 2 × nodes) + 1 instances.
pub(super) fn delivery(targets: usize, nodes: usize) -> Plan {
    let mut made = Made::new();
    let emulation = made.add("binfmt-register", "binfmt-register", None, None);
    let source = made.add("source", "git-checkout", None, None);
    let mut verified = Vec::new();
    for target in (0..targets).map(|number| format!("t{number}")) {
        let target = Some(target.as_str());
        let image = made.add("image", "build", target, None);
        let smoke = made.add("smoke", "smoke", target, None);
        let save = made.add("save", "save", target, None);
        made.link(emulation, image, Edge::Artifact(Artifact::Emulation));
        made.link(source, image, Edge::Artifact(Artifact::Source));
        made.link(emulation, smoke, Edge::Artifact(Artifact::Emulation));
        made.link(image, smoke, Edge::Artifact(Artifact::Image));
        made.link(image, save, Edge::Artifact(Artifact::Image));
        for node in (0..nodes).map(|number| format!("n{number}")) {
            let copy = made.add("copy", "scp", target, Some(&node));
            let load = made.add("load", "load", target, Some(&node));
            made.link(save, copy, Edge::Artifact(Artifact::Archive));
            made.link(smoke, copy, Edge::Gate);
            made.link(copy, load, Edge::Artifact(Artifact::NodeFile));
            made.link(save, load, Edge::Output("path".into()));
            made.link(smoke, load, Edge::Gate);
            verified.push(load);
        }
    }
    let report = made.add("report", "run", None, None);
    for load in verified {
        made.link(load, report, Edge::Needs);
    }
    made.0
}

fn reason() -> impl Strategy<Value = Edge> {
    prop_oneof![
        Just(Edge::Artifact(Artifact::Image)),
        Just(Edge::Artifact(Artifact::Emulation)),
        Just(Edge::Output("commit".into())),
        Just(Edge::Needs),
        Just(Edge::Gate),
    ]
}

/// Any acyclic plan of up to 40 instances: some of one step, some in targets, some on nodes.
pub(super) fn any_plan() -> impl Strategy<Value = Plan> {
    let instance = (0..12usize, 0..4usize, any::<bool>());
    let instances = proptest::collection::vec(instance, 1..40);
    let edges = proptest::collection::vec(
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), reason()),
        0..90,
    );
    (instances, edges).prop_map(|(instances, edges)| {
        let mut made = Made::new();
        for (step, target, on_node) in instances {
            let target = (target > 0).then(|| format!("t{target}"));
            let node = (on_node && target.is_some()).then_some("n");
            let id = InstanceId::new(&format!("s{step}"), target.as_deref(), node);
            if made.0.find(id.as_str()).is_none() {
                made.add(&format!("s{step}"), "run", target.as_deref(), node);
            }
        }
        let count = made.0.graph.node_count();
        for (from, to, reason) in edges {
            let ends = [from.index(count), to.index(count)].map(NodeIndex::new);
            let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            if from != to && made.0.graph.find_edge(from, to).is_none() {
                made.link(from, to, reason);
            }
        }
        made.0
    })
}
