//! What to do where a node cannot take an image: its tools say what is wrong, and leave that open.

use crate::event::{Failure, FailureKind};
use crate::exec;
use crate::plan::{Node, Runtime};

/// By which a script tells that the node has none of the tools that it needs.
const UNAVAILABLE: i32 = 69;

/// The failure with the node's remedy, where there is one.
pub(super) fn explained(failure: Failure, node: &Node) -> Failure {
    let name = &node.name;
    let failure = match failure.kind {
        FailureKind::Exit { code: UNAVAILABLE } => Failure { kind: FailureKind::Tool, ..failure },
        _ => failure,
    };
    let said = failure.message.as_str();
    let help = match failure.kind {
        FailureKind::Tool if failure.help.is_none() => {
            let tool = match node.runtime {
                Runtime::CriO | Runtime::Podman => "skopeo",
                Runtime::Docker => "docker",
                Runtime::Containerd => "ctr",
            };
            exec::tools::install_help(tool, Some(name))
        }
        FailureKind::NoSpace => format!(
            "make room on node `{name}`, in `{}` and {}: `{}` removes images that nothing uses",
            node.dir,
            store(node),
            match node.runtime {
                Runtime::CriO | Runtime::Containerd => "crictl rmi --prune",
                Runtime::Docker => "docker image prune --all",
                Runtime::Podman => "podman image prune --all",
            }
        ),
        _ if failure.help.is_some() => return failure,
        FailureKind::Mismatch => {
            "run again: what is wrong is not there any more, and is sent anew".to_owned()
        }
        FailureKind::Exit { .. } if said.contains("policy.json") => format!(
            "node `{name}` needs /etc/containers/policy.json: \
             {{\"default\": [{{\"type\": \"insecureAcceptAnything\"}}]}} accepts every image"
        ),
        FailureKind::Exit { .. } if said.contains("belongs to") => {
            format!("let `dir` of node `{name}` name a folder of the user who logs in there, or of root")
        }
        FailureKind::Exit { .. } => match exec::remedy(said) {
            Some(remedy) => {
                let denied = said.to_ascii_lowercase().contains("permission denied") && !node.sudo;
                let root = if denied { "; `sudo` would be root there" } else { "" };
                format!("on node `{name}`, {remedy}: `{}`, {}{root}", node.dir, store(node))
            }
            None => {
                format!("node `{name}` keeps images in {}: does its runtime, and does it run?", store(node))
            }
        },
        _ => return failure,
    };
    Failure { help: Some(help), ..failure }
}

fn store(node: &Node) -> String {
    match &node.storage {
        Some(storage) => format!("its store `{}`", storage.root),
        None => "its store".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_by_the_runtime_s_own_tool() {
        for (runtime, tool) in [
            (Runtime::CriO, "crictl rmi"),
            (Runtime::Containerd, "crictl rmi"),
            (Runtime::Docker, "docker image prune"),
            (Runtime::Podman, "podman image prune"),
        ] {
            let node = Node { runtime, ..Node::new("n") };
            let help = explained(Failure::new(FailureKind::NoSpace, "full"), &node).help.unwrap();
            assert!(help.contains(tool), "{help}");
        }
    }

    #[test]
    fn a_store_that_is_closed_to_the_user_is_open_to_root() {
        let denied = || Failure::new(FailureKind::Exit { code: 1 }, "mkdir /store: permission denied");
        let help = |sudo| explained(denied(), &Node { sudo, ..Node::new("n") }).help.unwrap();
        assert!(help(false).contains("writable") && help(false).contains("`sudo`"), "{}", help(false));
        assert!(!help(true).contains("`sudo`"), "{}", help(true));
    }
}
