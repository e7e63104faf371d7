//! What a run that was killed left behind: nobody else removes it, and mounts keep the workspace from being deleted.
//!
//! Under the lock no other run of the folder is under way, so whatever is half done belongs to nobody.

use std::fs;
use std::io;
use std::path::Path;

use super::{Lock, scratch};

const REPRO: &str = "repro";

/// What the folder of a run is called while it is being removed; the run's id follows.
const GONE: &str = ".gone-";

impl Lock {
    /// Removes what earlier runs left half done below `.pipeline`. What cannot be removed stays: the steps that would use
    /// the same names begin by removing them, and say so when they cannot.
    pub fn sweep(&self) {
        let work = self.folder.join("work");
        for entry in entries(&work) {
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if name.as_encoded_bytes().starts_with(b".export-") {
                remove(&entry);
            } else if is_folder {
                let partial =
                    |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().ends_with(b".partial");
                entries(&entry.path()).filter(partial).for_each(|entry| remove(&entry));
            }
        }
        scratch::clear(&self.folder.join(scratch::LINK));
        mounts::unmount(&self.folder.join("store"));
        mounts::unmount(&self.folder.join(REPRO));
    }

    /// Where images are built twice: below `.pipeline`.
    pub fn repro(&self) -> std::path::PathBuf {
        self.folder.join(REPRO)
    }

    /// Removes that folder, and what is mounted in it first.
    pub fn remove_repro(&self) -> io::Result<()> {
        self.remove(Path::new(REPRO))
    }

    /// Removes a folder below `.pipeline`, and what is mounted in it first. Where something stays mounted nothing is removed:
    /// it is somebody's files. Of a symbolic link the link goes.
    pub fn remove(&self, below: &Path) -> io::Result<()> {
        let path = self.folder.join(below);
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        if path.is_symlink() || !path.is_dir() {
            return fs::remove_file(path);
        }
        if !mounts::unmount_all(&path) {
            return Err(io::Error::other("something is mounted there"));
        }
        fs::remove_dir_all(path)
    }

    /// Removes the folder of a run. One that was half removed is no run, and is removed the next time.
    pub fn remove_run(&self, id: &str) -> io::Result<()> {
        let runs = self.folder.join("runs");
        let gone = runs.join(format!("{GONE}{id}"));
        fs::rename(runs.join(id), &gone)?;
        remove_tree(&gone)
    }

