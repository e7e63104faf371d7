//! `pipeline evidence`: a run's folder as one file that can be checked elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline_core::evidence::{BundleError, bundle};

use crate::args::{EvidenceArgs, RecipeArgs};
use crate::{evidence, exit_code, prepare, terminal};

pub(super) fn evidence(args: &EvidenceArgs) -> u8 {
    let (Ok(code) | Err(code)) = written(args);
    code
}

fn written(args: &EvidenceArgs) -> Result<u8, u8> {
    let recipe = RecipeArgs { recipe: args.file.recipe.clone(), ..RecipeArgs::default() };
    let found = prepare::find(&recipe)?;
    let runs = found.folder.join(".pipeline/runs");
    let Some(run) = run(&runs, args.run.as_deref()) else {
        let message = match &args.run {
            Some(run) => format!("there is no run `{}` in {}", run.escape_debug(), runs.display()),
            None => format!("no run in {} has done anything", runs.display()),
        };
        terminal::error(
            "evidence::no-run",
            &message,
            Some("`pipeline run` leaves a folder there for each run"),
        );
        return Err(exit_code::USAGE);
    };
    let key = args.sign.as_deref().map(evidence::signer).transpose()?;
    let id = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let list = bundle(&id, &run, &args.output, key.as_ref()).map_err(|error| {
        let help = match &error {
            BundleError::Altered { .. } => Some("the run is still under way: wait for its end"),
            BundleError::Name(_) => Some("nobody but `pipeline` puts anything there: move it away"),
            _ => None,
        };
        terminal::error("evidence::unreadable", &error.to_string(), help);
        exit_code::STEP_FAILED
    })?;
    let signed = if key.is_some() { ", signed" } else { "" };
    let output = args.output.display();
    terminal::note(&format!("{output}: run {id}, {} parts{signed}\n", list.parts.len()));
    Ok(exit_code::DONE)
}

/// The folder of a run: of that id, or of the newest that had something to do.
fn run(runs: &Path, id: Option<&str>) -> Option<PathBuf> {
    let is_whole = |path: &PathBuf| path.join("plan.json").is_file();
    if let Some(id) = id {
        let is_name = !id.is_empty() && !id.starts_with('.') && !id.contains('/');
        return is_name.then(|| runs.join(id)).filter(|path| path.join("events.jsonl").is_file());
    }
    let mut all: Vec<PathBuf> = fs::read_dir(runs).ok()?.flatten().map(|entry| entry.path()).collect();
    all.sort();
    all.into_iter().rev().find(is_whole)
}
