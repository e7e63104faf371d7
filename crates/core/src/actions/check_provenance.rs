//! An archive from elsewhere: signed provenance lies beside it, and is about it.

use crate::event::{Failure, FailureKind};
use crate::evidence::{Envelope, PAYLOAD_TYPE, PublicKey, Statement, beside};
use crate::exec::ActionCx;
use crate::plan::CheckProvenance;

pub(super) fn perform(wanted: &CheckProvenance, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let archive = cx.resolve_path(&wanted.archive)?;
    let key = PublicKey::read(&cx.here().join(&wanted.key))
        .map_err(|error| Failure::new(FailureKind::Input, error.to_string()).help(error.help()))?;
    let beside = beside(&archive.to_string_lossy());
    let refused = |message: String| {
        Failure::new(FailureKind::Mismatch, message).help(
            "`pipeline run --sign KEY` writes provenance beside the archives that it saves; take it along with the archive",
        )
    };
    let json = std::fs::read(&beside).map_err(|error| {
        refused(format!("there is no provenance of {}: {beside}: {error}", archive.display()))
    })?;
    let payload =
        Envelope::open(&json, PAYLOAD_TYPE, &key).map_err(|error| refused(format!("{beside}: {error}")))?;
    let statement: Statement = serde_json::from_slice(&payload)
        .map_err(|error| refused(format!("{beside} states nothing that is known: {error}")))?;
    for digest in &wanted.digests {
        let digest = cx.resolve(digest)?.to_string_lossy().into_owned();
        if !statement.is_about(digest.trim_start_matches("sha256:")) {
            return Err(refused(format!("{beside} is not about this archive: it does not name {digest}")));
        }
    }
    let run = &statement.predicate.run_details;
    cx.say(format!("provenance signed by {}: built in run {}", key.id(), run.metadata.invocation_id));
    Ok(())
}
