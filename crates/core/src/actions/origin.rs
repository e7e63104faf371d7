//! Where the image lies here, and how its layers are read: from the engine's store where that can be, else from an export.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::{Digest, LocalError, LocalImage, StoreKind};
use crate::plan::{Command, Engine, ShipFrom};

/// `docker image inspect` and `podman image inspect`, as far as they tell where the store is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    #[serde(default)]
    graph_driver: Option<GraphDriver>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    #[serde(default)]
    upper_dir: Option<PathBuf>,
}

/// Where a store cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Else {
    /// The engine exports the image.
    Export,
    /// That would take too long.
    Refuse,
}

/// The image `id`, ready to be read layer by layer.
pub(super) fn open(
    from: &ShipFrom,
    id: &Digest,
    otherwise: Else,
    cx: &ActionCx<'_>,
) -> Result<LocalImage, Failure> {
    let image = match from {
        ShipFrom::Archive(path) => {
            let path = cx.resolve_path(path)?;
            LocalImage::in_archive(&path).map_err(|error| unreadable(&error))?
        }
        ShipFrom::Engine { engine, handle, inspect, store } => {
            let handle = cx.resolve(handle)?.to_string_lossy().into_owned();
            let (kind, root) = match store {
                Some(root) => (StoreKind::Containers, Ok(cx.resolve_path(root)?)),
                None => {
                    let kind = match engine {
                        Engine::Docker | Engine::Buildx => StoreKind::Docker,
                        Engine::Podman | Engine::Buildah => StoreKind::Containers,
                    };
                    let found = match engine {
                        Engine::Buildah => {
                            let format = "{{(index .store \"GraphRoot\")}}";
                            let said = cx.run(&Command::new(["buildah", "info", "--format", format]))?.stdout;
                            Some(PathBuf::from(String::from_utf8_lossy(&said).trim()))
                        }
                        _ => root(&cx.run(&inspect.clone().arg(handle.as_str()))?.stdout),
                    };
                    (kind, found.ok_or_else(|| format!("{} does not tell where its store is", engine.name())))
                }
            };
            let found = root
                .and_then(|root| LocalImage::in_store(kind, &root, id).map_err(|error| error.to_string()));
            match found {
                Ok(image) => image,
                Err(reason) if otherwise == Else::Refuse => {
                    return Err(Failure::new(FailureKind::Io, reason));
                }
                Err(reason) => {
                    cx.say(format!("{} exports the whole image, as {reason}", engine.name()));
                    exported(*engine, inspect, &handle, id, cx)?
                }
            }
        }
    };
    if image.id != *id {
        return Err(Failure::new(
            FailureKind::Mismatch,
            format!("the image here is {}, and {id} was built", image.id),
        )
        .help("the name moved to another image in between; run again"));
    }
    Ok(image)
}

/// The folder of the store: it stands above the image's own folder there, `ROOT/DRIVER/LAYER/diff`.
fn root(said: &[u8]) -> Option<PathBuf> {
    let images: Vec<Inspected> = serde_json::from_slice(said).ok()?;
    let upper = images.into_iter().next()?.graph_driver?.data?.upper_dir?;
    upper.ancestors().nth(3).map(Path::to_owned)
}

/// The engine's own export, for stores that cannot be read: another user's, or another machine's.
fn exported(
    engine: Engine,
    inspect: &Command,
    handle: &str,
    id: &Digest,
    cx: &ActionCx<'_>,
) -> Result<LocalImage, Failure> {
    let formats: &[&str] = match engine {
        Engine::Docker | Engine::Buildx | Engine::Buildah => &["docker-archive"],
        // In the other form than its own, an image gets another configuration.
        Engine::Podman => &["docker-archive", "oci-archive"],
    };
    let mut last = None;
    for format in formats {
        let image = export(engine, inspect, handle, format, cx)?;
        if image.id == *id {
            return Ok(image);
        }
        last = Some(image);
    }
    last.ok_or_else(|| Failure::new(FailureKind::Internal, "an engine without an export"))
}

fn export(
    engine: Engine,
    inspect: &Command,
    handle: &str,
    format: &str,
    cx: &ActionCx<'_>,
) -> Result<LocalImage, Failure> {
    let folder = cx.scratch();
    let file =
        tempfile::Builder::new().prefix("export-").suffix(".tar").tempfile_in(&folder).map_err(|error| {
            Failure::new(FailureKind::Io, format!("no room for an export in {}: {error}", folder.display()))
        })?;
    let path = file.path().to_string_lossy().into_owned();
    // podman and buildah refuse to write over a file.
    if !matches!(engine, Engine::Docker | Engine::Buildx) {
        let _ = std::fs::remove_file(&path);
    }
    let command = match engine {
        Engine::Docker | Engine::Buildx => Command::new(["docker", "save", "--output", &path, "--", handle]),
        Engine::Podman => {
            Command::new(["podman", "save", "--quiet", "--format", format, "--output", &path, "--", handle])
        }
        Engine::Buildah => {
            // In the same store.
            let store = inspect.argv.iter().take_while(|word| word.as_literal() != Some("inspect")).cloned();
            let to = format!("{format}:{path}");
            Command::new(store).args(["push", "--quiet", "--", handle, &to])
        }
    };
    cx.run(&command)?;
    // Unlinked at the end of this function, and open for as long as the image is used.
    LocalImage::in_archive(Path::new(&path)).map_err(|error| unreadable(&error))
}

pub(super) fn unreadable(error: &LocalError) -> Failure {
    let kind = match error {
        LocalError::Write(_) | LocalError::Read { .. } => FailureKind::Io,
        _ => FailureKind::Mismatch,
    };
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(reason) = source {
        let reason_text = reason.to_string();
        if !message.contains(&reason_text) {
            message = format!("{message}: {reason_text}");
        }
        source = reason.source();
    }
    Failure::new(kind, message).help("build or save the image again")
}
