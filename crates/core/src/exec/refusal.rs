//! What stands between us and a node, by what ssh prints, and what to do about it.

use crate::event::FailureKind;

/// Why ssh did not connect, or lost the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The node has another host key than the known one.
    KeyChanged,
    /// Nobody has accepted the node's host key yet.
    KeyUnknown,
    /// The node does not accept our key.
    Denied,
    /// Nobody listens there.
    Refused,
    /// The name is not found.
    Name,
    /// No answer, or none any more.
    Silent,
    /// The network does not lead there.
    Route,
    /// Anything else.
    Other,
}

/// By what OpenSSH prints. A banner of the node comes before it, and may say anything: only the last line counts, but for
/// the changed key, whose warning stands above.
pub(crate) fn cause(said: &[String]) -> Cause {
    let last = said.last().map_or("", String::as_str);
    let has = |text: &str| last.contains(text);
    if has("Host key verification failed") {
        let changed = said.iter().any(|line| line.contains("IDENTIFICATION HAS CHANGED"));
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

impl Cause {
    /// Another attempt may find it gone, or not.
    pub(super) fn kind(self) -> FailureKind {
        match self {
            Self::KeyChanged | Self::KeyUnknown | Self::Denied => FailureKind::Refused,
            Self::Refused | Self::Name | Self::Silent | Self::Route | Self::Other => FailureKind::Unreachable,
        }
    }

    /// What there is to do; `said` are ssh's words.
    pub(super) fn remedy(self, said: &[String]) -> String {
        match self {
            Self::KeyChanged => {
                let known = offending(said)
                    .map_or_else(String::new, |place| format!("; the key that is known stands in {place}"));
                format!(
                    "somebody may stand between here and the node{known}. If the node was set up anew, take that key out \
                     and compare the new one; where the recipe pins `host-key`, replace that"
                )
            }
            Self::KeyUnknown => {
                "compare its host key and accept it once by hand, or put it into the recipe as `host-key`"
                    .into()
            }
            Self::Denied => {
                "it does not accept our key: `identity` names another one, `ssh-copy-id` brings ours there"
                    .into()
            }
            Self::Refused => "nobody listens there: does sshd run, on this `port`?".into(),
            Self::Name => "its host name is not found: look at `host`, DNS and the ssh configuration".into(),
            Self::Silent => {
                "it does not answer, or no longer: is it up, and does a firewall let us through?".into()
            }
            Self::Route => "this network does not lead there: look at routes, VPN and `jump`".into(),
            Self::Other => "check its address, key and network: `ssh` to it by hand must work".into(),
        }
    }
}

/// The place of the key that does not fit, of a line such as `Offending ED25519 key in /root/.ssh/known_hosts:3`.
pub(crate) fn offending(said: &[String]) -> Option<String> {
    let place = said.iter().find_map(|line| {
        let (_, place) = line.strip_prefix("Offending ")?.split_once(" in ")?;
        Some(place.trim())
    })?;
    match place.rsplit_once(':') {
        Some((file, line)) if line.parse::<u32>().is_ok() => Some(format!("{file}, line {line}")),
        _ => Some(place.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_banner_does_not_mislead() {
        let by = |text: &str| cause(&lines(text));
        assert_eq!(
            by("Permission denied to strangers!\nssh: connect to host n port 22: Connection refused"),
            Cause::Refused
        );
        assert_eq!(by("Host key verification failed."), Cause::KeyUnknown);
        assert_eq!(
            by("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."),
            Cause::KeyChanged
        );
        assert_eq!(by("root@n: Permission denied (publickey)."), Cause::Denied);
        assert_eq!(by("ssh: Could not resolve hostname n: Name or service not known"), Cause::Name);
        assert_eq!(by("ssh: connect to host n port 22: Connection timed out"), Cause::Silent);
        assert_eq!(by("Timeout, server n not responding."), Cause::Silent);
        assert_eq!(by(""), Cause::Other);
    }

    #[test]
    fn the_place_of_the_key_that_does_not_fit() {
        let said = lines("Offending ED25519 key in /home/a b/known_hosts:3\nHost key verification failed.");
        assert_eq!(offending(&said).as_deref(), Some("/home/a b/known_hosts, line 3"));
        assert_eq!(offending(&lines("Host key verification failed.")), None);
    }
}
