//! What a node says of itself, of what it keeps of earlier attempts, and of its store.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;

use serde::Deserialize;

use crate::event::{Failure, FailureKind};
use crate::image::Digest;
use crate::image::archive::{LayerBlob, LayerForm};

/// More is no answer.
const LONGEST: u64 = 64 << 20;

/// The lines of an answer, by their first word.
#[derive(Debug, Default)]
pub(super) struct Answer {
    lines: Vec<(String, String)>,
    /// What it keeps of earlier attempts, by the blob's digits, with or without `.partial`: bytes.
    pub(super) spool: HashMap<String, u64>,
    /// Those of them that somebody writes to.
    pub(super) busy: HashSet<String>,
}

/// What a store holds of an image.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The config digest of the image that has the reference.
    pub(super) current: Option<Digest>,
    /// The layers of that image, the lowest first, as the store has them.
    pub(super) layers: Option<Vec<Digest>>,
    /// Layers that need not be sent, and what they are called there.
    pub(super) there: BTreeMap<Digest, LayerBlob>,
}

impl Answer {
    /// Reads what the node printed, gzipped.
    pub(super) fn read(node: &str, gzipped: &[u8]) -> Result<Self, Failure> {
        let bad = |what: String| {
            Failure::new(FailureKind::Tool, format!("node `{node}` answered something else: {what}"))
                .help("does a login there print something by itself? Its shell's start-up files must not")
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(gzipped)
            .take(LONGEST)
            .read_to_string(&mut text)
            .map_err(|error| bad(error.to_string()))?;
        let mut answer = Self::default();
        let mut ended = false;
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "end" => ended = true,
                "blob" => {
                    if let Some((name, size)) = rest.split_once(' ') {
                        answer.spool.insert(name.to_owned(), size.parse().unwrap_or_default());
                    }
                }
                "busy" => drop(answer.busy.insert(rest.to_owned())),
                _ => answer.lines.push((word.to_owned(), rest.to_owned())),
            }
        }
        if ended { Ok(answer) } else { Err(bad("its end is missing".into())) }
    }

    /// What follows the first line of that word.
    pub(super) fn get(&self, word: &str) -> Option<&str> {
        self.lines.iter().find(|(first, _)| first == word).map(|(_, rest)| rest.as_str())
    }

    pub(super) fn all<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(first, _)| first == word).map(|(_, rest)| rest.as_str())
    }

    /// Free bytes in the node's folder (`dir`) or its store (`room`).
    pub(super) fn free(&self, word: &str) -> Option<u64> {
        self.get(word)?.parse::<u64>().ok()?.checked_mul(1024)
    }
}

/// A record of containers-storage.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    id: String,
    layer: String,
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LayerRecord {
    id: String,
    #[serde(default)]
    parent: String,
    #[serde(default)]
    diff_digest: Option<Digest>,
    #[serde(default)]
    diff_size: u64,
    #[serde(default)]
    flags: serde_json::Map<String, serde_json::Value>,
}

/// A line that was cut out of an array: with a bracket or comma around it.
fn record<'a, T: Deserialize<'a>>(line: &'a str) -> Option<T> {
    let line = line.trim().trim_start_matches('[').trim_end_matches([']', ',']);
    serde_json::from_str(line).ok()
}

/// What containers-storage holds.
pub(super) fn containers(answer: &Answer, reference: &str) -> Held {
    let records: Vec<LayerRecord> = answer.all("layer").filter_map(record).collect();
    // A layer whose import was killed is listed, and is not whole.
    let whole = records.iter().filter(|record| !record.flags.contains_key("incomplete"));
    let there = whole.clone().filter_map(|record| {
        let digest = record.diff_digest?;
        Some((digest, LayerBlob { form: LayerForm::Plain, digest, size: record.diff_size }))
    });
    let there = there.collect();
    let named = |image: &Image| image.names.iter().any(|name| name == reference);
    let Some(image) = answer.all("image").filter_map(record::<Image>).find(named) else {
        return Held { there, ..Held::default() };
    };
    let by_id: HashMap<&str, &LayerRecord> = whole.map(|record| (record.id.as_str(), record)).collect();
    let mut layers = Vec::new();
    let mut at = image.layer.as_str();
    while let Some(record) = by_id.get(at).filter(|_| layers.len() <= by_id.len()) {
        layers.extend(record.diff_digest);
        at = &record.parent;
    }
    layers.reverse();
    Held { current: Digest::from_hex(&image.id), layers: Some(layers), there }
}

/// What dockerd holds: of a layer it knows only which images have it, and above which others.
pub(super) fn docker(answer: &Answer, diff_ids: &[Digest]) -> Held {
    let list = |json: &str| serde_json::from_str::<Vec<Digest>>(json).ok();
    let mut held = Held::default();
    if let Some((id, layers)) = answer.get("image").and_then(|line| line.split_once(' ')) {
        held.current = Digest::parse(id).ok();
        held.layers = list(layers);
    }
    let longest = answer
        .all("layers")
        .filter_map(list)
        .map(|layers| layers.iter().zip(diff_ids).take_while(|(one, other)| one == other).count())
        .max()
        .unwrap_or_default();
    for digest in &diff_ids[..longest] {
        held.there.insert(*digest, LayerBlob { form: LayerForm::Plain, digest: *digest, size: 0 });
    }
    held
}

/// docker keeps its images in containerd's store, which takes no archive with layers left out.
pub(super) fn docker_is_whole(answer: &Answer) -> bool {
    answer.get("driver").is_some_and(|driver| driver.contains("io.containerd.snapshotter"))
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

/// What containerd holds, in `k8s.io`: blobs under their own digests, with the layer's digest as a label where they are
/// compressed.
pub(super) fn containerd(answer: &Answer, diff_ids: &[Digest], id: &Digest) -> Held {
    let mut held = Held::default();
    let mut layer_of: HashMap<Digest, Digest> = HashMap::new();
    for line in answer.all("content") {
        let mut words = line.split_whitespace();
        let (Some(digest), Some(size)) =
            (words.next().and_then(|text| Digest::parse(text).ok()), words.next())
        else {
            continue;
        };
        let labelled = line
            .split_once("containerd.io/uncompressed=")
            .and_then(|(_, rest)| Digest::parse(rest.get(..71)?).ok());
        let diff_id = labelled.unwrap_or(digest);
        if !diff_ids.contains(&diff_id) {
            continue;
        }
        layer_of.insert(digest, diff_id);
        // The reader of a layer looks at its first bytes, whichever compression the type names.
        let form = if digest == diff_id { LayerForm::Plain } else { LayerForm::Gzip };
        if let Ok(size) = size.parse() {
            held.there.entry(diff_id).or_insert(LayerBlob { form, digest, size });
        }
    }
    let manifests: Vec<Manifest> =
        answer.all("manifest").filter_map(|json| serde_json::from_str(json).ok()).collect();
    let found = manifests.iter().find(|manifest| manifest.config.digest == *id).or_else(|| manifests.first());
    if let Some(manifest) = found {
        held.current = Some(manifest.config.digest);
        held.layers =
            manifest.layers.iter().map(|layer| layer_of.get(&layer.digest).copied()).collect::<Option<_>>();
    }
    held
}
