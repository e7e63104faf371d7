//! What a run leaves in files besides its folder.

use std::path::PathBuf;

use clap::Args;

/// Each is written when the run has ended, however it did.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ExportArgs {
    /// Write a report of the run: one HTML file that needs nothing else
    #[arg(long, value_name = "FILE", env = "PIPELINE_REPORT")]
    pub(crate) report: Option<PathBuf>,
}
