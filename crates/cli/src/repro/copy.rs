//! A recipe's folder once more.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use rustix::process::geteuid;

/// What is nobody else's: where runs and git keep their own.
const LEFT_OUT: [&str; 2] = [".pipeline", ".git"];

/// A user who has no name here.
const ANOTHER: u32 = 54_321;

/// Bits of a mode: the owner's right to write, and the group's.
const OWNER_WRITES: u32 = 0o200;
const GROUP_WRITES: u32 = 0o020;

/// Whose the files of a copy seem to be. Their times are the copy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// Who copies owns them, and modes stay.
    AsTheyAre,
    /// What the owner may write the group may too, as where the umask is 002. To root: another user owns them.
    OfAnotherUser,
}

/// Copies files, folders and symbolic links. Pipes and sockets are nothing to build of.
pub(super) fn copy(from: &Path, to: &Path, files: Files) -> io::Result<()> {
    fs::create_dir_all(to).map_err(|error| at(to, &error))?;
    let entries = fs::read_dir(from).map_err(|error| at(from, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| at(from, &error))?;
        if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            one(&entry.path(), &to.join(entry.file_name()), files)?;
        }
    }
    owned(to, files).map_err(|error| at(to, &error))
}

fn one(from: &Path, to: &Path, files: Files) -> io::Result<()> {
    let meta = from.symlink_metadata().map_err(|error| at(from, &error))?;
    let kind = meta.file_type();
    if kind.is_dir() {
        fs::create_dir(to).map_err(|error| at(to, &error))?;
        for entry in fs::read_dir(from).map_err(|error| at(from, &error))? {
            let entry = entry.map_err(|error| at(from, &error))?;
            one(&entry.path(), &to.join(entry.file_name()), files)?;
        }
        fs::set_permissions(to, meta.permissions()).map_err(|error| at(to, &error))?;
    } else if kind.is_symlink() {
        fs::read_link(from).and_then(|target| symlink(target, to)).map_err(|error| at(from, &error))?;
    } else if kind.is_file() {
        fs::copy(from, to).map_err(|error| at(from, &error))?;
    } else {
        return Ok(());
    }
    owned(to, files).map_err(|error| at(to, &error))
}

fn owned(path: &Path, files: Files) -> io::Result<()> {
    if files == Files::AsTheyAre {
        return Ok(());
    }
    let meta = path.symlink_metadata()?;
    if geteuid().is_root() {
        lchown(path, Some(ANOTHER), Some(ANOTHER))?;
    }
    if meta.is_symlink() {
        return Ok(());
    }
    // Once more, as another owner takes bits away.
    let mode = meta.mode() & 0o7777;
    let group = if mode & OWNER_WRITES != 0 { GROUP_WRITES } else { 0 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode | group))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_users_copy_has_other_modes_and_owners() {
        let space = tempfile::tempdir().unwrap();
        let from = space.path().join("from");
        for folder in [".git", ".pipeline/work", "src/.git"] {
            fs::create_dir_all(from.join(folder)).unwrap();
        }
        fs::write(from.join("src/tool"), "x").unwrap();
        fs::set_permissions(from.join("src/tool"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(from.join("fixed"), "x").unwrap();
        fs::set_permissions(from.join("fixed"), fs::Permissions::from_mode(0o444)).unwrap();
        symlink("../away", from.join("link")).unwrap();
        let mode = |path: &Path| path.symlink_metadata().unwrap().mode() & 0o7777;
        for (files, tool) in [(Files::AsTheyAre, 0o755), (Files::OfAnotherUser, 0o775)] {
            let to = space.path().join(format!("{files:?}/below"));
            copy(&from, &to, files).unwrap();
            assert!(
                !to.join(".git").exists() && !to.join(".pipeline").exists() && to.join("src/.git").exists()
            );
            assert_eq!((mode(&to.join("src/tool")), mode(&to.join("fixed"))), (tool, 0o444));
            assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("../away"));
            let another = files == Files::OfAnotherUser && geteuid().is_root();
            for path in [to.clone(), to.join("src/tool"), to.join("link")] {
                let owner = path.symlink_metadata().unwrap().uid();
                assert_eq!(owner == ANOTHER, another, "{}", path.display());
            }
        }
    }
}
