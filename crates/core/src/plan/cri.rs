//! What is asked of a node's CRI runtime: an image, and a pod that runs it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::Expect;
use super::text::Text;
use crate::platform::Platform;

/// What a node's CRI runtime must report of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriVerify {
    /// The node, by its name in the plan.
    pub node: String,
    /// The CRI endpoint on the node; `crictl`'s own configuration when absent.
    pub endpoint: Option<String>,
    /// The exact reference, fully qualified.
    pub reference: String,
    /// The config digest that was built.
    pub id: Text,
    /// The image's platform.
    pub platform: Platform,
    /// Platforms that the node executes although it is of another.
    pub emulates: Vec<Platform>,
    /// The node's own platform where the recipe names it; otherwise it is asked.
    pub node_platform: Option<Platform>,
    /// What is told besides; absent where only the answer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<CriReport>,
}

/// See [`CriVerify::report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriReport {
    /// An image that the kubelet may remove is an error.
    pub pinned: bool,
    /// The output that takes the image's size in bytes.
    pub output: String,
}

/// A pod on a node for as long as an instance runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriPod {
    /// The node, by its name in the plan.
    pub node: String,
    /// The CRI endpoint on the node; `crictl`'s own configuration when absent.
    pub endpoint: Option<String>,
    /// Its name, one of a kind in the recipe.
    pub name: String,
    /// The folder on the node below which its log lies.
    pub dir: String,
}

/// An image that is run on a node, and how that must end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriRun {
    /// Where.
    pub pod: CriPod,
    /// The exact reference, fully qualified.
    pub reference: String,
    /// In place of the image's entrypoint and arguments, unless empty.
    pub argv: Vec<Text>,
    /// Variables besides those of the image.
    pub env: BTreeMap<String, Text>,
    /// It has the node's network; otherwise one of its own, by CNI.
    pub host_network: bool,
    /// The longest that it may take.
    pub timeout: Duration,
    /// How it must end.
    pub expect: CriExpect,
}

/// See [`CriRun::expect`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CriExpect {
    /// By itself.
    Exit {
        /// With this exit code.
        code: i32,
        /// With this on stdout.
        stdout: Option<Expect>,
    },
    /// Not at all: it answers.
    Http(HttpExpect),
}

/// An HTTP request to a container, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpExpect {
    /// What is asked for: begins with `/`.
    pub path: String,
    /// The TCP port.
    pub port: u16,
    /// The status it must have.
    pub status: u16,
    /// A regular expression that matches somewhere in its body.
    pub body: Option<String>,
}
