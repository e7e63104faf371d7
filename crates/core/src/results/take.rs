//! The plan of whoever received results: what was made elsewhere is put in place instead of made again.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction::Incoming;
use petgraph::graph::DiGraph;
use petgraph::visit::EdgeRef;

use super::keep::{is_last, is_read};
use super::{Lies, Made, Received};
use crate::plan::{
    Action, Check, Edge, Expect, Grammar, Instance, InstanceId, Late, NodeIndex, Output, Plan, Probe,
    RECEIVED, Receive, Text, Value, Yield, lates,
};
use crate::planner::Stage;
use crate::steps::{import_image, tag_image};

/// An instance of an earlier stage that is needed here and was not received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The instance.
    pub id: InstanceId,
    /// Who makes it.
    pub stage: Stage,
    /// The target whose job that is.
    pub target: Option<String>,
    /// Who needs it here.
    pub by: InstanceId,
}

/// Rewrites a plan for what was received, and yields what of it was taken. With a stage, that one is done here, and what of earlier
/// ones is needed and was not received is missing.
pub fn take(
    plan: &mut Plan,
    stages: &BTreeMap<InstanceId, Stage>,
    stage: Option<Stage>,
    received: &BTreeMap<InstanceId, Received>,
) -> Result<BTreeSet<InstanceId>, Vec<Missing>> {
    let is_own = |node: NodeIndex| stage.is_none_or(|own| stages[&plan.graph[node].id] == own);
    let taken = taken(plan, received, &is_own);
    let is_taken = |node: NodeIndex| taken[node.index()].is_some();
    let mut needed: Vec<bool> =
        plan.graph.node_indices().map(|node| !is_taken(node) && is_own(node)).collect();
    let mut missing: BTreeMap<NodeIndex, Missing> = BTreeMap::new();
    for node in plan.order().into_iter().rev().filter(|node| !is_taken(*node)) {
        if !needed[node.index()] {
            continue;
        }
        for before in plan.graph.neighbors_directed(node, Incoming).filter(|before| !is_taken(*before)) {
            if is_own(before) || Lies::of(plan, before) == Lies::Machine {
                needed[before.index()] = true;
                continue;
            }
            let (instance, by) = (&plan.graph[before], plan.graph[node].id.clone());
            let target = instance.target.as_deref().map(str::to_owned);
            let (id, stage) = (instance.id.clone(), stages[&instance.id]);
            missing.insert(before, Missing { id, stage, target, by });
        }
    }
    if !missing.is_empty() {
        return Err(missing.into_values().collect());
    }
    let all = plan.graph.node_indices().filter(|node| is_taken(*node));
    let all = all.map(|node| plan.graph[node].id.clone()).collect();
    plan.graph = graph(plan, &taken, &needed, received);
    Ok(all)
}

/// What is made here, with what of the rest is put in place or has a value that is used.
fn graph(
    plan: &Plan,
    taken: &[Option<Lies>],
    made: &[bool],
    received: &BTreeMap<InstanceId, Received>,
) -> DiGraph<Instance, Edge> {
    let all: BTreeMap<&str, NodeIndex> =
        plan.graph.node_indices().map(|node| (plan.graph[node].id.as_str(), node)).collect();
    let made_here = plan.graph.node_indices().filter(|node| made[node.index()]);
    // A value may come through the outputs of others, so no edge need lead from whoever yields it.
    let used: BTreeSet<(NodeIndex, NodeIndex)> = made_here
        .flat_map(|node| lates(texts(&plan.graph[node])).into_iter().map(move |late| (late, node)))
        .filter_map(|(late, node)| Some((*all.get(late.instance.as_str())?, node)))
        .filter(|(from, _)| taken[from.index()].is_some())
        .collect();
    let yields: BTreeSet<NodeIndex> = used.iter().map(|(from, _)| *from).collect();
    let mut places = BTreeMap::new();
    let mut graph = DiGraph::new();
    for node in plan.graph.node_indices() {
        let instance = plan.graph[node].clone();
        let instance = match &taken[node.index()] {
            Some(lies) if *lies != Lies::Elsewhere || yields.contains(&node) => {
                let received = &received[&instance.id];
                received_one(instance, received, lies)
            }
            None if made[node.index()] => instance,
            _ => continue,
        };
        places.insert(node, graph.add_node(instance));
    }
    for edge in plan.graph.edge_references() {
        let ends = (places.get(&edge.source()), places.get(&edge.target()));
        if let (Some(from), Some(to)) = ends
            && taken[edge.target().index()].is_none()
        {
            graph.add_edge(*from, *to, edge.weight().clone());
        }
    }
    for (from, to) in used {
        let (from, to) = (places[&from], places[&to]);
        if graph.find_edge(from, to).is_none() {
            graph.add_edge(from, to, Edge::Needs);
        }
    }
    graph
}

