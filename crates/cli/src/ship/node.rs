//! The nodes: how they are reached, and what runs containers there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use pipeline_core::doctor::{RuntimeThere, find_runtime};
use pipeline_core::plan::{Node, Runtime, Ssh};

use super::Refusal;
use crate::args::ShipArgs;
use crate::exit_code;

/// A node as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShipNode {
    /// Its name in messages; unique among those of one command.
    pub(crate) name: String,
    /// `HOST` or `USER@HOST`; none for this machine.
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) runtime: Option<Runtime>,
    /// The CRI socket, where it was found out.
    pub(crate) cri: Option<String>,
}

const RUNTIMES: [(&str, Runtime); 4] = [
    ("cri-o", Runtime::CriO),
    ("containerd", Runtime::Containerd),
    ("docker", Runtime::Docker),
    ("podman", Runtime::Podman),
];

/// The name in recipes.
pub(crate) fn name_of(runtime: Runtime) -> &'static str {
    RUNTIMES.iter().find(|(_, known)| *known == runtime).map_or("cri-o", |(name, _)| name)
}

/// Reads `[RUNTIME://][USER@]HOST[:PORT]`.
pub(crate) fn parse(text: &str) -> Result<ShipNode, Refusal> {
    let bad = |reason: String| {
        Refusal::new(
            "node::bad-name",
            exit_code::USAGE,
            format!("`{}` is no node: {reason}", text.escape_debug()),
        )
        .help("write `[RUNTIME://][USER@]HOST[:PORT]`, such as `edge-1` or `cri-o://root@10.23.15.1`")
    };
    let (runtime, rest) = match text.split_once("://") {
        None => (None, text),
        Some((name, rest)) => {
            let known = RUNTIMES.iter().find(|(known, _)| *known == name);
            let (_, runtime) = known.ok_or_else(|| {
                bad(format!("the runtimes are {}", RUNTIMES.map(|(name, _)| name).join(", ")))
            })?;
            (Some(*runtime), rest)
        }
    };
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() {
        let runtime = Some(runtime.ok_or_else(|| bad("it is empty".into()))?);
        return Ok(ShipNode { name: "here".into(), host: None, port: None, runtime, cri: None });
    }
    let (host, port) = split_port(rest).map_err(bad)?;
    let name: String =
        host.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let name = name.trim_matches(['.', '_', '-']).to_owned();
    if name.is_empty() || host.starts_with('-') {
        return Err(bad("no host has such a name".into()));
    }
    Ok(ShipNode { name, host: Some(host), port, runtime, cri: None })
}

/// The port after the last `:`; of an IPv6 address only behind brackets.
fn split_port(text: &str) -> Result<(String, Option<u16>), String> {
    let number = |port: &str| match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err(format!("`{}` is no port", port.escape_debug())),
    };
    if let Some((before, after)) = text.split_once('[') {
        let (address, after) = after.split_once(']').ok_or("a bracket is not closed")?;
        let port = match after.strip_prefix(':') {
            Some(port) => number(port)?,
            None if after.is_empty() => None,
            None => return Err("something follows the bracket".into()),
        };
        return Ok((format!("{before}{address}"), port));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => Ok((host.to_owned(), number(port)?)),
        _ => Ok((text.to_owned(), None)),
    }
}

/// The same with names that differ, and with the runtimes that were not told: each node is asked, all at once.
pub(crate) fn with_runtimes(
    mut nodes: Vec<ShipNode>,
    args: &ShipArgs,
    here: &Path,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Vec<ShipNode>, Refusal> {
    let mut names = BTreeSet::from(["here".to_owned()]);
    for node in &mut nodes {
        let plain = if node.name == "here" { "this".to_owned() } else { node.name.clone() };
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        if let Some(free) =
            std::iter::once(plain.clone()).chain(numbered).find(|name| names.insert(name.clone()))
        {
            node.name = free;
        }
    }
    let unknown: Vec<usize> =
        nodes.iter().enumerate().filter(|(_, node)| node.runtime.is_none()).map(|(index, _)| index).collect();
    let found: Vec<(usize, Result<RuntimeThere, Refusal>)> = std::thread::scope(|scope| {
        let asked: Vec<_> = unknown
            .into_iter()
            .map(|index| {
                let asked = as_plan(&nodes[index], args);
                (index, scope.spawn(move || find_runtime(&asked, here, env)))
            })
            .collect();
        asked
            .into_iter()
            .map(|(index, thread)| {
                let answer = thread.join().map_err(|_| "the question failed".to_owned());
                let answer =
                    answer.map_err(|why| Refusal::new("node::no-runtime", exit_code::PREFLIGHT_FAILED, why));
                let told = |finding: pipeline_core::doctor::Finding| Refusal {
                    code: "node::no-runtime",
                    exit: exit_code::PREFLIGHT_FAILED,
                    message: format!("{}: {} {}", finding.area, finding.name, finding.detail),
                    help: finding.remedy,
                };
                (index, answer.and_then(|answer| answer.map_err(told)))
            })
            .collect()
    });
    for (index, there) in found {
        let there = there?;
        nodes[index].runtime = Some(there.runtime);
        nodes[index].cri = there.cri;
    }
    Ok(nodes)
}

fn as_plan(node: &ShipNode, args: &ShipArgs) -> Node {
    let text =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let ssh = |host: &String| Ssh {
        config: text(&args.ssh_config),
        port: node.port,
        identity: text(&args.identity),
        ..Ssh::to(host)
    };
    Node { ssh: node.host.as_ref().map(ssh), sudo: args.sudo, ..Node::new(&node.name) }
}

impl ShipNode {
    /// As plans have it, by what is known of it.
    pub(crate) fn as_plan(&self) -> Node {
        let ssh = |host: &String| Ssh { port: self.port, ..Ssh::to(host) };
        Node {
            ssh: self.host.as_ref().map(ssh),
            runtime: self.runtime.unwrap_or(Runtime::CriO),
            cri: self.cri.clone(),
            ..Node::new(&self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_as_people_write_them() {
        let read = |text: &str| {
            let node = parse(text).unwrap();
            (node.host.unwrap_or_default(), node.port, node.runtime)
        };
        assert_eq!(read("edge-1"), ("edge-1".into(), None, None));
        assert_eq!(read("root@10.0.0.1:2222"), ("root@10.0.0.1".into(), Some(2222), None));
        assert_eq!(read("cri-o://root@edge"), ("root@edge".into(), None, Some(Runtime::CriO)));
        assert_eq!(
            read("containerd://[fe80::1]:22/"),
            ("fe80::1".into(), Some(22), Some(Runtime::Containerd))
        );
        assert_eq!(read("root@[fe80::1]"), ("root@fe80::1".into(), None, None));
        assert_eq!(read("fe80::1"), ("fe80::1".into(), None, None));
        assert_eq!(read("docker://"), (String::new(), None, Some(Runtime::Docker)));
        for bad in ["", "://x", "kvm://x", "a:0", "a:x", "[a", "[a]b", "-oProxyCommand=x", "a:70000"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
