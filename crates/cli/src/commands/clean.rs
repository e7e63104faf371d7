//! `pipeline clean`

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use pipeline_core::exec::Lock;
use pipeline_core::history::{Rule, RunFolder, removable};
use pipeline_core::output::bytes;

use crate::args::CleanArgs;
use crate::retention::{is_link, size};
use crate::{environment, exit_code, place, runs, terminal};

/// What steps made, below `.pipeline`. The records stay: they tell by themselves what is gone.
const MADE: [&str; 4] = ["work", "out", "store", "repro"];

/// So many of the newest runs stay where nobody says how many.
const KEEP: usize = 10;

pub(super) fn clean(args: &CleanArgs) -> u8 {
    let (Ok(code) | Err(code)) = cleaned(args);
    code
}

/// What is to go, or has gone.
struct Going {
    runs: Vec<RunFolder>,
    made: Vec<&'static str>,
}

fn cleaned(args: &CleanArgs) -> Result<u8, u8> {
    let folder = runs::folder(args.recipe.as_deref())?;
    let own = folder.join(".pipeline");
    if !own.is_dir() {
        terminal::note(&format!("there is nothing of any run in {}\n", folder.display()));
        return Ok(exit_code::DONE);
    }
    // Under the lock nothing is in use. A look needs none.
    let lock = (!args.dry_run).then(|| place::lock(&folder, Duration::ZERO)).transpose()?;
    let going = going(args, &folder)?;
    let paths: Vec<PathBuf> = going
        .runs
        .iter()
        .map(|run| run.path().to_owned())
        .chain(going.made.iter().map(|part| own.join(part)))
        .collect();
    let Some(lock) = lock else {
        let mut total = 0;
        for path in &paths {
            let size = size(path);
            total += size;
            terminal::out_text(&terminal::clean(&format!("{:>9}  {}\n", bytes(size), path.display())));
        }
        terminal::note(&format!("{} would be freed\n", bytes(total)));
        return Ok(exit_code::DONE);
    };
    if !going.made.is_empty() && !args.yes {
        let parts: Vec<String> = going.made.iter().map(|part| format!("{part}/")).collect();
        let question =
            format!("Remove {} in {}, and {} runs?", parts.join(", "), own.display(), going.runs.len());
        if !terminal::confirm(&question) {
            terminal::error(
                "usage::not-confirmed",
                "nothing was removed",
                Some("`--yes` removes it without asking; `--dry-run` says what"),
            );
            return Err(exit_code::USAGE);
        }
    }
    lock.sweep();
    lock.remove_rests();
    let mut freed = 0;
    let mut done = |path: &Path, size: u64, result: io::Result<()>| match result {
        Ok(()) => {
            freed += size;
            true
        }
        Err(error) => {
            let help = "the message says what is in the way; what else was to go is gone";
            terminal::error(
                "history::not-removed",
                &format!("cannot remove {}: {error}", path.display()),
                Some(help),
            );
            false
        }
    };
    let wanted = paths.len();
    let mut gone = going;
    gone.runs.retain(|run| done(run.path(), size(run.path()), lock.remove_run(&run.id)));
    gone.made.retain(|part| {
        let path = own.join(part);
        done(&path, size(&path), remove(&lock, part, &path))
    });
    terminal::note(&format!("{} removed, {} freed\n", told(&gone), bytes(freed)));
    let all = gone.runs.len() + gone.made.len() == wanted;
    Ok(if all { exit_code::DONE } else { exit_code::STEP_FAILED })
}

fn going(args: &CleanArgs, folder: &Path) -> Result<Going, u8> {
    let linked = |part: &str| {
        let path = folder.join(".pipeline").join(part);
        let linked = is_link(&path);
        if linked {
            terminal::warning(
                &format!("{} is a link, and what it leads to stays", path.display()),
                "remove it there, if nobody else uses it",
            );
        }
        linked
    };
    let keep = args.runs.or((args.older_than.is_none()).then_some(KEEP));
    let before = args.older_than.and_then(|age| Timestamp::now().checked_sub(age).ok());
    let runs = if linked("runs") { Vec::new() } else { removable(runs::all(folder)?, Rule { keep, before }) };
    let is_there = |part: &&str| folder.join(".pipeline").join(part).symlink_metadata().is_ok();
    let made = if args.all {
        MADE.into_iter().filter(is_there).filter(|part| !linked(part)).collect()
    } else {
        Vec::new()
    };
    // What goes on is found out by the lock; without it, by a look.
    let runs = runs.into_iter().filter(|run| !args.dry_run || !runs::is_under_way(folder, run)).collect();
    Ok(Going { runs, made })
}

fn told(going: &Going) -> String {
    let runs = format!("{} run{}", going.runs.len(), if going.runs.len() == 1 { "" } else { "s" });
    if going.made.is_empty() { runs } else { format!("{runs}, {}", going.made.join(", ")) }
}

/// Files of containers may belong to users that only a user namespace has: there its owner may remove them.
fn remove(lock: &Lock, part: &str, path: &Path) -> io::Result<()> {
    let Err(error) = lock.remove(Path::new(part)) else { return Ok(()) };
    if error.kind() != io::ErrorKind::PermissionDenied || rustix::process::geteuid().is_root() {
        return Err(error);
    }
    for tool in ["buildah", "podman"] {
        let mut command = Command::new(tool);
        command.args(["unshare", "rm", "-rf", "--one-file-system", "--"]).arg(path);
        command.env_clear().envs(environment::for_steps(&[])).stdin(Stdio::null()).stdout(Stdio::null());
        if command.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return Ok(());
        }
    }
    Err(io::Error::new(
        error.kind(),
        format!(
            "{error}; some of it may belong to users of containers, and neither `buildah unshare` nor `podman unshare` could remove it"
        ),
    ))
}
