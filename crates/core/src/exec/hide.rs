//! Secrets taken out of everything that a run tells, in one place: nothing reaches a sink past it.

use std::borrow::Cow;

use crate::event::{EventKind, Status};
use crate::output::Redactor;

/// Takes them out of what is told.
pub(super) fn secrets(redactor: &Redactor, kind: &mut EventKind) {
    match kind {
        EventKind::Command { argv, .. } => argv.iter_mut().for_each(|arg| redactor.hide(arg)),
        EventKind::Due { reason, .. } => reason.texts().into_iter().for_each(|text| redactor.hide(text)),
        EventKind::Line { text, painted, .. } => {
            if let Cow::Owned(hidden) = redactor.redact(text) {
                *text = hidden;
                // A colour may stand in the middle of one.
                *painted = None;
            }
        }
        EventKind::Output { value, .. } => redactor.hide(value),
        EventKind::Finished { status: Status::Failed(failure) | Status::Allowed(failure), .. } => {
            redactor.hide(&mut failure.message);
            failure.help.iter_mut().for_each(|help| redactor.hide(help));
        }
        EventKind::Warning { message } | EventKind::Builder { why: message, .. } => redactor.hide(message),
        EventKind::RunStarted { .. }
        | EventKind::Emulator { .. }
        | EventKind::Tool { .. }
        | EventKind::Started { .. }
        | EventKind::Transfer { .. }
        | EventKind::Delivered { .. }
        // A url with a password is refused.
        | EventKind::Pinned { .. }
        | EventKind::Finished { .. }
        | EventKind::Interrupted { .. }
        | EventKind::RunFinished { .. } => {}
    }
}
