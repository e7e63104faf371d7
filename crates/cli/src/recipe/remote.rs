//! Recipes in git repositories: `URL`, `URL#REF` or `URL#REF:PATH`, fetched into a cache and checked out by commit.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pipeline_core::diag::Diagnostic;
use pipeline_core::git;
use pipeline_core::image::Digest;
use pipeline_core::plan::Grammar;

use super::FILE;
use crate::environment;

/// A recipe somewhere else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remote {
    url: String,
    /// A branch, a tag or a commit; what the repository itself calls its head when empty.
    reference: String,
    /// A folder or a file in the repository.
    path: String,
}

/// A recipe that was fetched.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    /// Where from, as the user typed it, without a password.
    pub(crate) url: String,
    /// The commit that is checked out.
    pub(crate) commit: String,
    /// The checkout; nobody else writes there.
    pub(crate) root: PathBuf,
    /// The recipe's file in it.
    pub(crate) file: PathBuf,
    /// What a recipe without a name is called: as the folder in the repository, or the repository.
    pub(crate) name: String,
}

impl Remote {
    /// What a name says if it names a repository.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (url, rest) = name.split_once('#').unwrap_or((name, ""));
        let scp = url.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
        if !url.contains("://") && !scp {
            return None;
        }
        let (reference, path) = rest.split_once(':').unwrap_or((rest, ""));
        Some(Self { url: url.to_owned(), reference: reference.to_owned(), path: path.to_owned() })
    }

    /// Fetches the repository and checks out the commit; nothing of it is executed.
    pub(super) fn fetch(&self) -> Result<Fetched, Diagnostic> {
        self.check()?;
        let cache = cache_folder()?;
        let slug = &Digest::of(self.url.as_bytes()).hex()[..16];
        let mirror = cache.join(format!("{slug}.git"));
        let failed = |error: io::Error| refuse(format!("cannot write below `{}`: {error}", cache.display()));
        fs::create_dir_all(&cache).map_err(failed)?;
        // Two runs may want one repository at the same time.
        let lock = File::create(cache.join(format!("{slug}.lock"))).map_err(failed)?;
        lock.lock().map_err(failed)?;
        self.git(&["init", "--quiet", "--bare", "--template=", &mirror.to_string_lossy()])?;
        let in_mirror = format!("--git-dir={}", mirror.display());
        let wanted = if self.reference.is_empty() { "HEAD" } else { &self.reference };
        let fetch = format!("+{wanted}:refs/pipeline/fetched");
        self.git(&[
            &in_mirror,
            "-c",
            "protocol.ext.allow=never",
            "-c",
            "fetch.fsckObjects=true",
            "-c",
            "gc.auto=0",
            "-c",
            "maintenance.auto=false",
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--end-of-options",
            &self.url,
            &fetch,
        ])?;
        let commit = self.git(&[
            &in_mirror,
            "rev-parse",
            "--verify",
            "--end-of-options",
            "refs/pipeline/fetched^{commit}",
        ])?;
        let commit = commit.trim().to_owned();
        if !Grammar::Hex.accepts(&commit) {
            return Err(refuse(format!("git printed `{}` for a commit", commit.escape_debug())));
        }
        let root = cache.join(format!("{slug}-{commit}"));
        if !root.is_dir() {
            self.check_out(&in_mirror, &commit, &root)?;
        }
        Ok(Fetched { url: self.shown(), name: self.name(), file: self.file(&root)?, commit, root })
    }

    fn name(&self) -> String {
        let folder = self.path.trim_end_matches(FILE);
        let last =
            |path: &str| path.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default().to_owned();
        match last(folder) {
            name if name.is_empty() => last(self.url.trim_end_matches('/').trim_end_matches(".git")),
            name => name,
        }
    }

    /// The files of a commit in a folder, which is there as a whole or not at all.
    fn check_out(&self, in_mirror: &str, commit: &str, root: &Path) -> Result<(), Diagnostic> {
        let partial = root.with_extension("partial");
        let failed = |error: io::Error| refuse(format!("cannot write `{}`: {error}", root.display()));
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(failed)?;
        }
        fs::create_dir_all(&partial).map_err(failed)?;
        let index = partial.join(".index");
        let folder = partial.to_string_lossy();
        let with_index = [("GIT_INDEX_FILE", index.to_string_lossy().into_owned())];
        self.git_with(&[in_mirror, "read-tree", commit], &with_index)?;
        let tree = ["-C", &folder, in_mirror, "--work-tree=.", "checkout-index", "--quiet", "--all"];
        self.git_with(&tree, &with_index)?;
        fs::remove_file(&index).map_err(failed)?;
        fs::rename(&partial, root).map_err(failed)
    }

    /// The recipe in the checkout, and not what a symbolic link in it points at.
    fn file(&self, root: &Path) -> Result<PathBuf, Diagnostic> {
        let shown = self.shown();
        let named = root.join(self.path.trim_start_matches('/'));
        let file = if named.is_dir() { named.join(FILE) } else { named };
        let inside = confined(root, &file);
        if file.is_file() && inside {
            return Ok(file);
        }
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        Err(Diagnostic::error("select::no-recipe", format!("there is no `{name}` in `{shown}`"))
            .help("name its folder or file after the ref: `URL#REF:pipelines/app`"))
    }

    /// Without a password.
    fn shown(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        let (login, host) = rest.split_at(rest.find('/').and_then(|end| rest[..end].rfind('@')).unwrap_or(0));
        match login.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***{host}"),
            None => self.url.clone(),
        }
    }

    fn check(&self) -> Result<(), Diagnostic> {
        let bad = |problem: &str, help: &str| {
            Err(Diagnostic::error(
                "select::bad-url",
                format!("cannot fetch `{}`: {problem}", self.shown().escape_debug()),
            )
            .help(help.to_owned()))
        };
        let protocol = self.url.split_once("://").map_or("ssh", |(protocol, _)| protocol);
        let control = |text: &str| text.chars().any(|c| c.is_control() || c == ' ');
        if self.url.starts_with('-') || control(&self.url) || self.url.contains("://-") {
            bad("it is no URL of a repository", "write `https://…`, `ssh://…` or `user@host:path`")
        } else if !["https", "ssh", "file"].contains(&protocol) {
            bad(&format!("the protocol `{protocol}` is not safe"), "use `https`, `ssh` or `file`")
        } else if self.reference.starts_with('-') || self.reference.contains("..") || control(&self.reference)
        {
            bad("it names no ref", "write a branch, a tag or a commit after `#`")
        } else if Path::new(&self.path).components().any(|part| part == std::path::Component::ParentDir) {
            bad("the path leaves the repository", "write a path in it after `#REF:`")
        } else {
            Ok(())
        }
    }

    fn git(&self, args: &[&str]) -> Result<String, Diagnostic> {
        self.git_with(args, &[])
    }

    fn git_with(&self, args: &[&str], env: &[(&str, String)]) -> Result<String, Diagnostic> {
        let output = Command::new("git")
            .args(args)
            .env_clear()
            .envs(environment::for_steps(&[]))
            .envs(git::ENVIRONMENT)
            .env("GIT_ALLOW_PROTOCOL", "https:ssh:file")
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output();
        match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(refuse("there is no `git` here".into()).help("install git: `apt-get install git`"))
            }
            Err(error) => Err(refuse(format!("git cannot be started: {error}"))),
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("git failed");
                Err(refuse(format!("cannot fetch `{}`: {}", self.shown(), last.trim()))
                    .help("check the URL and the ref: `git ls-remote URL`"))
            }
        }
    }
}

