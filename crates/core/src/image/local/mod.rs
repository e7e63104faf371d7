//! An image where it lies on this machine, one layer at a time: in an archive, or in an engine's store.
//!
//! An engine's own export writes all layers; here only those that are wanted are read. Whatever the place, a layer's bytes
//! are believed by their digest alone.

mod containers;
mod docker;
mod tar_split;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ArchiveFormat;
use super::Digest;
use super::archive::{ArchiveError, Config, Flaw, Layer, Opened};
use super::digest::HashingWriter;
use crate::platform::Platform;

/// An image of which every layer can be read.
#[derive(Debug)]
pub struct LocalImage {
    /// The image id: the digest of the configuration.
    pub id: Digest,
    /// The configuration, byte for byte.
    pub config: Vec<u8>,
    /// The lowest layer first. Sizes are of the tar files, from the store's records: close, but not proven.
    pub layers: Vec<Layer>,
    parsed: Config,
    at: At,
}

#[derive(Debug)]
enum At {
    Archive(Box<Opened>, PathBuf),
    Store(Vec<Stored>),
}

/// A layer in an engine's store.
#[derive(Debug, Clone)]
struct Stored {
    /// The record of the tar file.
    split: PathBuf,
    /// The folder with its files.
    files: PathBuf,
    /// Bytes.
    size: u64,
}

/// Which engine's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// containers-storage, by its graph root.
    Containers,
    /// dockerd's, by its data root.
    Docker,
}

/// Why an image, or a layer of it, cannot be read where it lies.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The store has no such image or layer.
    #[error("{} does not hold {id}", store.display())]
    Absent {
        /// The image or layer.
        id: Digest,
        /// The store's folder.
        store: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Its bytes are others than its name says.
    #[error("{what} in the store was altered: it is {actual}, not {expected}")]
    Altered {
        /// What was read.
        what: String,
        /// The digest that it must have.
        expected: Digest,
        /// The digest that it has.
        actual: Digest,
    },
    /// The configuration is none.
    #[error("the configuration of {id} makes no sense: {reason}")]
    Config {
        /// The image.
        id: Digest,
        /// What is wrong.
        reason: String,
    },
    /// The archive is not sound.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A layer is no tar file, or one that nobody should unpack.
    #[error("layer {number}: {flaw}")]
    Layer {
        /// Counted from 1, the lowest.
        number: usize,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The bytes cannot be passed on.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
}

impl LocalImage {
    /// The one image of an archive or layout. Its layers may be compressed.
    pub fn in_archive(path: &Path) -> Result<Self, LocalError> {
        Ok(Self::opened(Opened::open(path)?, path))
    }

    /// Every image of an archive or layout, as its index lists them.
    pub fn all_in_archive(path: &Path) -> Result<Vec<Self>, LocalError> {
        Ok(Opened::open_all(path)?.into_iter().map(|opened| Self::opened(opened, path)).collect())
    }

    fn opened(opened: Opened, path: &Path) -> Self {
        Self {
            id: opened.id,
            config: opened.config_bytes.clone(),
            layers: opened
                .layers
                .iter()
                .map(|layer| Layer { diff_id: layer.diff_id, size: layer.size })
                .collect(),
            parsed: opened.config.clone(),
            at: At::Archive(Box::new(opened), path.to_owned()),
        }
    }

    /// The image `id` of the store in the folder `root`.
    pub fn in_store(kind: StoreKind, root: &Path, id: &Digest) -> Result<Self, LocalError> {
        let config = match kind {
            StoreKind::Containers => containers::config(root, id)?,
            StoreKind::Docker => docker::config(root, id)?,
        };
        let actual = Digest::of(&config);
        if actual != *id {
            return Err(LocalError::Altered { what: "the configuration".into(), expected: *id, actual });
        }
        let nonsense = |reason: String| LocalError::Config { id: *id, reason };
        let parsed: Config = serde_json::from_slice(&config).map_err(|error| nonsense(error.to_string()))?;
        let diff_ids = parsed.rootfs.diff_ids.iter().flatten().map(|text| Digest::parse(text));
        let diff_ids: Vec<Digest> =
            diff_ids.collect::<Result<_, _>>().map_err(|error| nonsense(error.to_string()))?;
        let stored = match kind {
            StoreKind::Containers => containers::layers(root, &diff_ids)?,
            StoreKind::Docker => docker::layers(root, &diff_ids)?,
        };
        let layers =
            diff_ids.iter().zip(&stored).map(|(diff_id, at)| Layer { diff_id: *diff_id, size: at.size });
        Ok(Self { id: *id, layers: layers.collect(), config, parsed, at: At::Store(stored) })
    }

    /// The platform that the configuration names, in its own words.
    pub fn platform(&self) -> String {
        let Config { os, architecture, variant, .. } = &self.parsed;
        joined(os, architecture, variant.as_deref())
    }

    /// The platform that an index lists it for, in its own words, where there is one.
    pub fn listed(&self) -> Option<String> {
        match &self.at {
            At::Archive(opened, _) => opened
                .listed
                .as_ref()
                .map(|listed| joined(&listed.os, &listed.architecture, listed.variant.as_deref())),
            At::Store(_) => None,
        }
    }

    /// How the archive is laid out, where it lies in one.
    pub fn format(&self) -> Option<ArchiveFormat> {
        match &self.at {
            At::Archive(opened, _) => Some(opened.format),
            At::Store(_) => None,
        }
    }

    /// The names that an archive gives it, as they are written there.
    pub fn names(&self) -> Vec<String> {
        match &self.at {
            At::Archive(opened, _) => opened.names.clone(),
            At::Store(_) => Vec::new(),
        }
    }

    /// The parts of the configuration that are checked.
    pub(super) fn parsed(&self) -> &Config {
        &self.parsed
    }

    /// The configuration is for this platform.
    pub fn is_for(&self, platform: &Platform) -> bool {
        let Config { os, architecture, variant, .. } = &self.parsed;
        platform.matches_config(os, architecture, variant.as_deref())
    }

    /// Reads every layer, and fails unless each is the one that the configuration names.
    pub fn verify(&self) -> Result<(), LocalError> {
        (0..self.layers.len()).try_for_each(|index| self.copy_layer(index, &mut io::sink()).map(|_| ()))
    }

    /// Writes the tar file of the layer `index` (from 0): bytes of which the digest is known to be right only at the end.
    pub fn copy_layer(&self, index: usize, sink: &mut dyn Write) -> Result<u64, LocalError> {
        let expected = self.layers[index].diff_id;
        let mut counted = HashingWriter::new(Sink { inner: sink, failed: None });
        let copied = match &self.at {
            At::Archive(opened, path) => {
                opened.copy_plain(index, &mut counted).map_err(|flaw| flaw.at(path).into())
            }
            At::Store(stored) => {
                let Stored { split, files, .. } = &stored[index];
                tar_split::assemble(split, files, &mut counted)
                    .map_err(|source| LocalError::Read { path: files.clone(), source })
            }
        };
        let (sink, actual, count) = counted.finish();
        if let Some(error) = sink.failed {
            return Err(LocalError::Write(error));
        }
        copied?;
        if actual == expected {
            return Ok(count);
        }
        Err(LocalError::Altered { what: format!("layer {}", index + 1), expected, actual })
    }
}

fn joined(os: &str, architecture: &str, variant: Option<&str>) -> String {
    let parts = [Some(os), Some(architecture), variant].into_iter().flatten();
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// Tells apart what cannot be read from what cannot be written.
struct Sink<'s> {
    inner: &'s mut dyn Write,
    failed: Option<io::Error>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failed = Some(error);
            }
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
