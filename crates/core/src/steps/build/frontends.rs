//! `frontends`: who may interpret the Dockerfile.
//!
//! BuildKit fetches the image that `# syntax=…` or the build argument `BUILDKIT_SYNTAX` names, and runs it to read the
//! Dockerfile: a program of the Dockerfile's own choice.

use std::collections::BTreeMap;

use super::builder::Builder;
use crate::diag::Diagnostic;
use crate::image::ImageRef;
use crate::plan::{CheckFrontend, Engine, Text};
use crate::spec::Str;
use crate::steps::{Lower, Refused};

/// docker's own, in any version.
const USUAL: &str = "docker/dockerfile";

/// The check, once the arguments have passed it.
pub(super) fn check(
    cx: &mut Lower<'_>,
    (engine, builder): (Engine, Builder),
    allow: Option<&[Str]>,
    args: &BTreeMap<String, Str>,
    dockerfile: &Text,
) -> Result<CheckFrontend, Refused> {
    let mut allowed = Vec::new();
    for image in allow.unwrap_or_default() {
        let word = cx.word(image)?;
        if let Err(error) = ImageRef::parse(&word) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-reference", error.to_string())
                    .at(&image.span, "this frontend")
                    .help("write an image such as `docker/dockerfile`, or one with a tag or digest"),
            ));
        }
        allowed.push(word);
    }
    if allow.is_none() {
        allowed.push(USUAL.into());
    }
    let runs = builder.runs_frontends();
    if let Some(value) = args.get("BUILDKIT_SYNTAX").filter(|_| runs) {
        let word = cx.word(value)?;
        let image = word.split_whitespace().next().and_then(|image| ImageRef::parse(image).ok());
        if !image.is_some_and(|image| allowed.iter().any(|allowed| image.fits(allowed))) {
            return Err(cx.refuse(
                Diagnostic::error(
                    "spec::bad-value",
                    format!("`{}` would interpret the Dockerfile, and is not allowed to", word.escape_debug()),
                )
                .at(&value.span, "this image")
                .help("add it to `frontends = […]`, best with its digest, if you trust it"),
            ));
        }
    }
    Ok(CheckFrontend { dockerfile: dockerfile.clone(), engine, runs, allow: allowed })
}
