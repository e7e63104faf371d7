//! The folder read again: whole, of this plan, and as it was written.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{FILE, Results, VERSION};
use crate::image::Digest;
use crate::image::digest::sha256_file;

/// So large is a `results.json` at most: a few hundred bytes for each instance.
const LARGEST: u64 = 64 << 20;

/// Why results cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// There are none.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// They cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// They are something else, or of another version of this program.
    #[error("{} holds no results: {why}", path.display())]
    NoResults {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// They were made by another plan.
    #[error("{} holds the results of another plan", .0.display())]
    OtherPlan(PathBuf),
    /// Somebody has changed them.
    #[error("{} was altered since it was made", .0.display())]
    Altered(PathBuf),
}

/// Reads the results of a plan, and all files that belong to them.
pub fn read(folder: &Path, plan: Digest) -> Result<Results, Problem> {
    let path = folder.join(FILE);
    let unreadable = |path: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Problem::Missing(path.to_owned()),
        _ => Problem::Unreadable { path: path.to_owned(), error },
    };
    let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
    let no_results = |why: String| Problem::NoResults { path: path.clone(), why };
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(no_results("it is no file of at most 64 MiB".into()));
    }
    let text = fs::read(&path).map_err(|error| unreadable(&path, error))?;
    let results: Results = serde_json::from_slice(&text).map_err(|error| no_results(error.to_string()))?;
    if results.version != VERSION {
        let why = format!("it has version {} of the form, and this program knows {VERSION}", results.version);
        return Err(no_results(why));
    }
    if results.digest != Some(results.own_digest()) {
        return Err(Problem::Altered(path));
    }
    if results.plan != plan {
        return Err(Problem::OtherPlan(path));
    }
    for kept in results.made.values().flat_map(|made| &made.files) {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if !Path::new(&kept.name).components().all(inside) {
            return Err(no_results(format!("`{}` is no name in the folder", kept.name.escape_debug())));
        }
        let path = folder.join(&kept.name);
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_file() => {}
            Ok(_) => return Err(Problem::Altered(path)),
            Err(error) => return Err(unreadable(&path, error)),
        }
        if sha256_file(&path).map_err(|error| unreadable(&path, error))? != kept.sha256 {
            return Err(Problem::Altered(path));
        }
    }
    Ok(results)
}
