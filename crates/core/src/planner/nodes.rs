//! Nodes with their values put in and checked.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::{HostKeys, Node, Runtime, Ssh, Storage, Text};
use crate::spec::{NodeSpec, Str, Values, View};

/// Every node of the recipe, and this machine under the name `here`.
pub(super) fn nodes(values: &Values<'_>, diagnostics: &mut Diagnostics) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    for (name, spec) in &values.recipe.nodes {
        // Names are told apart without their case.
        if name.value.eq_ignore_ascii_case(super::targets::HERE) {
            diagnostics.push(
                Diagnostic::error("plan::reserved-name", format!("no node can be called `{name}`"))
                    .at(&name.span, "the name of this machine")
                    .help("call it something else; a target without `nodes` is for this machine"),
            );
        }
        // Also one that is wrong: it is wanted to find what else is.
        nodes.insert(name.value.clone(), (Reader { values, what: "node", name, spec, diagnostics }).node());
    }
    nodes.entry(super::targets::HERE.to_owned()).or_insert_with(|| Node::new(super::targets::HERE));
    nodes
}

/// Where host keys are kept that `accept-new` let in.
const ACCEPTED: &str = ".pipeline/accepted_hosts";

pub(super) struct Reader<'n, 'r> {
    pub(super) values: &'n Values<'r>,
    /// What it is of, for messages.
    pub(super) what: &'static str,
    pub(super) name: &'n Str,
    pub(super) spec: &'n NodeSpec,
    pub(super) diagnostics: &'n mut Diagnostics,
}

impl Reader<'_, '_> {
    fn node(mut self) -> Node {
        let spec = self.spec;
        let ssh = self.ssh();
        let mut platforms = Vec::new();
        for text in spec.emulates.iter().chain(&spec.platform) {
            match super::targets::platform(self.values, text, View::outside()) {
                Ok(platform) => platforms.push(platform),
                Err(diagnostic) => self.diagnostics.push(diagnostic),
            }
        }
        let storage = spec.storage.as_ref().map(|storage| Storage {
            driver: self.maybe("storage.driver", storage.driver.as_ref(), driver_problem),
            root: self.word("storage.root", &storage.root, path_problem).unwrap_or_default(),
            runroot: self.maybe("storage.runroot", storage.runroot.as_ref(), path_problem),
        });
        let cri = self.maybe("cri", spec.cri.as_ref(), cri_problem);
        let dir = self.maybe("dir", spec.dir.as_ref(), path_problem);
        let bandwidth = self.maybe("bandwidth", spec.bandwidth.as_ref(), rate_problem);
        let bandwidth = bandwidth.as_deref().and_then(rate);
        let platform = if spec.platform.is_some() { platforms.pop() } else { None };
        Node {
            name: self.name.value.clone(),
            ssh,
            sudo: spec.sudo,
            platform,
            emulates: platforms,
            runtime: spec.runtime.unwrap_or(Runtime::CriO),
            cri,
            storage,
            bandwidth,
            dir: dir.map_or_else(|| Node::DIR.to_owned(), |dir| dir.trim_end_matches('/').to_owned()),
        }
    }

    pub(super) fn ssh(&mut self) -> Option<Ssh> {
        let spec = self.spec;
        let Some(host) = &spec.host else {
            let without_place =
                [("port", spec.port.is_some()), ("host-key-policy", spec.host_key_policy.is_some())];
            for (key, _) in without_place.into_iter().filter(|(_, given)| *given) {
                self.diagnostics.push(
                    Diagnostic::error(
                        "spec::bad-value",
                        format!("node `{}` has `{key}` but no `host`", self.name),
                    )
                    .at(&self.name.span, "this node")
                    .help("add `host`, or leave this out: a node without a host is this machine"),
                );
            }
            for (key, text) in [
                ("ssh-config", &spec.ssh_config),
                ("identity", &spec.identity),
                ("jump", &spec.jump),
                ("host-key", &spec.host_key),
                ("bandwidth", &spec.bandwidth),
            ] {
                if let Some(text) = text {
                    self.diagnostics.push(
                        Diagnostic::error(
                            "spec::bad-value",
                            format!("node `{}` has `{key}` but no `host`", self.name),
                        )
                        .at(&text.span, "of no use")
                        .help("add `host`, or leave this out: a node without a host is this machine"),
                    );
                }
            }
            return None;
        };
        let destination = self.word("host", host, host_problem).unwrap_or_default();
        let host_key = self.maybe("host-key", spec.host_key.as_ref(), host_key_problem);
        let accept_new = spec.host_key_policy == Some(HostKeys::AcceptNew);
        if let (Some(key), true) = (&spec.host_key, accept_new) {
            self.diagnostics.push(
                Diagnostic::error(
                    "spec::bad-value",
                    format!(
                        "{} `{}` has a pinned `host-key`, and would accept new ones",
                        self.what, self.name
                    ),
                )
                .at(&key.span, "the only one that is accepted")
                .help("take out `host-key-policy`, or the key"),
            );
        }
        let pinned = host_key.as_ref().map(|_| Text::here(&format!(".pipeline/known_hosts/{}", self.file())));
        let known_hosts = pinned.or_else(|| accept_new.then(|| Text::here(ACCEPTED)));
        Some(Ssh {
            destination,
            config: self.maybe("ssh-config", spec.ssh_config.as_ref(), argument_problem),
            port: spec.port.map(NonZeroU16::get),
            identity: self.maybe("identity", spec.identity.as_ref(), argument_problem),
            jump: self.maybe("jump", spec.jump.as_ref(), jump_problem),
            host_keys: spec.host_key_policy,
            host_key,
            known_hosts,
        })
    }