/// Inside of a folder, whatever links there are on the way.
pub(super) fn confined(root: &Path, file: &Path) -> bool {
    match (fs::canonicalize(root), fs::canonicalize(file)) {
        (Ok(root), Ok(file)) => file.starts_with(root),
        // What does not exist leads nowhere.
        _ => !file.exists(),
    }
}

fn refuse(message: String) -> Diagnostic {
    Diagnostic::error("select::not-fetched", message)
}

/// `$XDG_CACHE_HOME/pipeline/recipes`, or below `~/.cache`.
fn cache_folder() -> Result<PathBuf, Diagnostic> {
    environment::cache().map(|cache| cache.join("recipes")).ok_or_else(|| {
        refuse("there is no folder for fetched recipes".into()).help("set `HOME` or `XDG_CACHE_HOME`")
    })
}

#[cfg(test)]
mod tests {
    use super::Remote;

    fn parts(name: &str) -> Option<(String, String, String)> {
        Remote::parse(name).map(|remote| (remote.url, remote.reference, remote.path))
    }

    #[test]
    fn names_urls_and_what_follows_them() {
        let some = |url: &str, reference: &str, path: &str| Some((url.into(), reference.into(), path.into()));
        assert_eq!(parts("https://h/x.git"), some("https://h/x.git", "", ""));
        assert_eq!(parts("https://h/x.git#v1"), some("https://h/x.git", "v1", ""));
        assert_eq!(parts("git@h:x.git#main:pipelines/a"), some("git@h:x.git", "main", "pipelines/a"));
        for name in ["registry", "pipelines/x", "a:b", "./x@y:z/", "/x"] {
            assert_eq!(parts(name), None, "{name}");
        }
    }

    #[test]
    fn what_git_could_misread_is_refused() {
        for name in [
            "https://-x/y",
            "ext://x",
            "http://h/x",
            "https://h/x#--upload-pack=x",
            "https://h/x#a..b",
            "https://h/x#m:../../y",
            "https://h/ x",
        ] {
            assert!(Remote::parse(name).unwrap().check().is_err(), "{name}");
        }
        assert!(Remote::parse("ssh://git@h:22/x#a/b").unwrap().check().is_ok());
    }

    #[test]
    fn a_recipe_is_called_as_its_folder_or_its_repository() {
        let name = |text: &str| Remote::parse(text).unwrap().name();
        assert_eq!(name("https://h/team/app.git"), "app");
        assert_eq!(name("git@h:app.git#v1"), "app");
        assert_eq!(name("https://h/recipes.git#main:pipelines/web/"), "web");
        assert_eq!(name("https://h/recipes#main:pipelines/web/pipeline.toml"), "web");
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(Remote::parse("https://u:p@h/x").unwrap().shown(), "https://u:***@h/x");
        assert_eq!(Remote::parse("https://u@h/x").unwrap().shown(), "https://u@h/x");
        assert_eq!(Remote::parse("https://h/x@y:z").unwrap().shown(), "https://h/x@y:z");
    }
}
