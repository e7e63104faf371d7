//! Images of several platforms in one index, as an OCI layout or an archive of one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::documents::{DescriptorPlatform, INDEX_TYPE, MANIFEST_TYPE, OciIndex};
use super::error::{ArchiveError, Flaw, SealError};
use super::open::{Opened, blob_name};
use super::parts::{self, Document};
use super::place::{Folder, Place, TarFile};
use super::seal::{check_image, check_replaceable};
use super::{ArchiveFormat, LayerBlob, LayerForm};
use crate::image::digest::{BUFFER, Digest, HashingWriter};
use crate::platform::Platform;

/// What to join, and as what.
#[derive(Debug, Clone)]
pub struct Join {
    /// One image for each platform.
    pub images: Vec<Joined>,
    /// The final name. A file or a layout that is there is replaced.
    pub to: PathBuf,
    /// [`ArchiveFormat::OciLayout`] or [`ArchiveFormat::OciArchive`].
    pub format: ArchiveFormat,
    /// Layers are compressed, as registries keep them; else they stay as their `diff_id`s name them.
    pub gzip: bool,
    /// The full name with a tag that the index carries.
    pub name: Option<String>,
}

/// One image of an index.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Its archive or layout, in any format that is read here.
    pub from: PathBuf,
    /// The id that must be in it.
    pub id: Digest,
    /// The platform that it must be for.
    pub platform: Platform,
    /// The annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
}

/// Writes an index of images, each with its configuration byte for byte; the digest of the index.
///
/// Equal images give an equal index, in whatever order and format they come: it is sorted by platform, and a layer of
/// several images is there once. Nothing appears under the final name unless every part was checked and is on disk.
pub fn join(request: &Join) -> Result<Digest, SealError> {
    let write_failed = |source: io::Error| SealError::Write { path: request.to.clone(), source };
    let mut images: Vec<(&Joined, Opened)> = Vec::new();
    for wanted in &request.images {
        let image = Opened::open(&wanted.from)?;
        check_image(&wanted.from, Some(wanted.id), Some(&wanted.platform), &image)?;
        images.push((wanted, image));
    }
    images.sort_by_key(|(wanted, _)| wanted.platform.to_string());
    let mut layers = Layers { gzip: request.gzip, found: BTreeMap::new() };
    let mut documents: Vec<Document> = Vec::new();
    let mut manifests = Vec::new();
    for (number, (wanted, image)) in images.iter().enumerate() {
        let blobs = layers.of(&wanted.from, (number, image), &request.to)?;
        let descriptors =
            blobs.iter().map(|blob| parts::descriptor(&blob.form.media_type(), &blob.digest, blob.size));
        let manifest = parts::manifest(&image.config_bytes, descriptors.collect(), &wanted.annotations)
            .map_err(|error| write_failed(error.into()))?;
        let mut entry = parts::descriptor(MANIFEST_TYPE, &Digest::of(&manifest), manifest.len() as u64);
        entry.platform = Some(DescriptorPlatform {
            architecture: wanted.platform.arch().to_owned(),
            os: wanted.platform.os().to_owned(),
            variant: wanted.platform.variant().map(str::to_owned),
        });
        manifests.push(entry);
        documents.push((blob_name(&Digest::of(&manifest)), manifest));
        documents.push((blob_name(&image.id), image.config_bytes.clone()));
    }
    let index = OciIndex { schema_version: 2, media_type: Some(INDEX_TYPE.to_owned()), manifests };
    let index = serde_json::to_vec(&index).map_err(|error| write_failed(error.into()))?;
    let digest = Digest::of(&index);
    let mut entry = parts::descriptor(INDEX_TYPE, &digest, index.len() as u64);
    entry.annotations = request.name.as_deref().map(parts::names).unwrap_or_default();
    let outer = parts::layout_head(entry).map_err(|error| write_failed(error.into()))?;
    documents.push((blob_name(&digest), index));
    let documents = outer.into_iter().chain(documents);
    let opened: Vec<&Opened> = images.iter().map(|(_, image)| image).collect();
    if request.format == ArchiveFormat::OciLayout {
        check_replaceable(&request.to)?;
        let mut folder = Folder::create(&request.to).map_err(write_failed)?;
        fill(&mut folder, documents, &layers, &opened).map_err(write_failed)?;
        folder.finish().map_err(write_failed)?;
    } else {
        let mut file = TarFile::create(&request.to).map_err(write_failed)?;
        fill(&mut file, documents, &layers, &opened).map_err(write_failed)?;
        file.finish().map_err(write_failed)?;
    }
    Ok(digest)
}

