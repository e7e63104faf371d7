//! The folder that a run happens in: whose it is, what it lies on, and that nobody else is at work there.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_core::doctor::network_disk;
use pipeline_core::exec::{Lock, LockError, remedy};
use rustix::process::geteuid;

use crate::recipe::Found;
use crate::{exit_code, terminal};

/// What a run needs of its folder.
pub(crate) const WRITABLE: &str = "see that `.pipeline` is a folder that can be written to";

/// Steps may be started here. Otherwise it has been said why not; the error is the exit code.
pub(crate) fn may_run(found: &Found, any_owner: bool, any_disk: bool) -> Result<(), u8> {
    if let Some((path, owner)) = stranger(found).filter(|_| !any_owner) {
        terminal::error(
            "place::owner",
            &format!("{} belongs to user {owner}, whose commands would run as root", path.display()),
            Some(
                "run it as that user, or say `--allow-owner` where they may do what root may; \
                 in CI, set PIPELINE_ALLOW_OWNER=1",
            ),
        );
        return Err(exit_code::PREFLIGHT_FAILED);
    }
    on(network_disk(&found.folder).filter(|_| !any_disk), &found.folder)
}

/// A disk of this machine's own, or the name of what it is instead.
fn on(network: Option<&str>, folder: &Path) -> Result<(), u8> {
    let Some(kind) = network else { return Ok(()) };
    let folder = folder.join(".pipeline");
    terminal::error(
        "place::network-disk",
        &format!("{} is on {kind}, where another machine's run may not be noticed", folder.display()),
        Some("keep the recipe on a local disk, or say `--allow-network-disk` where no other machine runs it"),
    );
    Err(exit_code::PREFLIGHT_FAILED)
}

/// Locks the folder, and waits so long where another run is under way.
pub(crate) fn lock(folder: &Path, patience: Duration) -> Result<Lock, u8> {
    let mut waits = |holder: &str| {
        let (folder, holder) = (folder.display(), terminal::clean(holder));
        terminal::note(&format!("waiting for another run in {folder} to end: {holder}\n"));
    };
    Lock::acquire_within(folder, patience, &mut waits).map_err(|error| {
        let (code, help) = match &error {
            LockError::Held { .. } if patience.is_zero() => {
                ("place::locked", "`--wait-lock` waits until it has ended")
            }
            LockError::Held { .. } => {
                ("place::locked", "wait longer, or find out what that process waits for")
            }
            LockError::Io { error, .. } => {
                ("place::unwritable", remedy(&error.to_string()).unwrap_or(WRITABLE))
            }
        };
        terminal::error(code, &error.to_string(), Some(help));
        exit_code::PREFLIGHT_FAILED
    })
}

/// To root: the first of the folder and the recipe's files that belongs to a user who may not do all that root may.
fn stranger(found: &Found) -> Option<(PathBuf, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    // As git has it: who became root by sudo runs what is their own.
    let sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    let files = found.files.sources.files().map(|file| PathBuf::from(file.name()));
    std::iter::once(found.folder.clone()).chain(files).find_map(|path| {
        let owner = path.metadata().ok()?.uid();
        (!trusted(owner, sudo)).then_some((path, owner))
    })
}

fn trusted(owner: u32, sudo: Option<u32>) -> bool {
    owner == 0 || sudo == Some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_trusts_itself_and_who_became_root() {
        assert!(trusted(0, None) && trusted(0, Some(1000)) && trusted(1000, Some(1000)));
        assert!(!trusted(1000, None) && !trusted(1001, Some(1000)));
    }

    #[test]
    fn a_network_is_no_place_for_records() {
        assert_eq!(on(Some("NFS"), Path::new("x")), Err(exit_code::PREFLIGHT_FAILED));
        assert_eq!(on(None, Path::new("x")), Ok(()));
    }
}
