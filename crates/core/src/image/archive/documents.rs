//! The JSON documents in archives, as far as they matter here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `org.opencontainers.image.ref.name`: what skopeo and podman look up.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// `io.containerd.image.name`: what containerd (and docker on it) name an imported image.
pub(super) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// On what describes an image and is none.
pub(super) const ATTESTATION: &str = "vnd.docker.reference.type";

/// Lists of images.
pub(super) const INDEX_TYPES: [&str; 2] =
    [INDEX_TYPE, "application/vnd.docker.distribution.manifest.list.v2+json"];

pub(super) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// One image of a docker archive's `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerManifest {
    pub(super) config: String,
    pub(super) repo_tags: Option<Vec<String>>,
    pub(super) layers: Vec<String>,
}

/// The parts of an image configuration that are checked; the configuration itself is never written anew.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::image) struct Config {
    #[serde(default)]
    pub(in crate::image) os: String,
    #[serde(default)]
    pub(in crate::image) architecture: String,
    pub(in crate::image) variant: Option<String>,
    pub(in crate::image) rootfs: RootFs,
}

#[derive(Debug, Clone, Deserialize)]
pub(in crate::image) struct RootFs {
    #[serde(default)]
    pub(in crate::image) diff_ids: Option<Vec<String>>,
}

/// `oci-layout` of an OCI layout.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OciLayout {
    pub(super) image_layout_version: String,
}

/// `index.json` of an OCI layout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OciIndex {
    pub(super) schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
}

/// The manifest of one image for one platform.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OciManifest {
    pub(super) schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A blob: its type, digest and size in bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<DescriptorPlatform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::image) struct DescriptorPlatform {
    pub(in crate::image) architecture: String,
    pub(in crate::image) os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::image) variant: Option<String>,
}
