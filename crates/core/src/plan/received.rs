//! What another machine made of the plan, taken over instead of made again.

use serde::{Deserialize, Serialize};

use super::text::{Grammar, Text};
use crate::image::Digest;

/// A file or folder that came from another machine, put where the plan has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receive {
    /// The file that came, absolute; of a folder a tar of it.
    pub from: String,
    /// Where the plan has it.
    pub to: Text,
    /// What the file must be.
    pub sha256: Digest,
    /// It is a folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub folder: bool,
}

/// A value that is known from another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yield {
    /// The output's name.
    pub output: String,
    /// What it must look like.
    pub grammar: Grammar,
    /// The value.
    pub value: String,
}
