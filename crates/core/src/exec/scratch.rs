//! The folder for temporary files of tools: their own names are random, and what they leave when they are killed is found
//! by nobody.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::Lock;
use super::sweep::mounts;

/// The name of the link below `.pipeline`, so that the next run finds the folder.
pub(super) const LINK: &str = "tmp";

/// What folders of runs are called; a random part follows.
const PREFIX: &str = "pipeline-";

/// Where temporary files may lie when `TMPDIR` does not say: where large ones do first.
const USUAL: [&str; 2] = ["/var/tmp", "/tmp"];

/// Removed with everything in it when it is dropped, or by the next run in this folder.
#[derive(Debug)]
pub struct Scratch {
    link: PathBuf,
    path: PathBuf,
}

impl Scratch {
    /// A new folder below `tmpdir`, for this user alone. Without one it lies where temporary files usually do, or below
    /// `.pipeline` where those places cannot be written to.
    ///
    /// The link to it is there before it is, so that a kill at any point leaves nothing that nobody finds.
    pub fn create(lock: &Lock, tmpdir: Option<&OsStr>) -> io::Result<Self> {
        clear(&lock.folder.join(LINK));
        if let Some(chosen) = tmpdir.filter(|chosen| !chosen.is_empty()) {
            return Self::below(lock, Path::new(chosen));
        }
        let usual = USUAL.iter().find_map(|usual| Self::below(lock, Path::new(usual)).ok());
        usual.map_or_else(|| Self::below(lock, &lock.folder), Ok)
    }

    fn below(lock: &Lock, above: &Path) -> io::Result<Self> {
        let (above, link) = (std::path::absolute(above)?, lock.folder.join(LINK));
        let made = tempfile::Builder::new().prefix(PREFIX).make_in(&above, |path| {
            let _ = fs::remove_file(&link);
            symlink(path, &link).map_err(|error| io::Error::other(format!("{}: {error}", link.display())))?;
            fs::DirBuilder::new().mode(0o700).create(path)
        })?;
        // It is a folder: nothing of `tempfile` may remove it as a file.
        let path = made.into_temp_path().keep().map_err(|error| error.error)?;
        Ok(Self { link, path })
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The shortest way to it, as paths of sockets may not be long: `TMPDIR` may be.
    pub fn short(&self) -> &Path {
        let shorter = self.link.is_absolute() && self.link.as_os_str().len() < self.path.as_os_str().len();
        if shorter { &self.link } else { &self.path }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        clear(&self.link);
    }
}

/// Removes the folder that the link leads to, and the link.
///
/// Only one that this user made for a run, and only when nothing is mounted in it any more: a bind mount is somebody's
/// files.
pub(super) fn clear(link: &Path) {
    let Ok(path) = fs::read_link(link) else { return };
    let named = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    let mine = rustix::process::geteuid().as_raw();
    let own = path.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == mine);
    if named && path.is_absolute() && own && mounts::unmount_all(&path) {
        let _ = fs::remove_dir_all(&path);
    }
    if !own || !path.exists() {
        let _ = fs::remove_file(link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_in_it_goes_with_it_or_with_the_next_run() {
        let (space, above) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let count = || fs::read_dir(above.path()).unwrap().count();
        let lock = Lock::acquire(space.path()).unwrap();
        let create = || Scratch::create(&lock, Some(above.path().as_os_str())).unwrap();
        let scratch = create();
        assert_eq!(scratch.path().metadata().unwrap().mode() & 0o7777, 0o700);
        fs::create_dir(scratch.path().join("buildah1")).unwrap();
        fs::write(scratch.path().join("buildah1/layer"), "x").unwrap();
        drop(scratch);
        assert_eq!(count(), 0);
        assert!(space.path().join(".pipeline/tmp").symlink_metadata().is_err());

        let killed = create();
        fs::write(killed.path().join("layer"), "x").unwrap();
        std::mem::forget(killed);
        let other = create();
        assert_eq!(count(), 1, "the next run removes it");
        std::mem::forget(other);
        lock.sweep();
        assert_eq!(count(), 0);
    }

    #[test]
    fn what_is_mounted_in_it_is_somebodys_and_stays() {
        let (space, above) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let precious = space.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "x").unwrap();
        let lock = Lock::acquire(space.path()).unwrap();
        let scratch = Scratch::create(&lock, Some(above.path().as_os_str())).unwrap();
        let point = scratch.path().join("rootfs");
        fs::create_dir(&point).unwrap();
        let mount =
            std::process::Command::new("mount").args(["--bind", "--"]).args([&precious, &point]).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: nothing can be mounted here");
            return;
        }
        assert!(point.join("file").exists());
        drop(scratch);
        assert!(precious.join("file").exists());
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_to_anything_else_takes_nothing_with_it() {
        let space = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(space.path()).unwrap();
        let link = space.path().join(".pipeline/tmp");
        let precious = space.path().join("precious");
        fs::create_dir(&precious).unwrap();
        symlink(&precious, &link).unwrap();
        lock.sweep();
        assert!(precious.exists());
        let _ = fs::remove_file(&link);
        fs::create_dir(&link).unwrap();
        let error = Scratch::create(&lock, Some(space.path().as_os_str())).unwrap_err().to_string();
        assert!(error.contains(".pipeline/tmp"), "{error}");
    }
}
