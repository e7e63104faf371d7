//! What a run's folder can prove: audits, the nodes' answers, the lock, provenance. What is not there is left out; what
//! cannot be read is said.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::audit::Report;
use crate::evidence::Statement;
use crate::lock::{self, Lock};

/// A document is shorter than this.
const MOST: u64 = 4 << 20;

/// A document of an instance: its id, and what it says or why it cannot be read.
pub(super) type Documents<T> = Vec<(String, Result<T, String>)>;

/// All that a folder has.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    pub(super) audits: Documents<Report>,
    pub(super) answers: Documents<Answer>,
    /// Of archives; and whether the statement is signed.
    pub(super) statements: Documents<Statement>,
    pub(super) signed: Vec<String>,
    /// As it was when the run ended.
    pub(super) lock: Option<Result<Lock, String>>,
}

/// What a node's runtime said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) node: String,
    pub(super) machine: Option<String>,
    pub(super) reference: String,
    pub(super) image: Image,
}

/// The image there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Image {
    pub(super) id: String,
    pub(super) size: u64,
    pub(super) pinned: bool,
}

impl Proofs {
    pub(super) fn read(folder: &Path) -> Self {
        let (signed, statements) = documents(&folder.join("provenance"))
            .into_iter()
            .partition::<Vec<_>, _>(|(name, _)| name.strip_suffix(".dsse").is_some());
        Self {
            audits: parsed(documents(&folder.join("audit"))),
            answers: parsed(documents(&folder.join("nodes"))),
            statements: parsed(statements),
            signed: signed.into_iter().map(|(name, _)| name.trim_end_matches(".dsse").to_owned()).collect(),
            lock: match whole(&folder.join("lock")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => Some(Err(error.to_string())),
                Ok(bytes) => {
                    let lock = lock::read("lock", &String::from_utf8_lossy(&bytes));
                    Some(lock.map_err(|diagnostic| diagnostic.to_string()))
                }
            },
        }
    }
}

type Raw = Vec<(String, io::Result<Vec<u8>>)>;

/// The `*.json` of a folder by their names without that, in order.
fn documents(folder: &Path) -> Raw {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Raw = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((name.strip_suffix(".json")?.to_owned(), whole(&entry.path())))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn parsed<T: DeserializeOwned>(raw: Raw) -> Documents<T> {
    let parse = |bytes: io::Result<Vec<u8>>| {
        let bytes = bytes.map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    };
    raw.into_iter().map(|(name, bytes)| (name, parse(bytes))).collect()
}

fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > MOST {
        return Err(io::Error::other(format!("it is no file of less than {} MiB", MOST >> 20)));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
