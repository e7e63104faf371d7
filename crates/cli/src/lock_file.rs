//! `pipeline.lock` beside the recipe: read before planning, and what a run found out added to it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_core::diag::Diagnostic;
use pipeline_core::event::{Event, EventKind};
use pipeline_core::lock::{self, Key, Lock};

use crate::files;

/// The lock of a recipe.
#[derive(Debug, Clone)]
pub(crate) struct LockFile {
    path: PathBuf,
    /// Its name as the user would type it.
    pub(crate) name: String,
    /// The entries when it was read; none where there is no file.
    pub(crate) lock: Lock,
    /// There is a file.
    pub(crate) exists: bool,
}

impl LockFile {
    /// Reads the lock beside the recipe's file: `pipeline.lock` beside `pipeline.toml`.
    pub(crate) fn read(recipe: &Path) -> Result<Self, Box<Diagnostic>> {
        let path = recipe.with_extension("lock");
        let name = path.display().to_string();
        match text(&path) {
            Ok(text) => Ok(Self { lock: lock::read(&name, &text)?, path, name, exists: true }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { lock: Lock::default(), path, name, exists: false })
            }
            Err(error) => {
                let help = "make it a file that can be read, or remove it: `pipeline lock` writes it";
                let message = format!("cannot read `{name}`: {error}");
                Err(Box::new(Diagnostic::error("lock::unreadable", message).help(help)))
            }
        }
    }

    /// Writes the lock in the place of the old one, whole or not at all. Nothing is touched where nothing has changed.
    pub(crate) fn write(&self, lock: &Lock) -> io::Result<()> {
        let text = lock::write(lock);
        match self::text(&self.path) {
            Ok(there) if there == text => Ok(()),
            Ok(_) => files::replace(&self.path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => files::create(&self.path, &text, false),
            Err(error) => Err(error),
        }
    }

    /// Adds entries to whatever the file holds now; what is there wins.
    pub(crate) fn add(&self, new: &Lock) -> io::Result<()> {
        let mut lock = match text(&self.path) {
            Ok(text) => lock::read(&self.name, &text).map_err(|error| io::Error::other(error.message))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Lock::default(),
            Err(error) => return Err(error),
        };
        for (key, pin) in new.iter() {
            lock.keep(key, pin.clone());
        }
        self.write(&lock)
    }
}

/// Opening a pipe could wait for ever, and no lock has more than this.
const MOST: u64 = 16 << 20;

fn text(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if found.len() > MOST {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    fs::read_to_string(path)
}

/// What a run says of names: a consumer of its events.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    /// What the names stand for that were asked for.
    pub(crate) asked: Lock,
    /// Those of them that the lock did not explain.
    new: Lock,
    /// Why the file could not be written.
    problem: Option<String>,
}

impl Pins {
    /// Takes note of what a name stands for, and writes it down at once where that is news: a run may be killed.
    pub(crate) fn on(&mut self, event: &Event, file: &LockFile) {
        let EventKind::Pinned { key, pin, new, .. } = &event.kind else { return };
        self.asked.keep(key, pin.clone());
        if *new {
            self.new.keep(key, pin.clone());
            if let Err(error) = file.add(&self.new) {
                self.problem = Some(format!("`{}` cannot be written: {error}", file.name));
            }
        }
    }

    /// Why something is not in the lock that should be.
    pub(crate) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Entries of the lock that nobody asked for.
    pub(crate) fn unused(&self, lock: &Lock) -> Vec<Key> {
        let asked: BTreeSet<&Key> = self.asked.iter().map(|(key, _)| key).collect();
        lock.iter().map(|(key, _)| key).filter(|key| !asked.contains(key)).cloned().collect()
    }
}
