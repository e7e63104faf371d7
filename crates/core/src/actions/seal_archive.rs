//! Checks an exported archive and writes it under its final name.

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::archive::{Seal, SealError, seal};
use crate::image::{Digest, ImageRef};
use crate::plan::SealArchive;

pub(super) fn perform(wanted: &SealArchive, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let input = |error: &dyn std::fmt::Display| Failure::new(FailureKind::Input, error.to_string());
    let id = cx.resolve(&wanted.id)?.to_string_lossy().into_owned();
    let request = Seal {
        from: cx.resolve_path(&wanted.from)?,
        to: cx.resolve_path(&wanted.to)?,
        format: wanted.format,
        reference: ImageRef::parse(&wanted.reference).map_err(|error| input(&error))?,
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
