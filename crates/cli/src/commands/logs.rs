//! `pipeline logs`

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use pipeline_core::event::Status;
use pipeline_core::history::{Account, RunFolder};
use pipeline_core::output::{bytes, seconds};
use pipeline_core::plan::InstanceId;

use crate::args::LogsArgs;
use crate::logs::{self, Out, Wanted};
use crate::{exit_code, runs, terminal};

pub(super) fn logs(args: &LogsArgs) -> u8 {
    let (Ok(code) | Err(code)) = shown(args);
    code
}

fn shown(args: &LogsArgs) -> Result<u8, u8> {
    let folder = runs::folder(args.whose.recipe.as_deref())?;
    let (run, step) = named(&folder, args)?;
    let wanted = Wanted::of(step).map_err(|why| {
        terminal::error(
            "usage::bad-value",
            &format!("`{}` is no pattern: {why}", step.unwrap_or_default().escape_debug()),
            None,
        );
        exit_code::USAGE
    })?;
    if args.follow && runs::is_under_way(&folder, &run) {
        let alone = step.is_some_and(|step| logs::files(&run).iter().any(|id| id.as_str() == step));
        return Ok(printed(logs::follow(&folder, &run, &wanted, alone, args.lines)));
    }
    let account = read(&run)?;
    let known = logs::instances(&run, &account);
    let mut chosen: Vec<&InstanceId> = known.iter().filter(|id| wanted.takes(id.as_str())).collect();
    if chosen.is_empty() && step.is_some() {
        return Err(missing(&folder, &run, step.unwrap_or_default(), &known));
    }
    let failed = |id: &&InstanceId| logs::has_failed(&account, id);
    if args.failed || (step.is_none() && !args.follow && chosen.iter().any(failed)) {
        chosen.retain(failed);
        if chosen.is_empty() {
            terminal::note(&format!("nothing failed in run {}\n", run.id));
            return Ok(exit_code::DONE);
        }
    } else if step.is_none() && !args.follow {
        terminal::out_text(&list(&run, &account, &chosen));
        return Ok(exit_code::DONE);
    }
    for (index, instance) in chosen.iter().enumerate() {
        if chosen.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            terminal::out_text(&format!("{gap}==> {} <==\n", terminal::clean(instance.as_str())));
        }
        let code = one(&run, instance, args.lines)?;
        if code.is_some() {
            return Ok(code.unwrap_or_default());
        }
    }
    Ok(exit_code::DONE)
}

/// The run and the step. A single word that names no run is a step.
fn named<'a>(folder: &Path, args: &'a LogsArgs) -> Result<(RunFolder, Option<&'a str>), u8> {
    let (run, step) = (args.run.as_deref(), args.step.as_deref());
    match run {
        Some(word) if step.is_none() && !runs::names(folder, word)? && !word.starts_with('^') => {
            Ok((runs::find(folder, None)?, run))
        }
        _ => Ok((runs::find(folder, run)?, step)),
    }
}

fn read(run: &RunFolder) -> Result<Account, u8> {
    run.outline().map_err(|error| {
        terminal::error(
            "history::unreadable",
            &error.to_string(),
            Some("the files in its folder can be read by themselves"),
        );
        exit_code::STEP_FAILED
    })
}

/// One log. Nothing more is to be printed where an exit code is known.
fn one(run: &RunFolder, instance: &InstanceId, lines: Option<usize>) -> Result<Option<u8>, u8> {
    let mut out = Out::default();
    let path = run.log(instance);
    let result = match run.open_log(instance) {
        Ok(mut file) => {
            let from = lines.map_or(Ok(0), |lines| logs::last_lines(&mut file, lines));
            from.and_then(|from| logs::show(file, from, &mut out))
        }
        Err(error) => {
            let what =
                if error.kind() == io::ErrorKind::NotFound { "is gone".into() } else { error.to_string() };
            terminal::warning(&format!("{}: {what}", path.display()), "this is what the run's events say");
            logs::from_events(run, instance, lines, &mut out).map_err(|error| {
                terminal::error("history::unreadable", &error.to_string(), None);
                exit_code::STEP_FAILED
            })?
        }
    };
    Ok(Some(printed(result)).filter(|code| *code != exit_code::DONE || out.is_closed()))
}

/// A reader that went away wants no more, which is no failure.
fn printed(result: io::Result<()>) -> u8 {
    match result {
        Ok(()) => exit_code::DONE,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit_code::DONE,
        Err(error) => {
            terminal::error("history::unshown", &format!("the log cannot be shown: {error}"), None);
            exit_code::STEP_FAILED
        }
    }
}

/// What there are logs of.
fn list(run: &RunFolder, account: &Account, chosen: &[&InstanceId]) -> String {
    let mut rows = vec![["STEP", "RESULT", "TIME", "LOG"].map(str::to_owned).to_vec()];
    for id in chosen {
        let course = account.course(id).cloned().unwrap_or_default();
        let result = match course.status() {
            Some(Status::Done) => "done",
            Some(Status::UpToDate) => "up to date",
            Some(Status::Failed(_)) => "failed",
            Some(Status::Allowed(_)) => "failed as allowed",
            Some(Status::Cancelled) => "stopped",
            Some(Status::Skipped { .. }) => "not started",
            None => "has not ended",
        };
        let size = run.log(id).metadata().map_or_else(|_| "gone".into(), |file| bytes(file.len()));
        let took = if course.end.is_some() { seconds(course.took) } else { "-".into() };
        rows.push(vec![id.to_string(), result.to_owned(), took, size]);
    }
    if chosen.is_empty() {
        return format!("no step of run {} has printed anything\n", run.id);
    }
    format!("run {}\n{}", run.id, terminal::table(&rows))
}

/// A step that did not run this time may have done so before.
fn missing(folder: &Path, run: &RunFolder, step: &str, known: &BTreeSet<InstanceId>) -> u8 {
    let told = step.escape_debug();
    let wanted = Wanted::of(Some(step)).ok();
    let earlier = runs::all(folder).unwrap_or_default().into_iter().rev().find(|earlier| {
        let has = |id: &InstanceId| wanted.as_ref().is_some_and(|wanted| wanted.takes(id.as_str()));
        earlier.id < run.id && logs::files(earlier).iter().any(has)
    });
    let help = match earlier {
        Some(earlier) => format!("it last did in run {0}: `pipeline logs {0} {told}`", earlier.id),
        None => logs::advice(step, known),
    };
    terminal::error("usage::unknown-name", &format!("no step `{told}` ran in run {}", run.id), Some(&help));
    exit_code::USAGE
}
