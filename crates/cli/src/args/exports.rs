//! What a run leaves in files besides its folder.

use std::path::PathBuf;

use clap::Args;

/// Each is written when the run has ended, however it did; `-` is stdout.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ExportArgs {
    /// Write a report of the run: one HTML file that needs nothing else
    #[arg(long, value_name = "FILE", env = "PIPELINE_REPORT")]
    pub(crate) report: Option<PathBuf>,
    /// Write a JUnit XML report: a suite for each target, a case for each step, with the end of the logs of what failed
    #[arg(long, value_name = "FILE", env = "PIPELINE_JUNIT")]
    pub(crate) junit: Option<PathBuf>,
    /// Write a timeline in Chrome's trace event format, for ui.perfetto.dev or `chrome://tracing`
    #[arg(long, value_name = "FILE", env = "PIPELINE_TRACE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write what became of the images as JSON: names, ids, archives, pushed digests, nodes
    #[arg(long, value_name = "FILE", env = "PIPELINE_METADATA_FILE")]
    pub(crate) metadata_file: Option<PathBuf>,
}
