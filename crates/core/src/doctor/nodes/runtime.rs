//! What runs containers on a node that nobody has described.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::super::{Area, Finding};
use super::refusal;
use crate::exec::{NoAnswer, Question, ask};
use crate::plan::{Node, Runtime, Text};

/// As long as a person waits.
const WITHIN: Duration = Duration::from_secs(30);

/// The runtime's name in recipes and its CRI socket. A dockerd has a containerd of its own, so that one counts where the
/// kubelet is.
const LOOK: &str = "first() { for f; do if [ -S \"$f\" ]; then echo \"$f\"; return; fi; done; return 1; }\n\
    crio() { first /run/crio/crio.sock /var/run/crio/crio.sock; }\n\
    ctrd() { first /run/k3s/containerd/containerd.sock /run/containerd/containerd.sock; }\n\
    kube() { [ -d /etc/kubernetes ] || command -v kubelet || command -v k3s; }\n\
    if s=$(crio); then echo \"cri-o unix://$s\"\n\
    elif kube >/dev/null && s=$(ctrd); then echo \"containerd unix://$s\"\n\
    elif [ -n \"${DOCKER_HOST-}\" ] || [ -S /var/run/docker.sock ]; then echo docker\n\
    elif s=$(ctrd); then echo \"containerd unix://$s\"\n\
    elif command -v podman >/dev/null; then echo podman\n\
    fi";

/// See [`find_runtime`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeThere {
    /// Which.
    pub runtime: Runtime,
    /// Its CRI endpoint, `unix://…`.
    pub cri: Option<String>,
}

/// Asks a node what runs containers there: by its sockets and tools. Only how the node is reached counts of `node`.
pub fn find_runtime(
    node: &Node,
    here: &Path,
    env: &BTreeMap<OsString, OsString>,
) -> Result<RuntimeThere, Finding> {
    let failed = |why: String| Finding::missing(&Area::Node(node.name.clone()), "runtime", why);
    let plain = Node { sudo: false, ..node.clone() };
    let argv = plain.wrap(&["sh", "-c", LOOK].map(Text::from));
    let argv: Result<Vec<OsString>, _> = argv.iter().map(|arg| arg.resolve(here, &|_| None)).collect();
    let argv = argv.map_err(|error| failed(error.to_string()))?;
    let hold_stdin = node.ssh.is_some();
    let answer = match ask(&Question { argv: &argv, dir: here, env, hold_stdin, within: WITHIN }) {
        Ok(answer) if answer.status.success() => answer,
        Ok(answer) => return Err(refusal::finding(node, answer.status.code(), &answer.stderr)),
        Err(NoAnswer::TooLate(stderr)) => return Err(refusal::too_late(node, WITHIN, &stderr)),
        Err(NoAnswer::Io(error)) => return Err(failed(format!("could not be asked for: {error}"))),
        Err(NoAnswer::NotFound) => {
            return Err(failed("cannot be asked for: ssh is not installed here".into()));
        }
    };
    // A login shell may have something to say before.
    let said = answer.stdout.trim().lines().last().unwrap_or_default();
    let (name, socket) = said.split_once(' ').unwrap_or((said, ""));
    let runtime = match name {
        "cri-o" => Runtime::CriO,
        "containerd" => Runtime::Containerd,
        "docker" => Runtime::Docker,
        "podman" => Runtime::Podman,
        _ => {
            return Err(failed(
                "is none that is known: no socket of CRI-O, containerd or docker, and no podman".into(),
            )
            .remedy("say which it is: `cri-o://HOST`"));
        }
    };
    Ok(RuntimeThere { runtime, cri: Some(socket.to_owned()).filter(|socket| !socket.is_empty()) })
}
