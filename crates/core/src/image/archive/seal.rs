//! From what an engine exported to an archive that can be trusted.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::ArchiveFormat;
use super::error::{Flaw, SealError};
use super::open::Opened;
use super::parts::Parts;
use super::place::{Folder, Place, TarFile};
use crate::image::digest::Digest;
use crate::image::reference::ImageRef;
use crate::platform::Platform;

/// What to seal, and as what.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The archive that `docker save`, `podman save`, `buildah push` or skopeo wrote; any format that is read here.
    pub from: PathBuf,
    /// The final name. Missing folders above it are made; a file or a layout that is there is replaced.
    pub to: PathBuf,
    /// How to lay the image out.
    pub format: ArchiveFormat,
    /// The name to write into the archive, with a tag.
    pub reference: ImageRef,
    /// More names, for formats with room for them: a docker archive. Readers of the others take one of several names for
    /// one of several images.
    pub tags: Vec<ImageRef>,
    /// The annotations of the manifest, in formats that have one.
    pub annotations: BTreeMap<String, String>,
    /// The image id that must be in it.
    pub expect_id: Option<Digest>,
    /// The platform that it must be for.
    pub platform: Option<Platform>,
    /// The platform to be written into the configuration first, in place of what stands there: the image gets another id.
    pub label: Option<Platform>,
}

/// A sealed archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The image id: the digest of the configuration.
    pub id: Digest,
    /// The digest of the file; of a layout, that of its `index.json`.
    pub sha256: Digest,
    /// The size in bytes of the file, or of all files of a layout.
    pub size: u64,
    /// The `diff_id` of each layer, the lowest first.
    pub layers: Vec<Digest>,
}

/// Reads the archive that an engine exported, checks it, and writes it under its final name.
///
/// The configuration is passed on byte for byte, so the image id stays. Equal images under equal names give equal bytes.
/// Nothing appears under the final name unless everything was checked and is on disk.
pub fn seal(request: &Seal) -> Result<Sealed, SealError> {
    let Seal { from, to, format, reference, .. } = request;
    let mut image = Opened::open(from)?;
    if let Some(platform) = &request.label {
        image.relabel(platform).map_err(|flaw| flaw.at(from))?;
    }
    check_image(from, request.expect_id, request.platform.as_ref(), &image)?;
    let at = |stop| match stop {
        Stop::Flaw(flaw) => SealError::Archive(flaw.at(from)),
        Stop::Write(source) => SealError::Write { path: to.clone(), source },
    };
    let write_failed = |error: io::Error| at(Stop::Write(error));
    let name = |reference: &ImageRef| {
        // A digest beside the tag would be the one of a manifest that is not in the archive.
        let tag = reference.tag().ok_or_else(|| SealError::NoTag(reference.clone()))?;
        Ok(format!("{}:{tag}", reference.name()))
    };
    let names =
        std::iter::once(reference).chain(&request.tags).map(name).collect::<Result<Vec<_>, SealError>>()?;
    let parts = Parts::of(&image, &names, &request.annotations, *format)
        .map_err(|error| write_failed(error.into()))?;
    let (sha256, size) = if *format == ArchiveFormat::OciLayout {
        check_replaceable(to)?;
        let mut folder = Folder::create(to).map_err(write_failed)?;
        fill(&mut folder, &image, &parts).map_err(at)?;
        let index = parts.before.iter().find(|(name, _)| name == "index.json");
        let sha256 = Digest::of(index.map_or(&[], |(_, bytes)| bytes.as_slice()));
        (sha256, folder.finish().map_err(write_failed)?)
    } else {
        let mut file = TarFile::create(to).map_err(write_failed)?;
        fill(&mut file, &image, &parts).map_err(at)?;
        file.finish().map_err(write_failed)?
    };
    Ok(Sealed {
        id: image.id,
        sha256,
        size,
        layers: image.layers.iter().map(|layer| layer.diff_id).collect(),
    })
}

/// The image of the archive `path` has the id and is for the platform.
pub(super) fn check_image(
    path: &Path,
    id: Option<Digest>,
    platform: Option<&Platform>,
    image: &Opened,
) -> Result<(), SealError> {
    if let Some(expected) = id.filter(|expected| *expected != image.id) {
        return Err(SealError::Id { path: path.to_owned(), expected, actual: image.id });
    }
    let config = &image.config;
    match platform {
        Some(expected)
            if !expected.matches_config(&config.os, &config.architecture, config.variant.as_deref()) =>
        {
            let variant = config.variant.as_deref().filter(|text| !text.is_empty());
            let known =
                |text: &str| if text.is_empty() { "unknown".into() } else { text.escape_debug().to_string() };
            let mut actual = format!("{}/{}", known(&config.os), known(&config.architecture));
            if let Some(variant) = variant {
                actual = format!("{actual}/{}", known(variant));
            }
            Err(SealError::Platform { path: path.to_owned(), expected: expected.clone(), actual })
        }
        _ => Ok(()),
    }
}

/// Only a layout, or an empty folder, is replaced by a layout: anything else may be someone's work.
pub(super) fn check_replaceable(to: &Path) -> Result<(), SealError> {
    let Ok(mut entries) = std::fs::read_dir(to) else { return Ok(()) };
    if to.join("oci-layout").is_file() || entries.next().is_none() {
        return Ok(());
    }
    Err(SealError::NotALayout(to.to_owned()))
}

/// Which side failed: the archive that is read or the one that is written.
enum Stop {
    Flaw(Flaw),
    Write(io::Error),
}

impl From<Flaw> for Stop {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

fn fill(place: &mut impl Place, image: &Opened, parts: &Parts) -> Result<(), Stop> {
    for (name, bytes) in &parts.before {
        whole(place, name, bytes)?;
    }
    let mut begun = None;
    image.read_layers(|index, piece| {
        if begun != Some(index) {
            let layer = &image.layers[index];
            place.begin(&parts.layer_name(&layer.diff_id), layer.size)?;
            begun = Some(index);
        }
        if piece.is_empty() { place.end() } else { place.write(piece) }.map_err(Stop::Write)
    })?;
    for (name, bytes) in &parts.after {
        whole(place, name, bytes)?;
    }
    Ok(())
}

fn whole(place: &mut impl Place, name: &str, bytes: &[u8]) -> io::Result<()> {
    place.begin(name, bytes.len() as u64)?;
    place.write(bytes)?;
    place.end()
}
