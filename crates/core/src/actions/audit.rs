//! Looks into an image that is here, and keeps the report.

use super::origin::{self, unreadable};
use super::write_file::write_file;
use crate::audit::{Report, Wanted, audit};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::Digest;
use crate::image::digest::sha256_file;
use crate::plan::{AuditImage, ShipFrom};

pub(super) fn perform(wanted: &AuditImage, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let digest = |text: std::ffi::OsString| {
        let text = text.to_string_lossy().into_owned();
        Digest::parse(&text).map_err(|error| Failure::new(FailureKind::Input, error.to_string()))
    };
    let id = digest(cx.resolve(&wanted.id)?)?;
    if let (Some(sha256), ShipFrom::Archive(path)) = (&wanted.sha256, &wanted.from) {
        let (expected, path) = (digest(cx.resolve(sha256)?)?, cx.resolve_path(path)?);
        let cannot =
            |error| Failure::new(FailureKind::Io, format!("cannot read {}: {error}", path.display()));
        let actual = sha256_file(&path).map_err(cannot)?;
        if actual != expected {
            let message = format!("{} is {actual}, and {expected} was written", path.display());
            return Err(Failure::new(FailureKind::Mismatch, message)
                .help("it was altered since; remove it and run again"));
        }
    }
    let image = origin::open(&wanted.from, &id, origin::Else::Export, cx)?;
    let held =
        Wanted { platform: wanted.platform.clone(), rules: wanted.rules.clone(), secrets: cx.finder() };
    let found = audit(&image, &held).map_err(|error| unreadable(&error))?;
    found.lines().into_iter().for_each(|line| cx.say(line));
    let report = Report::new(vec![found]);
    write_file(&cx.resolve_path(&wanted.report)?, cx.hide(&report.to_json()).as_bytes())?;
    let found = &report.images[0];
    if found.verdict.is_good() {
        return Ok(());
    }
    found.failures.iter().for_each(|failure| cx.say(failure.as_str()));
    let message = found.failures.join("; ");
    Err(Failure::new(FailureKind::Mismatch, message).help(found.verdict.remedy()))
}
