//! What earlier runs left on record, as a run uses it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::plan::Instance;
use crate::state::{FileDisk, Loss, State};

/// The records of a recipe's folder, and what is to run whatever they say.
pub struct Records<'a> {
    /// The records.
    pub state: State,
    /// The recipe's name: several recipes may share a folder.
    pub recipe: String,
    /// Environment variables that count for every step, with their values.
    pub env: BTreeMap<String, String>,
    /// What runs in any case.
    pub force: &'a dyn Fn(&Instance) -> bool,
    /// What may not run, though it may be needed: what is downstream of it fails where it would have to.
    pub hold: &'a dyn Fn(&Instance) -> bool,
}

impl Records<'_> {
    /// Reads the records of a folder: `.pipeline/state`. They are written to only under its [`Lock`](super::Lock).
    pub fn open(here: &Path) -> io::Result<(State, Vec<Loss>)> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        State::open(Box::new(FileDisk::new(&here.join(".pipeline/state"))), boot.trim())
    }

    /// How long the instance took when it last ran.
    pub fn took(&self, instance: &Instance) -> Option<Duration> {
        let millis = self.state.took(&self.key(instance))?;
        Some(Duration::from_millis(millis.into()))
    }

    /// What came from another machine is no word about what was made here.
    pub(super) fn key(&self, instance: &Instance) -> String {
        let received = if instance.is_received() { "received/" } else { "" };
        format!("{}/{received}{}", self.recipe, instance.id)
    }
}

/// Brings what was written in a folder's file system onto its disk.
pub(super) fn sync_outputs(here: &Path) -> io::Result<()> {
    let folder = std::fs::File::open(here.join(".pipeline"))?;
    Ok(rustix::fs::syncfs(&folder)?)
}
