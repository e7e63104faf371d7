//! What the table says about one platform, without running anything foreign.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::problem::Problem;
use super::state::{Entry, State};
use super::table::Registration;
use super::{Binfmt, interpreter, program};
use crate::platform::Platform;

/// How this machine stands to a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assessment {
    /// The processor runs it.
    Native,
    /// An entry is in order, as far as files tell; only execution proves it.
    Ready {
        /// The entry.
        entry: PathBuf,
        /// What it names. With the flag `F` the file may be elsewhere: in the container that registered it.
        interpreter: PathBuf,
        /// Its flags.
        flags: String,
        /// The version of the file at that path, if it is QEMU. The kernel may still hold an older one.
        version: Option<String>,
    },
    /// No entry matches.
    Missing,
    /// An entry matches and would not do, or there is no table.
    Broken(Problem),
}

/// Assesses one platform on a machine that is a `host`.
pub fn assess(binfmt: &Binfmt, platform: &Platform, host: &Platform) -> Assessment {
    let native = host.runs_natively(platform);
    let state = match State::read(&binfmt.mount) {
        Ok(state) => state,
        // Without a table nothing stands between the processor and its own programs.
        Err(_) if native => return Assessment::Native,
        Err(problem) => return Assessment::Broken(problem),
    };
    if state.enabled
        && let Some(entry) = state.entries.iter().find(|entry| entry.enabled && some(entry, host))
    {
        return Assessment::Broken(Problem::TooWide { entry: entry.path.clone(), host: host.to_string() });
    }
    if native {
        return Assessment::Native;
    }
    match assess_entries(binfmt, &state, platform, host) {
        Ok(Some(ready)) => ready,
        Ok(None) => Assessment::Missing,
        Err(problem) => Assessment::Broken(problem),
    }
}

fn assess_entries(
    binfmt: &Binfmt,
    state: &State,
    platform: &Platform,
    host: &Platform,
) -> Result<Option<Assessment>, Problem> {
    if !state.enabled {
        return Err(Problem::Disabled { status: binfmt.mount.join("status") });
    }
    let matching: Vec<&Entry> = state.entries.iter().filter(|entry| some(entry, platform)).collect();
    // The kernel takes the entry registered last, and its files do not tell which one that is: all must do.
    let mut ready = None;
    for entry in matching.iter().filter(|entry| entry.enabled) {
        let this = assess_entry(binfmt, entry, platform, host)?;
        ready.get_or_insert(this);
    }
    if ready.is_some() {
        return Ok(ready);
    }
    if let Some(entry) = matching.first() {
        return Err(Problem::EntryDisabled { entry: entry.path.clone() });
    }
    let entry = binfmt.mount.join(Registration::of(platform).name);
    if entry.exists() {
        return Err(Problem::NameTaken { entry, platform: platform.to_string() });
    }
    Ok(None)
}

fn assess_entry(
    binfmt: &Binfmt,
    entry: &Entry,
    platform: &Platform,
    host: &Platform,
) -> Result<Assessment, Problem> {
    if !headers(platform).iter().all(|header| entry.matches(header)) {
        return Err(Problem::TooNarrow { entry: entry.path.clone(), platform: platform.to_string() });
    }
    let path = &entry.interpreter;
    let fixed = entry.flags.contains('F');
    let version = match File::open(path) {
        Ok(file) => {
            interpreter::inspect(&file, path, host)?;
            interpreter::version(path, &binfmt.scratch)
        }
        // Registered from a container that is gone: the kernel holds the file, and the proof will find it.
        Err(error) if fixed && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Problem::InterpreterMissing { entry: entry.path.clone(), interpreter: path.clone() });
        }
        Err(error) => return Err(Problem::Unreadable { path: path.clone(), reason: error.to_string() }),
    };
    if !fixed {
        return Err(Problem::NoFixFlag { entry: entry.path.clone(), interpreter: path.clone() });
    }
    Ok(Assessment::Ready {
        entry: entry.path.clone(),
        interpreter: path.clone(),
        flags: entry.flags.clone(),
        version,
    })
}

/// Finds an interpreter that can be registered: the first that is fit, or else why the first one found is not.
pub fn find_interpreter(
    binfmt: &Binfmt,
    platform: &Platform,
    host: &Platform,
) -> Result<Option<PathBuf>, Problem> {
    let names = Registration::of(platform).interpreter_files();
    let mut unfit = None;
    for path in binfmt.interpreter_dirs.iter().flat_map(|dir| names.iter().map(|name| dir.join(name))) {
        let fit = match File::open(&path) {
            Ok(file) => interpreter::inspect(&file, &path, host),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(Problem::Unreadable { path: path.clone(), reason: error.to_string() }),
        };
        match fit {
            Ok(()) => return Ok(Some(path)),
            Err(problem) => {
                unfit.get_or_insert(problem);
            }
        }
    }
    unfit.map_or(Ok(None), Err)
}

/// An entry takes at least some programs of the platform.
fn some(entry: &Entry, platform: &Platform) -> bool {
    headers(platform).iter().any(|header| entry.matches(header))
}

/// Beginnings of the platform's programs: with fixed and free position, of the OS ABIs System V and GNU.
fn headers(platform: &Platform) -> Vec<Vec<u8>> {
    let little = platform.elf().2;
    let image = program::elf(platform, &[]);
    let mut headers = Vec::new();
    for (abi, kind) in [(0, 2), (3, 2), (0, 3), (3, 3)] {
        let mut header = image.clone();
        header[7] = abi;
        header[if little { 16 } else { 17 }] = kind;
        headers.push(header);
    }
    headers
}
