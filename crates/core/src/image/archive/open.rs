//! The one image of an archive: its configuration and where its layers lie.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use super::documents::{CONTAINERD_NAME, Config, DockerManifest, OciIndex, OciManifest, REF_NAME};
use super::error::{ArchiveError, Flaw};
use super::source::{Source, parse};
use super::{ArchiveFormat, documents::Descriptor};
use crate::image::digest::{BUFFER, Digest, HashingReader};

/// An image in an archive whose documents are sound; its layers are checked when they are read.
#[derive(Debug)]
pub(in crate::image) struct Opened {
    source: Source,
    pub(in crate::image) format: ArchiveFormat,
    pub(in crate::image) id: Digest,
    /// The configuration, byte for byte.
    pub(in crate::image) config_bytes: Vec<u8>,
    pub(in crate::image) config: Config,
    /// The lowest first.
    pub(in crate::image) layers: Vec<LayerAt>,
    pub(in crate::image) names: Vec<String>,
}

/// A layer and the file of the archive that holds it.
#[derive(Debug)]
pub(in crate::image) struct LayerAt {
    pub(in crate::image) diff_id: Digest,
    pub(in crate::image) size: u64,
    name: String,
}

/// A configuration's file, the layers' files, and the image's names.
struct Parts {
    config: String,
    layers: Vec<String>,
    names: Vec<String>,
}

impl Opened {
    pub(in crate::image) fn open(path: &Path) -> Result<Self, ArchiveError> {
        Self::read(path).map_err(|flaw| flaw.at(path))
    }

    fn read(path: &Path) -> Result<Self, Flaw> {
        let source = Source::open(path)?;
        let is_folder = matches!(source, Source::Folder(_));
        // Docker since 25 writes both kinds of documents; its `manifest.json` is the one that names layers plainly.
        let (format, parts) = if !is_folder && source.has("manifest.json") {
            (ArchiveFormat::DockerArchive, docker_parts(&source)?)
        } else if source.has("oci-layout") && source.has("index.json") {
            let format = if is_folder { ArchiveFormat::OciLayout } else { ArchiveFormat::OciArchive };
            (format, oci_parts(&source)?)
        } else {
            return Err(Flaw::Unknown);
        };
        let config_bytes = source.document(&parts.config)?;
        let id = Digest::of(&config_bytes);
        // Every engine names the configuration by its digest: an altered one is found without knowing the id.
        let stem = parts.config.rsplit('/').next().unwrap_or_default();
        let stem = stem.strip_suffix(".json").unwrap_or(stem);
        if Digest::from_hex(stem) != Some(id) {
            return Err(Flaw::Blob { name: parts.config, actual: id });
        }
        let config: Config = parse(&parts.config, &config_bytes)?;
        let diff_ids = config.rootfs.diff_ids.as_deref().unwrap_or_default();
        if diff_ids.len() != parts.layers.len() {
            return Err(Flaw::LayerCount { manifest: parts.layers.len(), config: diff_ids.len() });
        }
        let layers = diff_ids
            .iter()
            .zip(parts.layers)
            .map(|(diff_id, name)| {
                let diff_id = digest(&parts.config, diff_id)?;
                Ok(LayerAt { diff_id, size: source.size(&name)?, name })
            })
            .collect::<Result<_, Flaw>>()?;
        Ok(Self { source, format, id, config_bytes, config, layers, names: parts.names })
    }

