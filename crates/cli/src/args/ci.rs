//! What of the command line is for CI systems.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{RecipeArgs, SelectArgs, TableFormat};

pub(super) const MATRIX_HELP: &str = "\
Examples:
  echo \"matrix=$(pipeline matrix app)\" >>\"$GITHUB_OUTPUT\"
  pipeline matrix --plan plan.json --format gitlab

`[ci.runners]` in the recipe says which runner is of which architecture";

/// See `matrix`.
#[derive(Debug, Args)]
pub(crate) struct MatrixArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Take the plan that `plan -o FILE` has frozen, instead of a recipe
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recipe", "file", "set", "var_file", "target", "node", "skip"])]
    pub(crate) plan: Option<PathBuf>,
    /// Whose matrix it is
    #[arg(long, value_enum, default_value_t = MatrixFormat::Github)]
    pub(crate) format: MatrixFormat,
}

/// See `matrix --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MatrixFormat {
    /// `strategy.matrix` of GitHub Actions, in one line
    Github,
    /// `parallel.matrix` of GitLab CI
    Gitlab,
    /// Everything that is known of each job
    Json,
}

pub(super) const CI_HELP: &str = "\
Examples:
  pipeline ci github app -o .github/workflows/pipeline-app.yml
  pipeline ci github app --check        fails when the file is not what the recipe makes it
  pipeline ci gitlab app -o .gitlab-ci.yml
  pipeline ci generic app --format json

`[ci]` in the recipe says on which runners, in which environment, and how `pipeline` comes there";

/// See `ci`.
#[derive(Debug, Args)]
pub(crate) struct CiArgs {
    /// Whose jobs
    pub(crate) system: CiSystem,
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Take the plan that `plan -o FILE` has frozen; RECIPE then says only where the recipe is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "set", "var_file", "target", "node", "skip"])]
    pub(crate) plan: Option<PathBuf>,
    /// Write the file; stdout when absent
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only say whether the file is what would be written; where the CI system looks for it when none is named
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "output")]
    #[expect(clippy::option_option, reason = "clap's form of a value that may be left out")]
    pub(crate) check: Option<Option<PathBuf>>,
    /// GitLab: a short file, whose first job writes all others, which run as a child pipeline
    #[arg(long, conflicts_with = "plan")]
    pub(crate) child: bool,
    /// For `generic`
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

/// See `ci`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CiSystem {
    /// A workflow of GitHub Actions
    Github,
    /// A pipeline of GitLab CI
    Gitlab,
    /// One shell command a job, for Jenkins, Woodpecker, Buildkite, Tekton
    Generic,
}
