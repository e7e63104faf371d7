//! What a run leaves in files besides its folder: made when it has ended, from the plan and the account of its events.

use std::io::{self, Write};
use std::path::Path;

use pipeline_core::export::{TraceError, junit, metadata, trace};
use pipeline_core::history::{Account, RunFolder};
use pipeline_core::plan::Plan;
use pipeline_core::report::{self, Before, Source};

use crate::args::ExportArgs;
use crate::{files, terminal};

/// Writes what was asked for, all that can be; the error says what cannot.
pub(crate) fn write(
    wanted: &ExportArgs,
    plan: &Plan,
    account: &Account,
    run: &RunFolder,
) -> Result<(), String> {
    let mut problems = Vec::new();
    let mut file = |path: Option<&Path>, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>| {
        let Some(path) = path else { return };
        let written = if path == Path::new("-") { to_stdout(fill) } else { files::write(path, fill) };
        if let Err(error) = written {
            problems.push(format!("cannot write {}: {error}", path.display()));
        }
    };
    file(wanted.junit.as_deref(), &mut |to| junit(plan, account, run, to));
    file(wanted.trace.as_deref(), &mut |to| {
        trace(plan, account, run, to).map_err(|error| match error {
            TraceError::Io(error) => error,
            TraceError::Unread(error) => io::Error::other(error.to_string()),
        })
    });
    file(wanted.report.as_deref(), &mut |to| {
        let before = Before::read(run.path());
        report::write(to, &Source { plan: Some(plan), account, folder: run.path(), before: before.as_ref() })
    });
    file(wanted.metadata_file.as_deref(), &mut |to| writeln!(to, "{:#}", metadata(plan, account)));
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// A reader that went away wants no more of it.
fn to_stdout(fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    match terminal::out_by(fill) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
