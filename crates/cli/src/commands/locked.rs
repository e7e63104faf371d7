//! `run --locked`: only what the lock says counts, and it says neither too little nor too much.

use pipeline_core::lock::Key;
use pipeline_core::planner::{missing, unused};

use crate::args::{PartArgs, RunArgs, SelectArgs};
use crate::lock_file::Pins;
use crate::prepare::Prepared;
use crate::{environment, exit_code, terminal};

/// As the command line says, else as it is in CI and with a frozen plan.
pub(super) fn wanted(args: &RunArgs) -> bool {
    args.locked.unwrap_or_else(|| args.plan.is_some() || environment::is_ci())
}

/// Before anything is done: what the recipe names by itself.
pub(super) fn check(args: &RunArgs, prepared: &Prepared) -> Result<(), u8> {
    complete(prepared)?;
    let unused = unused(&prepared.plan, &prepared.lock.lock);
    if whole(args) { too_much(&prepared.lock.name, &unused) } else { Ok(()) }
}

/// The lock says enough.
pub(super) fn complete(prepared: &Prepared) -> Result<(), u8> {
    let name = &prepared.lock.name;
    let missing = missing(&prepared.plan);
    if !missing.is_empty() {
        let there = if prepared.lock.exists { "does not say" } else { "is not there to say" };
        let message = format!("`{name}` {there} what {} stand{} for", list(&missing), plural(&missing));
        terminal::error("lock::missing", &message, Some(WRITE));
        return Err(exit_code::LOCK_STALE);
    }
    Ok(())
}

/// After a whole run in which everything is done: every entry was asked for.
pub(super) fn all_used(args: &RunArgs, prepared: &Prepared, pins: &Pins) -> u8 {
    if !whole(args) {
        return exit_code::DONE;
    }
    too_much(&prepared.lock.name, &pins.unused(&prepared.lock.lock)).err().unwrap_or(exit_code::DONE)
}

const WRITE: &str = "run `pipeline lock` and commit the file; `--locked=false` goes on without it";

/// Everything of the recipe runs.
fn whole(args: &RunArgs) -> bool {
    let SelectArgs { target, node: _, skip } = &args.select;
    let PartArgs { force: _, from, until, only } = &args.part;
    [target, skip, from, until, only].into_iter().all(Vec::is_empty)
}

fn too_much(name: &str, unused: &[Key]) -> Result<(), u8> {
    if unused.is_empty() {
        return Ok(());
    }
    let message = format!("`{name}` explains {}, which the recipe does not ask for", list(unused));
    terminal::error("lock::unused", &message, Some(WRITE));
    Err(exit_code::LOCK_STALE)
}

fn list(keys: &[Key]) -> String {
    let shown: Vec<String> = keys.iter().take(5).map(|key| format!("`{key}`")).collect();
    let more = keys.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn plural(keys: &[Key]) -> &'static str {
    if keys.len() == 1 { "s" } else { "" }
}
