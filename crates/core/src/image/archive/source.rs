//! The files of an archive or of a layout, by name.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::error::Flaw;
use super::tar_index::TarIndex;

/// Manifests and configurations of real images have a few KiB.
const DOCUMENT_MAX: u64 = 4 * 1024 * 1024;

/// An opened archive.
#[derive(Debug)]
pub(super) enum Source {
    Tar(File, TarIndex),
    Folder(PathBuf),
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, Flaw> {
        let found = std::fs::metadata(path).map_err(Flaw::Read)?;
        if found.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        // Opening a pipe or a device could wait for ever.
        if !found.is_file() {
            return Err(Flaw::Unknown);
        }
        let file = File::open(path).map_err(Flaw::Read)?;
        let index = TarIndex::read(&file)?;
        Ok(Self::Tar(file, index))
    }

    /// There is a file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Tar(_, index) => index.has(name),
            Self::Folder(root) => root.join(name).is_file(),
        }
    }

    /// The size of a file in bytes. In a layout, `name` must be built from checked digests.
    pub(super) fn size(&self, name: &str) -> Result<u64, Flaw> {
        match self {
            Self::Tar(_, index) => Ok(index.find(name)?.size),
            Self::Folder(root) => match std::fs::metadata(root.join(name)) {
                Ok(found) if found.is_file() => Ok(found.len()),
                Ok(_) => Err(Flaw::Missing { name: name.to_owned() }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Err(Flaw::Missing { name: name.to_owned() })
                }
                Err(error) => Err(Flaw::Read(error)),
            },
        }
    }

    /// Reads a file from its start; at most its size.
    pub(super) fn reader(&self, name: &str) -> Result<Take<File>, Flaw> {
        let size = self.size(name)?;
        let (file, size) = match self {
            Self::Tar(file, index) => {
                let span = index.find(name)?;
                // The clone shares its position with the original, which is why only one reader lives at a time.
                let mut file = file.try_clone().map_err(Flaw::Read)?;
                file.seek(SeekFrom::Start(span.offset)).map_err(Flaw::Read)?;
                (file, span.size)
            }
            Self::Folder(root) => (File::open(root.join(name)).map_err(Flaw::Read)?, size),
        };
        Ok(file.take(size))
    }

    /// A whole small file.
    pub(super) fn document(&self, name: &str) -> Result<Vec<u8>, Flaw> {
        let size = self.size(name)?;
        if size > DOCUMENT_MAX {
            return Err(Flaw::TooLarge { name: name.to_owned(), size, limit: DOCUMENT_MAX });
        }
        let mut bytes = Vec::new();
        self.reader(name)?.read_to_end(&mut bytes).map_err(Flaw::Read)?;
        if bytes.len() as u64 == size {
            Ok(bytes)
        } else {
            Err(Flaw::Truncated { within: format!("in `{name}`") })
        }
    }

    /// A whole small file as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Flaw> {
        parse(name, &self.document(name)?)
    }
}

/// Reads JSON that came from the file `name`.
pub(super) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Flaw> {
    serde_json::from_slice(bytes).map_err(|source| Flaw::Json { name: name.to_owned(), source })
}
