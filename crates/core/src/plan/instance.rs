//! One step for one member of its scope: a node of the plan's graph.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Engine};
use super::limits::{Retry, Share};
use super::text::{Grammar, Text};
use crate::lock::Key;
use crate::platform::Platform;

/// `step`, `step@target` or `step@target@node`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct InstanceId(String);

impl InstanceId {
    /// The id of `step` for a target and a node.
    pub fn new(step: &str, target: Option<&str>, node: Option<&str>) -> Self {
        let length = [target, node].into_iter().flatten().map(|part| part.len() + 1).sum::<usize>();
        let mut id = String::with_capacity(step.len() + length);
        id.push_str(step);
        for part in [target, node].into_iter().flatten() {
            id.push('@');
            id.push_str(part);
        }
        Self(id)
    }

    /// The id as text; safe as a file name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What steps hand to each other.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// This machine executes the platform's programs.
    Emulation,
    /// A checked-out source tree.
    Source,
    /// A folder to build from.
    BuildContext,
    /// An image in a build engine's store.
    Image,
    /// An image in a file or layout here.
    Archive,
    /// An image in a file on a node.
    NodeFile,
    /// An image in a node's store.
    NodeImage,
    /// An image in a registry.
    PushedImage,
    /// A multi-platform index.
    Index,
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One value that an instance leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its name in `${steps.<id>.<name>}`.
    pub name: String,
    /// What it is.
    pub value: Value,
}

/// The value of an [`Output`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Known when the plan is made: a path, a reference.
    Known(Text),
    /// Known when the instance has run.
    Late(Grammar),
}

/// How to find out, without changing anything, whether an output is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// Files and folders on this machine: the content is compared with what is on record.
    Paths(Vec<Text>),
    /// Actions that change nothing: it is there when all of them succeed.
    Actions(Vec<Action>),
    /// An image in a build engine's store, by its id there. A store is asked once in a run, for all its images.
    Image {
        /// The store.
        store: Store,
        /// The id, such as `sha256:…`.
        id: Text,
    },
    /// This machine executes these platforms.
    Emulation(Vec<Platform>),
    /// It leaves nothing behind that could be gone: a check.
    Nothing,
    /// Nobody can tell without running the step.
    Unknown,
}

/// How a store tells which images it has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// A tool prints the ids, one a line: these words.
    Listed(Vec<Text>),
    /// A root of containers-storage, where they stand in a file.
    Containers(Text),
}

/// What counts, besides the actions, for whether an instance must run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Basis {
    /// It runs each time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// What it leaves is only for other steps: it is made again when one of them must run, and not before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub intermediate: bool,
    /// Files and folders here that it reads, besides what other steps left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Text>,
    /// Names whose meaning counts: a branch. Those that show only when it runs, such as the images in a Dockerfile, count too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Key>,
    /// The build engine, whose version counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// The builder that this is asked of, by its platform. Which one it is does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
}

impl Basis {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The answer to a [`Probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is there.
    Present,
    /// It is not.
    Absent,
    /// It could not be found out.
    Unknown,
}

/// Which bound on parallelism an instance counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// This machine: `--jobs`.
    Local,
    /// The nodes: a bound of their own, as their work costs nothing here.
    Node,
}

/// A step for one target and node, lowered to what must be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Unique in the plan.
    pub id: InstanceId,
    /// The step's id.
    pub step: Arc<str>,
    /// The step's kind.
    pub kind: Cow<'static, str>,
    /// The target, unless the step runs once.
    pub target: Option<Arc<str>>,
    /// The target's platform.
    pub platform: Option<Platform>,
    /// The node, when the step runs for each.
    pub node: Option<String>,
    /// What to do, in order; the first failure ends the instance.
    pub actions: Vec<Action>,
    /// What to do afterwards in any case; failures are reported and change nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleanup: Vec<Action>,
    /// What it leaves behind.
    pub outputs: Vec<Output>,
    /// How to find out whether that is there.
    pub probe: Probe,
    /// What else counts for whether it must run.
    #[serde(default, skip_serializing_if = "Basis::is_default")]
    pub basis: Basis,
    /// Which bound it counts against.
    pub pool: Pool,
    /// No two instances of one mutex run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutex: Option<String>,
    /// The pool of the recipe that it also counts against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// So many instances work with its node at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_bound: Option<u32>,
    /// The longest it may take, for each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The longest that one of its commands may print nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_timeout: Option<Duration>,
    /// What its log may take, in bytes; [`MAX_LOG`](super::MAX_LOG) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_log: Option<u64>,
    /// Attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Its failure fails neither the run nor what needs it only by `needs`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_failure: bool,
}

/// The kind of an instance whose result came from another machine.
pub const RECEIVED: &str = "received";

impl Instance {
    /// The builders that it uses, by their platforms.
    pub fn builders(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().chain(&self.cleanup).filter_map(Action::builder)
    }

    /// Its result came from another machine, and is only put in place.
    pub fn is_received(&self) -> bool {
        self.kind == RECEIVED
    }

    /// Its commands are the recipe's own: what they need and where they reach is not known.
    pub fn is_own_command(&self) -> bool {
        self.kind == "run"
    }

    /// Its commands run programs of its platform: those of the image that is built or tried, or the recipe's own.
    pub fn runs_its_programs(&self) -> bool {
        matches!(&*self.kind, "build" | "smoke" | "run")
    }

    /// An instance that does these things once, here, and leaves nothing behind that others use.
    pub fn new(id: InstanceId, kind: &'static str, actions: Vec<Action>) -> Self {
        Self {
            step: id.as_str().split('@').next().unwrap_or_default().into(),
            id,
            kind: kind.into(),
            target: None,
            platform: None,
            node: None,
            actions,
            cleanup: Vec::new(),
            outputs: Vec::new(),
            probe: Probe::Unknown,
            basis: Basis::default(),
            pool: Pool::Local,
            mutex: None,
            share: None,
            node_bound: None,
            timeout: None,
            silent_timeout: None,
            max_log: None,
            retry: None,
            allow_failure: false,
        }
    }
}
