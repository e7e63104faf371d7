//! Joins images of several platforms into one index, and reads an index back.

use std::collections::BTreeMap;

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::archive::{Join, Joined, SealError, join};
use crate::image::{Digest, ImageRef};
use crate::plan::{CheckIndex, Command, JoinIndex, Text};
use crate::platform::Platform;

fn input(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Input, error.to_string())
}

fn digest(text: &Text, cx: &ActionCx<'_>) -> Result<Digest, Failure> {
    Digest::parse(&cx.resolve(text)?.to_string_lossy()).map_err(|error| input(&error))
}

pub(super) fn perform(wanted: &JoinIndex, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let mut images = Vec::new();
    for image in &wanted.images {
        let annotations: BTreeMap<String, String> = match &image.annotations {
            Some(text) => {
                serde_json::from_str(&cx.resolve(text)?.to_string_lossy()).map_err(|error| input(&error))?
            }
            None => BTreeMap::new(),
        };
        images.push(Joined {
            from: cx.resolve_path(&image.from)?,
            id: digest(&image.id, cx)?,
            platform: image.platform.clone(),
            annotations,
        });
    }
    let name = match wanted.reference.as_deref().map(ImageRef::parse).transpose() {
        Ok(reference) => reference.map(|reference| reference.to_string()),
        Err(error) => return Err(input(&error)),
    };
    let request =
        Join { images, to: cx.resolve_path(&wanted.to)?, format: wanted.format, gzip: wanted.gzip, name };
    let index = join(&request).map_err(|error| {
        let kind = match error {
            SealError::Write { .. } => FailureKind::Io,
            _ => FailureKind::Mismatch,
        };
        let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
        let failure = Failure::new(kind, error.to_string());
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    })?;
    for image in &request.images {
        cx.say(format!("{}: image {}", image.platform, image.id));
    }
    cx.say(format!("{}: index {index}", wanted.to));
    Ok(index.to_string())
}

/// The index where it lies is the one that was made, and each platform finds its image in it.
pub(super) fn check(wanted: &CheckIndex, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let dest = cx.resolve(&wanted.dest)?.to_string_lossy().into_owned();
    let made = digest(&wanted.digest, cx)?;
    let inspect = |platform: Option<&Platform>| {
        let mut command = wanted.skopeo.clone();
        if let Some(platform) = platform {
            let variant = platform.variant().map(|variant| ["--override-variant", variant]);
            let system = ["--override-os", platform.os(), "--override-arch", platform.arch()];
            command = command.args(system).args(variant.into_iter().flatten());
        }
        command = command.args(["inspect", "--raw"]);
        if platform.is_some() {
            command = command.arg("--config");
        }
        if let Some(verify) = wanted.tls_verify {
            command = command.arg(format!("--tls-verify={verify}"));
        }
        command.arg(dest.as_str())
    };
    let found = Digest::of(&run(&inspect(None), cx)?);
    if found != made {
        return Err(Failure::new(
            FailureKind::Mismatch,
            format!("`{dest}` is not the index that was made\nmade:  {made}\nfound: {found}"),
        )
        .help(
            "the name was given to another image, or what is between changed the index: run the step again",
        ));
    }
    for (platform, id) in &wanted.images {
        let (built, found) = (digest(id, cx)?, Digest::of(&run(&inspect(Some(platform)), cx)?));
        if found != built {
            return Err(Failure::new(
                FailureKind::Mismatch,
                format!("`{dest}` has another image for {platform}\nbuilt: {built}\nfound: {found}"),
            )
            .help("what is between converted the image: its config digest has changed"));
        }
        cx.say(format!("{dest} for {platform}: image {found}"));
    }
    Ok(())
}

fn run(command: &Command, cx: &ActionCx<'_>) -> Result<Vec<u8>, Failure> {
    Ok(cx.run(command)?.stdout)
}
