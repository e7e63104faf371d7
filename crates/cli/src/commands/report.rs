//! `pipeline report`: a run as one HTML file.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use pipeline_core::history::{RunFolder, Unread};
use pipeline_core::plan::Plan;
use pipeline_core::report::{self, Before, Source};

use crate::args::ReportArgs;
use crate::merge::{Together, together};
use crate::{exit_code, files, runs, terminal};

pub(super) fn report(args: &ReportArgs) -> u8 {
    let (Ok(code) | Err(code)) = written(args);
    code
}

fn written(args: &ReportArgs) -> Result<u8, u8> {
    if !args.merge.is_empty() {
        let Together { merged, folder } = together(&args.merge)?;
        let (plan, account) = (Some(&merged.plan), &merged.account);
        let source = Source { plan, account, folder: folder.path(), before: None };
        return put(args, &source, "merged");
    }
    let run = runs::find(&runs::folder(args.recipe.as_deref())?, args.run.as_deref())?;
    let account = run.account().map_err(|error| unread(&error))?;
    let plan = plan(&run);
    let before = Before::read(run.path());
    let source =
        Source { plan: plan.as_ref(), account: &account, folder: run.path(), before: before.as_ref() };
    put(args, &source, &run.id)
}

/// Writes the report where it was asked for.
fn put(args: &ReportArgs, source: &Source<'_>, run: &str) -> Result<u8, u8> {
    let Some(path) = place(args.output.as_deref(), run) else {
        return Ok(match terminal::out_by(|out| report::write(out, source)) {
            // Whoever reads it has seen enough.
            Ok(()) => exit_code::DONE,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit_code::DONE,
            Err(error) => failed(&format!("cannot write the report: {error}")),
        });
    };
    if let Err(error) = files::write(&path, &mut |out| report::write(out, source)) {
        return Err(failed(&format!("cannot write {}: {error}", path.display())));
    }
    terminal::note(&format!("{}: run {run}\n", path.display()));
    Ok(exit_code::DONE)
}

/// A file, or none for stdout.
fn place(wanted: Option<&Path>, run: &str) -> Option<PathBuf> {
    match wanted {
        Some(path) if path == Path::new("-") => None,
        Some(path) => Some(path.to_owned()),
        None => io::stdout().is_terminal().then(|| format!("report-{run}.html").into()),
    }
}

/// A plan that a kill has cut is no reason to tell nothing of the run.
fn plan(run: &RunFolder) -> Option<Plan> {
    run.plan().unwrap_or_else(|error| {
        terminal::warning(&error.to_string(), "the report is made without the plan: it has no graph");
        None
    })
}

fn unread(error: &Unread) -> u8 {
    let help = match error {
        Unread::Version { .. } => "take the version of this program that did the run",
        _ => "the file is damaged; `pipeline report RUN` shows another run",
    };
    terminal::error("history::unreadable", &error.to_string(), Some(help));
    exit_code::STEP_FAILED
}

fn failed(message: &str) -> u8 {
    terminal::error("history::unwritten", message, None);
    exit_code::STEP_FAILED
}
