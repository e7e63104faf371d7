//! A folder with a PATH of its own, and small plans.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use petgraph::graph::DiGraph;

use crate::binfmt::Binfmt;
use crate::doctor::{Finding, Level, Subject};
use crate::plan::{Action, Command, Instance, InstanceId, Node, Output, Plan, Value};
use crate::platform::Platform;

pub(super) struct Space {
    folder: tempfile::TempDir,
    pub(super) env: BTreeMap<OsString, OsString>,
    platform: Platform,
    binfmt: Binfmt,
}

impl Space {
    /// Without any tool.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let binfmt = Binfmt {
            mount: folder.path().join("binfmt_misc"),
            interpreter_dirs: Vec::new(),
            scratch: folder.path().to_owned(),
        };
        let machine = rustix::system::uname().machine().to_str().unwrap().to_owned();
        Self {
            env: BTreeMap::from([("PATH".into(), bin.into())]),
            platform: Platform::from_uname(&machine).unwrap(),
            binfmt,
            folder,
        }
    }

    pub(super) fn here(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.here().join(name)
    }

    /// A shell script under that path. Another process writes it: a test beside this one that forks just then would hold
    /// the file open for writing, and nobody could execute it.
    pub(super) fn script(&self, path: &str, text: &str) {
        let write = "cat > \"$0\" && chmod +x \"$0\"";
        let text = format!("#!/bin/sh\n{text}\n");
        duct::cmd!("sh", "-c", write, self.file(path)).stdin_bytes(text).run().unwrap();
    }

    /// A tool that prints a version.
    pub(super) fn tool(&self, name: &str) {
        self.script(&format!("bin/{name}"), &format!("echo {name} version 1.2"));
    }

    /// The machine's own tools, under their names.
    pub(super) fn real(&self, names: &[&str]) {
        for name in names {
            let found =
                ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(name)).into_iter().find(|p| p.exists());
            std::os::unix::fs::symlink(found.unwrap(), self.file("bin").join(name)).unwrap();
        }
    }

    pub(super) fn subject<'s>(&'s self, plan: Option<&'s Plan>) -> Subject<'s> {
        Subject {
            env: &self.env,
            here: self.here(),
            platform: &self.platform,
            binfmt: &self.binfmt,
            plan,
            connections: None,
        }
    }

    pub(super) fn preflight(&self, plan: &Plan) -> Vec<Finding> {
        let findings = crate::doctor::preflight(&self.subject(Some(plan)));
        assert!(findings.iter().all(|finding| finding.level == Level::Missing), "{findings:?}");
        findings
    }

    pub(super) fn examine(&self, plan: Option<&Plan>) -> Vec<Finding> {
        crate::doctor::examine(&self.subject(plan))
    }
}

/// The finding of that area and name.
pub(super) fn named<'f>(findings: &'f [Finding], area: &str, name: &str) -> &'f Finding {
    let found = findings.iter().find(|finding| finding.area == area && finding.name == name);
    found.unwrap_or_else(|| panic!("no {area}: {name} in {findings:#?}"))
}

/// `area name` of each.
pub(super) fn list(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {}", finding.area, finding.name)).collect()
}

pub(super) fn instance(step: &str, node: Option<&str>, actions: Vec<Action>) -> Instance {
    Instance {
        node: node.map(Into::into),
        ..Instance::new(InstanceId::new(step, None, node), "test", actions)
    }
}

/// An instance that calls tools here.
pub(super) fn calls(step: &str, tools: &[&str]) -> Instance {
    instance(step, None, tools.iter().map(|tool| Command::new([*tool, "x"]).into()).collect())
}

/// The same as a step `run`.
pub(super) fn runs(step: &str, tools: &[&str]) -> Instance {
    Instance { kind: "run".into(), ..calls(step, tools) }
}

/// An instance that calls tools on a node.
pub(super) fn calls_on(node: &str, tools: &[&str]) -> Instance {
    let actions = tools.iter().map(|tool| Command::new([*tool, "x"]).on_node(node).into());
    instance(&format!("on-{node}"), Some(node), actions.collect())
}

pub(super) fn leaves(mut instance: Instance, path: &str) -> Instance {
    instance.outputs.push(Output { name: "tool".into(), value: Value::Known(path.into()) });
    instance
}

/// Instances one after the other.
pub(super) fn plan(instances: Vec<Instance>, nodes: Vec<Node>) -> Plan {
    let nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
    let mut plan = Plan { recipe: "test".into(), graph: DiGraph::new(), nodes, ..Plan::default() };
    let mut last = None;
    for instance in instances {
        let index = plan.graph.add_node(instance);
        if let Some(last) = last {
            plan.graph.add_edge(last, index, crate::plan::Edge::Needs);
        }
        last = Some(index);
    }
    plan
}

/// A node that is this machine.
pub(super) fn node(name: &str) -> Node {
    Node::new(name)
}
