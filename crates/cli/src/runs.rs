//! Which earlier run is meant.

use std::path::{Path, PathBuf};

use pipeline_core::event::{Event, EventKind};
use pipeline_core::exec::Lock;
use pipeline_core::history::{Account, Ending, RunFolder, Unread, runs};

use crate::args::RecipeArgs;
use crate::{exit_code, prepare, recipe, terminal};

/// How runs are named on the command line, for help texts.
pub(crate) const NAMES: &str = "`pipeline history` lists them; a run is named by its id, by how that begins, or by `^1` for the one before the newest";

/// More runs than this in a message help nobody.
const LISTED: usize = 5;

/// The folder of a recipe, which keeps its runs. The recipe itself is not read: what was run can be looked at also while
/// there is a mistake in it. The error is the exit code.
pub(crate) fn folder(recipe: Option<&str>) -> Result<PathBuf, u8> {
    let args = RecipeArgs { recipe: recipe.map(str::to_owned), ..RecipeArgs::default() };
    let chosen = recipe::choose(&args).map_err(|diagnostic| {
        terminal::diagnostic(&diagnostic);
        prepare::not_found(&diagnostic)
    })?;
    let parent = chosen.recipe.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::canonicalize(parent.unwrap_or(Path::new("."))).map_err(|error| {
        terminal::error(
            "place::unreadable",
            &format!("cannot read the folder of {}: {error}", chosen.recipe.display()),
            None,
        );
        exit_code::USAGE
    })
}

/// A run of a folder: the newest, or the one of that id, of the only id that begins so, or `^N`, N before the newest.
/// What is wrong has been said; the error is the exit code.
pub(crate) fn find(folder: &Path, which: Option<&str>) -> Result<RunFolder, u8> {
    let mut all = all(folder)?;
    match index(&all, which) {
        Ok(index) => Ok(all.swap_remove(index)),
        Err(why) => Err(refuse(folder, &why)),
    }
}

/// The word names a run.
pub(crate) fn names(folder: &Path, word: &str) -> Result<bool, u8> {
    Ok(index(&all(folder)?, Some(word)).is_ok())
}

/// The newest run that had something to do: only such a one keeps its plan.
pub(crate) fn find_whole(folder: &Path) -> Result<RunFolder, u8> {
    let whole = all(folder)?.into_iter().rev().find(|run| run.path().join("plan.json").is_file());
    whole.ok_or_else(|| refuse(folder, "no run has done anything"))
}

/// All of them, the oldest first.
pub(crate) fn all(folder: &Path) -> Result<Vec<RunFolder>, u8> {
    runs(folder).map_err(|error| {
        let path = folder.join(".pipeline/runs");
        terminal::error("place::unreadable", &format!("cannot read {}: {error}", path.display()), None);
        exit_code::PREFLIGHT_FAILED
    })
}

/// The run goes on: it is the newest, its record has no end, and the folder has been locked for it since.
pub(crate) fn is_under_way(folder: &Path, run: &RunFolder) -> bool {
    let ended = |event: Event| matches!(event.kind, EventKind::RunFinished { .. });
    if run.last().is_some_and(ended) {
        return false;
    }
    let Ok(Some(holder)) = Lock::holder(folder) else { return false };
    // Whoever locked the folder after a run that was killed is not that run.
    let Some((since, began)) = holder.since.zip(run.first().map(|event| event.at)) else { return true };
    since <= began && runs(folder).is_ok_and(|all| all.last().is_some_and(|newest| newest.id == run.id))
}

/// What a run tells without its lines, and how it ended.
pub(crate) fn outline(folder: &Path, run: &RunFolder) -> Result<(Account, Ending), Unread> {
    // Before its record is read: one that ends meanwhile was not killed.
    let alive = is_under_way(folder, run);
    let account = run.outline()?;
    let ending = account.ending(alive);
    Ok((account, ending))
}

fn refuse(folder: &Path, why: &str) -> u8 {
    let message = format!("{why} in {}", folder.join(".pipeline/runs").display());
    let help = if why.contains('`') { NAMES } else { "`pipeline run` leaves a folder there for each run" };
    terminal::error("usage::no-run", &message, Some(help));
    exit_code::USAGE
}

/// Of runs in the order of time.
fn index(all: &[RunFolder], which: Option<&str>) -> Result<usize, String> {
    let newest = all.len().checked_sub(1).ok_or("there is no run")?;
    let Some(which) = which else { return Ok(newest) };
    let told = which.escape_debug();
    if let Some(before) = which.strip_prefix('^') {
        let before: usize =
            before.parse().map_err(|_| format!("`{told}` names no run: behind `^` stands a number,"))?;
        return newest
            .checked_sub(before)
            .ok_or_else(|| format!("`{told}` goes back too far: there are {} runs", all.len()));
    }
    if let Some(index) = all.iter().position(|run| run.id == which) {
        return Ok(index);
    }
    let begin = |(index, run): (usize, &RunFolder)| run.id.starts_with(which).then_some(index);
    let several: Vec<usize> =
        all.iter().enumerate().filter_map(begin).filter(|_| !which.is_empty()).collect();
    match several[..] {
        [] => Err(format!("there is no run `{told}`")),
        [one] => Ok(one),
        _ => {
            let mut ids: Vec<&str> =
                several.iter().rev().take(LISTED).map(|index| all[*index].id.as_str()).collect();
            if several.len() > LISTED {
                ids.push("…");
            }
            Err(format!("`{told}` is how {} runs begin ({})", several.len(), ids.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_id_its_beginning_or_its_distance() {
        let space = tempfile::tempdir().unwrap();
        let names = |which: Option<&str>| {
            let all = runs(space.path()).unwrap();
            index(&all, which).map(|index| all[index].id.clone())
        };
        assert_eq!(names(None), Err("there is no run".into()));
        for id in ["20260101T1-a", "20260102T1-b", "20260102T2-c", "20260102T2-c2"] {
            let run = space.path().join(".pipeline/runs").join(id);
            std::fs::create_dir_all(&run).unwrap();
            std::fs::write(run.join("events.jsonl"), "").unwrap();
        }
        let is = |which: &str, id: &str| assert_eq!(names(Some(which)).as_deref(), Ok(id), "{which}");
        assert_eq!(names(None).as_deref(), Ok("20260102T2-c2"));
        is("^0", "20260102T2-c2");
        is("^3", "20260101T1-a");
        is("20260101", "20260101T1-a");
        // The whole id counts, whatever else begins so.
        is("20260102T2-c", "20260102T2-c");
        for (which, why) in [
            ("^4", "there are 4 runs"),
            ("^", "a number"),
            ("^-1", "a number"),
            ("", "no run ``"),
            ("2027", "no run `2027`"),
            ("..", "no run `..`"),
            ("20260102", "how 3 runs begin (20260102T2-c2, "),
        ] {
            let error = names(Some(which)).unwrap_err();
            assert!(error.contains(why), "{which}: {error}");
        }
    }
}
