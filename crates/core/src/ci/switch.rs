//! What `pipeline run` is told for some targets and not for others.

use super::jobs::Jobs;
use crate::frozen::Target;

/// A switch of `pipeline run` that depends on the target.
pub(super) struct Switch {
    /// The key of GitHub's matrix.
    pub(super) key: &'static str,
    /// As an option.
    pub(super) option: &'static str,
    /// As a variable, which is `true` or `false`.
    pub(super) variable: &'static str,
    /// It is on for a target.
    pub(super) is_on: fn(&Target) -> bool,
}

/// All of them. A runner that is named as one of the target's architecture must be one: otherwise the job would silently take
/// many times as long.
pub(super) const SWITCHES: [Switch; 2] = [
    Switch {
        key: "privileged",
        option: "--allow-privileged",
        variable: "PIPELINE_ALLOW_PRIVILEGED",
        is_on: |target| target.privileged,
    },
    Switch {
        key: "native",
        option: "--no-emulation",
        variable: "PIPELINE_NO_EMULATION",
        is_on: |target| target.native,
    },
];

impl Switch {
    pub(super) fn is_on_anywhere(&self, jobs: &Jobs<'_>) -> bool {
        jobs.build.iter().any(|target| (self.is_on)(target))
    }

    pub(super) fn is_on_everywhere(&self, jobs: &Jobs<'_>) -> bool {
        jobs.build.iter().all(|target| (self.is_on)(target))
    }
}
