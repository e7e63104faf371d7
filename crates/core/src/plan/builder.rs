//! A machine that builds the images of its own platform, in place of an emulator here.

use serde::{Deserialize, Serialize};

use super::{Engine, Ssh, Text};
use crate::platform::Platform;

/// A builder: a build engine on another machine, that the engine's client here speaks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// The platform that it builds for.
    pub platform: Platform,
    /// How to reach it.
    pub ssh: Ssh,
    /// The engine's socket there; the usual one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// Images are built here by emulation when it does not answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fallback: bool,
}

impl Builder {
    /// What it is called in messages: `user@host`.
    pub fn name(&self) -> &str {
        &self.ssh.destination
    }
}

/// An engine on a builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeBy {
    /// The builder, by its platform.
    pub builder: String,
    /// Its engine.
    pub engine: Engine,
}

/// An image on its way between the store of a builder's engine and that of the same engine here. Where the other has it
/// already, nothing moves; without the builder, there is only one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveImage {
    /// The builder, by its platform.
    pub builder: String,
    /// Which of the two gets it.
    pub way: Way,
    /// Whose stores these are.
    pub engine: Engine,
    /// What the engine calls the image.
    pub handle: Text,
    /// Its private name, in both stores.
    pub tag: String,
    /// podman exports it in this format, of those that keep its configuration as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// See [`MoveImage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From the builder to this machine.
    Home,
    /// From this machine to the builder.
    There,
}
