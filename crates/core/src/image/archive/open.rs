//! The images of an archive: their configurations and where their layers lie.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::documents::ATTESTATION;
use super::documents::{
    CONTAINERD_NAME, Config, DescriptorPlatform, DockerManifest, INDEX_TYPES, OciIndex, OciLayout,
    OciManifest, REF_NAME,
};
use super::error::{ArchiveError, Flaw};
use super::source::{Source, parse};
use super::{ArchiveFormat, documents::Descriptor};
use crate::image::digest::{BUFFER, Digest, HashingReader};
use crate::platform::Platform;

/// An image in an archive whose documents are sound; its layers are checked when they are read.
#[derive(Debug)]
pub(in crate::image) struct Opened {
    source: Arc<Source>,
    pub(in crate::image) format: ArchiveFormat,
    pub(in crate::image) id: Digest,
    /// The configuration, byte for byte.
    pub(in crate::image) config_bytes: Vec<u8>,
    pub(in crate::image) config: Config,
    /// The lowest first.
    pub(in crate::image) layers: Vec<LayerAt>,
    pub(in crate::image) names: Vec<String>,
    /// What the index says that it is for, where one does.
    pub(in crate::image) listed: Option<DescriptorPlatform>,
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
    listed: Option<DescriptorPlatform>,
}

/// More than an index of every platform has.
const IMAGES_MAX: usize = 256;

impl Opened {
    /// The one image.
    pub(in crate::image) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let (source, format, mut all) = Self::list(path)?;
        match (all.pop(), all.len()) {
            (Some(parts), 0) => Self::read(source, format, parts),
            (last, rest) => Err(Flaw::Count { count: rest + usize::from(last.is_some()) }),
        }
        .map_err(|flaw| flaw.at(path))
    }

    /// Every image, as its index lists them; at least one.
    pub(in crate::image) fn open_all(path: &Path) -> Result<Vec<Self>, ArchiveError> {
        let (source, format, all) = Self::list(path)?;
        if all.is_empty() {
            return Err(Flaw::Count { count: 0 }.at(path));
        }
        let read = |parts| Self::read(source.clone(), format, parts).map_err(|flaw| flaw.at(path));
        all.into_iter().map(read).collect()
    }

    fn list(path: &Path) -> Result<(Arc<Source>, ArchiveFormat, Vec<Parts>), ArchiveError> {
        let list = || {
            let source = Source::open(path)?;
            let is_folder = matches!(source, Source::Folder(_));
            // Docker since 25 writes both kinds of documents; its `manifest.json` is the one that names layers plainly.
            let (format, all) = if !is_folder && source.has("manifest.json") {
                (ArchiveFormat::DockerArchive, docker_parts(&source)?)
            } else if source.has("oci-layout") && source.has("index.json") {
                let format = if is_folder { ArchiveFormat::OciLayout } else { ArchiveFormat::OciArchive };
                (format, oci_parts(&source)?)
            } else {
                return Err(Flaw::Unknown);
            };
            Ok((Arc::new(source), format, all))
        };
        list().map_err(|flaw: Flaw| flaw.at(path))
    }

    fn read(source: Arc<Source>, format: ArchiveFormat, parts: Parts) -> Result<Self, Flaw> {
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
        Ok(Self {
            source,
            format,
            id,
            config_bytes,
            config,
            layers,
            names: parts.names,
            listed: parts.listed,
        })
    }

    /// Writes a platform into the configuration, and nothing else.
    pub(super) fn relabel(&mut self, platform: &Platform) -> Result<(), Flaw> {
        const NAME: &str = "the image configuration";
        let mut config: serde_json::Map<String, serde_json::Value> = parse(NAME, &self.config_bytes)?;
        config.insert("os".into(), platform.os().into());
        config.insert("architecture".into(), platform.arch().into());
        match platform.variant() {
            Some(variant) => config.insert("variant".into(), variant.into()),
            None => config.remove("variant"),
        };
        let json = |source| Flaw::Json { name: NAME.to_owned(), source };
        self.config_bytes = serde_json::to_vec(&config).map_err(json)?;
        self.config = parse(NAME, &self.config_bytes)?;
        self.id = Digest::of(&self.config_bytes);
        Ok(())
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

    /// Writes a layer as it is before compression. Whether it is the right one, its digest tells; a compressed blob must also
    /// be the one that its name says, and not be a bomb.
    pub(in crate::image) fn copy_plain(&self, index: usize, sink: &mut dyn Write) -> Result<(), Flaw> {
        let LayerAt { name, size, .. } = &self.layers[index];
        let mut reader = BufReader::with_capacity(BUFFER, self.source.reader(name)?);
        let head = reader.fill_buf().map_err(Flaw::Read)?;
        let Some(how) = Compression::of(head) else {
            return pass_on(&mut reader, name, (*size, u64::MAX), sink);
        };
        let most = PLAIN_MAX.max(size.saturating_mul(RATIO_MAX));
        let mut blob = BufReader::with_capacity(BUFFER, HashingReader::new(reader));
        let mut plain: Box<dyn Read + '_> = match how {
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(&mut blob)),
            Compression::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(&mut blob).map_err(Flaw::Read)?)
            }
        };
        pass_on(&mut plain, name, (*size, most), sink)?;
        drop(plain);
        if name.starts_with("blobs/") {
            io::copy(&mut blob, &mut io::sink()).map_err(Flaw::Read)?;
            let actual = blob.into_inner().finish();
            if *name != blob_name(&actual) {
                return Err(Flaw::Blob { name: name.clone(), actual });
            }
        }
        Ok(())
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

