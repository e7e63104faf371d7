//! What of the command line is for CI systems.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{RecipeArgs, SelectArgs};

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
