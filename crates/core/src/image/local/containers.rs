//! An image in containers-storage on this machine: podman's, buildah's and CRI-O's.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{LocalError, Stored};
use crate::image::Digest;

/// A record of `overlay-layers/layers.json`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    id: String,
    #[serde(default)]
    diff_digest: Option<Digest>,
    #[serde(default)]
    diff_size: u64,
}

/// The drivers whose layers lie in plain folders, and the folder within a layer.
const DRIVERS: [(&str, &str, &str); 2] = [("overlay", "overlay", "diff"), ("vfs", "vfs/dir", "")];

/// The configuration of the image `id`, byte for byte.
pub(super) fn config(root: &Path, id: &Digest) -> Result<Vec<u8>, LocalError> {
    let name = format!("={}", STANDARD.encode(id.to_string()));
    let path = DRIVERS
        .iter()
        .map(|(driver, ..)| root.join(format!("{driver}-images")).join(id.hex()).join(&name))
        .find(|path| path.exists())
        .ok_or_else(|| LocalError::Absent { id: *id, store: root.to_owned() })?;
    fs::read(&path).map_err(|source| LocalError::Read { path, source })
}

/// Where each of these layers lies. A layer can be there more than once, over other layers: any of them will do.
pub(super) fn layers(root: &Path, diff_ids: &[Digest]) -> Result<Vec<Stored>, LocalError> {
    let mut found: HashMap<Digest, Stored> = HashMap::new();
    for (driver, folder, within) in DRIVERS {
        let records = root.join(format!("{driver}-layers"));
        let path = records.join("layers.json");
        if !path.exists() {
            continue;
        }
        let bytes = fs::read(&path).map_err(|source| LocalError::Read { path: path.clone(), source })?;
        let listed: Vec<Record> = serde_json::from_slice(&bytes)
            .map_err(|error| LocalError::Read { path, source: std::io::Error::other(error) })?;
        for record in listed {
            let Some(diff_id) = record.diff_digest.filter(|diff_id| diff_ids.contains(diff_id)) else {
                continue;
            };
            let files: PathBuf = root.join(folder).join(&record.id).join(within);
            let split = records.join(format!("{}.tar-split.gz", record.id));
            if split.exists() && files.is_dir() {
                found.insert(diff_id, Stored { split, files, size: record.diff_size });
            }
        }
    }
    let whole = |diff_id: &Digest| {
        found.get(diff_id).cloned().ok_or_else(|| LocalError::Absent { id: *diff_id, store: root.to_owned() })
    };
    diff_ids.iter().map(whole).collect()
}
