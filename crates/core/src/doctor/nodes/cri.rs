//! The way to a node's CRI runtime.

use super::super::{Area, Finding};
use super::by_hand;
use super::script::Facts;
use crate::exec::tools::tool_named;
use crate::plan::{Node, Runtime};

/// Where runtimes listen when nobody says otherwise.
const SOCKETS: [&str; 2] = ["/run/crio/crio.sock", "/run/containerd/containerd.sock"];

/// The CRI sockets to look for: the recipe's, or else the usual ones.
pub(super) fn sockets(node: &Node) -> Vec<&str> {
    match &node.cri {
        Some(cri) => vec![cri.strip_prefix("unix://").unwrap_or(cri)],
        None => SOCKETS.to_vec(),
    }
}

/// crictl, or the socket itself. crictl asks as the user that commands run as, ssh forwards as the one that logs in.
pub(super) fn cri(node: &Node, facts: &Facts, area: &Area) -> Option<Finding> {
    let crictl = facts.get("tool", "crictl")?;
    let there = |kind: &'static str| facts.all(kind).find(|(_, answer)| *answer != "no");
    let finding = match (&node.cri, crictl, there("cri"), there("socket")) {
        (Some(_), _, None, None) => {
            let detail = format!("there is no socket at {}: is the runtime up?", sockets(node).join(", "));
            Finding::missing(area, "CRI", detail).remedy(by_hand(node, start(node.runtime)))
        }
        (_, crictl, cri, _) if !crictl.is_empty() => {
            let at = cri.map(|(socket, _)| format!(", and a socket at {socket}")).unwrap_or_default();
            Finding::ok(area, "CRI", format!("{crictl}{at}"))
        }
        (Some(_), _, _, Some((socket, "yes"))) => {
            Finding::ok(area, "CRI", format!("no crictl, but {socket}, which will do"))
        }
        (Some(_), ..) => {
            let detail = format!("there is no crictl, and {} is closed to us", sockets(node).join(", "));
            install(Finding::missing(area, "CRI", detail), node)
        }
        (None, _, Some((socket, _)), _) | (None, _, _, Some((socket, _))) => {
            let detail = format!("there is no crictl, and the recipe does not name the socket {socket}");
            Finding::missing(area, "CRI", detail)
                .remedy(format!("cri = \"unix://{socket}\" in [nodes.{}]", node.name))
        }
        (None, ..) => install(Finding::missing(area, "CRI", "there is neither crictl nor a socket"), node),
    };
    Some(finding)
}

fn install(finding: Finding, node: &Node) -> Finding {
    finding.maybe(tool_named("crictl").map(|tool| by_hand(node, tool.install)))
}

pub(super) fn start(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::CriO => "systemctl start crio",
        Runtime::Containerd => "systemctl start containerd",
        Runtime::Docker => "systemctl start docker",
        Runtime::Podman => "systemctl start podman.socket",
    }
}
