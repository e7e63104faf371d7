//! A commit of a repository, brought into a folder: from the remote into a mirror that all recipes share, from there into a
//! new folder, which gets its name when it is complete.

mod git;
mod lfs;
mod mirror;
mod place;
mod signature;
mod submodules;

use std::fs;
use std::path::Path;

use self::git::Git;
use self::mirror::Mirror;
use super::Performer;
use crate::event::{Failure, FailureKind};
use crate::exec::{ActionCx, remedy};
use crate::lock::{Commit, Key, Pin};
use crate::plan::{Checkout, Grammar};

/// Yields the commit's id.
pub(super) fn perform(
    checkout: &Checkout,
    performer: &Performer<'_>,
    cx: &ActionCx<'_>,
) -> Result<String, Failure> {
    let dir = cx.here().join(&checkout.dir);
    let work = dir.parent().unwrap_or(cx.here()).to_owned();
    fs::create_dir_all(&work).map_err(|error| io(&work, &error))?;
    let git = Git { cx, checkout };
    let cache =
        performer.cache.as_deref().map_or_else(|| cx.here().join(".pipeline/git"), |cache| cache.join("git"));
    let mirror = Mirror::open(&git, &cache)?;
    let commit = wanted(&git, &mirror)?;
    let tree =
        mirror.ask(&git, &["rev-parse", "--verify", "--end-of-options", &format!("{commit}^{{tree}}")])?;
    let epoch = mirror.ask(&git, &["show", "--no-patch", "--no-show-signature", "--format=%ct", &commit])?;
    if let Some(signed) = &checkout.signed {
        signature::check(&git, &mirror, signed, &commit, &work)?;
    }
    place::check_out(&git, &mirror, &commit, &dir)?;
    for (name, value) in [("tree", tree), ("epoch", epoch)] {
        let path = work.join(name);
        fs::write(&path, value).map_err(|error| io(&path, &error))?;
    }
    Ok(commit)
}

/// The commit that is to be checked out, which the mirror has then.
fn wanted(git: &Git<'_>, mirror: &Mirror) -> Result<String, Failure> {
    let Checkout { url, wanted, .. } = git.checkout;
    if Grammar::Hex.accepts(wanted) {
        if !mirror.has(git, wanted)? {
            mirror.fetch_commit(git, wanted, None)?;
        }
        return Ok(wanted.clone());
    }
    let key = Key::Git { url: url.clone(), reference: wanted.clone() };
    if let Some(Pin::Git(pin)) = git.cx.pin(&key)? {
        if !mirror.has(git, &pin.commit)? {
            mirror.fetch_commit(git, &pin.commit, Some(wanted))?;
        }
        let tree = mirror.ask(git, &["rev-parse", "--verify", &format!("{}^{{tree}}", pin.commit)])?;
        if tree != pin.tree {
            let message =
                format!("the commit {} has the tree {tree}, and the lock says {}", pin.commit, pin.tree);
            return Err(Failure::new(FailureKind::Mismatch, message).help(format!(
                "if the line in the lock was edited, remove it: `pipeline lock` asks {url} again"
            )));
        }
        return Ok(pin.commit);
    }
    let commit = mirror.fetch_ref(git, wanted)?;
    let tree = mirror.ask(git, &["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?;
    match git.cx.pinned(&key, Pin::Git(Commit { commit: commit.clone(), tree })) {
        // Another instance of this run was a moment earlier.
        Pin::Git(first) if first.commit != commit => {
            if !mirror.has(git, &first.commit)? {
                mirror.fetch_commit(git, &first.commit, Some(wanted))?;
            }
            Ok(first.commit)
        }
        _ => Ok(commit),
    }
}

fn io(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(FailureKind::Io, format!("cannot write {}: {error}", path.display()));
    match remedy(&failure.message) {
        Some(help) => failure.help(help),
        None => failure,
    }
}
