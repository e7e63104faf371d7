//! What is drawn: boxes, links between them, and groups. Made from a plan; no format's syntax is known here.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::visit::EdgeRef;

use super::Detail;
use super::implied::{implied, moves_nothing};
use super::order::order;
use crate::output::is_hidden;
use crate::plan::{Edge, Instance, NodeIndex, Plan, Pool};

/// A plan's graph, ready to be written in any format.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// The recipe and how much of everything there is.
    pub(super) title: String,
    /// The recipe's name.
    pub(super) recipe: String,
    pub(super) detail: Detail,
    /// What comes first stands first, and groups stand together as far as that allows.
    pub(super) boxes: Vec<Box>,
    /// Sorted by where they lead and where they come from.
    pub(super) links: Vec<Link>,
    /// Targets, when instances are drawn.
    pub(super) groups: Vec<Group>,
}

/// A step or an instance.
#[derive(Debug, Clone)]
pub(super) struct Box {
    /// The step's or the instance's id.
    pub(super) id: String,
    pub(super) step: String,
    pub(super) kind: String,
    /// How many instances it stands for, and over what; empty for one that runs once.
    pub(super) extent: String,
    /// The node of one instance.
    pub(super) node: Option<String>,
    pub(super) group: Option<usize>,
    /// Its work is done on nodes.
    pub(super) on_node: bool,
    /// Something waits for it as a check.
    pub(super) check: bool,
    /// Everything it waits for, also what is not drawn: `save: consumes its Archive`.
    pub(super) waits: Vec<String>,
}

/// Why one box waits for another.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Each once.
    pub(super) reasons: Vec<Edge>,
}

/// The instances of a target.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) target: String,
    pub(super) platform: String,
}

impl Link {
    /// Nothing but checks: drawn dashed.
    pub(super) fn is_gate(&self) -> bool {
        self.reasons.iter().all(|reason| *reason == Edge::Gate)
    }

    /// It brings something, and does not only say what comes first.
    pub(super) fn carries(&self) -> bool {
        !self.reasons.iter().all(moves_nothing)
    }

    /// For a place beside the line: `Archive`, `commit`.
    pub(super) fn label(&self) -> String {
        let short = |reason: &Edge| match reason {
            Edge::Artifact(artifact) => artifact.to_string(),
            Edge::Output(name) => name.clone(),
            Edge::Needs => "needs".into(),
            Edge::Gate => "check".into(),
        };
        self.reasons.iter().map(short).collect::<Vec<_>>().join(", ")
    }

    /// For a sentence: `consumes its Archive, uses its `sha256``.
    pub(super) fn sentence(&self) -> String {
        self.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Drawing {
    /// What of the plan is to be drawn.
    pub fn of(plan: &Plan, detail: Detail) -> Self {
        let whole: Vec<Vec<NodeIndex>> = match detail {
            Detail::Steps => steps(plan),
            Detail::Instances => plan.graph.node_indices().map(|at| vec![at]).collect(),
        };
        let groups = if detail == Detail::Instances { groups(plan) } else { Vec::new() };
        let group_of = |at: NodeIndex| {
            let target = plan.graph[at].target.as_deref().map(clean)?;
            groups.iter().position(|group| group.target == target)
        };
        let mut owner = vec![0; plan.graph.node_count()];
        for (index, members) in whole.iter().enumerate() {
            for at in members {
                owner[at.index()] = index;
            }
        }
        let implied = implied(plan);
        let mut all: BTreeMap<(usize, usize), Vec<Edge>> = BTreeMap::new();
        let mut drawn = all.clone();
        for edge in plan.graph.edge_references() {
            let ends = (owner[edge.source().index()], owner[edge.target().index()]);
            // An edge between two instances of one step says nothing when they are one box.
            if ends.0 == ends.1 {
                continue;
            }
            let reason = edge.weight();
            add(all.entry(ends).or_default(), reason);
            if !(moves_nothing(reason) && implied.contains(&(edge.source(), edge.target()))) {
                add(drawn.entry(ends).or_default(), reason);
            }
        }
        let group: Vec<Option<usize>> = whole.iter().map(|members| group_of(members[0])).collect();
        let node: Vec<Option<&str>> = match detail {
            Detail::Steps => vec![None; whole.len()],
            Detail::Instances => plan.graph.node_weights().map(|one| one.node.as_deref()).collect(),
        };
        let order = order(whole.len(), all.keys().copied(), &group, &node);
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, index)| place[*index] = at);
        let mut boxes: Vec<Box> =
            order.iter().map(|index| new_box(plan, detail, &whole[*index], group[*index])).collect();
        for (ends, reasons) in &all {
            let (from, to) = (place[ends.0], place[ends.1]);
            boxes[from].check |= reasons.contains(&Edge::Gate);
            let link = Link { from, to, reasons: reasons.clone() };
            let sentence = format!("{}: {}", boxes[from].id, link.sentence());
            boxes[to].waits.push(sentence);
        }
        let mut links: Vec<Link> = drawn
            .into_iter()
            .map(|(ends, reasons)| Link { from: place[ends.0], to: place[ends.1], reasons })
            .collect();
        links.sort_by_key(|link| (link.to, link.from));
        Self { title: title(plan), recipe: clean(&plan.recipe), detail, boxes, links, groups }
    }
}

