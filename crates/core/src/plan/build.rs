//! What only builds ask for: secrets that the engine reads, and who interprets the Dockerfile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, Engine, Plan, Text};

/// Secrets to be held ready for the build engine: each is a link in `dir` to memory of the run's, named as its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandSecrets {
    /// The folder of the links: the instance's own.
    pub dir: Text,
    /// Where each comes from, by its id. What they hold is no part of a plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from: BTreeMap<String, SecretFrom>,
    /// The engine asks the ssh agent, so there must be one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agent: bool,
}

/// Where a secret comes from when a run begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretFrom {
    /// The environment variable of that name.
    Env(String),
    /// The file: absolute, or relative to the recipe's folder.
    File(String),
}

impl fmt::Display for SecretFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "${name}"),
            Self::File(path) => f.write_str(path),
        }
    }
}

/// The program that a Dockerfile names as its own interpreter (`# syntax=…`), before it is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckFrontend {
    /// The Dockerfile.
    pub dockerfile: Text,
    /// The engine that will build.
    pub engine: Engine,
    /// The engine runs such a program.
    pub runs: bool,
    /// The images that may be it.
    pub allow: Vec<String>,
}

impl Plan {
    /// Every secret that builds are handed.
    pub fn secrets(&self) -> BTreeSet<&SecretFrom> {
        let actions = self.graph.node_weights().flat_map(|instance| &instance.actions);
        let handed = actions.filter_map(|action| match action {
            Action::HandSecrets(hand) => Some(hand),
            _ => None,
        });
        handed.flat_map(|hand| hand.from.values()).collect()
    }
}
