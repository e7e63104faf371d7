//! Two archives of what should be one image: whether they are the same, and if not, where they differ.
//!
//! Nothing is unpacked. Configurations are compared field by field, layers by their digests, and the lowest layer that
//! differs file by file, in memory that grows with the number of its files and not with what they hold.

mod causes;
mod config;
mod content;
mod files;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use serde::Serialize;

use super::digest::sha256_file;
use super::{Digest, LocalError, LocalImage};

pub use self::files::{FileDiffers, Files, Part, PartName};

/// So many differences of a sort are told.
const TOLD: usize = 20;

/// More of a value says no more.
const VALUE_MAX: usize = 80;

/// What two archives have in common, and what not. Pairs are of the first and the second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The image ids.
    pub ids: [Digest; 2],
    /// The digests of the archives.
    pub archives: [Digest; 2],
    /// How many layers they have.
    pub layer_counts: [usize; 2],
    /// The fields of the configuration that differ. Digests of layers are not among them.
    #[serde(skip_serializing_if = "Told::is_empty")]
    pub fields: Told<FieldDiffers>,
    /// The layers that differ, the lowest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerDiffers>,
    /// What differs in the first of them that both have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}

/// A field of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDiffers {
    /// Such as `history[3].created`; empty where all fields are the same and only written in another way.
    pub path: String,
    /// The values as JSON, cut where they are long; nothing where the field is absent.
    pub values: [Option<String>; 2],
}

/// A layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LayerDiffers {
    /// Counted from 1, the lowest.
    pub number: usize,
    /// The digests of its tar file; nothing where there is no such layer.
    pub diff_ids: [Option<Digest>; 2],
}

/// The first ones of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told<T> {
    /// As many as are told.
    pub told: Vec<T>,
    /// How many more there are.
    pub more: usize,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self { told: Vec::new(), more: 0 }
    }
}

impl<T> Told<T> {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    fn push(&mut self, one: T) {
        if self.told.len() < TOLD { self.told.push(one) } else { self.more += 1 }
    }
}

impl Comparison {
    /// The same image in the same bytes.
    pub fn is_same(&self) -> bool {
        self.ids[0] == self.ids[1] && self.archives[0] == self.archives[1]
    }
}

/// Compares two archives of one image each. The error says which cannot be read, and why.
pub fn compare(first: &Path, second: &Path) -> Result<Comparison, LocalError> {
    let images = [LocalImage::in_archive(first)?, LocalImage::in_archive(second)?];
    let of_file = |path: &Path| {
        // A layout is a folder, whose index names all that is in it.
        let file = if path.is_dir() { path.join("index.json") } else { path.to_owned() };
        sha256_file(&file).map_err(|source: io::Error| LocalError::Read { path: file, source })
    };
    let archives = [of_file(first)?, of_file(second)?];
    let [one, other] = &images;
    let at = |image: &LocalImage, index: usize| image.layers.get(index).map(|layer| layer.diff_id);
    let most = one.layers.len().max(other.layers.len());
    let layers: Vec<LayerDiffers> = (0..most)
        .map(|index| LayerDiffers { number: index + 1, diff_ids: [at(one, index), at(other, index)] })
        .filter(|layer| layer.diff_ids[0] != layer.diff_ids[1])
        .collect();
    let both = layers.iter().find(|layer| layer.diff_ids.iter().all(Option::is_some));
    let files = both.map(|layer| files::compare(&images, layer.number)).transpose()?;
    let fields = if one.id == other.id { Told::default() } else { config::compare(&images)? };
    Ok(Comparison {
        ids: [one.id, other.id],
        archives,
        layer_counts: [one.layers.len(), other.layers.len()],
        fields,
        layers,
        files,
    })
}

/// The text, cut where it is long.
fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
