//! What was asked of tools in a run: each question once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::{ActionCx, Codes, Keep};
use crate::fresh;
use crate::plan::{Command, Engine, Store};
use crate::state::Stamp;

/// What tools were asked: each question once in a run, and the version of a build engine once for each file that it is.
#[derive(Debug, Default)]
pub(super) struct Asked {
    versions: Mutex<BTreeMap<PathBuf, (Stamp, String)>>,
    new: Mutex<Vec<(PathBuf, Stamp, String)>>,
    answers: Mutex<BTreeMap<Vec<String>, Result<String, String>>>,
    stores: Mutex<BTreeMap<Store, Images>>,
}

/// The ids of all images in a store, or why nobody knows.
pub(super) type Images = Result<Arc<BTreeSet<String>>, String>;

impl Asked {
    /// Known from an earlier run.
    pub(super) fn know(&self, path: PathBuf, stamp: Stamp, version: String) {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(path, (stamp, version));
    }

    /// Those that had to be asked since the last call.
    pub(super) fn take(&self) -> Vec<(PathBuf, Stamp, String)> {
        std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn answer(
        &self,
        cx: &ActionCx<'_>,
        ask: &Command,
        words: &[String],
    ) -> Result<String, String> {
        let lock = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = lock().get(words) {
            return answer.clone();
        }
        let answer = match cx.execute(ask, Keep::Stdout, Codes::Ok) {
            Ok(captured) => Ok(String::from_utf8_lossy(&captured.stdout).trim_end().to_owned()),
            Err(failure) => Err(failure.message),
        };
        // It is kept on record.
        let hide = |text: String| cx.shared.host.redactor.redact(&text).into_owned();
        let answer = answer.map(hide).map_err(hide);
        lock().insert(words.to_owned(), answer.clone());
        answer
    }

    /// The images in a store. Whoever asks while it is being asked waits for the one answer.
    pub(super) fn images(&self, cx: &ActionCx<'_>, store: &Store) -> Images {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(images) = stores.get(store) {
            return images.clone();
        }
        let images = match store {
            Store::Listed(words) => cx
                .run(&Command::new(words.iter().cloned()))
                .map(|captured| {
                    String::from_utf8_lossy(&captured.stdout).lines().map(str::to_owned).collect()
                })
                .map_err(|failure| failure.message),
            Store::Containers(root) => cx
                .resolve_path(root)
                .map_err(|failure| failure.message)
                .and_then(|root| containers(&root).map_err(|error| format!("{}: {error}", root.display()))),
        };
        let images = images.map(Arc::new);
        stores.insert(store.clone(), images.clone());
        images
    }

    pub(super) fn version(&self, cx: &ActionCx<'_>, engine: Engine) -> Option<(String, String)> {
        let name = if engine == Engine::Buildx { "docker" } else { engine.name() };
        let path = cx.tool(name).ok()?;
        let stamp = fresh::stamp(&path.metadata().ok()?);
        let mut known = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, version)) = known.get(&path)
            && *same == stamp
        {
            return Some((name.to_owned(), version.clone()));
        }
        let captured = cx.run(&Command::new([name, "--version"])).ok()?;
        let version = String::from_utf8_lossy(&captured.stdout).lines().next().unwrap_or_default().to_owned();
        known.insert(path.clone(), (stamp, version.clone()));
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push((path, stamp, version.clone()));
        Some((name.to_owned(), version))
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
