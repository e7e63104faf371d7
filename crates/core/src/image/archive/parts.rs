//! What goes into an archive, in which order, under which names.
//!
//! The same image and name give the same bytes, whatever engine exported it and whenever.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ArchiveFormat;
use super::documents::{
    CONFIG_TYPE, CONTAINERD_NAME, Config, Descriptor, DescriptorPlatform, DockerManifest, INDEX_TYPE,
    LAYER_TYPE, MANIFEST_TYPE, OciIndex, OciManifest, REF_NAME,
};
use super::open::{Opened, blob_name};
use crate::image::digest::Digest;

/// A small file: name and content.
pub(crate) type Document = (String, Vec<u8>);

/// The files of an archive: documents, then each distinct layer, the lowest first, then documents.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) before: Vec<Document>,
    pub(super) after: Vec<Document>,
    is_docker: bool,
}

impl Parts {
    /// The parts of `image` under full names, each with a tag: at least one. Only a docker archive has more than the first,
    /// and only the others have annotations.
    pub(super) fn of(
        image: &Opened,
        names: &[String],
        annotations: &BTreeMap<String, String>,
        format: ArchiveFormat,
    ) -> serde_json::Result<Self> {
        match format {
            ArchiveFormat::DockerArchive => docker(image, names),
            ArchiveFormat::OciArchive | ArchiveFormat::OciLayout => oci(image, &names[0], annotations),
        }
    }

    /// The file name of a layer.
    pub(super) fn layer_name(&self, diff_id: &Digest) -> String {
        if self.is_docker { docker_layer_name(diff_id) } else { blob_name(diff_id) }
    }
}

fn docker_layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

fn docker(image: &Opened, names: &[String]) -> serde_json::Result<Parts> {
    let layers = image.layers.iter().map(|layer| &layer.diff_id);
    let [config, manifest] = docker_documents(&image.config_bytes, layers, names)?;
    Ok(Parts { before: vec![config], after: vec![manifest], is_docker: true })
}

/// Configuration and manifest of a docker archive of one image under full names.
pub(super) fn docker_documents<'d>(
    config_bytes: &[u8],
    diff_ids: impl Iterator<Item = &'d Digest>,
    names: &[String],
) -> serde_json::Result<[Document; 2]> {
    let config = format!("{}.json", Digest::of(config_bytes).hex());
    let manifest = [DockerManifest {
        config: config.clone(),
        // Full names, as skopeo writes them: docker reads them as it reads short ones, containerd takes them literally.
        repo_tags: Some(names.to_vec()),
        layers: diff_ids.map(docker_layer_name).collect(),
    }];
    let manifest = serde_json::to_vec(&manifest)?;
    Ok([(config, config_bytes.to_vec()), ("manifest.json".to_owned(), manifest)])
}

fn oci(image: &Opened, name: &str, annotations: &BTreeMap<String, String>) -> serde_json::Result<Parts> {
    let layers = image.layers.iter().map(|layer| descriptor(LAYER_TYPE, &layer.diff_id, layer.size));
    let before = layout(&image.config, &image.config_bytes, layers.collect(), name, annotations)?;
    Ok(Parts { before, after: Vec::new(), is_docker: false })
}

/// The documents of an OCI layout of one image under the full name `name`: all of it but the layers.
pub(super) fn layout(
    config: &Config,
    config_bytes: &[u8],
    layers: Vec<Descriptor>,
    name: &str,
    annotations: &BTreeMap<String, String>,
) -> serde_json::Result<Vec<Document>> {
    let id = Digest::of(config_bytes);
    let manifest = manifest(config_bytes, layers, annotations)?;
    let manifest_digest = Digest::of(&manifest);
    let entry = Descriptor {
        // An incomplete platform would match none; without one, readers look into the configuration.
        platform: (!config.os.is_empty() && !config.architecture.is_empty()).then(|| DescriptorPlatform {
            architecture: config.architecture.clone(),
            os: config.os.clone(),
            variant: config.variant.clone().filter(|text| !text.is_empty()),
        }),
        annotations: names(name),
        ..descriptor(MANIFEST_TYPE, &manifest_digest, manifest.len() as u64)
    };
    let mut documents = layout_head(entry)?;
    documents.push((blob_name(&manifest_digest), manifest));
    documents.push((blob_name(&id), config_bytes.to_vec()));
    Ok(documents)
}

/// The manifest of one image.
pub(super) fn manifest(
    config_bytes: &[u8],
    layers: Vec<Descriptor>,
    annotations: &BTreeMap<String, String>,
) -> serde_json::Result<Vec<u8>> {
    document(&OciManifest {
        schema_version: 2,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        config: descriptor(CONFIG_TYPE, &Digest::of(config_bytes), config_bytes.len() as u64),
        layers,
        annotations: annotations.clone(),
    })
}

/// What says that a folder is a layout, and what is in it.
pub(super) fn layout_head(entry: Descriptor) -> serde_json::Result<Vec<Document>> {
    let index = document(&OciIndex {
        schema_version: 2,
        media_type: Some(INDEX_TYPE.to_owned()),
        manifests: vec![entry],
    })?;
    Ok(vec![
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index),
    ])
}

/// The annotations that tell readers the full name of what a layout holds.
pub(super) fn names(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(CONTAINERD_NAME.to_owned(), name.to_owned()), (REF_NAME.to_owned(), name.to_owned())])
}

fn document(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(value)
}

pub(super) fn descriptor(media_type: &str, digest: &Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: digest.to_string(),
        size,
        platform: None,
        annotations: BTreeMap::new(),
    }
}
