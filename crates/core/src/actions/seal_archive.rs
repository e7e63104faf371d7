//! Checks an exported archive and writes it under its final name.

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::archive::{Seal, SealError, seal};
use crate::image::{Digest, ImageRef};
use crate::plan::SealArchive;

pub(super) fn perform(wanted: &SealArchive, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let input = |error: &dyn std::fmt::Display| Failure::new(FailureKind::Input, error.to_string());
    let id = cx.resolve(&wanted.id)?.to_string_lossy().into_owned();
    let name = |text: &str| ImageRef::parse(text).map_err(|error| input(&error));
    let annotations = match &wanted.annotations {
        Some(text) => {
            serde_json::from_str(&cx.resolve(text)?.to_string_lossy()).map_err(|error| input(&error))?
        }
        None => std::collections::BTreeMap::new(),
    };
    let request = Seal {
        from: cx.resolve_path(&wanted.from)?,
        to: cx.resolve_path(&wanted.to)?,
        format: wanted.format,
        reference: name(&wanted.reference)?,
        tags: wanted.tags.iter().map(|tag| name(tag)).collect::<Result<_, _>>()?,
        annotations,
        expect_id: Some(Digest::parse(&id).map_err(|error| input(&error))?),
        platform: Some(wanted.platform.clone()),
        label: None,
    };
    let sealed = seal(&request).map_err(|error| {
        let kind = match error {
            SealError::Write { .. } => FailureKind::Io,
            _ => FailureKind::Mismatch,
        };
        Failure::new(kind, error.to_string())
    })?;
    cx.say(format!(
        "{}: {} bytes, {} layers, image {}, {}",
        wanted.to,
        sealed.size,
        sealed.layers.len(),
        sealed.id,
        sealed.sha256
    ));
    Ok(sealed.sha256.to_string())
}
