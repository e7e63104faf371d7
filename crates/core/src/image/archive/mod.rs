//! Archives of one image: docker's, OCI's, and OCI layouts in a folder.
//!
//! Nothing is ever unpacked: an archive's table of contents is read, then its documents, then its layers in pieces.
//! An image is what its configuration says it is, so its id is the digest of the configuration's bytes, and every
//! layer must have the digest that the configuration names for it.

mod documents;
mod error;
mod join;
mod open;
mod parts;
mod place;
mod seal;
mod source;
mod tar_index;
#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub(in crate::image) use self::documents::Config;
pub use self::error::{ArchiveError, Flaw, SealError};
pub use self::join::{Join, Joined, join};
pub(in crate::image) use self::open::Opened;
pub use self::seal::{Seal, Sealed, seal};
use super::digest::Digest;

/// How an image is laid out in one file or folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveFormat {
    /// One tar file that `docker load`, `podman load`, `ctr images import` and skopeo's `docker-archive:` read.
    #[default]
    DockerArchive,
    /// One tar file that skopeo's `oci-archive:`, `podman load` and `ctr images import` read.
    OciArchive,
    /// A folder that skopeo's `oci:` reads.
    #[serde(rename = "oci")]
    OciLayout,
}

impl ArchiveFormat {
    /// skopeo's name of the transport.
    pub fn transport(self) -> &'static str {
        match self {
            Self::DockerArchive => "docker-archive",
            Self::OciArchive => "oci-archive",
            Self::OciLayout => "oci",
        }
    }
}

/// What an archive holds, every layer of it checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveInfo {
    /// How it is laid out.
    pub format: ArchiveFormat,
    /// The image id: the digest of the configuration.
    pub id: Digest,
    /// The configuration's `os`; empty when it has none.
    pub os: String,
    /// The configuration's `architecture`; empty when it has none.
    pub architecture: String,
    /// The configuration's `variant`.
    pub variant: Option<String>,
    /// The lowest layer first.
    pub layers: Vec<Layer>,
    /// The names in the archive, as they are written there.
    pub names: Vec<String>,
}

/// A layer as it is before compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Layer {
    /// The digest of the layer's tar file.
    pub diff_id: Digest,
    /// The size of the layer's tar file in bytes.
    pub size: u64,
}

/// A blob of a layer in a layout: the layer itself, or compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerBlob {
    /// Compression, as the end of the media type says it.
    pub form: LayerForm,
    /// The digest of the blob: the layer's own where it is plain.
    pub digest: Digest,
    /// Bytes of the blob.
    pub size: u64,
}

/// How a layer's tar file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerForm {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl LayerForm {
    fn media_type(self) -> String {
        match self {
            Self::Plain => documents::LAYER_TYPE.to_owned(),
            Self::Gzip => format!("{}+gzip", documents::LAYER_TYPE),
            Self::Zstd => format!("{}+zstd", documents::LAYER_TYPE),
        }
    }
}

impl super::LocalImage {
    /// The documents of an OCI layout of the image under the full name `name`: names and contents of all files but the
    /// layers, which are these blobs, the lowest first.
    pub(crate) fn layout(
        &self,
        name: &str,
        layers: &[LayerBlob],
    ) -> serde_json::Result<Vec<parts::Document>> {
        let descriptor =
            |blob: &LayerBlob| parts::descriptor(&blob.form.media_type(), &blob.digest, blob.size);
        parts::layout(
            self.parsed(),
            &self.config,
            layers.iter().map(descriptor).collect(),
            name,
            &std::collections::BTreeMap::new(),
        )
    }

    /// The documents of a docker archive, in which the layer `sha256:HEX` is the file `HEX.tar`.
    pub(crate) fn docker_documents(&self, name: &str) -> serde_json::Result<[parts::Document; 2]> {
        parts::docker_documents(
            &self.config,
            self.layers.iter().map(|layer| &layer.diff_id),
            &[name.to_owned()],
        )
    }
}

/// Reads an archive or layout of one image, of whichever format, and checks the digest of every part.
pub fn inspect(path: &Path) -> Result<ArchiveInfo, ArchiveError> {
    let image = Opened::open(path)?;
    image.read_layers(|_, _| Ok::<_, Flaw>(())).map_err(|flaw| flaw.at(path))?;
    Ok(ArchiveInfo {
        format: image.format,
        id: image.id,
        os: image.config.os,
        architecture: image.config.architecture,
        variant: image.config.variant.filter(|text| !text.is_empty()),
        layers: image.layers.iter().map(|layer| Layer { diff_id: layer.diff_id, size: layer.size }).collect(),
        names: image.names,
    })
}
