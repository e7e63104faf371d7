//! The plan: a graph of instances, each lowered to actions. Data; nothing here runs anything.

mod action;
mod bases;
mod build;
mod builder;
mod checkout;
mod cri;
mod index;
mod instance;
mod limits;
mod node;
mod parts;
mod received;
mod text;

use std::collections::BTreeMap;
use std::fmt;

use petgraph::graph::DiGraph;
pub use petgraph::graph::NodeIndex;
use serde::{Deserialize, Serialize};

use crate::lock::Lock;

pub use action::{
    Action, ArchiveDigest, AuditImage, Capture, Check, CheckProvenance, Command, CopyFile, DigestOf, Engine,
    EnsureBinfmt, Expect, FromRules, ImageId, Place, Register, RewriteFrom, Rollback, SealArchive, ShipFrom,
    ShipMissing, Shipment, WriteFile,
};
pub use bases::PinBases;
pub use build::{CheckFrontend, HandSecrets, SecretFrom};
pub use builder::{Builder, MoveImage, NativeBy, Way};
pub use checkout::{Checkout, Signature, Signed};
pub use cri::{CriExpect, CriPod, CriReport, CriRun, CriVerify, HttpExpect};
pub use index::{CheckIndex, IndexImage, JoinIndex};
pub use instance::{
    Artifact, Basis, Instance, InstanceId, Output, Pool, Presence, Probe, RECEIVED, Store, Value,
};
pub use limits::{Cause, MAX_LOG, Retry, Share};
pub use node::{HostKeys, Node, Runtime, Ssh, Storage};
pub(crate) use node::{WATCHDOG, own_folder};
pub use received::{Receive, Yield};
pub use text::{Grammar, Late, LateError, Part, Text, lates};

/// Everything that a run will do, as a pure function of the recipe, the selection and the variables.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The recipe's name.
    pub recipe: String,
    /// Instances; an edge goes from what comes first to what waits for it.
    pub graph: DiGraph<Instance, Edge>,
    /// The nodes that the instances use, by name.
    pub nodes: BTreeMap<String, Node>,
    /// The machines that build images for the instances, by platform.
    pub builders: BTreeMap<String, Builder>,
    /// What the plan has to say about itself, such as why it chose an engine.
    pub notes: Vec<String>,
    /// What the names in it stand for, as far as that was written down.
    pub lock: Lock,
    /// Where the recipe has its steps, by their ids, and names that the lock explains: `FILE:LINE:COLUMN`.
    pub places: BTreeMap<String, String>,
}

/// Why one instance waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// It consumes the other's artifact.
    Artifact(Artifact),
    /// It uses `${steps.<id>.<output>}`.
    Output(String),
    /// `needs = […]`.
    Needs,
    /// The other is a check of the image that it would put on a node or into a registry.
    Gate,
}

impl Edge {
    /// More than a value goes over it: what the producer left is read.
    pub fn uses_what_is_left(&self, producer: &Instance) -> bool {
        match self {
            Self::Artifact(_) => true,
            // Of a path, what is there counts; any other value counts for itself.
            Self::Output(name) => producer
                .outputs
                .iter()
                .any(|output| output.name == *name && matches!(output.value, Value::Known(_))),
            Self::Needs | Self::Gate => false,
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact(artifact) => write!(f, "consumes its {artifact}"),
            Self::Output(name) => write!(f, "uses its `{name}`"),
            Self::Needs => f.write_str("needs it"),
            Self::Gate => f.write_str("waits for this check"),
        }
    }
}

impl Plan {
    /// The instances in an order in which they can run: dependencies first, otherwise as the recipe lists them.
    pub fn order(&self) -> Vec<NodeIndex> {
        // Kahn's algorithm with the lowest index first, so that plans read like their recipes.
        let mut waiting: Vec<usize> = self
            .graph
            .node_indices()
            .map(|n| self.graph.neighbors_directed(n, petgraph::Direction::Incoming).count())
            .collect();
        let mut ready: std::collections::BinaryHeap<std::cmp::Reverse<NodeIndex>> =
            self.graph.node_indices().filter(|n| waiting[n.index()] == 0).map(std::cmp::Reverse).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(std::cmp::Reverse(node)) = ready.pop() {
            order.push(node);
            for next in self.graph.neighbors(node) {
                waiting[next.index()] -= 1;
                if waiting[next.index()] == 0 {
                    ready.push(std::cmp::Reverse(next));
                }
            }
        }
        order
    }

    /// Images of the platform are built by its builder or not at all: nothing is emulated here instead.
    pub fn is_certain(&self, builder: &str) -> bool {
        self.builders.get(builder).is_some_and(|builder| !builder.fallback)
    }

    /// The instance of that id.
    pub fn find(&self, id: &str) -> Option<&Instance> {
        self.graph.node_weights().find(|instance| instance.id.as_str() == id)
    }

    /// The command line on this machine of a command: ssh around it when it runs on a remote node.
    ///
    /// The flag tells that stdin must be held open while it runs.
    pub fn command_line(&self, command: &Command) -> (Vec<Text>, bool) {
        match &command.place {
            Place::Here | Place::Builder(_) => (command.argv.clone(), false),
            Place::Node(name) => match self.nodes.get(name) {
                Some(node) => (node.wrap(&command.argv), node.ssh.is_some()),
                None => (command.argv.clone(), false),
            },
        }
    }
}
