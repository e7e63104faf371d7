//! What a run leaves in files besides its folder: made when it has ended, from the plan and the account of its events.

use std::path::Path;

use pipeline_core::history::Account;
use pipeline_core::plan::Plan;
use pipeline_core::report::{self, Before, Source};

use crate::args::ExportArgs;
use crate::files;

/// Writes what was asked for; the error says what cannot be written.
pub(crate) fn write(wanted: &ExportArgs, plan: &Plan, account: &Account, run: &Path) -> Result<(), String> {
    if let Some(path) = &wanted.report {
        let before = Before::read(run);
        let source = Source { plan: Some(plan), account, folder: run, before: before.as_ref() };
        files::write(path, |out| report::write(out, &source))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
