//! What is looked at before an image is built: the images that it is built on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::{Command, Engine};
use super::text::Text;
use crate::platform::Platform;

/// The base images of a Dockerfile, by the digests that the lock has for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinBases {
    /// The Dockerfile.
    pub dockerfile: Text,
    /// Where the same is written with digests in place of names: what is built.
    pub to: Text,
    /// Values for `ARG`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, Text>,
    /// The platform that the bases must be of.
    pub platform: Platform,
    /// The engine whose store is asked first.
    pub engine: Engine,
    /// Its command that prints an image's configuration as JSON; the image's name is appended.
    pub inspect: Command,
    /// Nothing is going to be built: images that other steps build need not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_ask: bool,
    /// Registries are asked before the store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub upstream: bool,
}