/// What is compressed more than a hundredfold may have so many bytes. Files of engines are a third of theirs, or a tenth.
const PLAIN_MAX: u64 = 1 << 30;
const RATIO_MAX: u64 = 100;

/// Copies what becomes of a file of `size` bytes, up to a limit.
fn pass_on(
    plain: &mut dyn Read,
    name: &str,
    (size, limit): (u64, u64),
    sink: &mut dyn Write,
) -> Result<(), Flaw> {
    let (mut buffer, mut count) = (vec![0; BUFFER], 0);
    loop {
        let got = plain.read(&mut buffer).map_err(|error| damaged(error, name))?;
        if got == 0 {
            return Ok(());
        }
        count += got as u64;
        if count > limit {
            return Err(Flaw::Bomb { name: name.to_owned(), size, limit });
        }
        sink.write_all(&buffer[..got]).map_err(Flaw::Read)?;
    }
}

/// A compressed stream that makes no sense is damaged; anything else is the system's.
fn damaged(error: io::Error, name: &str) -> Flaw {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Flaw::Truncated { within: format!("in `{name}`") },
        _ if error.raw_os_error().is_none() => Flaw::Inflate { name: name.to_owned(), source: error },
        _ => Flaw::Read(error),
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

fn docker_parts(source: &Source) -> Result<Vec<Parts>, Flaw> {
    let images: Vec<DockerManifest> = source.json("manifest.json")?;
    if images.len() > IMAGES_MAX {
        return Err(Flaw::TooMany { limit: IMAGES_MAX });
    }
    let parts = |image: DockerManifest| Parts {
        config: image.config,
        layers: image.layers,
        names: image.repo_tags.unwrap_or_default(),
        listed: None,
    };
    Ok(images.into_iter().map(parts).collect())
}

/// The images of the index, and of indexes in it, as BuildKit writes one around each image with its attestations.
fn oci_parts(source: &Source) -> Result<Vec<Parts>, Flaw> {
    let layout: OciLayout = source.json("oci-layout")?;
    if layout.image_layout_version != "1.0.0" {
        return Err(Flaw::Unknown);
    }
    let index: OciIndex = source.json("index.json")?;
    if index.schema_version != 2 {
        return Err(Flaw::Unknown);
    }
    let mut open: Vec<(String, Descriptor, usize)> =
        index.manifests.into_iter().rev().map(|image| ("index.json".to_owned(), image, 0)).collect();
    let mut found = Vec::new();
    while let Some((document, image, depth)) = open.pop() {
        if found.len() + open.len() > IMAGES_MAX {
            return Err(Flaw::TooMany { limit: IMAGES_MAX });
        }
        // Signatures and provenance: no image.
        if image.annotations.contains_key(ATTESTATION) {
            continue;
        }
        let name = blob(&document, &image)?;
        let bytes = source.document(&name)?;
        let actual = Digest::of(&bytes);
        if name != blob_name(&actual) || image.size != bytes.len() as u64 {
            return Err(Flaw::Blob { name, actual });
        }
        if INDEX_TYPES.contains(&image.media_type.as_str()) {
            if depth > 0 {
                return Err(Flaw::Link { name });
            }
            let mut inner: OciIndex = parse(&name, &bytes)?;
            for manifest in &mut inner.manifests {
                let names = image.annotations.iter().filter(|(key, _)| NAMES.contains(&key.as_str()));
                manifest.annotations.extend(names.map(|(key, value)| (key.clone(), value.clone())));
            }
            open.extend(inner.manifests.into_iter().rev().map(|image| (name.clone(), image, depth + 1)));
            continue;
        }
        let manifest: OciManifest = parse(&name, &bytes)?;
        let mut names: Vec<String> =
            NAMES.iter().filter_map(|key| image.annotations.get(*key).cloned()).collect();
        names.dedup();
        found.push(Parts {
            config: blob(&name, &manifest.config)?,
            layers: manifest.layers.iter().map(|layer| blob(&name, layer)).collect::<Result<_, _>>()?,
            names,
            listed: image.platform,
        });
    }
    Ok(found)
}

/// What an image is called, by the index.
const NAMES: [&str; 2] = [CONTAINERD_NAME, REF_NAME];

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
