//! `.pipeline/lock`: one run at a time in a recipe's folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The longest that the processes of a killed run take to end.
const ENDING: Duration = Duration::from_secs(3);

/// Held until it is dropped. The kernel lets go of it however the process ends, and the file is never removed: another
/// process may just be opening it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// The folder that is locked: `.pipeline`.
    pub(super) folder: PathBuf,
}

/// The folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run is under way there.
    #[error("another run is under way in {}: {holder}", folder.display())]
    Held {
        /// The recipe's folder.
        folder: PathBuf,
        /// Its process and start, for people.
        holder: String,
    },
    /// The file could not be made or locked.
    #[error("cannot lock {}: {error}", path.display())]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Lock {
    /// Locks the recipe's folder, or says who has.
    pub fn acquire(here: &Path) -> Result<Self, LockError> {
        let folder = here.join(".pipeline");
        let path = folder.join("lock");
        let failed = |error| LockError::Io { path: path.clone(), error };
        fs::create_dir_all(&folder).map_err(failed)?;
        ignored(&folder).map_err(|error| LockError::Io { path: folder.join(".gitignore"), error })?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match patient(&mut file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Only for the message: the lock is the kernel's, whatever stands in the file.
                let mut holder = String::new();
                let _ = file.take(200).read_to_string(&mut holder);
                let holder = holder
                    .lines()
                    .next()
                    .filter(|line| !line.is_empty())
                    .unwrap_or("a process without a name");
                return Err(LockError::Held { folder: here.to_owned(), holder: holder.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let holder = format!("process {}, since {:.0}\n", std::process::id(), jiff::Timestamp::now());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(failed)?;
        Ok(Self { _file: file, folder })
    }
}

/// A run that was just killed lets go when the last of its processes has ended.
fn patient(file: &mut File) -> Result<(), TryLockError> {
    let deadline = Instant::now() + ENDING;
    loop {
        let result = file.try_lock();
        if !matches!(result, Err(TryLockError::WouldBlock)) || Instant::now() >= deadline || !is_gone(file) {
            return result;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process that wrote its name into the file is no more.
fn is_gone(file: &mut File) -> bool {
    let mut holder = String::new();
    let read = file.rewind().and_then(|()| file.take(200).read_to_string(&mut holder));
    let number = holder.strip_prefix("process ").and_then(|rest| rest.split(',').next()?.parse().ok());
    let gone = number.and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
    read.is_ok() && file.rewind().is_ok() && gone
}

/// Nothing in the folder is the repository's: gigabytes of images would be one `git add .` away. What stands in the file
/// already is its owner's.
fn ignored(folder: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_ignores_the_folder_and_a_changed_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".pipeline/.gitignore");
        drop(Lock::acquire(folder.path()).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "*\n");
        fs::write(&file, "work\n").unwrap();
        drop(Lock::acquire(folder.path()).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "work\n");
    }

    #[test]
    fn the_second_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::acquire(folder.path()).unwrap();
        let error = Lock::acquire(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}, since 2", std::process::id())), "{error}");
        drop(first);
        // A child that a test beside this one is just starting has the file open until it executes its tool.
        let free = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            Lock::acquire(folder.path()).is_ok()
        });
        assert!(free);
    }
}
