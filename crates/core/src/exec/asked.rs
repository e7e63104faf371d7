//! What was asked of tools in a run: each question once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::context::ActionCx;
use crate::fresh;
use crate::plan::{Command, Engine, Store};
use crate::state::Stamp;

/// What tools were asked: each question once in a run. Whoever asks while it is being asked waits for the one answer.
#[derive(Debug, Default)]
pub(super) struct Asked {
    stores: Once<Store, Images>,
    versions: Once<PathBuf, Option<Version>>,
    /// Versions from earlier runs.
    known: Mutex<BTreeMap<PathBuf, Version>>,
    /// Versions that had to be asked.
    new: Mutex<Vec<(PathBuf, Version)>>,
}

/// The ids of all images in a store, or why nobody knows.
pub(super) type Images = Result<Arc<BTreeSet<String>>, String>;

/// The version that a tool's file told, and which file that was.
pub(super) type Version = (Stamp, String);

impl Asked {
    /// Known from an earlier run.
    pub(super) fn know(&self, path: PathBuf, version: Version) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(path, version);
    }

    /// Those that had to be asked since the last call.
    pub(super) fn take(&self) -> Vec<(PathBuf, Version)> {
        std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The images in a store.
    pub(super) fn images(&self, cx: &ActionCx<'_>, store: &Store) -> Images {
        self.stores.get(store.clone(), || {
            let images = match store {
                Store::Listed(words) => cx
                    .run(&Command::new(words.iter().cloned()))
                    .map(|listed| {
                        String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
                    })
                    .map_err(|failure| failure.message),
                Store::Containers(root) => {
                    cx.resolve_path(root).map_err(|failure| failure.message).and_then(|root| {
                        containers(&root).map_err(|error| format!("{}: {error}", root.display()))
                    })
                }
            };
            images.map(Arc::new)
        })
    }

    /// The name of a build engine and its version; none where it does not tell.
    pub(super) fn version(&self, cx: &ActionCx<'_>, engine: Engine) -> Option<(String, String)> {
        let name = engine.tool();
        let path = cx.tool(name).ok()?;
        let (_, version) = self.versions.get(path.clone(), || {
            let stamp = fresh::stamp(&path.metadata().ok()?);
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
            if let Some(version) = known.filter(|(known, _)| *known == stamp) {
                return Some(version);
            }
            let told = cx.run(&Command::new([name, "--version"])).ok()?;
            let told = String::from_utf8_lossy(&told.stdout).lines().next().unwrap_or_default().to_owned();
            let version = (stamp, told);
            self.new.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), version.clone()));
            Some(version)
        })?;
        Some((name.to_owned(), version))
    }
}

/// Answers by question.
#[derive(Debug)]
pub(super) struct Once<K, V>(Mutex<BTreeMap<K, Arc<OnceLock<V>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Once<K, V> {
    /// The answer; only one caller has to find it.
    pub(super) fn get(&self, question: K, find: impl FnOnce() -> V) -> V {
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(question).or_default().clone();
        cell.get_or_init(find).clone()
    }
}

/// The ids in a root of containers-storage. Its writers replace the file as a whole.
fn containers(root: &Path) -> std::io::Result<BTreeSet<String>> {
    #[derive(serde::Deserialize)]
    struct Image {
        id: String,
    }
    for driver in ["overlay", "vfs", "btrfs"] {
        match std::fs::read(root.join(format!("{driver}-images/images.json"))) {
            Ok(bytes) => {
                let images: Vec<Image> = serde_json::from_slice(&bytes)?;
                return Ok(images.into_iter().map(|image| format!("sha256:{}", image.id)).collect());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(BTreeSet::new())
}
