//! A digest of an archive that a `run` step made.

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::archive;
use crate::image::digest::sha256_file;
use crate::plan::{ArchiveDigest, DigestOf};

pub(super) fn perform(wanted: &ArchiveDigest, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let path = cx.resolve_path(&wanted.path)?;
    match wanted.of {
        DigestOf::File => sha256_file(&path)
            .map(|digest| digest.to_string())
            .map_err(|error| Failure::new(FailureKind::Io, format!("cannot read {}: {error}", wanted.path))),
        DigestOf::Config => {
            let info = archive::inspect(&path)
                .map_err(|error| Failure::new(FailureKind::Mismatch, error.to_string()))?;
            if !wanted.platform.matches_config(&info.os, &info.architecture, info.variant.as_deref()) {
                return Err(Failure::new(
                    FailureKind::Mismatch,
                    format!(
                        "{} holds an image for {}/{}, not for {}",
                        wanted.path, info.os, info.architecture, wanted.platform
                    ),
                ));
            }
            Ok(info.id.to_string())
        }
    }
}
