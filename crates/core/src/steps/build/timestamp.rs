//! `timestamp`: the one time in an image.

use super::builder::Builder;
use crate::diag::Diagnostic;
use crate::plan::{Grammar, Text};
use crate::spec::Str;
use crate::steps::{Lower, Refused};

/// 1980-01-01T00:00:00Z, where the time of ZIP files begins: what packs files of an earlier one fails.
const USUAL: &str = "315532800";

/// Seconds since the epoch, and whether layers may come from caches.
pub(super) struct Timestamp {
    pub(super) epoch: Text,
    /// The builder's cache has layers of other timestamps and would take them for these.
    pub(super) no_cache: bool,
}

/// What the key says: a number, or a late value that is one.
pub(super) fn timestamp(
    cx: &mut Lower<'_>,
    builder: Builder,
    key: Option<&Str>,
    cache_from: &[Str],
) -> Result<Timestamp, Refused> {
    let epoch = key.map_or_else(|| Ok(USUAL.into()), |key| number(cx, key))?;
    let no_cache = !builder.is_docker() && epoch.as_literal() != Some(USUAL);
    match cache_from.first() {
        Some(from) if no_cache => Err(builder.refuse(
            cx,
            "cache that knows timestamps, and this build has another than the usual one",
            &from.span,
            "take `timestamp` out, or `cache-from`",
        )),
        _ => Ok(Timestamp { epoch, no_cache }),
    }
}

fn number(cx: &mut Lower<'_>, string: &Str) -> Result<Text, Refused> {
    let text = cx.text(string)?;
    let late = text.lates().all(|late| late.grammar == Grammar::Number) && text.parts().len() == 1;
    match text.as_literal() {
        Some(literal) if Grammar::Number.accepts(literal) => Ok(text),
        None if late => Ok(text),
        _ => Err(cx.refuse(
            Diagnostic::error("spec::bad-value", format!("`{text}` is no time in seconds since the epoch"))
                .at(&string.span, "this value")
                .help("write digits, such as `1700000000`, or `${steps.ID.epoch}` of a checkout"),
        )),
    }
}