/// Everything of an instance that may have a value in it.
fn texts(instance: &Instance) -> impl Iterator<Item = &Text> {
    let looks = match &instance.probe {
        Probe::Actions(actions) => actions.as_slice(),
        _ => &[],
    };
    let known = instance.outputs.iter().filter_map(|output| match &output.value {
        Value::Known(text) => Some(text),
        Value::Late(_) => None,
    });
    instance.actions.iter().chain(&instance.cleanup).chain(looks).flat_map(Action::texts).chain(known)
}

/// What is taken over, and where what of it is put in place belongs. Whoever needs others is looked at before them.
fn taken(
    plan: &Plan,
    received: &BTreeMap<InstanceId, Received>,
    is_own: &dyn Fn(NodeIndex) -> bool,
) -> Vec<Option<Lies>> {
    let mut taken: Vec<Option<Lies>> = vec![None; plan.graph.node_count()];
    // Values that are made or used here. They come through the outputs of others as well.
    let mut used: BTreeSet<Late> = BTreeSet::new();
    for node in plan.order().into_iter().rev() {
        let is_taken = |node: NodeIndex| taken[node.index()].is_some();
        let reads = is_read(plan, node, &is_taken) || is_last(plan, node) && is_own(node);
        let instance = &plan.graph[node];
        let made = received.get(&instance.id).map(|received| &received.made);
        match made.and_then(|made| suffices(instance, made, Lies::of(plan, node), reads, &used)) {
            Some(lies) => taken[node.index()] = Some(lies),
            None => used.extend(lates(texts(instance))),
        }
    }
    taken
}

/// Where what is put in place belongs, if what came is enough: nowhere, if nobody reads it.
fn suffices(
    instance: &Instance,
    made: &Made,
    lies: Lies,
    reads: bool,
    used: &BTreeSet<Late>,
) -> Option<Lies> {
    let lies = match lies {
        Lies::Machine => return None,
        lies if reads => lies,
        _ => Lies::Elsewhere,
    };
    let has_files = match &lies {
        Lies::Here(paths) => paths.len() == made.files.len(),
        Lies::Store { .. } => made.files.len() == 1,
        Lies::Elsewhere | Lies::Machine => true,
    };
    let is_used = |output: &Output| {
        let (instance, output) = (instance.id.to_string(), output.name.clone());
        used.contains(&Late { instance, output, grammar: Grammar::Any })
    };
    let has = |output: &Output| match (&output.value, made.values.get(&output.name)) {
        (Value::Late(grammar), Some(value)) => grammar.accepts(value),
        // Nobody keeps what may be anything.
        (Value::Late(Grammar::Any), None) => !is_used(output),
        (Value::Late(_), None) => false,
        (Value::Known(_), _) => true,
    };
    (has_files && instance.outputs.iter().all(has)).then_some(lies)
}

/// The instance as it is where its result was received.
fn received_one(instance: Instance, received: &Received, lies: &Lies) -> Instance {
    let Received { made, folder } = received;
    let file = |at: usize| made.files[at].name.as_str();
    let from = |at: usize| folder.join(file(at)).to_string_lossy().into_owned();
    let mut actions = Vec::new();
    let mut known = made.clone();
    match lies {
        Lies::Here(paths) => {
            actions.extend(paths.iter().enumerate().map(|(at, to)| {
                let kept = &made.files[at];
                let to = to.clone();
                Action::Receive(Receive { from: from(at), to, sha256: kept.sha256, folder: kept.folder })
            }));
        }
        Lies::Store { engine, users, name, .. } => {
            actions.push(import_image(*engine, *users, &from(0)).into());
            let id = known.values.remove("id").unwrap_or_default();
            if let Some(name) = name {
                actions.push(tag_image(*engine, *users, &id, name).into());
            }
            actions.extend(yields(&instance, &known));
            known.values.clear();
            actions.extend(looked_up(&instance, id));
        }
        Lies::Elsewhere | Lies::Machine => {}
    }
    actions.extend(yields(&instance, &known));
    let Instance { id, step, target, platform, node, outputs, probe, .. } = instance;
    let probe = if *lies == Lies::Elsewhere { Probe::Nothing } else { probe };
    Instance { step, target, platform, node, outputs, probe, ..Instance::new(id, RECEIVED, actions) }
}

fn yields(instance: &Instance, known: &Made) -> Vec<Action> {
    let outputs = instance.outputs.iter();
    let late = outputs.filter_map(|output| match output.value {
        Value::Late(grammar) => {
            let value = known.values.get(&output.name)?.clone();
            Some(Action::Yield(Yield { output: output.name.clone(), grammar, value }))
        }
        Value::Known(_) => None,
    });
    late.collect()
}

/// The image in the store is the one that was made.
fn looked_up(instance: &Instance, id: String) -> Vec<Action> {
    let reads = instance.actions.iter().find(|action| matches!(action, Action::ImageId(_)));
    let Some(read) = reads else { return Vec::new() };
    let value = Text::late(instance.id.as_str(), "id", Grammar::Digest);
    let check = Check { what: "the image that came".into(), value, expect: Expect::Text(id.into()) };
    vec![read.clone(), Action::Check(check)]
}
