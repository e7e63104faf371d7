//! The config digest of an image in an engine's store, and that it is for the right platform.

use super::inspected::Inspected;
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::archive;
use crate::plan::{Command, ImageId};

pub(super) fn perform(wanted: &ImageId, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let handle = cx.resolve(&wanted.handle)?.to_string_lossy().into_owned();
    let said = cx.run(&wanted.inspect.clone().arg(handle.as_str())).map_err(elsewhere)?;
    let inspected = Inspected::parse(wanted.engine, &said.stdout)?;
    inspected.must_be(&wanted.platform, "the image that was built").map_err(|failure| {
        failure.help(
            "the Dockerfile's base or its `FROM --platform` decides, and `patch-FROM` changes the base; where the base is \
             right, the builder took the layers of another target from its cache: `no-cache = true` keeps it from that",
        )
    })?;
    match inspected.id {
        Some(id) => Ok(id),
        None => from_export(&handle, cx),
    }
}

/// What to do about an image that is not in the store.
fn elsewhere(failure: Failure) -> Failure {
    let words = failure.message.to_lowercase();
    if failure.help.is_some()
        || !["no such", "not known", "not found"].iter().any(|word| words.contains(word))
    {
        return failure;
    }
    failure.help("each engine has a store of its own: `engine` says in which one to look")
}

/// docker ≥ 29 keeps images by manifest and does not print the config digest; an export holds the configuration.
fn from_export(handle: &str, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let io = |error: std::io::Error| Failure::new(FailureKind::Io, format!("no room for an export: {error}"));
    let folder = cx.here().join(".pipeline/work");
    std::fs::create_dir_all(&folder).map_err(io)?;
    let file = tempfile::Builder::new().prefix(".export-").tempfile_in(folder).map_err(io)?;
    let path = file.path().to_string_lossy().into_owned();
    cx.run(&Command::new(["docker", "save", "--output", &path, "--", handle]))?;
    let info = archive::inspect(file.path()).map_err(|error| {
        Failure::new(FailureKind::Mismatch, format!("docker exported something else: {error}"))
    })?;
    Ok(info.id.to_string())
}
