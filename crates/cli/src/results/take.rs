//! What comes from other machines: read, compared with its digests, and refused unless all of it is right.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pipeline_core::image::Digest;
use pipeline_core::plan::InstanceId;
use pipeline_core::planner::Stage;
use pipeline_core::results::{FILE, Made, Missing, Problem, Received, read};

use crate::{exit_code, terminal};

/// What other machines made.
pub(super) fn others(folders: &[PathBuf], plan: Digest) -> Result<BTreeMap<InstanceId, Received>, u8> {
    let mut all: BTreeMap<InstanceId, Received> = BTreeMap::new();
    for folder in folders {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
        let results = read(&folder, plan).map_err(|problem| refused(&problem))?;
        for (id, made) in results.made {
            if let Some(earlier) = all.get_mut(&id) {
                if earlier.made.values != made.values {
                    return Err(differ(&id, &earlier.folder, &folder));
                }
                // One of them was asked for more of it.
                if earlier.made.files.len() >= made.files.len() {
                    continue;
                }
            }
            all.insert(id, Received { made, folder: folder.clone() });
        }
    }
    Ok(all)
}

/// What is in the folder that this machine's own results go to; none where all of it is another plan's, or damaged.
pub(super) fn own(folder: &Path, plan: Digest) -> Result<(PathBuf, Option<BTreeMap<InstanceId, Made>>), u8> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let nothing = |why: &str| {
        terminal::warning(why, "everything of this part of the plan is done");
        Ok((folder.clone(), None))
    };
    match read(&folder, plan) {
        Ok(results) => Ok((folder, Some(results.made))),
        Err(Problem::Missing(path)) if path.ends_with(FILE) => {
            if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
                terminal::error(
                    "results::not-ours",
                    &format!("{} has files, and no `{FILE}`: it is no folder for results", folder.display()),
                    Some("name another folder, or an empty one"),
                );
                return Err(exit_code::USAGE);
            }
            Ok((folder, None))
        }
        Err(problem @ (Problem::OtherPlan(_) | Problem::Altered(_) | Problem::Missing(_))) => {
            nothing(&problem.to_string())
        }
        Err(problem) => Err(refused(&problem)),
    }
}

fn refused(problem: &Problem) -> u8 {
    let (code, help, exit) = match problem {
        Problem::Missing(_) => (
            "results::missing",
            "hand over the folder that `--results-to` left on the other machine, with everything in it",
            exit_code::PREFLIGHT_FAILED,
        ),
        Problem::Unreadable { .. } => {
            ("results::unread", "make it readable, or hand it over again", exit_code::PREFLIGHT_FAILED)
        }
        Problem::NoResults { .. } => (
            "results::unread",
            "`--results-to` leaves such a folder; both machines need the same version of `pipeline`",
            exit_code::USAGE,
        ),
        Problem::OtherPlan(_) => (
            "results::stale",
            "run every part of a plan with the same file of `plan -o`; results of an older one are of no use",
            exit_code::LOCK_STALE,
        ),
        Problem::Altered(_) => (
            "results::altered",
            "run the job that made it once more, and hand its results over again",
            exit_code::MISMATCH,
        ),
    };
    terminal::error(code, &problem.to_string(), Some(help));
    exit
}

fn differ(id: &InstanceId, one: &Path, other: &Path) -> u8 {
    terminal::error(
        "results::differ",
        &format!(
            "`{id}` came out otherwise on two machines: {} and {} have other values of it",
            one.display(),
            other.display()
        ),
        Some(
            "it is done by several jobs, so it must come to the same each time: pin what it takes in `pipeline.lock`, or \
             give it a target",
        ),
    );
    exit_code::MISMATCH
}

/// Says what is missing, and who makes it.
pub(super) fn missing(missing: &[Missing]) -> u8 {
    const SHOWN: usize = 5;
    let mut lines: Vec<String> = missing
        .iter()
        .take(SHOWN)
        .map(|one| format!("`{}`, which `{}` needs, is not among the results", one.id, one.by))
        .collect();
    if missing.len() > SHOWN {
        lines.push(format!("and {} more", missing.len() - SHOWN));
    }
    let first = missing.first();
    let stage = match first.map(|one| one.stage) {
        Some(Stage::Deliver) => "deliver",
        Some(Stage::Join) => "join",
        Some(Stage::Build) | None => "build",
    };
    let target = first.and_then(|one| one.target.as_ref());
    let target = target.map(|target| format!(" -t {target}")).unwrap_or_default();
    let help = format!("`pipeline run --plan FILE{target} --stage {stage} --results-to DIR` makes it");
    terminal::error("results::missing", &lines.join("\n"), Some(&help));
    exit_code::PREFLIGHT_FAILED
}
