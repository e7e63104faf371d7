//! What of the command line is for machines that share a plan.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pipeline_core::planner::Stage;

/// See `run --plan`.
#[derive(Debug, Default, Args)]
pub(crate) struct ResultsArgs {
    /// Do this stage of the frozen plan: earlier ones are done too, unless `--results-from` has what they made
    #[arg(long, value_enum, value_name = "STAGE", env = "PIPELINE_STAGE", requires = "plan")]
    pub(crate) stage: Option<StageName>,
    /// Take what other machines made of the plan out of this folder, and make it not again; may be given several times
    #[arg(long, value_name = "DIR", requires = "plan")]
    pub(crate) results_from: Vec<PathBuf>,
    /// Leave in this folder what other machines need of what is made here, and the run's record; what is there of the same plan is
    /// taken
    #[arg(long, value_name = "DIR", env = "PIPELINE_RESULTS_TO", requires = "plan")]
    pub(crate) results_to: Option<PathBuf>,
}

/// See `run --stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StageName {
    /// What is made for each target, before anything comes to a node
    Build,
    /// What goes to nodes, and what waits for that
    Deliver,
    /// What waits for several targets, and what no target needs
    Join,
}

impl From<StageName> for Stage {
    fn from(name: StageName) -> Self {
        match name {
            StageName::Build => Self::Build,
            StageName::Deliver => Self::Deliver,
            StageName::Join => Self::Join,
        }
    }
}
