//! `pipeline history`

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pipeline_core::event::Counts;
use pipeline_core::history::{Account, Ending, RunFolder, Unread};
use pipeline_core::output::seconds;
use serde_json::{Value, json};

use crate::args::{HistoryArgs, TableFormat};
use crate::{exit_code, runs, terminal};

pub(super) fn history(args: &HistoryArgs) -> u8 {
    match listed(args) {
        Ok(text) => {
            terminal::out(&text);
            exit_code::DONE
        }
        Err(code) => code,
    }
}

fn listed(args: &HistoryArgs) -> Result<String, u8> {
    let folder = runs::folder(args.recipe.as_deref())?;
    let all = runs::all(&folder)?;
    let number = if args.number == 0 { all.len() } else { args.number };
    let shown = all.iter().rev().take(number).filter_map(|run| Some((run, told(read(&folder, run)?))));
    Ok(match args.format {
        TableFormat::Json => {
            let runs: Vec<Value> = shown.map(|(run, told)| as_json(run, told.as_ref())).collect();
            format!("{:#}\n", json!({ "version": 1, "runs": runs }))
        }
        TableFormat::Text if all.is_empty() => "there is no run yet\n".to_owned(),
        TableFormat::Text => {
            let mut rows = vec![
                ["RUN", "BEGAN", "RECIPE", "RESULT", "TIME", "STEPS", "FAILED"].map(str::to_owned).to_vec(),
            ];
            rows.extend(shown.map(|(run, told)| row(run, told.as_ref())));
            let more = all.len().saturating_sub(number);
            let more = if more > 0 { format!("and {more} older: `-n 0` shows all\n") } else { String::new() };
            terminal::table(&rows) + &more
        }
    })
}

/// What a run says of itself, and how it ended. None of one that another run has just removed.
fn read(folder: &Path, run: &RunFolder) -> Option<Result<(Account, Ending), Unread>> {
    let read = runs::outline(folder, run);
    (read.is_ok() || run.path().exists()).then_some(read)
}

/// One that cannot be read is told of and listed all the same.
fn told(read: Result<(Account, Ending), Unread>) -> Option<(Account, Ending)> {
    read.inspect_err(|error| {
        terminal::warning(&error.to_string(), "`pipeline clean` removes old runs; the others can be read");
    })
    .ok()
}

fn row(run: &RunFolder, told: Option<&(Account, Ending)>) -> Vec<String> {
    let Some((account, ending)) = told else {
        return vec![run.id.clone(), String::new(), String::new(), "cannot be read".into()];
    };
    let failed: Vec<String> = account.failed().map(ToString::to_string).collect();
    vec![
        run.id.clone(),
        account.began.map(when).unwrap_or_default(),
        account.recipe.clone(),
        ending.to_string(),
        seconds(time(account, *ending)),
        steps(account),
        brief(&failed),
    ]
}

/// How long it took, or has taken so far.
pub(super) fn time(account: &Account, ending: Ending) -> Duration {
    match (ending, account.began) {
        (Ending::UnderWay, Some(began)) => {
            Timestamp::now().duration_since(began).try_into().unwrap_or(account.elapsed)
        }
        _ => account.elapsed,
    }
}

/// A point in time, as the clock on the wall has it.
pub(super) fn when(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2 done, 1 failed of 5`.
pub(super) fn steps(account: &Account) -> String {
    let Counts { done, up_to_date, flaky: _, failed, allowed, cancelled, skipped } = account.so_far();
    let counted = [
        (done, "done"),
        (up_to_date, "up to date"),
        (failed, "failed"),
        (allowed, "failed as allowed"),
        (cancelled, "stopped"),
        (skipped, "not started"),
    ];
    let told: Vec<String> = counted
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let ended: usize = counted.iter().map(|(number, _)| number).sum();
    match (told.is_empty(), ended < account.total) {
        (true, _) => format!("none of {}", account.total),
        (false, true) => format!("{} of {}", told.join(", "), account.total),
        (false, false) => told.join(", "),
    }
}

fn brief(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
        None => names.join(", "),
    }
}

fn as_json(run: &RunFolder, told: Option<&(Account, Ending)>) -> Value {
    let path = run.path().display().to_string();
    match told {
        Some((account, ending)) => json!({
            "run": run.id,
            "path": path,
            "began": account.began,
            "recipe": account.recipe,
            "result": ending,
            "signal": account.interrupted,
            "seconds": time(account, *ending).as_secs_f64(),
            "instances": account.total,
            "counts": account.so_far(),
            "failed": account.failed().collect::<Vec<_>>(),
        }),
        None => json!({ "run": run.id, "path": path, "result": null }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_just_removed_is_none() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join(".pipeline/runs/r1");
        let run = RunFolder::at(&path);
        assert!(read(here.path(), &run).is_none());
        std::fs::create_dir_all(&path).unwrap();
        assert!(read(here.path(), &run).unwrap().is_err());
    }
}
