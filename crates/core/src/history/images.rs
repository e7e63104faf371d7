//! The images of a run: what they are called, what they are, and where they are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Account;
use crate::image::Digest;
use crate::plan::Plan;
use crate::platform::Platform;

/// An image of a target, with every place that it is known to be in: made by this run, or there before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LocatedImage {
    /// The target; none for an image that is for all of them, which is an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The image id: the digest of its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The digest of an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The build engine that has it in its store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Files here that hold it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<ImageFile>,
    /// Registries that it was pushed to, each with the digest it has there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pushed: Vec<Pushed>,
    /// The nodes whose runtimes have it, each with the name it has there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, String>,
}

/// A file or folder with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageFile {
    /// Relative to the recipe's folder, or absolute.
    pub path: String,
    /// Of the file; of a layout, of its `index.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How it is laid out, such as `docker-archive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// A name in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// The name.
    pub reference: String,
    /// The digest of its manifest or index.
    pub digest: String,
}

/// The images that the run left or found, in the order of the plan.
pub fn images(plan: &Plan, account: &Account) -> Vec<LocatedImage> {
    let mut images: Vec<LocatedImage> = Vec::new();
    for node in plan.order() {
        let instance = &plan.graph[node];
        if !account.course(&instance.id).is_some_and(super::Course::is_there) {
            continue;
        }
        let take = |name: &str| account.output(instance, name);
        let (id, reference, path) = (take("id"), take("reference"), take("path"));
        let digest = take("digest");
        if id.is_none() && digest.is_none() {
            continue;
        }
        let target = instance.target.as_ref().map(ToString::to_string);
        let image = find(&mut images, target, id, instance.platform.as_ref());
        image.reference = image.reference.take().or_else(|| reference.clone());
        if let Some(on) = &instance.node {
            // A file on a node has a path as well; an image in a store has not.
            if let (None, Some(reference)) = (&path, reference) {
                image.nodes.insert(on.clone(), reference);
            }
            continue;
        }
        image.digest = image.digest.take().or_else(|| digest.clone());
        // What a registry answered is its manifest, byte for byte: skopeo and we end none with a newline.
        let pushed =
            digest.or_else(|| take("manifest").map(|manifest| Digest::of(manifest.as_bytes()).to_string()));
        match (path, pushed, reference) {
            (Some(path), ..) => {
                image.archives.push(ImageFile { path, sha256: take("sha256"), format: take("format") });
            }
            (None, Some(digest), Some(reference)) => image.pushed.push(Pushed { reference, digest }),
            _ => image.engine = image.engine.take().or_else(|| take("engine")),
        }
    }
    images
}

/// The image of that target and id; an index has neither, and is one of its own.
fn find<'i>(
    images: &'i mut Vec<LocatedImage>,
    target: Option<String>,
    id: Option<String>,
    platform: Option<&Platform>,
) -> &'i mut LocatedImage {
    let is_it = |image: &LocatedImage| id.is_some() && image.target == target && image.id == id;
    let index = images.iter().position(is_it).unwrap_or_else(|| {
        images.push(LocatedImage { target, id, platform: platform.cloned(), ..LocatedImage::default() });
        images.len() - 1
    });
    &mut images[index]
}
