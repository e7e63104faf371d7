//! Nodes with their values put in and checked.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::{Node, Runtime, Ssh, Storage, Text};
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
        nodes.insert(name.value.clone(), (Reader { values, name, spec, diagnostics }).node());
    }
    nodes.entry(super::targets::HERE.to_owned()).or_insert_with(|| Node::new(super::targets::HERE));
    nodes
}

struct Reader<'n, 'r> {
    values: &'n Values<'r>,
    name: &'n Str,
    spec: &'n NodeSpec,
    diagnostics: &'n mut Diagnostics,
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
            dir: dir.map_or_else(|| Node::DIR.to_owned(), |dir| dir.trim_end_matches('/').to_owned()),
        }
    }

    fn ssh(&mut self) -> Option<Ssh> {
        let spec = self.spec;
        let Some(host) = &spec.host else {
            if spec.port.is_some() {
                self.diagnostics.push(
                    Diagnostic::error(
                        "spec::bad-value",
                        format!("node `{}` has `port` but no `host`", self.name),
                    )
                    .at(&self.name.span, "this node")
                    .help("add `host`, or leave this out: a node without a host is this machine"),
                );
            }
            for (key, text) in
                [("ssh-config", &spec.ssh_config), ("identity", &spec.identity), ("host-key", &spec.host_key)]
            {
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
        let known_hosts = self
            .maybe("host-key", spec.host_key.as_ref(), host_key_problem)
            .map(|_| Text::here(&format!(".pipeline/known_hosts/{}", self.name)));
        Some(Ssh {
            destination,
            config: self.maybe("ssh-config", spec.ssh_config.as_ref(), argument_problem),
            port: spec.port.map(NonZeroU16::get),
            identity: self.maybe("identity", spec.identity.as_ref(), argument_problem),
            host_key: self.maybe("host-key", spec.host_key.as_ref(), host_key_problem),
            known_hosts,
        })
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
                        format!("bad `{key}` of node `{}`: {problem}", self.name),
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
fn host_problem(text: &str) -> Option<&'static str> {
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

fn cri_problem(text: &str) -> Option<&'static str> {
    if text.starts_with("unix:///") {
        argument_problem(text)
    } else {
        Some("it is not a socket; write it like `unix:///run/crio/crio.sock`")
    }
}

fn path_problem(text: &str) -> Option<&'static str> {
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