    /// Reads each layer once, in pieces, and fails unless its bytes are the ones that the configuration names.
    ///
    /// `sink` gets the number of the layer (from 0) and a piece, and an empty piece at its end, before it is known to be
    /// good; of layers with equal content, only the first is handed on.
    pub(super) fn read_layers<E: From<Flaw>>(
        &self,
        mut sink: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut handed_on, mut read) = (HashSet::new(), HashSet::new());
        for (index, layer) in self.layers.iter().enumerate() {
            let is_first = handed_on.insert(layer.diff_id);
            if read.insert((&layer.name, layer.diff_id)) {
                self.read_layer(index, layer, |piece| if is_first { sink(index, piece) } else { Ok(()) })?;
            }
        }
        Ok(())
    }

    /// Writes a layer as it is before compression. Whether it is the right one, its digest tells.
    pub(in crate::image) fn copy_plain(&self, index: usize, sink: &mut dyn Write) -> Result<(), Flaw> {
        let mut reader = BufReader::with_capacity(BUFFER, self.source.reader(&self.layers[index].name)?);
        let head = reader.fill_buf().map_err(Flaw::Read)?;
        let mut plain: Box<dyn Read + '_> = match Compression::of(head) {
            Some(Compression::Gzip) => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
            Some(Compression::Zstd) => {
                Box::new(zstd::stream::read::Decoder::with_buffer(reader).map_err(Flaw::Read)?)
            }
            None => Box::new(reader),
        };
        let mut buffer = vec![0; BUFFER];
        loop {
            let got = plain.read(&mut buffer).map_err(Flaw::Read)?;
            if got == 0 {
                return Ok(());
            }
            sink.write_all(&buffer[..got]).map_err(Flaw::Read)?;
        }
    }

    fn read_layer<E: From<Flaw>>(
        &self,
        index: usize,
        layer: &LayerAt,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (number, name) = (index + 1, &layer.name);
        let mut reader = HashingReader::new(self.source.reader(name)?);
        let mut buffer = vec![0; BUFFER];
        let mut count = 0;
        loop {
            let got = reader.read(&mut buffer).map_err(Flaw::Read)?;
            let piece = &buffer[..got];
            if count == 0
                && let Some(how) = Compression::of(piece)
            {
                return Err(Flaw::Compressed { number, name: name.clone(), how: how.name() }.into());
            }
            count += got as u64;
            sink(piece)?;
            if piece.is_empty() {
                break;
            }
        }
        if count != layer.size {
            return Err(Flaw::Truncated { within: format!("in `{name}`") }.into());
        }
        let actual = reader.finish();
        if actual == layer.diff_id {
            return Ok(());
        }
        Err(Flaw::Layer { number, name: name.clone(), expected: layer.diff_id, actual }.into())
    }
}

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first bytes. None of a tar file: its first are a name.
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

fn docker_parts(source: &Source) -> Result<Parts, Flaw> {
    let mut images: Vec<DockerManifest> = source.json("manifest.json")?;
    match (images.pop(), images.len()) {
        (Some(image), 0) => Ok(Parts {
            config: image.config,
            layers: image.layers,
            names: image.repo_tags.unwrap_or_default(),
        }),
        (None, _) => Err(Flaw::Count { count: 0 }),
        (Some(_), rest) => Err(Flaw::Count { count: rest + 1 }),
    }
}

fn oci_parts(source: &Source) -> Result<Parts, Flaw> {
    let mut index: OciIndex = source.json("index.json")?;
    let count = index.manifests.len();
    let Some(image) = index.manifests.pop().filter(|_| count == 1) else { return Err(Flaw::Count { count }) };
    let name = blob("index.json", &image)?;
    let bytes = source.document(&name)?;
    let actual = Digest::of(&bytes);
    if name != blob_name(&actual) {
        return Err(Flaw::Blob { name, actual });
    }
    let manifest: OciManifest = parse(&name, &bytes)?;
    let mut names: Vec<String> =
        [CONTAINERD_NAME, REF_NAME].iter().filter_map(|key| image.annotations.get(*key).cloned()).collect();
    names.dedup();
    Ok(Parts {
        config: blob(&name, &manifest.config)?,
        layers: manifest.layers.iter().map(|layer| blob(&name, layer)).collect::<Result<_, _>>()?,
        names,
    })
}

fn digest(name: &str, text: &str) -> Result<Digest, Flaw> {
    Digest::parse(text).map_err(|source| Flaw::Malformed { name: name.to_owned(), source })
}

fn blob(document: &str, descriptor: &Descriptor) -> Result<String, Flaw> {
    Ok(blob_name(&digest(document, &descriptor.digest)?))
}

/// Where a layout keeps the blob of this digest.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
