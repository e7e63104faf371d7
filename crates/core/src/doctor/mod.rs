//! What is missing, here and on the nodes, and the command that helps. It asks; it changes nothing.
//!
//! [`examine`] looks at everything, for `pipeline doctor`; [`preflight()`] at what would end a run for certain;
//! [`choose_engine`] at the build engines. Every question has a time limit, nodes are asked side by side.

mod builders;
mod emulation;
mod engine;
mod needs;
mod nodes;
mod preflight;
mod tools;
mod workspace;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::binfmt::Binfmt;
use crate::exec::Connections;
use crate::plan::{Node, Plan};
use crate::platform::Platform;

pub use engine::choose_engine;
pub use nodes::{RuntimeThere, find_runtime};
pub use preflight::preflight;
pub use workspace::network_disk;

/// What is to be examined.
pub struct Subject<'s> {
    /// The environment that tools get; they are found on its PATH.
    pub env: &'s BTreeMap<OsString, OsString>,
    /// The recipe's folder, absolute.
    pub here: &'s Path,
    /// This machine's platform.
    pub platform: &'s Platform,
    /// Its table of emulators.
    pub binfmt: &'s Binfmt,
    /// Examine what this plan needs, its nodes included. Otherwise whatever any recipe on this machine might need.
    pub plan: Option<&'s Plan>,
    /// To its nodes, for the run that follows; without them each node is connected to for itself.
    pub connections: Option<&'s Connections>,
}

/// The names of the programs that a plan calls on this machine for certain, sorted; not those that it brings itself.
pub fn tools(plan: &Plan, here: &Path) -> BTreeSet<String> {
    let local = needs::local(plan, here);
    let certain = local.named.into_iter().filter(|(_, need)| *need == needs::Need::Certain);
    let mut tools: BTreeSet<String> = certain.map(|(named, _)| named.tool).collect();
    let nodes = plan.graph.node_weights().filter_map(|instance| plan.nodes.get(instance.node.as_ref()?));
    if nodes.into_iter().any(|node| node.ssh.is_some()) {
        tools.insert("ssh".into());
    }
    tools
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where it belongs: `tools`, `engine`, `emulation`, `node <name>`, `builder <platform>` or `workspace`.
    pub area: String,
    /// What was looked at: a tool, a platform, a folder.
    pub name: String,
    /// Whether it will do.
    pub level: Level,
    /// What was found, in one line without control characters.
    pub detail: String,
    /// What to do: a command to type, or a change of the recipe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A chapter of the report.
#[derive(Debug)]
enum Area {
    /// Tools on this machine.
    Tools,
    /// What builds images.
    Engine,
    /// Programs of other architectures on this machine.
    Emulation,
    /// The node of that name.
    Node(String),
    /// The builder of that platform.
    Builder(String),
    /// The recipe's `.pipeline` folder.
    Workspace,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tools => f.write_str("tools"),
            Self::Engine => f.write_str("engine"),
            Self::Emulation => f.write_str("emulation"),
            Self::Node(name) => write!(f, "node {name}"),
            Self::Builder(platform) => write!(f, "builder {platform}"),
            Self::Workspace => f.write_str("workspace"),
        }
    }
}

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It will do.
    Ok,
    /// It may matter.
    Warning,
    /// What needs it will fail.
    Missing,
}

impl Finding {
    fn new(area: &Area, name: impl Into<String>, level: Level, detail: impl AsRef<str>) -> Self {
        let (name, detail) = (one_line(&name.into()), one_line(detail.as_ref()));
        Self { area: area.to_string(), name, level, detail, remedy: None }
    }

    fn ok(area: &Area, name: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self::new(area, name, Level::Ok, detail)
    }

    fn warning(area: &Area, name: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self::new(area, name, Level::Warning, detail)
    }

    fn missing(area: &Area, name: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self::new(area, name, Level::Missing, detail)
    }

    fn maybe(self, remedy: Option<String>) -> Self {
        Self { remedy, ..self }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// Looks at everything, and waits at most about half a minute for what does not answer.
pub fn examine(subject: &Subject<'_>) -> Vec<Finding> {
    std::thread::scope(|scope| {
        // Nodes are slow to answer and cost nothing here.
        let nodes = scope.spawn(|| match subject.plan {
            Some(plan) => nodes::examine(plan, subject),
            None => Vec::new(),
        });
        let builders = scope.spawn(|| builders::examine(subject));
        let (engines, engine) = engine::examine(subject);
        let mut findings = tools::examine(subject, engine);
        findings.extend(engines);
        findings.extend(emulation::examine(subject));
        for asked in [builders, nodes] {
            match asked.join() {
                Ok(found) => findings.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        findings.push(workspace::folder(subject.here));
        findings.extend(workspace::file_system(subject.here));
        findings
    })
}

/// Looks at the plan's nodes alone.
pub fn examine_nodes(subject: &Subject<'_>) -> Vec<Finding> {
    subject.plan.map(|plan| nodes::examine(plan, subject)).unwrap_or_default()
}

/// Looks at a node that no recipe has to name.
pub fn examine_node(node: &Node, subject: &Subject<'_>) -> Vec<Finding> {
    nodes::examine_one(node, subject)
}

/// What tools say may hold anything; a report is lines of text.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST + 1).collect();
    if line.chars().count() > LONGEST {
        line.pop();
        line.push('…');
    }
    line
}

/// A command line as a shell takes it.
fn shell(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| {
            let word = word.as_ref();
            shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
        })
        .collect();
    words.join(" ")
}
