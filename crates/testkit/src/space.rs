//! A folder and an environment of a test's own.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use serde::Serialize;
use tempfile::TempDir;

use crate::{
    faketool::{self, SETTINGS, Settings},
    locate,
    normalise::literal,
    rule::{Call, Rule},
};

/// A temporary folder that holds a work folder, a home, a `TMPDIR` and a `bin` of fake tools; deleted
/// when dropped.
#[derive(Debug)]
pub struct TestSpace {
    root: PathBuf,
    /// `None` once ejected.
    guard: Option<TempDir>,
    /// After `bin`.
    path: Vec<PathBuf>,
    /// Calls before the current script.
    since: AtomicUsize,
}

impl Default for TestSpace {
    fn default() -> Self {
        Self::new()
    }
}

impl TestSpace {
    /// An empty space without tools: `PATH` has nothing but the folder for fakes.
    pub fn new() -> Self {
        let guard = tempfile::Builder::new().prefix("space-").tempdir().unwrap();
        // Tools print resolved paths; so does the space.
        let root = guard.path().canonicalize().unwrap();
        for dir in ["work", "home", "tmp", "bin"] {
            fs::create_dir(root.join(dir)).unwrap();
        }
        Self { root, guard: Some(guard), path: Vec::new(), since: AtomicUsize::new(0) }
    }

    /// The same, with the `PATH` of this process after the fakes: what is not faked is real.
    pub fn with_real_tools() -> Self {
        let mut space = Self::new();
        space.path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        space
    }

    /// Puts `dir` last on the space's `PATH`.
    pub fn add_to_path(&mut self, dir: impl Into<PathBuf>) {
        self.path.push(dir.into());
    }

    /// The folder with everything in it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `path` in the work folder, where commands start; `.` for the folder itself.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join("work").join(path)
    }

    /// Writes a file in the work folder, and the folders above it; returns its whole path.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// The text of a file in the work folder.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `program`, to be run in the work folder with nothing of this process's environment, and no input. A
    /// bare name is looked up on the space's `PATH`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let path = [self.root.join("bin")].into_iter().chain(self.path.iter().cloned());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", env::join_paths(path).unwrap())
            .env("HOME", self.root.join("home"))
            .env("TMPDIR", self.root.join("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .current_dir(self.path("."))
            .stdin(Stdio::null());
        command
    }

    /// Puts fake tools of these names first on the space's `PATH`. Without a script they succeed in
    /// silence.
    pub fn install_fakes(&self, tools: &[&str]) {
        let bin = self.root.join("bin");
        put(&bin.join(SETTINGS), &self.settings());
        for tool in tools {
            let (binary, link) = (locate::faketool(), bin.join(tool));
            // A hard link knows its own name. Across file systems only a symbolic one is possible; a copy
            // might be "text file busy" while another test forks.
            fs::hard_link(binary, &link)
                .or_else(|_| symlink(binary, &link))
                .unwrap_or_else(|error| panic!("cannot link {}: {error}", link.display()));
        }
    }

    /// What the fakes answer from now on, in place of what they did before.
    pub fn script(&self, rules: &[Rule]) {
        self.since.store(self.calls().len(), Ordering::Relaxed);
        put(&self.settings().script, rules);
        put(&self.root.join("bin").join(SETTINGS), &self.settings());
    }

    /// The calls of fakes so far, in the order in which they began.
    pub fn calls(&self) -> Vec<Call> {
        faketool::calls(&self.settings().log).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A filter for [`crate::normalise()`] that shows the space as `[SPACE]`.
    pub fn filter(&self) -> (String, String) {
        literal(&self.root.display().to_string(), "[SPACE]")
    }

    /// Keeps the folder after the test, to be looked at; prints and returns its path.
    pub fn eject(&mut self) -> &Path {
        if let Some(guard) = self.guard.take() {
            println!("kept: {}", guard.keep().display());
        }
        &self.root
    }

    fn settings(&self) -> Settings {
        Settings {
            log: self.root.join("calls.jsonl"),
            script: self.root.join("script.json"),
            since: self.since.load(Ordering::Relaxed),
        }
    }
}

/// Replaces the file in one step: tools may be reading it.
fn put(file: &Path, value: &(impl Serialize + ?Sized)) {
    let partial = file.with_extension("partial");
    fs::write(&partial, serde_json::to_vec_pretty(value).unwrap()).unwrap();
    fs::rename(partial, file).unwrap();
}
