//! Pods: what it takes to run one container and to leave nothing behind.

use std::collections::BTreeMap;

use crate::{
    client::Client,
    error::{Code, Error},
    wire::{ImageSpec, pods as wire},
};

const RUN_POD: &str = "/runtime.v1.RuntimeService/RunPodSandbox";
const STOP_POD: &str = "/runtime.v1.RuntimeService/StopPodSandbox";
const REMOVE_POD: &str = "/runtime.v1.RuntimeService/RemovePodSandbox";
const LIST_PODS: &str = "/runtime.v1.RuntimeService/ListPodSandbox";
const POD_STATUS: &str = "/runtime.v1.RuntimeService/PodSandboxStatus";
const CREATE: &str = "/runtime.v1.RuntimeService/CreateContainer";
const START: &str = "/runtime.v1.RuntimeService/StartContainer";
const STOP: &str = "/runtime.v1.RuntimeService/StopContainer";
const LIST: &str = "/runtime.v1.RuntimeService/ListContainers";
const STATUS: &str = "/runtime.v1.RuntimeService/ContainerStatus";

/// `NamespaceMode` of the interface.
const POD: i32 = 0;
const CONTAINER: i32 = 1;
const NODE: i32 = 2;

/// A pod of one container. What is not here is the runtime's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its name, and the container's.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// No two pods that exist at once may share name, namespace and this.
    pub uid: String,
    /// What it is found by.
    pub labels: BTreeMap<String, String>,
    /// The folder of the container's log; it must be there.
    pub log_directory: String,
    /// The log's name in it.
    pub log_path: String,
    /// The cgroup above its own; the runtime's choice where empty.
    pub cgroup_parent: String,
    /// It has the node's network; otherwise the runtime's CNI makes it one.
    pub host_network: bool,
    /// What the container is made of.
    pub image: String,
    /// In place of the image's entrypoint and arguments, unless empty.
    pub command: Vec<String>,
    /// More variables.
    pub env: BTreeMap<String, String>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Not started yet.
    Created,
    /// It runs.
    Running,
    /// It has ended.
    Exited {
        /// Its exit code; 128 and the signal's number where a signal ended it.
        code: i32,
        /// The runtime's word for it, such as `OOMKilled`.
        reason: String,
        /// More about it.
        message: String,
    },
    /// The runtime does not know.
    Unknown,
}

impl Pod {
    fn sandbox(&self) -> wire::PodSandboxConfig {
        wire::PodSandboxConfig {
            metadata: Some(wire::PodSandboxMetadata {
                name: self.name.clone(),
                uid: self.uid.clone(),
                namespace: self.namespace.clone(),
                attempt: 0,
            }),
            log_directory: self.log_directory.clone(),
            labels: self.labels.clone(),
            linux: Some(wire::LinuxPodSandboxConfig {
                cgroup_parent: self.cgroup_parent.clone(),
                security_context: Some(wire::LinuxSandboxSecurityContext {
                    namespace_options: Some(self.namespaces()),
                }),
            }),
        }
    }

    fn container(&self) -> wire::ContainerConfig {
        let pair =
            |(key, value): (&String, &String)| wire::KeyValue { key: key.clone(), value: value.clone() };
        wire::ContainerConfig {
            metadata: Some(wire::ContainerMetadata { name: self.name.clone(), attempt: 0 }),
            image: Some(ImageSpec { image: self.image.clone(), user_specified_image: self.image.clone() }),
            command: self.command.clone(),
            envs: self.env.iter().map(pair).collect(),
            log_path: self.log_path.clone(),
            linux: Some(wire::LinuxContainerConfig {
                security_context: Some(wire::LinuxContainerSecurityContext {
                    namespace_options: Some(self.namespaces()),
                }),
            }),
        }
    }

    /// Pod and container must agree on them: CRI-O refuses a container of another PID namespace than its pod says.
    fn namespaces(&self) -> wire::NamespaceOption {
        let network = if self.host_network { NODE } else { POD };
        wire::NamespaceOption { network, pid: CONTAINER, ipc: POD }
    }
}

