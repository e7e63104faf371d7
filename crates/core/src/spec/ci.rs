//! `[ci]`: which runner of a CI system does the work of a platform.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::text::Str;
use crate::diag::{Diagnostic, Diagnostics};
use crate::platform::Platform;

/// Where and how CI runs what, for `pipeline ci` and `pipeline matrix`. Runners are labels on GitHub and tags on GitLab, several
/// with commas between them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct CiSpec {
    /// Runners of a platform's own architecture: `"linux/arm64" = "ubuntu-24.04-arm"`. What has none is emulated on `runner`.
    pub runners: BTreeMap<String, Str>,
    /// The runner of everything else; `ubuntu-24.04` when absent.
    pub runner: Option<Str>,
    /// The runner of jobs that bring images to nodes, which must reach them; `runner` when absent.
    pub deliver_runner: Option<Str>,
    /// The environment of these jobs, where the CI system keeps approvals and secrets; `delivery` when absent.
    pub environment: Option<Str>,
    /// A shell command that puts `pipeline` on a runner that has none. When absent, GitHub's jobs install the package that the
    /// variable `PIPELINE_PACKAGE_X64` or `PIPELINE_PACKAGE_ARM64` of the repository names, and GitLab's `image` has it.
    pub install: Option<Str>,
    /// The image of GitLab's jobs; the runner's own when absent.
    pub image: Option<Str>,
    /// After so many minutes a job is ended; 120 when absent.
    #[schemars(with = "Option<u16>")]
    pub timeout_minutes: Option<Spanned<u16>>,
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
        Runner { labels: owned(text), native: own.is_some() }
    }

    /// The runner of what is of no platform.
    pub fn any_runner(&self) -> Vec<String> {
        owned(self.runner.as_ref().map_or(DEFAULT, |text| &text.value))
    }

    /// The runner of what goes to nodes.
    pub fn deliver_runner(&self) -> Vec<String> {
        self.deliver_runner.as_ref().map_or_else(|| self.any_runner(), |text| owned(&text.value))
    }
}

fn owned(text: &str) -> Vec<String> {
    labels(text).map(str::to_owned).collect()
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
    for runner in ci.runners.values().chain(&ci.runner).chain(&ci.deliver_runner) {
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
    let mut plain = |text: &Option<Str>, what: &str, others: &str, help: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        if let Some(text) =
            text.as_ref().filter(|text| text.value.is_empty() || !text.value.chars().all(allowed))
        {
            diagnostics.push(
                Diagnostic::error("spec::bad-value", format!("`{}` is no {what}", text.value.escape_debug()))
                    .at(&text.span, "this name")
                    .help(help),
            );
        }
    };
    plain(
        &ci.environment,
        "environment",
        "._-/ ",
        "its name has letters, digits, spaces and `. _ - /`; the CI system knows it by that",
    );
    plain(&ci.image, "image", "._-/:@", "write a reference such as `registry.example.com/team/pipeline:1`");
    if let Some(install) = ci.install.as_ref().filter(|text| !is_command(&text.value)) {
        diagnostics.push(
            Diagnostic::error("spec::bad-value", "`install` is no command that a file of CI can hold")
                .at(&install.span, "this command")
                .help("write printable lines without `${{`, which GitHub would replace; a script of the repository can hold the rest"),
        );
    }
    if let Some(none) = ci.timeout_minutes.as_ref().filter(|minutes| *minutes.get_ref() == 0) {
        diagnostics.push(
            Diagnostic::error("spec::bad-value", "`timeout-minutes` of 0 leaves no time for a job")
                .at(&none.span(), "this number")
                .help("leave it out for 120 minutes"),
        );
    }
}

/// Lines that a YAML file can hold as they are, and in which the CI system replaces nothing.
fn is_command(text: &str) -> bool {
    let printable = |c: char| c == '\n' || !c.is_control();
    !text.trim().is_empty() && text.chars().all(printable) && !text.contains("${{") && !text.contains("$[[")
}
