//! The run that a run is compared with.

use std::path::Path;

use crate::history::{Account, RunFolder, runs};
use crate::plan::Plan;

/// An earlier run of the same recipe.
#[derive(Debug)]
pub struct Before {
    /// What happened then.
    pub account: Account,
    /// What was to be done then.
    pub plan: Option<Plan>,
}

impl Before {
    /// The newest before the run of this folder that had something to do and whose record can be read; none where there is
    /// none, which is no error.
    pub fn read(folder: &Path) -> Option<Self> {
        let id = folder.file_name()?.to_str()?;
        let earlier = runs(folder.ancestors().nth(3)?).ok()?.into_iter().rev();
        let mut earlier =
            earlier.filter(|run| run.id.as_str() < id && run.path().join("plan.json").is_file());
        earlier.find_map(|run| Self::of(&run))
    }

    fn of(run: &RunFolder) -> Option<Self> {
        let account = run.account().ok()?;
        let is_told = !account.courses.is_empty();
        is_told.then(|| Self { account, plan: run.plan().unwrap_or_default() })
    }
}