impl Client {
    /// Starts the pod, without its container; its id.
    ///
    /// # Errors
    ///
    /// Any of [`Error`].
    pub fn run_pod(&mut self, pod: &Pod) -> Result<String, Error> {
        let question = wire::RunPodSandboxRequest { config: Some(pod.sandbox()) };
        self.call::<_, wire::Id>(RUN_POD, &question).map(|answer| answer.id)
    }

    /// Creates and starts its container; the container's id.
    ///
    /// # Errors
    ///
    /// Any of [`Error`].
    pub fn start_container(&mut self, id: &str, pod: &Pod) -> Result<String, Error> {
        let question = wire::CreateContainerRequest {
            pod_sandbox_id: id.to_owned(),
            config: Some(pod.container()),
            sandbox_config: Some(pod.sandbox()),
        };
        let container = self.call::<_, wire::Id>(CREATE, &question)?.id;
        self.call::<_, wire::Empty>(START, &wire::Id { id: container.clone() })?;
        Ok(container)
    }

    /// What a container does; `None` where there is none of that id.
    ///
    /// # Errors
    ///
    /// Any of [`Error`].
    pub fn container_state(&mut self, id: &str) -> Result<Option<ContainerState>, Error> {
        let answer: wire::ContainerStatusResponse = match self.call(STATUS, &wire::Id { id: id.to_owned() }) {
            Err(Error::Status { code: Code::NOT_FOUND, .. }) => return Ok(None),
            answer => answer?,
        };
        Ok(answer.status.map(|status| match status.state {
            0 => ContainerState::Created,
            1 => ContainerState::Running,
            2 => ContainerState::Exited {
                code: status.exit_code,
                reason: status.reason,
                message: status.message,
            },
            _ => ContainerState::Unknown,
        }))
    }

    /// The address in the pod's own network; empty where it has the node's.
    ///
    /// # Errors
    ///
    /// Any of [`Error`].
    pub fn pod_address(&mut self, id: &str) -> Result<String, Error> {
        let answer: wire::PodSandboxStatusResponse =
            self.call(POD_STATUS, &wire::Id { id: id.to_owned() })?;
        Ok(answer.status.and_then(|status| status.network).map(|network| network.ip).unwrap_or_default())
    }

    /// Ends and removes all pods with the label, at once; their ids.
    ///
    /// # Errors
    ///
    /// Any of [`Error`]; a pod that is gone meanwhile is none.
    pub fn remove_pods(&mut self, label: &str, value: &str) -> Result<Vec<String>, Error> {
        let labels = BTreeMap::from([(label.to_owned(), value.to_owned())]);
        let filter = wire::PodSandboxFilter { label_selector: labels };
        let question = wire::ListPodSandboxRequest { filter: Some(filter) };
        let pods: wire::Ids = self.call(LIST_PODS, &question)?;
        let mut removed = Vec::new();
        for wire::Id { id: pod } in pods.items {
            let filter = wire::ContainerFilter { pod_sandbox_id: pod.clone() };
            let containers: wire::Ids =
                self.call(LIST, &wire::ListContainersRequest { filter: Some(filter) })?;
            for container in containers.items {
                // Stopping the pod would grant it the runtime's grace of ten seconds and more.
                self.gone(STOP, &wire::StopContainerRequest { container_id: container.id, timeout: 0 })?;
            }
            self.gone(STOP_POD, &wire::Id { id: pod.clone() })?;
            self.gone(REMOVE_POD, &wire::Id { id: pod.clone() })?;
            removed.push(pod);
        }
        Ok(removed)
    }

    /// A call that wants something not to be there any more.
    fn gone<Q: prost::Message>(&mut self, path: &'static str, question: &Q) -> Result<(), Error> {
        match self.call::<_, wire::Empty>(path, question) {
            Ok(wire::Empty {}) | Err(Error::Status { code: Code::NOT_FOUND, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
