//! What a run leaves in files besides its folder.

use clap::Args;

/// Each is written when the run has ended, however it did.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ExportArgs {}
