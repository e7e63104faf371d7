//! Edges between instances: data, `${steps.…}`, `needs`, and checks as gates. Cycles are errors that show the way round.

use std::collections::BTreeSet;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::expand::{Member, Members};
use super::producers::Links;
use crate::diag::{Diagnostic, Diagnostics};
use crate::interp::Name;
use crate::plan::{Artifact, Edge};
use crate::steps::{Configured, Role};

/// Indices of [`Members::list`], linked.
pub(super) type Graph = DiGraph<usize, Edge>;

/// The graph of all members; none where it has cycles.
pub(super) fn link(
    configured: &[Configured<'_>],
    members: &Members,
    links: &Links,
    diagnostics: &mut Diagnostics,
) -> Option<Graph> {
    let mut graph = Graph::with_capacity(members.list.len(), members.list.len() * 2);
    for index in 0..members.list.len() {
        graph.add_node(index);
    }
    for (index, member) in members.list.iter().enumerate() {
        let consumer = NodeIndex::new(index);
        for (input, producer) in links.get(&(member.step, member.target)).into_iter().flatten().enumerate() {
            let Some(producer) = producer else { continue };
            let producers = matching(members, member, producer.step);
            if producers.len() > 1 {
                let key = configured[member.step].body.inputs().get(input).map_or("input", |input| input.key);
                diagnostics.push(set_for_one(configured, member, producer.step, key));
            }
            for producer_index in producers {
                graph.update_edge(
                    NodeIndex::new(producer_index),
                    consumer,
                    Edge::Artifact(producer.artifact),
                );
            }
        }
        let step = configured[member.step].step;
        for (name, span) in &step.names {
            let Name::Step { id, output } = name else { continue };
            let Some(other) = position(configured, id) else { continue };
            let producers = matching(members, member, other);
            if producers.is_empty() {
                diagnostics.push(
                    Diagnostic::error(
                        "plan::not-visible",
                        format!("step `{id}` does not run where `{}` does", step.id),
                    )
                    .at(span, "has no value there")
                    .at(&configured[other].step.span, "left out, or only for other targets")
                    .help("give both the same `targets`"),
                );
            } else if producers.len() > 1 {
                diagnostics.push(set_for_one(configured, member, other, &format!("steps.{id}.{output}")));
            }
            for producer in producers {
                if graph.find_edge(NodeIndex::new(producer), consumer).is_none() {
                    graph.add_edge(NodeIndex::new(producer), consumer, Edge::Output(output.clone()));
                }
            }
        }
        for need in &step.common.needs {
            let Some(other) = position(configured, &need.value) else { continue };
            for producer in matching(members, member, other) {
                if graph.find_edge(NodeIndex::new(producer), consumer).is_none() {
                    graph.add_edge(NodeIndex::new(producer), consumer, Edge::Needs);
                }
            }
        }
    }
    gates(configured, members, &mut graph);
    cycles(configured, members, &graph, diagnostics).then_some(graph)
}

fn position(configured: &[Configured<'_>], id: &str) -> Option<usize> {
    configured.iter().position(|other| other.step.id.value == id)
}

/// The instances of a step that a member meets: a finer one shares a coarser, a coarser one meets the whole set.
fn matching(members: &Members, member: &Member, step: usize) -> Vec<usize> {
    let agree =
        |mine: Option<&str>, theirs: Option<&str>| mine.is_none() || theirs.is_none() || mine == theirs;
    members
        .list
        .iter()
        .enumerate()
        .filter(|(_, other)| other.step == step)
        .filter(|(_, other)| {
            member.target.is_none() || other.target.is_none() || member.target == other.target
        })
        .filter(|(_, other)| agree(member.node.as_deref(), other.node.as_deref()))
        .map(|(index, _)| index)
        .collect()
}

fn set_for_one(configured: &[Configured<'_>], member: &Member, producer: usize, what: &str) -> Diagnostic {
    let (consumer, producer) = (configured[member.step].step, configured[producer].step);
    Diagnostic::error(
        "plan::one-of-many",
        format!(
            "`{what}` of step `{}` asks for one, and `{}` has one for each target or node",
            consumer.id, producer.id
        ),
    )
    .at(&consumer.span, "runs less often")
    .at(&producer.span, "runs more often")
    .help(format!("give `{}` the scope of `{}`, or the other way round", consumer.id, producer.id))
}

/// The image that a member's artifact comes from, by going up the artifact edges.
fn images(
    configured: &[Configured<'_>],
    members: &Members,
    graph: &Graph,
    member: NodeIndex,
) -> BTreeSet<NodeIndex> {
    let mut images = BTreeSet::new();
    let mut open = vec![member];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if !seen.insert(at) {
            continue;
        }
        let made = configured[members.list[graph[at]].step].body.produces();
        if at != member && made.contains(&Artifact::Image) {
            images.insert(at);
            continue;
        }
        // The way from the image on: not what the image was made from.
        open.extend(
            graph
                .edges_directed(at, Direction::Incoming)
                .filter(|edge| {
                    matches!(
                        edge.weight(),
                        Edge::Artifact(
                            Artifact::Image
                                | Artifact::Archive
                                | Artifact::NodeFile
                                | Artifact::NodeImage
                                | Artifact::PushedImage
                        )
                    )
                })
                .map(|edge| edge.source()),
        );
    }
    images
}

fn gates(configured: &[Configured<'_>], members: &Members, graph: &mut Graph) {
    let of_role = |role: Role| {
        members
            .list
            .iter()
            .enumerate()
            .filter(move |(_, member)| configured[member.step].body.role() == role)
            .map(|(index, _)| NodeIndex::new(index))
            .collect::<Vec<_>>()
    };
    let checks: Vec<_> = of_role(Role::Check)
        .into_iter()
        .map(|check| (check, images(configured, members, graph, check)))
        .collect();
    for delivery in of_role(Role::Delivery) {
        if configured[members.list[graph[delivery]].step].step.common.gate == Some(false) {
            continue;
        }
        let delivered = images(configured, members, graph, delivery);
        for (check, checked) in &checks {
            if !checked.is_disjoint(&delivered) && graph.find_edge(*check, delivery).is_none() {
                graph.add_edge(*check, delivery, Edge::Gate);
            }
        }
    }
}

/// There are none. Those that there are are reported, each once although many instances may go round.
fn cycles(
    configured: &[Configured<'_>],
    members: &Members,
    graph: &Graph,
    diagnostics: &mut Diagnostics,
) -> bool {
    let mut none = true;
    for component in petgraph::algo::tarjan_scc(graph) {
        let start = component[0];
        if component.len() == 1 && graph.find_edge(start, start).is_none() {
            continue;
        }
        none = false;
        let path = way_round(graph, &component);
        let step = |node: NodeIndex| configured[members.list[graph[node]].step].step;
        let ids: Vec<&str> =
            path.iter().chain(path.first()).map(|node| step(*node).id.value.as_str()).collect();
        let mut diagnostic =
            Diagnostic::error("plan::cycle", format!("steps wait for each other: {}", ids.join(" -> ")))
                .help("take one of these links out");
        for (index, node) in path.iter().enumerate() {
            let next = path[(index + 1) % path.len()];
            let reason = graph.find_edge(next, *node).map(|edge| graph[edge].to_string()).unwrap_or_default();
            diagnostic = diagnostic.at(&step(*node).span, format!("after `{}`: {reason}", step(next).id));
        }
        diagnostics.push(diagnostic);
    }
    none
}

/// A shortest cycle through the first member of a component, each followed by one that it waits for.
fn way_round(graph: &Graph, component: &[NodeIndex]) -> Vec<NodeIndex> {
    let inside: BTreeSet<NodeIndex> = component.iter().copied().collect();
    let start = *inside.first().unwrap_or(&component[0]);
    let mut from = std::collections::BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for before in graph.neighbors_directed(at, Direction::Incoming).filter(|node| inside.contains(node)) {
            if before == start {
                let mut path = vec![at];
                let mut back = at;
                while let Some(&previous) = from.get(&back) {
                    path.push(previous);
                    back = previous;
                }
                path.reverse();
                return path;
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = from.entry(before)
                && before != start
            {
                entry.insert(at);
                open.push_back(before);
            }
        }
    }
    vec![start]
}
