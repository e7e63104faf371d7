//! `WriteFile`: a small file that is there in full or not at all; missing folders above it are made.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::WriteFile;

pub(crate) fn perform(file: &WriteFile, cx: &ActionCx<'_>) -> Result<(), Failure> {
    write_file(&cx.resolve_path(&file.path)?, cx.resolve(&file.contents)?.as_bytes())
}

/// Writes beside the final name and renames. The mode is what the umask leaves of 0666.
pub(super) fn write_file(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    write(path, contents).map_err(|error| {
        let failure = Failure::new(FailureKind::Io, format!("cannot write {}: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::NotFound => failure.help("its folder does not exist"),
            io::ErrorKind::StorageFull => failure.help("the file system is full"),
            _ => failure,
        }
    })
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .prefix(".pipeline-")
        .tempfile_in(folder)?;
    file.write_all(contents)?;
    // Without this a power cut could leave the new name with nothing in it.
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        write_file(&path, b"old").unwrap();
        write_file(&path, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let failure = write_file(&path.join("file"), b"x").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Io);
        assert!(failure.message.contains("known_hosts/file"), "{failure:?}");
    }
}
