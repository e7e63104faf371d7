//! What a part of a plan made, for the machines that do the other parts: a folder with files and `results.json`, which has their
//! digests, and the values that became known.
//!
//! It holds no command and no place where anything goes: both are those of whoever receives it, who has the same plan. `keep` is
//! what must travel, `take` is the plan of whoever received it. docs/design/0046 has the reasons.

mod keep;
mod lies;
mod read;
mod take;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::image::Digest;
use crate::plan::InstanceId;

pub use keep::{Wanted, exports, file_name, pack, prove, wanted};
pub use lies::Lies;
pub use read::{Problem, read};
pub use take::{Missing, take};

/// The version of this form.
pub const VERSION: u32 = 1;

/// The name of the file that says what the folder holds.
pub const FILE: &str = "results.json";

/// The folder in it with the folders of the runs that made it.
pub const RUNS: &str = "runs";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Results {
    /// The version of this form.
    pub version: u32,
    /// The digest of the frozen plan that they are of.
    pub plan: Digest,
    /// What was made, by instance.
    pub made: BTreeMap<InstanceId, Made>,
    /// The digest of all the rest, as compact JSON with the keys in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// What is known of an instance that is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Made {
    /// The values that it yielded, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// What it left, in the order of the plan; nothing where nobody else needs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Kept>,
}

/// A file in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Kept {
    /// Its path in the folder.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// It is a tar of a folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub folder: bool,
}

/// What came of an instance, and the folder in which its files are.
#[derive(Debug, Clone)]
pub struct Received {
    /// What came.
    pub made: Made,
    /// The folder, absolute.
    pub folder: PathBuf,
}

impl Results {
    /// Of a plan.
    pub fn new(plan: Digest, made: BTreeMap<InstanceId, Made>) -> Self {
        let mut results = Self { version: VERSION, plan, made, digest: None };
        results.digest = Some(results.own_digest());
        results
    }

    /// The digest of everything but itself.
    fn own_digest(&self) -> Digest {
        let bare = Self { digest: None, ..self.clone() };
        Digest::of(&serde_json::to_vec(&bare).unwrap_or_default())
    }

    /// As a file.
    pub fn to_json(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).unwrap_or_default())
    }
}
