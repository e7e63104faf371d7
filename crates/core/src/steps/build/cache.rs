//! `cache-from`, `cache-to`, `pull`: what is taken from elsewhere instead of being built.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::builder::Builder;
use crate::diag::Diagnostic;
use crate::image::ImageRef;
use crate::spec::Str;
use crate::steps::{Lower, Refused};

/// When base images are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Pull {
    /// Those that the engine does not have.
    Missing,
    /// All, also those that it has.
    Always,
    /// None.
    Never,
    /// Those that are another in their registry.
    Newer,
}

/// The flag, if any.
pub(super) fn pull(cx: &mut Lower<'_>, builder: Builder, pull: Option<&Spanned<Pull>>) -> Result<Option<&'static str>, Refused> {
    let Some(pull) = pull else { return Ok(None) };
    Ok(match (builder.is_docker(), *pull.get_ref()) {
        (true, Pull::Missing) => None,
        // Its `--pull` asks the registry and takes what is another there.
        (true, Pull::Always | Pull::Newer) => Some("--pull"),
        (true, Pull::Never) => {
            return Err(builder.refuse(
                cx,
                "way to never pull",
                &pull.span(),
                "take it out: what docker has is not pulled; or take `podman` or `buildah` as `engine`",
            ));
        }
        (false, Pull::Missing) => Some("--pull=missing"),
        (false, Pull::Always) => Some("--pull=always"),
        (false, Pull::Never) => Some("--pull=never"),
        (false, Pull::Newer) => Some("--pull=newer"),
    })
}

/// The places of a cache, for one of the flags.
pub(super) fn places(cx: &mut Lower<'_>, builder: Builder, places: &[Str], what: &str) -> Result<Vec<String>, Refused> {
    let mut words = Vec::new();
    for place in places {
        if what == "cache-to" {
            builder.not_classic(cx, "`cache-to`", &place.span)?;
        }
        let word = cx.argument(place, what)?;
        let image = ImageRef::parse(&word);
        let (fits, help) = match builder {
            Builder::Podman | Builder::Buildah => (
                image.is_ok() && !word.contains('@') && !word.rsplit('/').next().is_some_and(|last| last.contains(':')),
                "podman and buildah take a repository without a tag, such as `registry.example.org/cache`",
            ),
            Builder::Classic | Builder::Either => (image.is_ok(), "docker takes an image, such as `registry.example.org/app:latest`"),
            Builder::BuildKit | Builder::Buildx => (
                image.is_ok() || word.starts_with("type="),
                "BuildKit takes an image or `type=registry,ref=registry.example.org/cache`",
            ),
        };
        if !fits {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-value", format!("`{}` is no {what} here", word.escape_debug()))
                    .at(&place.span, "this value")
                    .help(help),
            ));
        }
        words.push(word);
    }
    Ok(words)
}
