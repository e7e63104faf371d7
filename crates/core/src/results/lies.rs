//! Where on this machine lies what an instance left.

use crate::plan::{Artifact, Edge, Engine, Instance, NodeIndex, Plan, Probe, Text, Value};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lies {
    /// Not on this machine: on a node, in a registry, or in its values alone.
    Elsewhere,
    /// It is a state of this machine, such as an emulator: another has its own.
    Machine,
    /// In files and folders.
    Here(Vec<Text>),
    /// In a build engine's store.
    Store {
        /// Whose.
        engine: Engine,
        /// The user's own, where the engine has another for recipes.
        users: bool,
        /// What the engine calls the image.
        handle: Text,
        /// The name that it has there, where others use that.
        name: Option<Text>,
    },
}

impl Lies {
    /// Of an instance of a whole plan.
    pub fn of(plan: &Plan, node: NodeIndex) -> Self {
        let instance = &plan.graph[node];
        let gives = |wanted: &[Artifact]| {
            let gives = |edge: &Edge| matches!(edge, Edge::Artifact(artifact) if wanted.contains(artifact));
            plan.graph.edges(node).any(|edge| gives(edge.weight()))
        };
        let is_stored = || matches!(instance.probe, Probe::Image { .. }) || gives(&[Artifact::Image]);
        match &instance.probe {
            Probe::Emulation(_) => Self::Machine,
            Probe::Paths(paths) => Self::Here(paths.clone()),
            _ if instance.node.is_some() => Self::Elsewhere,
            _ if is_stored() => stored(instance).unwrap_or(Self::Elsewhere),
            _ if gives(&[Artifact::Archive, Artifact::Index]) => {
                known(instance, "path").map_or(Self::Elsewhere, |path| Self::Here(vec![path]))
            }
            _ => Self::Elsewhere,
        }
    }
}

fn stored(instance: &Instance) -> Option<Lies> {
    let engine = known(instance, "engine")?;
    let engine = Engine::ALL.into_iter().find(|own| engine.as_literal() == Some(own.name()))?;
    let handle = match output(instance, "handle")? {
        Value::Known(text) => text.clone(),
        Value::Late(grammar) => Text::late(instance.id.as_str(), "handle", *grammar),
    };
    let users = known(instance, "store").is_some();
    Some(Lies::Store { engine, users, handle, name: known(instance, "ref") })
}

fn output<'i>(instance: &'i Instance, name: &str) -> Option<&'i Value> {
    instance.outputs.iter().find(|output| output.name == name).map(|output| &output.value)
}

fn known(instance: &Instance, name: &str) -> Option<Text> {
    match output(instance, name)? {
        Value::Known(text) => Some(text.clone()),
        Value::Late(_) => None,
    }
}
