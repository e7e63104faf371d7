//! Files and folders that appear under their final name whole, or not at all.
//!
//! What is being written is called `.NAME.RANDOM.partial` and lies beside the final name, so that renaming is atomic;
//! it is removed when writing fails, and may be removed by anyone when the process was killed.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::{NamedTempFile, TempDir};

use crate::image::digest::{BUFFER, Digest, HashingWriter};

/// Takes the files of an archive one after the other.
pub(super) trait Place {
    /// Starts a file of this name, which will have `size` bytes.
    fn begin(&mut self, name: &str, size: u64) -> io::Result<()>;
    /// Adds bytes to the file.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Ends the file.
    fn end(&mut self) -> io::Result<()>;
}

fn beside(path: &Path) -> io::Result<(PathBuf, String)> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a name"))?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    Ok((parent.to_owned(), format!(".{}.", name.to_string_lossy())))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// One tar file.
pub(super) struct TarFile {
    writer: HashingWriter<BufWriter<NamedTempFile>>,
    folder: PathBuf,
    to: PathBuf,
    /// Of the file that was begun: zero bytes up to the next block.
    padding: usize,
}

impl TarFile {
    pub(super) fn create(to: &Path) -> io::Result<Self> {
        let (folder, prefix) = beside(to)?;
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".partial")
            // The umask is subtracted, as for any file that a user writes.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(&folder)?;
        let writer = HashingWriter::new(BufWriter::with_capacity(BUFFER, file));
        Ok(Self { writer, folder, to: to.to_owned(), padding: 0 })
    }

    /// Ends the archive and renames it; its digest and size in bytes.
    pub(super) fn finish(mut self) -> io::Result<(Digest, u64)> {
        self.writer.write_all(&[0; 1024])?;
        let (buffered, digest, size) = self.writer.finish();
        let file = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(&self.to).map_err(|error| error.error)?;
        sync_folder(&self.folder)?;
        Ok((digest, size))
    }
}

impl Place for TarFile {
    fn begin(&mut self, name: &str, size: u64) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name)?;
        header.set_size(size);
        header.set_mode(0o444);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        // At most 511, so it fits.
        self.padding = usize::try_from(size.wrapping_neg() % 512).unwrap_or_default();
        self.writer.write_all(header.as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.writer.write_all(&[0; 512][..self.padding])
    }
}

/// A folder of files, and of folders within it.
pub(super) struct Folder {
    temporary: TempDir,
    file: Option<File>,
    parent: PathBuf,
    to: PathBuf,
    size: u64,
}

impl Folder {
    pub(super) fn create(to: &Path) -> io::Result<Self> {
        let (parent, prefix) = beside(to)?;
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".partial")
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(&parent)?;
        Ok(Self { temporary, file: None, parent, to: to.to_owned(), size: 0 })
    }

    /// Renames the folder, in exchange for one that is there; the size of all its files in bytes.
    pub(super) fn finish(self) -> io::Result<u64> {
        sync_tree(self.temporary.path())?;
        let temporary = self.temporary.path();
        match fs::rename(temporary, &self.to) {
            // The new folder is where it belongs, so nothing is left to remove.
            Ok(()) => drop(self.temporary.keep()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                // The old one comes back under the temporary name, and is removed with it.
                match renameat_with(CWD, temporary, CWD, &self.to, RenameFlags::EXCHANGE) {
                    Ok(()) => {}
                    Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => step_aside(temporary, &self.to)?,
                    Err(error) => return Err(error.into()),
                }
                sync_folder(&self.parent)?;
                self.temporary.close()?;
            }
            Err(error) => return Err(error),
        }
        sync_folder(&self.parent)?;
        Ok(self.size)
    }
}

impl Place for Folder {
    fn begin(&mut self, name: &str, size: u64) -> io::Result<()> {
        let path = self.temporary.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        self.size += size;
        self.file = Some(File::create_new(path)?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    fn end(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |file| file.sync_all())
    }
}

/// Exchanges two folders on a file system that cannot do it at once: for a moment there is none at `to`.
fn step_aside(temporary: &Path, to: &Path) -> io::Result<()> {
    let aside = temporary.with_extension("old.partial");
    fs::rename(to, &aside)?;
    if let Err(error) = fs::rename(temporary, to) {
        fs::rename(&aside, to)?;
        return Err(error);
    }
    fs::rename(&aside, temporary)
}

/// Makes the names in a folder durable; the files are already.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_exchanged_without_help_of_the_file_system() {
        let lab = tempfile::tempdir().unwrap();
        let (new, old) = (lab.path().join(".x.new.partial"), lab.path().join("x"));
        for path in [&new, &old] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("name"), path.to_str().unwrap()).unwrap();
        }
        step_aside(&new, &old).unwrap();
        assert_eq!(fs::read_to_string(old.join("name")).unwrap(), new.to_str().unwrap());
        assert_eq!(fs::read_to_string(new.join("name")).unwrap(), old.to_str().unwrap());
        fs::remove_dir_all(&new).unwrap();
        assert!(step_aside(&new, &old).is_err());
        assert_eq!(fs::read_to_string(old.join("name")).unwrap(), new.to_str().unwrap(), "put back");
    }
}