    /// Removes what was left of runs that were half removed.
    pub fn remove_rests(&self) {
        for entry in entries(&self.folder.join("runs")) {
            if entry.file_name().as_encoded_bytes().starts_with(GONE.as_bytes()) {
                let _ = remove_tree(&entry.path());
            }
        }
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

/// A symbolic link goes itself, not what it points to.
fn remove(entry: &fs::DirEntry) {
    let path = entry.path();
    let _ = match entry.file_type() {
        Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
}

#[cfg(not(target_os = "linux"))]
pub(super) mod mounts {
    use std::path::Path;

    pub(super) fn unmount(_: &Path) {}

    pub(in super::super) fn unmount_all(_: &Path) -> bool {
        true
    }
}

#[cfg(target_os = "linux")]
pub(super) mod mounts {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use rustix::mount::{UnmountFlags, unmount as detach};

    /// Ends the overlay mounts of containers that are no more, below this store only.
    ///
    /// Lazily: whoever still has a file open there keeps it. Without the right to do so the mounts are none of ours: they
    /// lie in a namespace that ended with its last process.
    pub(super) fn unmount(store: &Path) {
        let Ok(store) = fs::canonicalize(store) else { return };
        let Ok(table) = fs::read("/proc/self/mountinfo") else { return };
        for point in stale(&table, &store) {
            let _ = detach(&point, UnmountFlags::DETACH);
        }
    }

    /// Ends all mounts below a folder. Whether there are none.
    pub(in super::super) fn unmount_all(folder: &Path) -> bool {
        let Ok(folder) = fs::canonicalize(folder) else { return false };
        let below = || {
            let table = fs::read("/proc/self/mountinfo").ok()?;
            let below = |(point, _): &(PathBuf, _)| point.starts_with(&folder);
            Some(points(&table).filter(below).map(|(point, _)| point).collect::<Vec<_>>())
        };
        for point in below().into_iter().flatten().rev() {
            let _ = detach(&point, UnmountFlags::DETACH);
        }
        below().is_some_and(|left| left.is_empty())
    }

    /// Overlays called `merged` below the store, the last one first, as mounts may lie on one another.
    pub(super) fn stale(table: &[u8], store: &Path) -> Vec<PathBuf> {
        let ours = |point: &PathBuf| {
            point != store
                && point.starts_with(store)
                && point.file_name() == Some(OsStr::from_bytes(b"merged"))
        };
        let overlays = points(table).filter(|(_, kind)| *kind == b"overlay").map(|(point, _)| point);
        let mut points: Vec<PathBuf> = overlays.filter(ours).collect();
        points.reverse();
        points
    }

    /// Where something is mounted, and the file system's type, in the order of mounting.
    fn points(table: &[u8]) -> impl Iterator<Item = (PathBuf, &[u8])> {
        table.split(|byte| *byte == b'\n').filter_map(|line| {
            // ID PARENT DEVICE ROOT POINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS
            let mut fields = line.split(|byte| *byte == b' ');
            let point = fields.nth(4)?;
            let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
            Some((PathBuf::from(std::ffi::OsString::from_vec(plain(point))), kind))
        })
    }

    /// The kernel writes blanks, tabs, newlines and backslashes as `\` and three octal digits.
    fn plain(field: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(field.len());
        let mut rest = field;
        while let Some((first, after)) = rest.split_first() {
            let digits = after.get(..3).filter(|_| *first == b'\\');
            let code =
                digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
            plain.push(code.unwrap_or(*first));
            rest = if code.is_some() { &after[3..] } else { after };
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_done_goes_and_the_rest_stays() {
        let space = tempfile::tempdir().unwrap();
        let work = space.path().join(".pipeline/work");
        let there = |name: &str| work.join(name).symlink_metadata().is_ok();
        fs::create_dir_all(work.join("a@t/src.partial/deep")).unwrap();
        fs::create_dir_all(work.join("a@t/src/x.partial")).unwrap();
        fs::create_dir_all(space.path().join("precious/x.partial")).unwrap();
        for file in [".export-Ab12", "a@t/.image.tar.Ab12.partial", "a@t/image.tar", "x.partial"] {
            fs::write(work.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(space.path().join("precious"), work.join("a@t/link.partial")).unwrap();
        std::os::unix::fs::symlink(space.path().join("precious"), work.join("linked")).unwrap();
        Lock::acquire(space.path()).unwrap().sweep();
        for gone in [".export-Ab12", "a@t/src.partial", "a@t/.image.tar.Ab12.partial", "a@t/link.partial"] {
            assert!(!there(gone), "{gone}");
        }
        for stays in ["a@t/src/x.partial", "a@t/image.tar", "x.partial", "linked"] {
            assert!(there(stays), "{stays}");
        }
        assert!(space.path().join("precious/x.partial").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_overlays_of_this_store_are_stale() {
        let table = b"1 0 0:1 / / rw - ext4 /dev/x rw\n\
            2 1 0:2 / /w/a\\040b/.pipeline/store/root/overlay/1/merged rw shared:1 master:2 - overlay overlay rw\n\
            3 1 0:2 / /w/a\\040b/.pipeline/store/root/overlay/2/merged rw - overlay overlay rw\n\
            4 1 0:3 / /w/a\\040b/.pipeline/store/root/overlay/3/merged rw - tmpfs tmpfs rw\n\
            5 1 0:4 / /w/a\\040b/.pipeline/store/root/overlay rw - overlay overlay rw\n\
            6 1 0:5 / /w/other/.pipeline/store/root/overlay/1/merged rw - overlay overlay rw\n\
            7 1 0:6 / /w/a\\040b/.pipeline/store-2/merged rw - overlay overlay rw\n";
        let store = Path::new("/w/a b/.pipeline/store");
        let stale = mounts::stale(table, store);
        let expected = [2, 1].map(|n| store.join(format!("root/overlay/{n}/merged")));
        assert_eq!(stale, expected);
    }

    /// Where overlays may be mounted: by root, and not on another overlay.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_mount_that_was_left_behind_is_ended() {
        let space = tempfile::tempdir().unwrap();
        let store = space.path().join(".pipeline/store");
        for folder in ["1/merged", "lower", "upper", "work"] {
            fs::create_dir_all(store.join(folder)).unwrap();
        }
        let merged = store.join("1/merged");
        let options = ["lower", "upper", "work"]
            .map(|name| format!("{name}dir={}", store.join(name).display()))
            .join(",");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &options, "--"])
            .arg(&merged)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: overlays cannot be mounted here");
            return;
        }
        let is_there = || {
            let table = fs::read("/proc/self/mountinfo").unwrap();
            !mounts::stale(&table, &fs::canonicalize(&store).unwrap()).is_empty()
        };
        assert!(is_there());
        Lock::acquire(space.path()).unwrap().sweep();
        assert!(!is_there());
    }
}
