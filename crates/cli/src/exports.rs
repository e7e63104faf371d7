//! What a run leaves in files besides its folder: made when it has ended, from the plan and the account of its events.

use std::path::Path;

use pipeline_core::history::Account;
use pipeline_core::plan::Plan;

use crate::args::ExportArgs;

/// Writes what was asked for; the error says what cannot be written.
#[expect(clippy::unnecessary_wraps, reason = "there is none yet")]
pub(crate) fn write(
    _wanted: &ExportArgs,
    _plan: &Plan,
    _account: &Account,
    _run: &Path,
) -> Result<(), String> {
    Ok(())
}
