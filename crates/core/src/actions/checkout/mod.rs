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
    let Commit { commit, tree } = wanted(&git, &mirror)?;
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
fn wanted(git: &Git<'_>, mirror: &Mirror) -> Result<Commit, Failure> {
    let Checkout { url, wanted, locked, .. } = git.checkout;
    if !locked && !Grammar::Hex.accepts(wanted) {
        let commit = mirror.fetch_ref(git, wanted)?;
        return there(git, mirror, &commit, None);
    }
    if Grammar::Hex.accepts(wanted) {
        return there(git, mirror, wanted, None);
    }
    let key = Key::Git { url: url.clone(), reference: wanted.clone() };
    let pinned = match git.cx.pin(&key)? {
        Some(pin) => pin,
        None => {
            let commit = mirror.fetch_ref(git, wanted)?;
            let tree = tree(git, mirror, &commit)?;
            // Another instance of this run may have been a moment earlier.
            git.cx.pinned(&key, Pin::Git(Commit { commit, tree }))
        }
    };
    let Pin::Git(pinned) = pinned else {
        return Err(Failure::new(FailureKind::Internal, format!("the lock has an image for {key}")));
    };
    let found = there(git, mirror, &pinned.commit, Some(wanted))?;
    if found == pinned {
        return Ok(found);
    }
    let Commit { commit, tree } = pinned;
    let message = format!("the commit {commit} has the tree {}, and the lock says {tree}", found.tree);
    Err(Failure::new(FailureKind::Mismatch, message)
        .help(format!("if the line in the lock was edited, remove it: `pipeline lock` asks {url} again")))
}

/// A commit by its id, fetched where the mirror does not have it.
fn there(git: &Git<'_>, mirror: &Mirror, commit: &str, reference: Option<&str>) -> Result<Commit, Failure> {
    if !mirror.has(git, commit)? {
        mirror.fetch_commit(git, commit, reference)?;
    }
    Ok(Commit { commit: commit.to_owned(), tree: tree(git, mirror, commit)? })
}

fn tree(git: &Git<'_>, mirror: &Mirror, commit: &str) -> Result<String, Failure> {
    mirror.ask(git, &["rev-parse", "--verify", "--end-of-options", &format!("{commit}^{{tree}}")])
}

fn io(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(FailureKind::Io, format!("cannot write {}: {error}", path.display()));
    match remedy(&failure.message) {
        Some(help) => failure.help(help),
        None => failure,
    }
}
