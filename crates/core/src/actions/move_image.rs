//! Brings an image from a builder's store into the engine's here, or the other way: as the engine's own archive, which keeps
//! the configuration byte for byte. What then works with the image need not know where it was built.

use std::fs;
use std::time::Instant;

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::output::{bytes, seconds};
use crate::plan::{Command, Engine, MoveImage, Way};

pub(super) fn perform(image: &MoveImage, cx: &ActionCx<'_>) -> Result<(), Failure> {
    if !cx.builds_there(&image.builder, image.engine)? {
        return Ok(());
    }
    let handle = cx.resolve(&image.handle)?.to_string_lossy().into_owned();
    let there = |command: Command| command.with_builder(Some(&image.builder));
    let here = |command: Command| command;
    let (from, to): (&dyn Fn(Command) -> Command, &dyn Fn(Command) -> Command) = match image.way {
        Way::Home => (&there, &here),
        Way::There => (&here, &there),
    };
    let tool = image.engine.tool();
    let place = if image.way == Way::Home { "here" } else { "on the builder" };
    if id(&to(ask(tool, &image.tag)), cx)?.as_deref() == Some(bare(&handle)) {
        cx.say(format!("{} is {place} already", image.tag));
        return Ok(());
    }
    let begun = Instant::now();
    let folder = cx.scratch();
    let mut arrived = None;
    for format in formats(image) {
        let file = tempfile::Builder::new().prefix("moved-").suffix(".tar").tempfile_in(&folder).map_err(
            |error| {
                Failure::new(
                    FailureKind::Io,
                    format!("no room for an image in {}: {error}", folder.display()),
                )
            },
        )?;
        let path = file.path().to_string_lossy().into_owned();
        cx.run(&from(save(image, format, &path)))?;
        let size = fs::metadata(&path).map(|meta| meta.len()).unwrap_or_default();
        cx.run(&to(Command::new([tool, "load", "--quiet", "--input", &path])))?;
        arrived = id(&to(ask(tool, &image.tag)), cx)?;
        if arrived.as_deref() == Some(bare(&handle)) {
            cx.say(format!("{} is {place} now: {} in {}", image.tag, bytes(size), seconds(begun.elapsed())));
            return Ok(());
        }
    }
    let arrived = arrived.unwrap_or_else(|| "nothing".into());
    Err(Failure::new(
        FailureKind::Mismatch,
        format!("{} is {handle} where it comes from, and {arrived} {place}", image.tag),
    )
    .help("the engines here and there keep images in different ways; let both be of one version"))
}

/// In another form than its own, an image gets another configuration: where its form is not known, one after the other.
fn formats(image: &MoveImage) -> &'static [&'static str] {
    match (image.engine, image.format.as_deref()) {
        (Engine::Podman, None) => &["oci-archive", "docker-archive"],
        (Engine::Podman, Some("oci")) => &["oci-archive"],
        _ => &["docker-archive"],
    }
}

fn ask(tool: &str, tag: &str) -> Command {
    Command::new([tool, "image", "inspect", "--format", "{{.Id}}", "--", tag])
}

/// What has the name in a store; podman tells ids without their algorithm.
fn id(ask: &Command, cx: &ActionCx<'_>) -> Result<Option<String>, Failure> {
    let told = cx.run_any(ask)?;
    let text = String::from_utf8_lossy(&told.stdout);
    Ok((told.code == 0).then(|| bare(text.trim()).to_owned()))
}

fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

fn save(image: &MoveImage, format: &str, path: &str) -> Command {
    let tool = image.engine.tool();
    if image.engine != Engine::Podman {
        return Command::new([tool, "save", "--output", path, "--", &image.tag]);
    }
    // podman does not write over a file.
    let _ = fs::remove_file(path);
    Command::new([tool, "save", "--quiet", "--format", format, "--output", path, "--", &image.tag])
}
