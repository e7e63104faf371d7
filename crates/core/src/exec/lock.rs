//! `.pipeline/lock`: one run at a time in a recipe's folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The longest that the processes of a killed run take to end.
const ENDING: Duration = Duration::from_secs(3);

/// The longest that a run takes to write its name into the file that it has locked.
const NAMING: Duration = Duration::from_millis(500);

/// Who holds a lock and has not written who it is.
const NAMELESS: &str = "a process without a name";

/// Between two looks at a lock that another run holds.
const LOOK: Duration = Duration::from_millis(50);

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

/// Who has locked a recipe's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process and start, for people.
    pub text: String,
    /// Since when, to the second; none where it has not written its name.
    pub since: Option<jiff::Timestamp>,
}

impl Lock {
    /// Who has locked the recipe's folder; none where nobody has. Changes nothing.
    pub fn holder(here: &Path) -> io::Result<Option<Holder>> {
        let mut file = match File::open(here.join(".pipeline/lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // Shared, so that two who look are not in each other's way.
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let text = holder(&mut file).unwrap_or_else(|| NAMELESS.into());
        let since = text.rsplit_once("since ").and_then(|(_, since)| since.parse().ok());
        Ok(Some(Holder { text, since }))
    }

    /// Locks the recipe's folder, or says who has.
    pub fn acquire(here: &Path) -> Result<Self, LockError> {
        Self::acquire_within(here, Duration::ZERO, &mut |_| {})
    }

    /// The same, and waits so long for another run to end. `waits` is told once for whom.
    pub fn acquire_within(
        here: &Path,
        limit: Duration,
        waits: &mut dyn FnMut(&str),
    ) -> Result<Self, LockError> {
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
        let begun = Instant::now();
        let mut told = false;
        loop {
            match patient(&mut file) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Only for the message: the lock is the kernel's, whatever stands in the file.
            let holder = holder(&mut file).unwrap_or_else(|| NAMELESS.into());
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(LockError::Held { folder: here.to_owned(), holder });
            }
            if !told {
                waits(&holder);
                told = true;
            }
            std::thread::sleep(LOOK.min(left));
        }
        let holder =
            format!("process {}{}, since {:.3}\n", std::process::id(), host(), jiff::Timestamp::now());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(failed)?;
        Ok(Self { _file: file, folder })
    }
}

/// A run that was just killed lets go when the last of its processes has ended; one that has just begun is about to write
/// its name.
fn patient(file: &mut File) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        let result = file.try_lock();
        if !matches!(result, Err(TryLockError::WouldBlock)) {
            return result;
        }
        let limit = match holder(file) {
            None => NAMING,
            Some(holder) if is_gone(&holder) => ENDING,
            Some(_) => return result,
        };
        if begun.elapsed() >= limit {
            return result;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the process that has locked the file calls itself; none while it writes.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.take(200).read_to_string(&mut text)).ok()?;
    text.strip_suffix('\n').map(str::to_owned)
}

/// The process that wrote its name into the file is no more. Of other machines and containers nothing is known here.
fn is_gone(holder: &str) -> bool {
    let number = || holder.strip_prefix("process ")?.split(',').next()?.strip_suffix(&host())?.parse().ok();
    number().and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Where a process's number counts, as it stands behind it.
fn host() -> String {
    format!(" on {}", rustix::system::uname().nodename().to_string_lossy())
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
    fn only_a_process_of_this_machine_can_be_known_to_be_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (gone, alive) = (child.id(), std::process::id());
        assert!(is_gone(&format!("process {gone}{}, since 2026", host())));
        assert!(!is_gone(&format!("process {alive}{}, since 2026", host())));
        assert!(!is_gone(&format!("process {gone} on elsewhere, since 2026")));
        assert!(!is_gone("") && !is_gone("process 0") && !is_gone("what nobody wrote"));
    }

    #[test]
    fn the_second_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Lock::holder(folder.path()).unwrap(), None);
        let first = Lock::acquire(folder.path()).unwrap();
        let holder = Lock::holder(folder.path()).unwrap().unwrap();
        assert!(holder.since.is_some_and(|since| since <= jiff::Timestamp::now()), "{holder:?}");
        let error = Lock::acquire(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}{}, since 2", std::process::id(), host())), "{error}");
        // Whoever waits is told so once.
        let mut told = Vec::new();
        let limit = Duration::from_millis(120);
        let error = Lock::acquire_within(folder.path(), limit, &mut |holder| told.push(holder.to_owned()));
        assert!(matches!(error, Err(LockError::Held { .. })));
        assert!(matches!(&told[..], [one] if one.starts_with("process ")), "{told:?}");
        drop(first);
        // A child that a test beside this one is just starting has the file open until it executes its tool.
        Lock::acquire_within(folder.path(), Duration::from_mins(1), &mut |_| {}).unwrap();
    }
}
