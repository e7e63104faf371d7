//! The keys that every step has, whatever its kind.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{Str, Whole};

/// For which members of the recipe a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Once.
    Once,
    /// For each target.
    Target,
    /// For each node of each target.
    Node,
}

impl Scope {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Target => "target",
            Self::Node => "node",
        }
    }
}

/// Keys common to all steps.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct Common {
    /// The step's id; its kind when absent. Unique in the recipe.
    pub id: Option<Str>,
    /// One line for `pipeline list`.
    pub description: Option<String>,
    /// Steps that must have run first, besides those whose outputs it uses.
    pub needs: Vec<Str>,
    /// `once`, `target` (each target) or `node` (each node of each target); each kind has its own default.
    pub scope: Option<Scope>,
    /// Only for these targets: names, patterns such as `arm*`, or `AXIS=VALUE` of the matrix.
    pub targets: Option<Vec<Str>>,
    /// The longest one attempt may take, such as `"90s"`, `"15m"` or `"1h 30m"`.
    pub timeout: Option<Str>,
    /// The longest that a tool of the step may print nothing, such as `"5m"`; then it is ended.
    pub silent_timeout: Option<Str>,
    /// Try again after a failure: `{ attempts = 3, delay = "10s", on = ["unreachable", "exit:75"] }`.
    pub retry: Option<RetrySpec>,
    /// What the step's log may take, such as `"8 MiB"`; `"64 MiB"` when absent. Of more, the middle is left out.
    pub max_log: Option<Str>,
    /// Environment variables for the step's tools.
    pub env: BTreeMap<String, Str>,
    /// No two steps of one mutex run at the same time.
    pub mutex: Option<Str>,
    /// A pool of `[pools]`, which bounds how many steps of it run at the same time, besides `--jobs`.
    pub pool: Option<Str>,
    /// Run each time, also when nothing that it depends on has changed.
    pub always: Option<bool>,
    /// A failure of this step is reported and does not fail the run.
    pub allow_failure: Option<bool>,
    /// `false`: do not wait for the checks of the image before it goes to a node or a registry.
    pub gate: Option<bool>,
}

/// What happens after a failure: `retry = { attempts = 3, delay = "10s" }`. Want of space is never tried again, nor is a missing
/// tool or a refused input.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RetrySpec {
    /// Attempts in all, from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: Whole,
    /// Pause between two attempts, such as `"10s"`; none when absent.
    pub delay: Option<Str>,
    /// Each pause is twice the one before, up to this, such as `"5m"`; all are equal when absent.
    pub max_delay: Option<Str>,
    /// Only after these failures: `exit` or `exit:CODE`, `signal` or `signal:NUMBER`, `timeout`, `unreachable`, `io`,
    /// `mismatch`, `emulation` (a crash as QEMU causes them). All but `mismatch` when absent.
    pub on: Option<Vec<Str>>,
}
