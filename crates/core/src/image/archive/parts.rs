//! What goes into an archive, in which order, under which names.
//!
//! The same image and name give the same bytes, whatever engine exported it and whenever.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ArchiveFormat;
use super::documents::{
    CONFIG_TYPE, CONTAINERD_NAME, Descriptor, DescriptorPlatform, DockerManifest, INDEX_TYPE, LAYER_TYPE,
    MANIFEST_TYPE, OciIndex, OciManifest, REF_NAME,
};
use super::open::{Opened, blob_name};
use crate::image::digest::Digest;

/// A small file: name and content.
pub(super) type Document = (String, Vec<u8>);

/// The files of an archive: documents, then each distinct layer, the lowest first, then documents.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) before: Vec<Document>,
    pub(super) after: Vec<Document>,
    is_docker: bool,
}

impl Parts {
    /// The parts of `image` under the full name `name`, which has a tag.
    pub(super) fn of(image: &Opened, name: &str, format: ArchiveFormat) -> serde_json::Result<Self> {
        match format {
            ArchiveFormat::DockerArchive => docker(image, name),
            ArchiveFormat::OciArchive | ArchiveFormat::OciLayout => oci(image, name),
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

fn docker(image: &Opened, name: &str) -> serde_json::Result<Parts> {
    let config = format!("{}.json", image.id.hex());
    let manifest = [DockerManifest {
        config: config.clone(),
        // The full name, as skopeo writes it: docker reads it as it reads the short one, containerd takes it literally.
        repo_tags: Some(vec![name.to_owned()]),
        layers: image.layers.iter().map(|layer| docker_layer_name(&layer.diff_id)).collect(),
    }];
    Ok(Parts {
        before: vec![(config, image.config_bytes.clone())],
        after: vec![("manifest.json".to_owned(), serde_json::to_vec(&manifest)?)],
        is_docker: true,
    })
}

fn oci(image: &Opened, name: &str) -> serde_json::Result<Parts> {
    let layers = image.layers.iter().map(|layer| descriptor(LAYER_TYPE, &layer.diff_id, layer.size));
    let manifest = document(&OciManifest {
        schema_version: 2,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        config: descriptor(CONFIG_TYPE, &image.id, image.config_bytes.len() as u64),
        layers: layers.collect(),
    })?;
    let manifest_digest = Digest::of(&manifest);
    let config = &image.config;
    let index = document(&OciIndex {
        schema_version: 2,
        media_type: Some(INDEX_TYPE.to_owned()),
        manifests: vec![Descriptor {
            // An incomplete platform would match none; without one, readers look into the configuration.
            platform: (!config.os.is_empty() && !config.architecture.is_empty()).then(|| {
                DescriptorPlatform {
                    architecture: config.architecture.clone(),
                    os: config.os.clone(),
                    variant: config.variant.clone().filter(|text| !text.is_empty()),
                }
            }),
            annotations: BTreeMap::from([
                (CONTAINERD_NAME.to_owned(), name.to_owned()),
                (REF_NAME.to_owned(), name.to_owned()),
            ]),
            ..descriptor(MANIFEST_TYPE, &manifest_digest, manifest.len() as u64)
        }],
    })?;
    Ok(Parts {
        before: vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index),
            (blob_name(&manifest_digest), manifest),
            (blob_name(&image.id), image.config_bytes.clone()),
        ],
        after: Vec::new(),
        is_docker: false,
    })
}

fn document(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(value)
}

fn descriptor(media_type: &str, digest: &Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: digest.to_string(),
        size,
        platform: None,
        annotations: BTreeMap::new(),
    }
}
