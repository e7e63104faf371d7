//! The CRI client that the core is handed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pipeline_core::actions::{ContainerState, Cri, CriImage, PodSpec, Pods};
use pipeline_core::event::{Failure, FailureKind};
use pipeline_cri::{Client, Error, Pod};

/// Asks through `pipeline-cri`.
pub(crate) struct Socket;

impl Cri for Socket {
    fn image(&self, socket: &Path, reference: &str, limit: Duration) -> Result<Option<CriImage>, String> {
        let mut client = Client::connect(socket, limit).map_err(say)?;
        let status = client.image_status(reference).map_err(say)?;
        Ok(status.map(|status| CriImage {
            id: status.image.id,
            repo_tags: status.image.repo_tags,
            size: status.image.size,
            pinned: status.image.pinned,
            info: status.info,
        }))
    }

    fn count(&self, socket: &Path, limit: Duration) -> Result<usize, String> {
        let mut client = Client::connect(socket, limit).map_err(say)?;
        client.list_images().map(|images| images.len()).map_err(say)
    }

    fn pods(&self, socket: &Path, limit: Duration) -> Result<Box<dyn Pods>, Failure> {
        let client = Client::connect(socket, limit).map_err(failure)?;
        Ok(Box::new(SocketPods(RefCell::new(client))))
    }
}

struct SocketPods(RefCell<Client>);

impl Pods for SocketPods {
    fn run(&self, pod: &PodSpec) -> Result<String, Failure> {
        self.0.borrow_mut().run_pod(&message(pod)).map_err(failure)
    }

    fn start(&self, id: &str, pod: &PodSpec) -> Result<String, Failure> {
        self.0.borrow_mut().start_container(id, &message(pod)).map_err(failure)
    }

    fn state(&self, container: &str) -> Result<ContainerState, Failure> {
        let state = self.0.borrow_mut().container_state(container).map_err(failure)?;
        Ok(match state {
            None => ContainerState::Gone,
            Some(pipeline_cri::ContainerState::Exited { code, reason, message }) => {
                let words = [reason, message].into_iter().filter(|text| !text.is_empty());
                ContainerState::Exited { code, reason: words.collect::<Vec<_>>().join(": ") }
            }
            Some(_) => ContainerState::Alive,
        })
    }

    fn address(&self, id: &str) -> Result<String, Failure> {
        self.0.borrow_mut().pod_address(id).map_err(failure)
    }

    fn remove(&self, (key, value): &(String, String)) -> Result<usize, Failure> {
        self.0.borrow_mut().remove_pods(key, value).map(|pods| pods.len()).map_err(failure)
    }
}

fn message(pod: &PodSpec) -> Pod {
    Pod {
        name: pod.name.clone(),
        namespace: PodSpec::NAMESPACE.into(),
        uid: pod.uid.clone(),
        labels: BTreeMap::from([pod.label.clone()]),
        log_directory: pod.log_directory.clone(),
        log_path: pod.log_path.clone(),
        cgroup_parent: pod.cgroup_parent.clone(),
        host_network: pod.host_network,
        image: pod.image.clone(),
        command: pod.command.clone(),
        env: pod.env.clone(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
fn say(error: Error) -> String {
    format!("{error}; {}", error.help())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
fn failure(error: Error) -> Failure {
    let kind = match &error {
        Error::Unreachable { .. } => FailureKind::Unreachable,
        Error::Timeout { .. } => FailureKind::Timeout,
        _ => FailureKind::Tool,
    };
    Failure::new(kind, error.to_string()).help(error.help())
}
