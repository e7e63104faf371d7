//! `[ci]`: which runner of a CI system does the work of a platform.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Str;
use crate::diag::{Diagnostic, Diagnostics};
use crate::platform::Platform;

/// Where CI runs the chain of a target, for `pipeline matrix`: labels of runners on GitHub, tags on GitLab; several with commas
/// between them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct CiSpec {
    /// Runners of a platform's own architecture: `"linux/arm64" = "ubuntu-24.04-arm"`. What has none is emulated on `runner`.
    pub runners: BTreeMap<String, Str>,
    /// The runner of everything else; `ubuntu-24.04` when absent.
    pub runner: Option<Str>,
}

/// GitHub's own at the time of writing; a label, so that no recipe changes where it moves.
const DEFAULT: &str = "ubuntu-24.04";

/// A runner of CI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its labels, at least one.
    pub labels: Vec<String>,
    /// It is of the platform's own architecture.
    pub native: bool,
}

impl CiSpec {
    /// The runner for a platform.
    pub fn runner(&self, platform: &Platform) -> Runner {
        let own =
            self.runners.iter().find(|(name, _)| Platform::parse(name).is_ok_and(|own| own == *platform));
        let text = own.map(|(_, text)| text).or(self.runner.as_ref()).map_or(DEFAULT, |text| &text.value);
        Runner { labels: labels(text).map(str::to_owned).collect(), native: own.is_some() }
    }
}

fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

pub(super) fn check(ci: &CiSpec, diagnostics: &mut Diagnostics) {
    for (name, runner) in &ci.runners {
        if let Err(error) = Platform::parse(name) {
            diagnostics.push(
                Diagnostic::error("spec::unknown-platform", format!("`runners`: {error}"))
                    .at(&runner.span, "the runner of this platform")
                    .maybe_help(error.suggestion.map(|near| format!("did you mean `{near}`?"))),
            );
        }
    }
    for runner in ci.runners.values().chain(&ci.runner) {
        // They go into files of others, where other characters might mean something.
        let plain = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "._-:/".contains(c))
        };
        if !labels(&runner.value).all(plain) {
            diagnostics.push(
                Diagnostic::error(
                    "spec::bad-value",
                    format!("`{}` is no runner", runner.value.escape_debug()),
                )
                .at(&runner.span, "these labels")
                .help("labels have letters, digits and `. _ - : /`; put commas between several"),
            );
        }
    }
}
