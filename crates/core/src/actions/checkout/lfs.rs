//! Files that git LFS keeps apart.

use std::fs;
use std::path::Path;

use super::git::Git;
use super::mirror::Mirror;
use crate::event::{Failure, FailureKind};

/// Fetches them, into the mirror's own store, and puts them in the place of their pointers.
pub(super) fn fetch(git: &Git<'_>, mirror: &Mirror, commit: &str, folder: &Path) -> Result<(), Failure> {
    git.cx.tool("git-lfs").map_err(|failure| failure.help("install it: `apt-get install git-lfs`"))?;
    let shown = folder.display().to_string();
    let run = |args: &[&str]| git.cx.run(&git.within(&shown, args));
    // By `-c` it would be taken for the remote's as well, where that is a folder.
    run(&["config", "lfs.storage", &mirror.path.join("lfs").display().to_string()])?;
    // Without its filters it takes itself for not installed.
    run(&["lfs", "install", "--local", "--skip-repo"])?;
    run(&["lfs", "fetch", "origin", commit])?;
    run(&["lfs", "checkout"])?;
    let listed = run(&["lfs", "ls-files"])?;
    run(&["config", "--unset", "lfs.storage"])?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    // `oid * path`, or `oid - path` of one that is still a pointer.
    let missing = listed.lines().filter(|line| line.split(' ').nth(1) == Some("-")).count();
    if missing == 0 {
        return Ok(());
    }
    let message =
        format!("{missing} of the files that git LFS keeps apart did not come from {}", git.checkout.url);
    Err(Failure::new(FailureKind::Input, message)
        .help("see whether the LFS server has them: `git lfs fsck` in a clone"))
}

/// Says that there are pointers where files are meant.
pub(super) fn mention(git: &Git<'_>, folder: &Path) {
    let attributes = fs::read(folder.join(".gitattributes")).unwrap_or_default();
    if String::from_utf8_lossy(&attributes).contains("filter=lfs") {
        git.cx.say("git LFS keeps some files apart, and only pointers to them are checked out: `lfs = true` fetches them");
    }
}
