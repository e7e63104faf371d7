//! A digest of an archive that a `run` step made.

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::digest::sha256_file;
use crate::image::{LocalError, LocalImage};
use crate::plan::{ArchiveDigest, DigestOf};

pub(super) fn perform(wanted: &ArchiveDigest, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let path = cx.resolve_path(&wanted.path)?;
    match wanted.of {
        DigestOf::File => sha256_file(&path)
            .map(|digest| digest.to_string())
            .map_err(|error| Failure::new(FailureKind::Io, format!("cannot read {}: {error}", wanted.path))),
        DigestOf::Config => {
            let bad = |error: LocalError| Failure::new(FailureKind::Mismatch, error.to_string());
            let image = LocalImage::in_archive(&path).map_err(bad)?;
            if !image.is_for(&wanted.platform) {
                return Err(Failure::new(
                    FailureKind::Mismatch,
                    format!(
                        "{} holds an image for {}, not for {}",
                        wanted.path,
                        image.platform(),
                        wanted.platform
                    ),
                ));
            }
            image.verify().map_err(bad)?;
            Ok(image.id.to_string())
        }
    }
}
