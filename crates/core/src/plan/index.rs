//! What is done with indexes: images of several platforms under one name.

use serde::{Deserialize, Serialize};

use super::{Command, Text};
use crate::image::ArchiveFormat;
use crate::platform::Platform;

/// Archives of images, to be joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinIndex {
    /// One image for each platform.
    pub images: Vec<IndexImage>,
    /// The layout or archive to write.
    pub to: Text,
    /// Which of the two.
    pub format: ArchiveFormat,
    /// Layers are compressed, as registries keep them.
    pub gzip: bool,
    /// The full reference that it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The output that takes the digest of the index.
    pub output: String,
}

/// An image of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexImage {
    /// Its archive here.
    pub from: Text,
    /// The config digest that was built.
    pub id: Text,
    /// The platform of its target.
    pub platform: Platform,
    /// The annotations of its manifest: a JSON object of strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Text>,
}

/// An index where it was written or pushed, to be read back for each platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckIndex {
    /// Where it is, as skopeo calls it.
    pub dest: Text,
    /// skopeo, without arguments.
    pub skopeo: Command,
    /// Whether it asks the registry for a certificate that it knows; its own default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_verify: Option<bool>,
    /// The digest of the index that was made.
    pub digest: Text,
    /// The config digest for each platform.
    pub images: Vec<(Platform, Text)>,
}