impl Drawing {
    /// The lines in a box: its name, and what it is. What stands around it, such as its target, is left out.
    pub(super) fn caption(&self, index: usize) -> Vec<String> {
        let one = &self.boxes[index];
        let kind = if one.kind == one.step { "" } else { &one.kind };
        let rest = match self.detail {
            Detail::Steps => &one.extent,
            Detail::Instances => one.node.as_deref().unwrap_or_default(),
        };
        let about: Vec<&str> = [kind, rest].into_iter().filter(|part| !part.is_empty()).collect();
        let mut lines = vec![one.step.clone()];
        if !about.is_empty() {
            lines.push(about.join(" · "));
        }
        lines
    }
}

fn add(reasons: &mut Vec<Edge>, reason: &Edge) {
    let reason = match reason {
        Edge::Output(name) => Edge::Output(clean(name)),
        other => other.clone(),
    };
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

/// The instances of each step, in the recipe's order.
fn steps(plan: &Plan) -> Vec<Vec<NodeIndex>> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut steps: Vec<Vec<NodeIndex>> = Vec::new();
    for at in plan.graph.node_indices() {
        let index = *known.entry(&plan.graph[at].step).or_insert_with(|| {
            steps.push(Vec::new());
            steps.len() - 1
        });
        steps[index].push(at);
    }
    steps
}

/// The targets, in the order of their first instances.
fn groups(plan: &Plan) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = BTreeSet::new();
    for instance in plan.graph.node_weights() {
        let Some(target) = instance.target.as_deref() else { continue };
        if known.insert(target) {
            let platform = instance.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            groups.push(Group { target: clean(target), platform });
        }
    }
    groups
}

fn new_box(plan: &Plan, detail: Detail, members: &[NodeIndex], group: Option<usize>) -> Box {
    let instances: Vec<&Instance> = members.iter().map(|at| &plan.graph[*at]).collect();
    let first = instances[0];
    let (id, extent, node) = match detail {
        Detail::Steps => (&*first.step, extent(&instances), None),
        Detail::Instances => (first.id.as_str(), String::new(), first.node.as_deref().map(clean)),
    };
    Box {
        id: clean(id),
        step: clean(&first.step),
        kind: clean(&first.kind),
        extent,
        node,
        group,
        on_node: first.pool == Pool::Node,
        check: false,
        waits: Vec::new(),
    }
}

/// `× 12: 4 targets, 12 nodes`; names in place of numbers where there is one.
fn extent(instances: &[&Instance]) -> String {
    let targets: BTreeSet<&str> = instances.iter().filter_map(|one| one.target.as_deref()).collect();
    let nodes: BTreeSet<&str> = instances.iter().filter_map(|one| one.node.as_deref()).collect();
    let name = |names: &BTreeSet<&str>, what: &str| match (names.len(), names.first()) {
        (1, Some(only)) => Some(clean(only)),
        (0, _) => None,
        (number, _) => Some(format!("{number} {what}s")),
    };
    let over = [name(&targets, "target"), name(&nodes, "node")];
    let over = over.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if instances.len() > 1 { format!("× {}: {over}", instances.len()) } else { over }
}

fn title(plan: &Plan) -> String {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let all = || plan.graph.node_weights();
    let steps: BTreeSet<&str> = all().map(|one| &*one.step).collect();
    let targets: BTreeSet<&str> = all().filter_map(|one| one.target.as_deref()).collect();
    let mut parts = vec![count(steps.len(), "step")];
    if steps.len() != plan.graph.node_count() {
        parts.push(count(plan.graph.node_count(), "instance"));
    }
    let over = [(targets.len(), "target"), (plan.nodes.len(), "node")];
    parts.extend(over.iter().filter(|(number, _)| *number > 0).map(|(number, what)| count(*number, what)));
    format!("{}: {}", clean(&plan.recipe), parts.join(", "))
}

/// Without what acts on a terminal, turns the text around it, or may not stand in XML. The rules for names leave none of
/// it through; a plan can come from elsewhere.
fn clean(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\n' | '\t') || is_hidden(c);
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}
