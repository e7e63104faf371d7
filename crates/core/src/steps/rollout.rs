//! How an image goes to many nodes.

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::Deserialize;

/// Without it, all nodes get the image at once, and one that fails keeps it from no other.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rollout {
    /// So many nodes of each target go first, in the order of its `nodes`; the others wait until these have the image and
    /// every check of it there passed, and get nothing otherwise.
    canary: Option<u16>,
    /// At most so many nodes at once.
    max_parallel: Option<NonZeroU16>,
    /// What a node that fails means for those that have not begun: `continue` (the default) nothing, `stop` that they do
    /// not begin. With `stop` nodes go in waves of `max-parallel`, or one by one.
    #[serde(default)]
    on_failure: OnFailure,
}

/// See [`Rollout`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The others go on.
    #[default]
    Continue,
    /// No other begins.
    Stop,
}

impl Rollout {
    /// How many go first.
    pub fn canary(&self) -> usize {
        self.canary.unwrap_or_default().into()
    }

    /// How many at once.
    pub fn max_parallel(&self) -> Option<usize> {
        self.max_parallel.map(|count| count.get().into())
    }

    /// What a failure means for the others.
    pub fn on_failure(&self) -> OnFailure {
        self.on_failure
    }
}