    /// A platform is no name of a file.
    fn file(&self) -> String {
        self.name.value.replace('/', "-")
    }

    fn maybe(
        &mut self,
        key: &str,
        text: Option<&Str>,
        problem: fn(&str) -> Option<&'static str>,
    ) -> Option<String> {
        text.and_then(|text| self.word(key, text, problem))
    }

    fn word(&mut self, key: &str, text: &Str, problem: fn(&str) -> Option<&'static str>) -> Option<String> {
        match self.values.word(text, View::outside()) {
            Ok(word) => match problem(&word) {
                None => return Some(word),
                Some(problem) => self.diagnostics.push(
                    Diagnostic::error(
                        "spec::bad-value",
                        format!("bad `{key}` of {} `{}`: {problem}", self.what, self.name),
                    )
                    .at(&text.span, "this value"),
                ),
            },
            Err(diagnostic) => self.diagnostics.push(diagnostic),
        }
        None
    }
}

/// ssh reads a leading `-` as an option and hands hosts to its configuration's `%h`.
pub(super) fn host_problem(text: &str) -> Option<&'static str> {
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    let word = |text: &str, extra: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    if text.is_empty() {
        Some("it is empty; leave it out for this machine")
    } else if text.starts_with('-') || host.starts_with('-') {
        Some("ssh would read it as an option")
    } else if !word(host, "._:-[]%") {
        Some("a host holds letters, digits, `.`, `_`, `-` and `:`")
    } else if user.is_some_and(|user| !word(user, "._-") || user.starts_with('-')) {
        Some("a user name holds letters, digits, `.`, `_` and `-`")
    } else {
        None
    }
}

fn jump_problem(text: &str) -> Option<&'static str> {
    if text.split(',').any(str::is_empty) {
        return Some("a host in it is empty; leave it out for a direct way");
    }
    text.split(',').find_map(host_problem)
}

fn rate_problem(text: &str) -> Option<&'static str> {
    rate(text)
        .is_none()
        .then_some("write it like `500 kB/s`, `10 MB/s` or `1.5 MiB/s`; from `1 kB/s` to `100 GB/s`")
}

/// Bytes in a second.
fn rate(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 6] = [
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let text = text.strip_suffix("/s")?;
    let (number, unit) = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
    let (whole, part) =
        number.trim_end_matches(' ').split_once('.').unwrap_or((number.trim_end_matches(' '), "0"));
    let digits = |text: &str| (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let scale = 10u64.pow(u32::try_from(part.len()).ok()?);
    let bytes = whole.parse::<u64>().ok()? * unit + part.parse::<u64>().ok()? * unit / scale;
    (1000..=100_000_000_000).contains(&bytes).then_some(bytes)
}

fn cri_problem(text: &str) -> Option<&'static str> {
    if text.starts_with("unix:///") {
        argument_problem(text)
    } else {
        Some("it is not a socket; write it like `unix:///run/crio/crio.sock`")
    }
}

pub(super) fn path_problem(text: &str) -> Option<&'static str> {
    if text.contains(['+', '@', ']', '[', ',', ' ']) {
        // containers-storage's specifier `[driver@root+runroot]` knows no escapes.
        return Some("a path on a node cannot hold `+`, `@`, `[`, `]`, `,` or spaces");
    }
    crate::steps::remote_path_problem(text)
}

fn driver_problem(text: &str) -> Option<&'static str> {
    (!matches!(text, "overlay" | "vfs" | "btrfs")).then_some("the driver is `overlay`, `vfs` or `btrfs`")
}

fn argument_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("it is empty")
    } else if text.starts_with('-') {
        Some("it would be read as an option")
    } else if text.chars().any(char::is_control) {
        Some("it holds a control character")
    } else {
        None
    }
}

fn host_key_problem(text: &str) -> Option<&'static str> {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    let key = words.next().unwrap_or_default();
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if text.chars().any(char::is_control)
        || !(kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-"))
        || key.len() < 40
        || !key.chars().all(base64)
    {
        Some("write the key's type and base64, such as `ssh-ed25519 AAAA…` (`ssh-keyscan` prints it)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates() {
        for (text, bytes) in [
            ("1kB/s", 1000),
            ("500 kB/s", 500_000),
            ("10MB/s", 10_000_000),
            ("1.5 MiB/s", 1_572_864),
            ("100 GB/s", 100_000_000_000),
        ] {
            assert_eq!(rate(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "10",
            "10MB",
            "10 Mbit/s",
            "0.5kB/s",
            "0 MB/s",
            "-1 MB/s",
            "+1 MB/s",
            "1. MB/s",
            ".5 MB/s",
            "101 GB/s",
            "1e3 MB/s",
        ] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
