//! A commit's files in a folder.

use std::fs;
use std::path::Path;

use super::git::Git;
use super::mirror::Mirror;
use super::{io, lfs, submodules};
use crate::event::Failure;

/// Puts the commit into a new folder beside the old one, and takes its place when it is complete.
pub(super) fn check_out(git: &Git<'_>, mirror: &Mirror, commit: &str, dir: &Path) -> Result<(), Failure> {
    let checkout = git.checkout;
    let partial = dir.with_extension("partial");
    remove(&partial)?;
    fs::create_dir(&partial).map_err(|error| io(&partial, &error))?;
    if checkout.keep_git_dir || checkout.submodules || checkout.lfs {
        as_repository(git, mirror, commit, &partial)?;
    } else {
        files_only(git, mirror, commit, &partial)?;
        lfs::mention(git, &partial);
    }
    remove(dir)?;
    fs::rename(&partial, dir).map_err(|error| io(dir, &error))
}

/// Straight from the mirror, with an index beside the folder.
fn files_only(git: &Git<'_>, mirror: &Mirror, commit: &str, partial: &Path) -> Result<(), Failure> {
    let index = partial.with_extension("index");
    let _ = fs::remove_file(&index);
    let (shown, mirror) = (partial.display().to_string(), format!("--git-dir={}", mirror.shown()));
    let command = git.within(&shown, &[&mirror, "--work-tree=.", "read-tree", "--reset", "-u", commit]);
    git.cx.run(&command.env("GIT_INDEX_FILE", index.display().to_string()))?;
    let _ = fs::remove_file(&index);
    Ok(())
}

/// A repository of its own, with the commit's objects: what follows needs one.
fn as_repository(git: &Git<'_>, mirror: &Mirror, commit: &str, partial: &Path) -> Result<(), Failure> {
    let checkout = git.checkout;
    let shown = partial.display().to_string();
    let run = |args: &[&str]| git.cx.run(&git.within(&shown, args)).map(drop);
    run(&["init", "--quiet", "--template="])?;
    run(&["config", "remote.origin.url", &checkout.url])?;
    let mirrored = mirror.shown();
    let depth = checkout.depth.map(|depth| format!("--depth={depth}"));
    let mut fetch = vec!["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
    fetch.extend(depth.as_deref());
    // By way of the protocol, which a shallow mirror needs; the mirror is here, whatever the recipe allows.
    let url = format!("file://{mirrored}");
    fetch.extend(["--end-of-options", &url, commit]);
    git.cx.run(&git.within(&shown, &fetch).env("GIT_ALLOW_PROTOCOL", "file"))?;
    run(&["checkout", "--quiet", "--detach", commit])?;
    if checkout.submodules {
        submodules::check_out(git, partial, 0)?;
    }
    if checkout.lfs {
        lfs::fetch(git, mirror, commit, partial)?;
    }
    if !checkout.keep_git_dir {
        submodules::forget_git(partial)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path, &error)),
        _ => Ok(()),
    }
}
