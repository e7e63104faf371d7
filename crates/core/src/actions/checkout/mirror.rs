//! A mirror of a repository, which all recipes of a user share: a bare repository that is only added to.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::git::Git;
use super::io;
use crate::event::{Failure, FailureKind};
use crate::git::is_relative_path;
use crate::image::Digest;
use crate::plan::Grammar;

/// Between two looks at a mirror that another run fetches into.
const LOOK: Duration = Duration::from_millis(100);

/// Nobody else fetches into it for as long as it is held.
pub(super) struct Mirror {
    pub(super) path: PathBuf,
    _lock: File,
}

impl Mirror {
    /// Opens the repository's mirror, or makes one. What is fetched in another way is in another mirror: from a shallow or a
    /// partial one no whole history can be had.
    pub(super) fn open(git: &Git<'_>, cache: &Path) -> Result<Self, Failure> {
        let checkout = git.checkout;
        let url = &checkout.url;
        let place =
            if is_relative_path(url) { git.cx.here().join(url).display().to_string() } else { url.clone() };
        let mut name = Digest::of(place.as_bytes()).hex()[..16].to_owned();
        if let Some(depth) = checkout.depth {
            name += &format!("-depth-{depth}");
        }
        if let Some(filter) = &checkout.filter {
            name += &format!("-{}", filter.replace([':', '='], "-"));
        }
        fs::create_dir_all(cache).map_err(|error| io(cache, &error))?;
        let path = cache.join(format!("{name}.git"));
        let lock = lock(git, &cache.join(format!("{name}.lock")))?;
        let mirror = Self { path, _lock: lock };
        mirror.unlock_git();
        git.cx.run(&git.command(&["init", "--quiet", "--bare", "--template=", &mirror.shown()]))?;
        if checkout.filter.is_some() {
            mirror.ask(git, &["config", "remote.origin.url", &place])?;
        }
        Ok(mirror)
    }

    /// A killed git leaves its locks behind, and nobody else holds them now.
    fn unlock_git(&self) {
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name.to_string_lossy().ends_with(".lock") {
                    let _ = fs::remove_file(entry.path());
                } else if name != "objects" && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                }
            }
        }
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Arguments for a call on the mirror.
    pub(super) fn args<S: AsRef<str>>(&self, args: &[S]) -> Vec<String> {
        let mut all = vec![format!("--git-dir={}", self.shown())];
        all.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        all
    }

    /// What git says of it.
    pub(super) fn ask<S: AsRef<str>>(&self, git: &Git<'_>, args: &[S]) -> Result<String, Failure> {
        git.ask(&git.command(&self.args(args)))
    }

    /// The commit is there; nothing is fetched to find that out.
    pub(super) fn has(&self, git: &Git<'_>, commit: &str) -> Result<bool, Failure> {
        let wanted = format!("{commit}^{{commit}}");
        let command =
            git.command(&self.args(&["rev-parse", "--quiet", "--verify", "--end-of-options", &wanted]));
        Ok(git.cx.run_any(&command.env("GIT_NO_LAZY_FETCH", "1"))?.code == 0)
    }

    /// Fetches what a ref stands for now; yields the commit.
    pub(super) fn fetch_ref(&self, git: &Git<'_>, reference: &str) -> Result<String, Failure> {
        let local = format!("refs/pipeline/{}", &Digest::of(reference.as_bytes()).hex()[..16]);
        self.fetch(git, &format!("+{reference}:{local}"), true)?;
        let commit =
            self.ask(git, &["rev-parse", "--verify", "--end-of-options", &format!("{local}^{{commit}}")])?;
        if Grammar::Hex.accepts(&commit) {
            return Ok(commit);
        }
        Err(Failure::new(FailureKind::Tool, format!("git printed `{}` for a commit", commit.escape_debug())))
    }

    /// Fetches a commit by its id, or with all that a ref has where the remote does not hand out single commits.
    pub(super) fn fetch_commit(
        &self,
        git: &Git<'_>,
        commit: &str,
        reference: Option<&str>,
    ) -> Result<(), Failure> {
        let local = format!("refs/pipeline/{commit}");
        let alone = self.fetch(git, &format!("+{commit}:{local}"), true);
        let (Err(failure), Some(reference)) = (alone, reference) else {
            return self.must_have(git, commit, None);
        };
        if git.cx.cancelled() {
            return Err(failure);
        }
        git.cx.say(format!(
            "{} does not hand out the commit {commit} alone: fetching all of {reference}",
            git.checkout.url
        ));
        let local = format!("refs/pipeline/{}", &Digest::of(reference.as_bytes()).hex()[..16]);
        self.fetch(git, &format!("+{reference}:{local}"), false)?;
        self.must_have(git, commit, Some(reference))
    }

    fn must_have(&self, git: &Git<'_>, commit: &str, reference: Option<&str>) -> Result<(), Failure> {
        if self.has(git, commit)? {
            return Ok(());
        }
        let url = &git.checkout.url;
        let failure = match reference {
            Some(reference) => Failure::new(
                FailureKind::Lock,
                format!("the lock says that {reference} of {url} is {commit}, and that commit is not there any more"),
            )
            .help("its history was rewritten: `pipeline lock --update` takes what is there now; whoever has the old commit can push it again"),
            None => Failure::new(FailureKind::Input, format!("{url} has no commit {commit}"))
                .help("look for it in the repository: the remote may have dropped it"),
        };
        Err(failure)
    }

    fn fetch(&self, git: &Git<'_>, refspec: &str, shallow: bool) -> Result<(), Failure> {
        let checkout = git.checkout;
        let settings =
            ["protocol.ext.allow=never", "fetch.fsckObjects=true", "gc.auto=0", "maintenance.auto=false"];
        let mut args: Vec<&str> = settings.iter().flat_map(|setting| ["-c", setting]).collect();
        let depth = checkout.depth.filter(|_| shallow).map(|depth| format!("--depth={depth}"));
        let filter = checkout.filter.as_ref().map(|filter| format!("--filter={filter}"));
        args.extend(["fetch", "--no-tags", "--no-recurse-submodules"]);
        args.extend(depth.as_deref());
        args.extend(filter.as_deref());
        let from = if filter.is_some() { "origin" } else { &checkout.url };
        args.extend(["--end-of-options", from, refspec]);
        git.cx.run(&git.command(&self.args(&args))).map(drop)
    }
}

/// Waits until no other run fetches into the mirror.
fn lock(git: &Git<'_>, path: &Path) -> Result<File, Failure> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| io(path, &error))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(io(path, &error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !std::mem::replace(&mut told, true) {
            git.cx.say(format!("another run fetches {}: waiting for it", git.checkout.url));
        }
        git.cx.pause(LOOK)?;
    }
}