/// The layers of all images, each once, by their `diff_id`s.
struct Layers {
    gzip: bool,
    found: BTreeMap<Digest, Found>,
}

/// A layer that has the digest that its image names.
struct Found {
    blob: LayerBlob,
    /// The number of the image that has it, and its place there.
    at: (usize, usize),
    /// The compressed blob.
    file: Option<File>,
}

impl Layers {
    /// The blobs of an image, the lowest first. Every layer that is new is read, checked, and compressed if it is to be.
    fn of(
        &mut self,
        path: &Path,
        (number, image): (usize, &Opened),
        to: &Path,
    ) -> Result<Vec<LayerBlob>, SealError> {
        let mut blobs = Vec::new();
        for (index, layer) in image.layers.iter().enumerate() {
            if !self.found.contains_key(&layer.diff_id) {
                let (blob, file) = self.read(path, image, index, to)?;
                self.found.insert(layer.diff_id, Found { blob, at: (number, index), file });
            }
            blobs.push(self.found[&layer.diff_id].blob);
        }
        Ok(blobs)
    }

    fn read(
        &self,
        path: &Path,
        image: &Opened,
        index: usize,
        to: &Path,
    ) -> Result<(LayerBlob, Option<File>), SealError> {
        let diff_id = image.layers[index].diff_id;
        let write_failed = |source: io::Error| SealError::Write { path: to.to_owned(), source };
        let read = |sink: &mut dyn Write| -> Result<(), ArchiveError> {
            image.copy_plain(index, sink).map_err(|flaw| flaw.at(path))
        };
        let right = |actual: Digest| -> Result<(), ArchiveError> {
            if actual == diff_id {
                return Ok(());
            }
            let name = diff_id.to_string();
            Err(Flaw::Layer { number: index + 1, name, expected: diff_id, actual }.at(path))
        };
        if !self.gzip {
            let mut plain = HashingWriter::new(io::sink());
            read(&mut plain)?;
            let (_, digest, size) = plain.finish();
            right(digest)?;
            return Ok((LayerBlob { form: LayerForm::Plain, digest, size }, None));
        }
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::tempfile_in(folder).map_err(write_failed)?;
        // No name and no time is in its header, so equal layers give equal blobs.
        let gzip = GzEncoder::new(HashingWriter::new(file), Compression::default());
        let mut plain = HashingWriter::new(gzip);
        read(&mut plain)?;
        let (gzip, actual, _) = plain.finish();
        right(actual)?;
        let (file, digest, size) = gzip.finish().map_err(write_failed)?.finish();
        Ok((LayerBlob { form: LayerForm::Gzip, digest, size }, Some(file)))
    }
}

fn fill(
    place: &mut impl Place,
    documents: impl Iterator<Item = Document>,
    layers: &Layers,
    images: &[&Opened],
) -> io::Result<()> {
    let mut written = std::collections::HashSet::new();
    for (name, bytes) in documents {
        // Two platforms may have one configuration or manifest, if they agree on it.
        if written.insert(name.clone()) {
            place.begin(&name, bytes.len() as u64)?;
            place.write(&bytes)?;
            place.end()?;
        }
    }
    for Found { blob, at: (image, index), file } in layers.found.values() {
        place.begin(&blob_name(&blob.digest), blob.size)?;
        match file {
            Some(file) => {
                let (mut file, mut buffer) = (file, vec![0; BUFFER]);
                file.rewind()?;
                loop {
                    let got = file.read(&mut buffer)?;
                    if got == 0 {
                        break;
                    }
                    place.write(&buffer[..got])?;
                }
            }
            None => {
                let mut sink = HashingWriter::new(Sink(place));
                images[*image].copy_plain(*index, &mut sink).map_err(io::Error::other)?;
                if sink.finish().1 != blob.digest {
                    return Err(io::Error::other("a layer was changed while it was read"));
                }
            }
        }
        place.end()?;
    }
    Ok(())
}

/// Writes into the file that was begun.
struct Sink<'p, P>(&'p mut P);

impl<P: Place> Write for Sink<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
