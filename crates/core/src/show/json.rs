//! The plan for programs, and read again.

use std::collections::BTreeMap;

use petgraph::graph::DiGraph;
use petgraph::visit::EdgeRef;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shown_line;
use crate::lock::Lock;
use crate::plan::{Action, Builder, Edge, Instance, InstanceId, Node, Plan};

/// The version of this form.
const VERSION: u32 = 1;

/// The plan as JSON: `version`, `recipe`, `notes`, `lock`, `nodes`, `instances` in an order in which they can run, and `edges`.
///
/// Each instance has its `actions` as data, and under `commands` the exact command lines, late values as placeholders.
pub fn json(plan: &Plan) -> Value {
    serde_json::to_value(Document(plan)).unwrap_or_default()
}

/// The same, to be written piece by piece: the whole of a large plan as one value takes more memory than all the rest.
pub struct Document<'a>(pub &'a Plan);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", &VERSION)?;
        map.serialize_entry("recipe", &plan.recipe)?;
        map.serialize_entry("notes", &plan.notes)?;
        map.serialize_entry("lock", &plan.lock)?;
        map.serialize_entry("nodes", &plan.nodes)?;
        if !plan.builders.is_empty() {
            map.serialize_entry("builders", &plan.builders)?;
        }
        map.serialize_entry("instances", &Instances(plan))?;
        map.serialize_entry("edges", &Edges(plan))?;
        map.end()
    }
}

struct Instances<'a>(&'a Plan);

impl Serialize for Instances<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plan = self.0;
        serializer.collect_seq(plan.order().into_iter().map(|node| {
            let instance = &plan.graph[node];
            let commands = instance.actions.iter().flat_map(Action::commands);
            let commands = commands.map(|command| shown_line(&plan.command_line(command).0));
            One { instance, commands: commands.collect() }
        }))
    }
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    instance: &'a Instance,
    commands: Vec<String>,
}

struct Edges<'a>(&'a Plan);

impl Serialize for Edges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let graph = &self.0.graph;
        serializer.collect_seq(graph.edge_references().map(|edge| Link {
            from: &graph[edge.source()].id,
            to: &graph[edge.target()].id,
            because: edge.weight(),
        }))
    }
}

#[derive(Serialize)]
struct Link<'a> {
    from: &'a InstanceId,
    to: &'a InstanceId,
    because: &'a Edge,
}

/// A plan from its JSON form; `places` stay empty. The error says what is wrong with the text.
pub fn read(json: &[u8]) -> Result<Plan, String> {
    let Version { version } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if version != VERSION {
        return Err(format!("the plan has version {version}, and this program knows version {VERSION}"));
    }
    let Read { recipe, notes, lock, nodes, builders, instances, edges } =
        serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut graph = DiGraph::with_capacity(instances.len(), edges.len());
    let mut places = BTreeMap::new();
    for instance in instances {
        let id = instance.id.clone();
        if places.insert(id.clone(), graph.add_node(instance)).is_some() {
            return Err(format!("the plan has two instances `{id}`"));
        }
    }
    let place = |id: &InstanceId| {
        places.get(id).copied().ok_or_else(|| format!("the plan has an edge of `{id}`, and no such instance"))
    };
    for edge in edges {
        graph.add_edge(place(&edge.from)?, place(&edge.to)?, edge.because);
    }
    Ok(Plan { recipe, graph, nodes, builders, notes, lock, places: BTreeMap::new() })
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
struct Read {
    recipe: String,
    notes: Vec<String>,
    #[serde(default)]
    lock: Lock,
    nodes: BTreeMap<String, Node>,
    #[serde(default)]
    builders: BTreeMap<String, Builder>,
    instances: Vec<Instance>,
    edges: Vec<Edged>,
}

#[derive(Deserialize)]
struct Edged {
    from: InstanceId,
    to: InstanceId,
    because: Edge,
}
