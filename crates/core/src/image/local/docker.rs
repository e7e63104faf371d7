//! An image in the folder of a dockerd on this machine, with its own graph drivers. One that keeps images in containerd's
//! store has no such folder.

use std::fs;
use std::path::Path;

use super::{LocalError, Stored};
use crate::image::Digest;

/// The drivers whose layers lie in plain folders, and the folder within a layer.
const DRIVERS: [(&str, &str, &str); 2] = [("overlay2", "overlay2", "diff"), ("vfs", "vfs/dir", "")];

/// The configuration of the image `id`, byte for byte.
pub(super) fn config(root: &Path, id: &Digest) -> Result<Vec<u8>, LocalError> {
    let path = DRIVERS
        .iter()
        .map(|(driver, ..)| root.join("image").join(driver).join("imagedb/content/sha256").join(id.hex()))
        .find(|path| path.exists())
        .ok_or_else(|| LocalError::Absent { id: *id, store: root.to_owned() })?;
    fs::read(&path).map_err(|source| LocalError::Read { path, source })
}

/// Where each of these layers lies, which are one upon the other.
pub(super) fn layers(root: &Path, diff_ids: &[Digest]) -> Result<Vec<Stored>, LocalError> {
    let mut stored = Vec::new();
    for (chain_id, diff_id) in chain(diff_ids).iter().zip(diff_ids) {
        let absent = || LocalError::Absent { id: *diff_id, store: root.to_owned() };
        let (record, (_, folder, within)) = DRIVERS
            .iter()
            .map(|driver| {
                (root.join("image").join(driver.0).join("layerdb/sha256").join(chain_id.hex()), *driver)
            })
            .find(|(record, _)| record.is_dir())
            .ok_or_else(absent)?;
        let read = |name: &str| {
            let path = record.join(name);
            fs::read_to_string(&path).map_err(|source| LocalError::Read { path, source })
        };
        let cache = read("cache-id")?;
        let cache = cache.trim();
        if cache.is_empty() || cache.contains(['/', '.']) {
            return Err(absent());
        }
        let files = root.join(folder).join(cache).join(within);
        let size = read("size")?.trim().parse().unwrap_or_default();
        stored.push(Stored { split: record.join("tar-split.json.gz"), files, size });
    }
    Ok(stored)
}

/// The chain ids (OCI image-spec config.md): each names a layer with all that is below it.
pub(super) fn chain(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
            None => *diff_id,
        };
        chain.push(next);
    }
    chain
}
