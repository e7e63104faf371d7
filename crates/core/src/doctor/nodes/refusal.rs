//! Why a session with a node failed, in ssh's words and in ours.

use std::time::Duration;

use super::super::{Area, Finding, one_line, shell};
use super::{by_hand, ssh_words};
use crate::exec::{Cause, cause, offending};
use crate::plan::Node;

/// ssh's own exit code.
pub(super) const SSH_FAILED: i32 = 255;

/// A session that ended without its answers.
pub(super) fn finding(node: &Node, code: Option<i32>, stderr: &[String]) -> Finding {
    let area = Area::Node(node.name.clone());
    let last = stderr.last().map(|line| one_line(line)).unwrap_or_default();
    let ended = code.map_or_else(|| "ended by a signal".to_owned(), |code| format!("exit code {code}"));
    let Some(ssh) = &node.ssh else {
        return Finding::missing(
            &area,
            "connection",
            format!("its questions were not answered ({ended}): {last}"),
        );
    };
    if code != Some(SSH_FAILED) {
        let detail = format!("ssh connects, but commands do not run there ({ended}): {last}");
        return Finding::missing(&area, "connection", detail)
            .remedy(by_hand(node, "setsid -w true && echo fine"));
    }
    let known =
        offending(stderr).map(|place| format!("; the known one stands in {place}")).unwrap_or_default();
    let said = if last.is_empty() { String::new() } else { format!(" (ssh says: {last}{known})") };
    let host = ssh.destination.rsplit_once('@').map_or(ssh.destination.as_str(), |(_, host)| host);
    let pinned = ssh.host_key.is_some();
    let port = ssh.port.map(|port| port.to_string());
    let scan = {
        let port = port.as_ref().map(|port| ["-p", port.as_str()]);
        shell(["ssh-keyscan"].into_iter().chain(port.into_iter().flatten()).chain([host]))
    };
    let (why, remedy) = match cause(stderr) {
        Cause::KeyChanged | Cause::KeyUnknown if pinned => (
            "shows another host key than the recipe's `host-key`; if the node was set up anew, compare and replace that",
            scan,
        ),
        Cause::KeyChanged => {
            let known = port.map_or(host.to_owned(), |port| format!("[{host}]:{port}"));
            (
                "shows another host key than before; if the node was set up anew, forget the old key and look at the new one",
                format!("{} && {}", forget(&known, stderr), by_hand_true(node)),
            )
        }
        Cause::KeyUnknown => (
            "has a host key that is not known here; compare it and accept it once, or put it into the recipe as `host-key`",
            by_hand_true(node),
        ),
        Cause::Denied => ("does not accept our key; ssh must log in without a password", copy_id(node)),
        Cause::Refused => ("refuses the connection; does sshd run there, on this port?", by_hand_true(node)),
        Cause::Name => (
            "has a host name that is not found; look at `host`, DNS and the ssh configuration",
            by_hand_true(node),
        ),
        Cause::Silent => {
            ("does not answer; is it up, and does a firewall let us through?", by_hand_true(node))
        }
        Cause::Route => ("cannot be reached from this network", by_hand_true(node)),
        Cause::Other => ("cannot be reached", by_hand_true(node)),
    };
    Finding::missing(&area, "connection", format!("{} {why}{said}", ssh.destination)).remedy(remedy)
}

/// A session that was not done in time.
pub(super) fn too_late(node: &Node, within: Duration, stderr: &[String]) -> Finding {
    let said = stderr.last().map(|line| format!(" (last words: {})", one_line(line))).unwrap_or_default();
    let place = node.ssh.as_ref().map_or("this machine", |ssh| &ssh.destination);
    let detail = format!("{place} did not answer within {} s{said}", within.as_secs());
    Finding::missing(&Area::Node(node.name.clone()), "connection", detail).remedy(by_hand_true(node))
}

fn by_hand_true(node: &Node) -> String {
    by_hand(&Node { sudo: false, ..node.clone() }, "true")
}

/// Takes a host's key out of the file where ssh found it, which need not be the user's own.
fn forget(known: &str, stderr: &[String]) -> String {
    let place = offending(stderr);
    let file = place.as_deref().and_then(|place| place.rsplit_once(", line ")).map(|(file, _)| ["-f", file]);
    shell(["ssh-keygen"].into_iter().chain(file.into_iter().flatten()).chain(["-R", known]))
}

fn copy_id(node: &Node) -> String {
    let mut words = ssh_words(node);
    "ssh-copy-id".clone_into(&mut words[0]);
    shell(words)
}
