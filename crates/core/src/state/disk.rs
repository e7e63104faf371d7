//! Where records are kept: a file, or in tests one that fails.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What the log needs of a disk.
pub trait Disk: std::fmt::Debug + Send {
    /// All of it; nothing where there is none yet.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// A part of it.
    fn read_at(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Writes behind its end. After an error, any part of it may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Writes within it.
    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts it.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// What was written is safe from a power cut when this returns.
    fn sync(&mut self) -> io::Result<()>;
    /// Puts other content in its place, all or nothing, and safe from a power cut.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// The file.
#[derive(Debug)]
pub struct FileDisk {
    path: PathBuf,
    file: Option<File>,
    writable: bool,
}

impl FileDisk {
    /// A file that is made with the first write.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, writable: false }
    }

    fn reader(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn writer(&mut self) -> io::Result<&mut File> {
        if !self.writable {
            let is_new = !self.path.exists();
            self.file = Some(
                OpenOptions::new().read(true).append(true).create(true).truncate(false).open(&self.path)?,
            );
            self.writable = true;
            if is_new {
                sync_folder(&self.path)?;
            }
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for FileDisk {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.reader() {
            Ok(file) => file.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(bytes)
    }

    fn read_at(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.reader()?.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer()?.write_all(bytes)
    }

    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        // Linux appends with `pwrite` too where the file was opened for appending.
        OpenOptions::new().write(true).open(&self.path)?.write_all_at(bytes, at)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.writer()?.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.writer()?.sync_data()
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".state.").suffix(".partial").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        sync_folder(&self.path)?;
        (self.file, self.writable) = (None, false);
        Ok(())
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
