//! Builders with their values put in and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use petgraph::graph::DiGraph;

use super::nodes::{Reader, host_problem, path_problem};
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::{Builder, Edge, Instance};
use crate::platform::Platform;
use crate::spec::{BuilderSpec, NodeSpec, Str, Values, View};

/// Every builder of the recipe, by its platform.
pub(super) fn builders(values: &Values<'_>, diagnostics: &mut Diagnostics) -> BTreeMap<String, Builder> {
    let mut builders = BTreeMap::new();
    for (name, platform, spec) in &values.recipe.builders.list {
        let url = match values.word(&spec.url, View::outside()) {
            Ok(word) => Url::parse(&word).map_err(|wrong| wrong.at(&spec.url)),
            Err(diagnostic) => Err(diagnostic),
        };
        match url {
            Ok(url) => {
                let as_node = as_node(spec, &url);
                let mut reader = Reader { values, what: "builder", name, spec: &as_node, diagnostics };
                if let Some(ssh) = reader.ssh() {
                    let fallback = spec.fallback.is_some();
                    let builder = Builder { platform: platform.clone(), ssh, socket: url.socket, fallback };
                    builders.insert(platform.to_string(), builder);
                }
            }
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    builders
}

/// Where images are built and tried, and why: a line for each platform, in a recipe that has builders.
pub(super) fn remarks(
    builders: &BTreeMap<String, Builder>,
    graph: &DiGraph<Instance, Edge>,
    here: &Platform,
) -> Vec<String> {
    if builders.is_empty() {
        return Vec::new();
    }
    let built = graph.node_weights().filter(|instance| instance.kind == "build");
    let platforms: BTreeSet<&Platform> = built.filter_map(|instance| instance.platform.as_ref()).collect();
    let told = platforms.into_iter().map(|platform| match builders.get(&platform.to_string()) {
        Some(builder) => {
            let name = builder.name();
            let without = if builder.fallback {
                "; emulated here if that does not answer, as `fallback = \"emulate\"` allows"
            } else {
                ""
            };
            format!("{platform}: native on {name}, by [builders]{without}")
        }
        None if here.runs_natively(platform) => format!("{platform}: native here"),
        None => format!("{platform}: emulated here, as [builders] names nobody for it"),
    });
    told.collect()
}

/// What is common with nodes is read as that of one.
fn as_node(spec: &BuilderSpec, url: &Url) -> NodeSpec {
    NodeSpec {
        description: None,
        host: Some(Str { value: url.destination.clone(), span: spec.url.span.clone() }),
        ssh_config: spec.ssh_config.clone(),
        port: url.port,
        identity: spec.identity.clone(),
        jump: spec.jump.clone(),
        host_key: spec.host_key.clone(),
        host_key_policy: spec.host_key_policy,
        sudo: false,
        platform: None,
        emulates: Vec::new(),
        runtime: None,
        cri: None,
        storage: None,
        dir: None,
        max_parallel: None,
        bandwidth: None,
        labels: BTreeMap::new(),
    }
}

/// `ssh://[user@]host[:port][/socket]`
#[derive(Debug, PartialEq, Eq)]
struct Url {
    destination: String,
    port: Option<NonZeroU16>,
    socket: Option<String>,
}

/// What is wrong with a url, and what to do. It does not repeat the url: that may hold a password.
#[derive(Debug, PartialEq, Eq)]
struct Wrong(&'static str, &'static str);

impl Wrong {
    fn at(&self, url: &Str) -> Diagnostic {
        Diagnostic::error("spec::bad-url", format!("bad url of a builder: {}", self.0))
            .at(&url.span, "this url")
            .help(self.1)
    }
}

const FORM: &str = "write it like `ssh://user@host` or `ssh://user@host:22/run/user/1000/docker.sock`";

impl Url {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let Some(rest) = text.strip_prefix("ssh://") else {
            return Err(match text.split_once("://") {
                Some(("tcp" | "http" | "https", _)) => Wrong(
                    "an engine that listens on TCP is open to whoever reaches it",
                    "let ssh take us there: `ssh://user@host`",
                ),
                Some(_) => Wrong("it must begin with `ssh://`", FORM),
                None => Wrong("it has no scheme", FORM),
            });
        };
        if rest.contains(['?', '#']) {
            return Err(Wrong("it has a `?` or `#`, which mean nothing to ssh", FORM));
        }
        let (place, socket) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at..]).filter(|path| *path != "/")),
            None => (rest, None),
        };
        let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
        if user.is_some_and(|user| user.contains(':')) {
            return Err(Wrong(
                "it holds a password, which ssh does not take and everybody who has the recipe could read",
                "take it out; `ssh-copy-id` brings a key there, `identity` names another one than the usual",
            ));
        }
        let (host, port) = split_port(host)?;
        if host.is_empty() {
            return Err(Wrong("it names no host", FORM));
        }
        let destination = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        if let Some(problem) = host_problem(&destination) {
            return Err(Wrong(problem, FORM));
        }
        if let Some(problem) = socket.and_then(path_problem) {
            return Err(Wrong(
                problem,
                "what follows the host is the absolute path of the engine's socket there",
            ));
        }
        Ok(Self { destination, port, socket: socket.map(str::to_owned) })
    }
}

/// An IPv6 address stands in brackets, which ssh itself does not take.
fn split_port(host: &str) -> Result<(&str, Option<NonZeroU16>), Wrong> {
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((address, after)) = rest.split_once(']') else {
                return Err(Wrong("a bracket is not closed", FORM));
            };
            match after.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None if after.is_empty() => (address, None),
                None => return Err(Wrong("something stands behind the bracket", FORM)),
            }
        }
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let bad = Wrong("its port is no number from 1 to 65535", FORM);
    match port {
        // `+1` would be a number as well.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((host, Some(port.parse().map_err(|_| bad)?)))
        }
        Some(_) => Err(bad),
        None => Ok((host, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = |destination: &str, port: u16, socket: &str| Url {
            destination: destination.into(),
            port: NonZeroU16::new(port),
            socket: Some(socket.to_owned()).filter(|socket| !socket.is_empty()),
        };
        for (text, is) in [
            ("ssh://arm-1", url("arm-1", 0, "")),
            ("ssh://ops@arm-1/", url("ops@arm-1", 0, "")),
            (
                "ssh://ops@10.0.0.1:2222/run/podman/podman.sock",
                url("ops@10.0.0.1", 2222, "/run/podman/podman.sock"),
            ),
            ("ssh://[fe80::1]:22", url("fe80::1", 22, "")),
            ("ssh://u@[::1]/s", url("u@::1", 0, "/s")),
        ] {
            assert_eq!(Url::parse(text), Ok(is), "{text}");
        }
        for text in [
            "",
            "arm-1",
            "ssh://",
            "ssh://@h",
            "ssh://-oProxyCommand=x",
            "ssh://u@-h",
            "ssh://h:0",
            "ssh://h:65536",
            "ssh://h:+1",
            "ssh://h:",
            "ssh://[::1",
            "ssh://[::1]x",
            "ssh://h/a/../b",
            "ssh://h/a b",
            "ssh://h?x",
            "ssh://h#x",
            "ssh://a b",
            "tcp://h:2375",
            "unix:///run/docker.sock",
            "SSH://h",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        let Err(wrong) = Url::parse("ssh://user:hunter2@h") else { panic!("a password") };
        assert!(wrong.0.contains("password") && !format!("{wrong:?}").contains("hunter2"));
    }
}
