//! Folders of old runs are removed when they are too many.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pipeline_core::exec::Lock;
use pipeline_core::history::{Rule, removable, runs};

use crate::terminal;

/// So many runs are kept where nobody says how many.
pub(crate) const KEEP: usize = 50;

/// After a run: all but the newest go. What cannot be removed is told and changes nothing.
pub(crate) fn after_run(lock: &Lock, folder: &Path, keep: usize) {
    if keep == 0 || is_link(&folder.join(".pipeline/runs")) {
        return;
    }
    let Ok(all) = runs(folder) else { return };
    if all.len() <= keep {
        return;
    }
    lock.remove_rests();
    for run in removable(all, Rule { keep: Some(keep), before: None }) {
        if let Err(error) = lock.remove_run(&run.id) {
            terminal::warning(
                &format!("{}: an old run cannot be removed: {error}", run.path().display()),
                "see that it can be, or say `--keep-runs=0`",
            );
            return;
        }
    }
}

/// Where it leads is none of ours.
pub(crate) fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_symlink())
}

/// Bytes on the disk of a file, or of a folder and everything in it; links are not followed.
pub(crate) fn size(path: &Path) -> u64 {
    let (mut total, mut seen, mut left) = (0, HashSet::new(), vec![path.to_owned()]);
    while let Some(path) = left.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        // A file of several names is there once.
        if meta.nlink() < 2 || meta.is_dir() || seen.insert((meta.dev(), meta.ino())) {
            total += meta.blocks() * 512;
        }
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    total
}
