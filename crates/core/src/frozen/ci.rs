//! What of `[ci]` is of no target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::CiSpec;

/// How CI runs jobs, for `pipeline ci`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CiJobs {
    /// The runner of what is of no platform: labels on GitHub, tags on GitLab.
    pub runner: Vec<String>,
    /// The recipe names that runner; otherwise it is GitHub's own.
    pub named: bool,
    /// The runner of what goes to nodes.
    pub deliver_runner: Vec<String>,
    /// The environment of what goes to nodes.
    pub environment: String,
    /// A shell command that puts `pipeline` on a runner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// The image that GitLab's jobs run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Environment variables of all steps whose values nobody may see.
    pub secrets: Vec<String>,
    /// So long may a job take.
    pub timeout_minutes: u16,
}

impl CiJobs {
    pub(super) fn of(ci: &CiSpec, secrets: &[String]) -> Self {
        let text = |key: &Option<crate::spec::Str>| key.as_ref().map(|text| text.value.clone());
        Self {
            runner: ci.any_runner(),
            named: ci.runner.is_some(),
            deliver_runner: ci.deliver_runner(),
            environment: text(&ci.environment).unwrap_or_else(|| "delivery".into()),
            install: text(&ci.install),
            image: text(&ci.image),
            secrets: secrets.to_vec(),
            timeout_minutes: ci.timeout_minutes.as_ref().map_or(120, |minutes| *minutes.get_ref()),
        }
    }
}
