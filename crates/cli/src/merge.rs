//! The runs of several machines as one: found in their folders, and brought together in one for the report.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pipeline_core::history::{Merged, Part, RunFolder, merge};
use pipeline_core::results::RUNS;

use crate::{exit_code, terminal};

/// Runs as one.
pub(crate) struct Together {
    pub(crate) merged: Merged,
    /// A folder with the logs and proofs of all, as one run would have it.
    pub(crate) folder: tempfile::TempDir,
}

/// Reads the runs in these folders. The error is the exit code.
pub(crate) fn together(folders: &[PathBuf]) -> Result<Together, u8> {
    let mut runs = Vec::new();
    for folder in folders {
        let found = found(folder);
        if found.is_empty() {
            // One job that left nothing is no reason to tell nothing of the others.
            let message = format!("{} has no record of a run", folder.display());
            terminal::warning(&message, "the report is made without it");
        }
        runs.extend(found);
    }
    let mut parts = Vec::new();
    let mut read = Vec::new();
    for run in runs {
        let part = run.account().and_then(|account| Ok(Part { account, plan: run.plan()? }));
        match part {
            Ok(part) => {
                parts.push(part);
                read.push(run);
            }
            Err(error) => terminal::warning(&error.to_string(), "the report is made without this run"),
        }
    }
    if parts.is_empty() {
        terminal::error(
            "history::nothing",
            "none of the folders has a record of a run that can be read",
            Some("`run --results-to DIR` leaves such a folder; `.pipeline/runs/RUN` is one as well"),
        );
        return Err(exit_code::USAGE);
    }
    let merged = merge(&parts);
    let folder = brought(&merged, &read).map_err(|error| {
        terminal::error("history::unwritten", &format!("the runs cannot be brought together: {error}"), None);
        exit_code::STEP_FAILED
    })?;
    Ok(Together { merged, folder })
}

/// A run's folder, or those in a folder of results.
fn found(folder: &Path) -> Vec<RunFolder> {
    let is_run = |path: &Path| path.join("events.jsonl").is_file();
    if is_run(folder) {
        return vec![RunFolder::at(folder)];
    }
    let entries = fs::read_dir(folder.join(RUNS)).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_run(path)).collect();
    runs.sort();
    runs.iter().map(|run| RunFolder::at(run)).collect()
}

/// Links to the logs and the proofs of whoever's word counts.
fn brought(merged: &Merged, runs: &[RunFolder]) -> io::Result<tempfile::TempDir> {
    let to = tempfile::Builder::new().prefix("pipeline-report-").tempdir()?;
    for (kind, ends) in [
        ("logs", &[".log"][..]),
        ("audit", &[".json"]),
        ("nodes", &[".json"]),
        ("provenance", &[".json", ".dsse.json"]),
    ] {
        fs::create_dir(to.path().join(kind))?;
        for (id, number) in &merged.from {
            for end in ends {
                let name = format!("{kind}/{id}{end}");
                let from = std::path::absolute(runs[*number].path().join(&name))?;
                // An id is a name, but these came from elsewhere.
                if !id.as_str().contains('/') && fs::symlink_metadata(&from).is_ok_and(|file| file.is_file())
                {
                    symlink(from, to.path().join(&name))?;
                }
            }
        }
    }
    if let Some(lock) = runs.iter().map(|run| run.path().join("lock")).find(|lock| lock.is_file()) {
        fs::copy(lock, to.path().join("lock"))?;
    }
    Ok(to)
}
