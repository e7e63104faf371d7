//! Why a session with a node failed, in ssh's words and in ours.

use std::process::ExitStatus;
use std::time::Duration;

use super::super::{Area, Finding, one_line, shell};
use super::{by_hand, ssh_words};
use crate::plan::Node;

/// ssh's own exit code.
const SSH_FAILED: i32 = 255;

/// What ssh's last line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    KeyChanged,
    KeyUnknown,
    Denied,
    Refused,
    Name,
    Silent,
    Route,
    Other,
}

/// By what OpenSSH prints. A banner of the node comes before it, and may say anything: only the last line counts, but for
/// the changed key, whose warning stands above.
fn cause(stderr: &[String]) -> Cause {
    let last = stderr.last().map_or("", String::as_str);
    let has = |text: &str| last.contains(text);
    if has("Host key verification failed") {
        let changed = stderr.iter().any(|line| line.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"));
        return if changed { Cause::KeyChanged } else { Cause::KeyUnknown };
    }
    if has("Permission denied") || has("Too many authentication failures") {
        Cause::Denied
    } else if has("Connection refused") {
        Cause::Refused
    } else if has("Could not resolve hostname") {
        Cause::Name
    } else if has("timed out") || has("Timeout, server") {
        Cause::Silent
    } else if has("No route to host") || has("Network is unreachable") {
        Cause::Route
    } else {
        Cause::Other
    }
}

/// A session that ended without its answers.
pub(super) fn finding(node: &Node, status: ExitStatus, stderr: &[String]) -> Finding {
    let area = Area::Node(node.name.clone());
    let last = stderr.last().map(|line| one_line(line)).unwrap_or_default();
    let Some(ssh) = &node.ssh else {
        return Finding::missing(
            &area,
            "connection",
            format!("its questions were not answered ({status}): {last}"),
        );
    };
    if status.code() != Some(SSH_FAILED) {
        let detail = format!("ssh connects, but commands do not run there ({status}): {last}");
        return Finding::missing(&area, "connection", detail)
            .remedy(by_hand(node, "setsid -w true && echo fine"));
    }
    let said = if last.is_empty() { String::new() } else { format!(" (ssh says: {last})") };
    let host = ssh.destination.rsplit_once('@').map_or(ssh.destination.as_str(), |(_, host)| host);
    let pinned = ssh.known_hosts.is_some();
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
                format!("{} && {}", shell(["ssh-keygen", "-R", &known]), by_hand_true(node)),
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

fn copy_id(node: &Node) -> String {
    let mut words = ssh_words(node);
    "ssh-copy-id".clone_into(&mut words[0]);
    shell(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_banner_does_not_mislead() {
        assert_eq!(
            cause(&lines(
                "Permission denied to strangers!\nssh: connect to host n port 22: Connection refused"
            )),
            Cause::Refused
        );
        assert_eq!(cause(&lines("Host key verification failed.")), Cause::KeyUnknown);
        assert_eq!(
            cause(&lines(
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."
            )),
            Cause::KeyChanged
        );
        assert_eq!(cause(&lines("root@n: Permission denied (publickey).")), Cause::Denied);
        assert_eq!(
            cause(&lines("ssh: Could not resolve hostname n: Name or service not known")),
            Cause::Name
        );
        assert_eq!(cause(&lines("ssh: connect to host n port 22: Connection timed out")), Cause::Silent);
        assert_eq!(cause(&[]), Cause::Other);
    }
}
