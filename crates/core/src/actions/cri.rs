//! What a client of a CRI runtime can be asked for; the core itself speaks no gRPC.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::event::Failure;

/// What a CRI runtime says of an image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CriImage {
    /// The image id: `sha256:…`, or the bare digits (CRI-O).
    pub id: String,
    /// References by tag.
    pub repo_tags: Vec<String>,
    /// Bytes, as the runtime counts them.
    pub size: u64,
    /// Kept from the kubelet's garbage collection.
    pub pinned: bool,
    /// The verbose information, as JSON, by key.
    pub info: BTreeMap<String, String>,
}

/// A pod of one container, with the node's PID and IPC defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSpec {
    /// The name of the pod and of its container.
    pub name: String,
    /// Another one for each pod that ever was.
    pub uid: String,
    /// What it is found by.
    pub label: (String, String),
    /// The folder on the node for its log.
    pub log_directory: String,
    /// The log's name there.
    pub log_path: String,
    /// The cgroup above its own; the runtime's choice where empty.
    pub cgroup_parent: String,
    /// It has the node's network.
    pub host_network: bool,
    /// The image's reference.
    pub image: String,
    /// In place of the image's entrypoint and arguments, unless empty.
    pub command: Vec<String>,
    /// More variables.
    pub env: BTreeMap<String, String>,
}

impl PodSpec {
    /// The namespace of all pods of ours.
    pub const NAMESPACE: &'static str = "pipeline";
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// It has not ended: created, running, or not known.
    Alive,
    /// It has ended.
    Exited {
        /// The exit code.
        code: i32,
        /// The runtime's words about it; may be empty.
        reason: String,
    },
    /// There is no such container.
    Gone,
}

/// Pods on a node.
pub trait Pods {
    /// Starts the pod, without its container; its id.
    fn run(&self, pod: &PodSpec) -> Result<String, Failure>;
    /// Creates and starts its container; the container's id.
    fn start(&self, id: &str, pod: &PodSpec) -> Result<String, Failure>;
    /// What a container does.
    fn state(&self, container: &str) -> Result<ContainerState, Failure>;
    /// The address in the pod's own network.
    fn address(&self, id: &str) -> Result<String, Failure>;
    /// Ends and removes all pods with the label, at once; how many there were.
    fn remove(&self, label: &(String, String)) -> Result<usize, Failure>;
}

/// A client of the CRI socket. `limit` bounds each call; an error says what and what to do.
pub trait Cri: Sync {
    /// The image of that reference, `None` when the runtime has none.
    fn image(&self, socket: &Path, reference: &str, limit: Duration) -> Result<Option<CriImage>, String>;
    /// How many images there are.
    fn count(&self, socket: &Path, limit: Duration) -> Result<usize, String>;
    /// The runtime's pods.
    fn pods(&self, socket: &Path, limit: Duration) -> Result<Box<dyn Pods>, Failure>;
}
