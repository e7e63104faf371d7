//! The ways to a node's runtime: crictl there, else its socket, here or forwarded.

use std::path::Path;

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::{Command, Node, Runtime, Ssh, Text, WATCHDOG};

/// The node of that name.
pub(super) fn node<'c>(name: &str, cx: &'c ActionCx<'_>) -> Result<&'c Node, Failure> {
    let no_node = || Failure::new(FailureKind::Internal, format!("the plan has no node `{name}`"));
    cx.nodes().get(name).ok_or_else(no_node)
}

/// Goes the one way or the other.
pub(super) fn reach<T>(
    node: &Node,
    endpoint: Option<&str>,
    cx: &ActionCx<'_>,
    by_crictl: &dyn Fn() -> Result<T, Failure>,
    by_socket: &dyn Fn(&Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let name = &node.name;
    if cx.run_any(&Command::new(["sh", "-c", "command -v crictl"]).on_node(name))?.code == 0 {
        return by_crictl();
    }
    let Some(socket) = endpoint.and_then(|endpoint| endpoint.strip_prefix("unix://")) else {
        let usual = match node.runtime {
            Runtime::Containerd => "unix:///run/containerd/containerd.sock",
            _ => "unix:///run/crio/crio.sock",
        };
        let help = format!(
            "install crictl there, or name the node's socket: `cri = \"{usual}\"`, with `ship` as `--cri {usual}`"
        );
        return Err(Failure::new(FailureKind::Tool, format!("node `{name}` has no crictl")).help(help));
    };
    cx.say(format!("node `{name}` has no crictl: asking {socket}"));
    match &node.ssh {
        None => by_socket(Path::new(socket)),
        Some(ssh) => forwarded(ssh, socket, cx, by_socket),
    }
}

/// Asks while ssh forwards something of the node's, a socket or `HOST:PORT`, to a local socket that only we can open.
pub(super) fn forwarded<T>(
    ssh: &Ssh,
    remote: &str,
    cx: &ActionCx<'_>,
    ask: &dyn Fn(&Path) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let folder = tempfile::Builder::new()
        .prefix("pipeline-")
        .tempdir()
        .map_err(|error| Failure::new(FailureKind::Io, format!("no room for a forwarded socket: {error}")))?;
    let local = folder.path().join("node.sock");
    let forward = format!("{}:{remote}", local.display());
    // The remote command tells that the connection stands, and holds it until its stdin ends. Where nobody listens yet
    // on the node, ssh would complain at each attempt.
    let options = ["-o", "ClearAllForwardings=no", "-o", "ExitOnForwardFailure=yes", "-o", "LogLevel=ERROR"];
    let hold = ["sh", "-c", WATCHDOG, "sh", "sh", "-c", "echo ready; exec sleep 999999999"];
    let hold = shlex::try_join(hold).unwrap_or_default();
    let argv: Vec<Text> =
        ssh.ssh(&[&options[..], &["-L", &forward]].concat()).into_iter().chain([hold.into()]).collect();
    cx.beside(&argv, "ready", &|| ask(&local))
}
