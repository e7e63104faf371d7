//! The lines of an instance's log, one for each event that has something to say there.

use super::{EventKind, Failure, Status, Stream, command_line};
use crate::plan::InstanceId;

/// Whose log the event adds to, and the line: nothing in it has been made fit for a terminal.
pub fn log_line(kind: &EventKind) -> Option<(&InstanceId, String)> {
    Some(match kind {
        EventKind::Due { instance, reason } => (instance, format!("# runs: {reason}")),
        EventKind::Started { instance, attempt } => (instance, format!("# attempt {attempt}")),
        EventKind::Command { instance, argv } => (instance, format!("$ {}", command_line(argv))),
        EventKind::Line { instance, stream: Stream::Engine, text, .. } => (instance, format!("# {text}")),
        EventKind::Line { instance, text, .. } => (instance, text.clone()),
        EventKind::Output { instance, name, value } => (instance, format!("# {name} = {value}")),
        EventKind::Pinned { instance, key, pin, new } => {
            let news = if *new { " (new in the lock)" } else { "" };
            (instance, format!("# {key} is {pin}{news}"))
        }
        EventKind::Delivered { instance, traffic } => (instance, format!("# sent {traffic}")),
        EventKind::Finished { instance, status, took, attempts } => {
            let took = took.as_secs_f64();
            let often = if *attempts > 1 { format!(" and {attempts} attempts") } else { String::new() };
            (instance, format!("# {} after {took:.1} s{often}", describe(status)))
        }
        EventKind::RunStarted { .. }
        | EventKind::Emulator { .. }
        | EventKind::Builder { .. }
        | EventKind::Tool { .. }
        | EventKind::Transfer { .. }
        | EventKind::Warning { .. }
        | EventKind::Interrupted { .. }
        | EventKind::RunFinished { .. } => return None,
    })
}

fn describe(status: &Status) -> String {
    let because = |failure: &Failure| match &failure.help {
        Some(help) => format!("{} ({help})", failure.message),
        None => failure.message.clone(),
    };
    match status {
        Status::Done => "done".into(),
        Status::UpToDate => "up to date".into(),
        Status::Failed(failure) => format!("failed: {}", because(failure)),
        Status::Allowed(failure) => format!("failed, which is allowed: {}", because(failure)),
        Status::Cancelled => "stopped".into(),
        Status::Skipped { .. } => "skipped".into(),
    }
}
