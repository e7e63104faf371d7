//! No descendant survives the engine, however it ends: Ctrl-C and Ctrl-Z on a real terminal, every signal, `kill -9` of
//! every process of ours.
//!
//! Every process that a step starts connects to the test and then blocks; it counts as ended when its connection is
//! closed. That takes no pid, sees what hides in other sessions and namespaces, and is not deceived by zombies.
//!
//! Each test is done a few times here, and many times by `scripts/soak kill`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers behave as a test would")]
#![cfg(target_os = "linux")]

mod ctrl_c;
mod engine;
mod pause;
mod processes;
mod refused;
mod remote;
mod signals;
mod stubborn;
mod witness;

use std::time::Duration;

use engine::Keep;

/// From the engine's end, or from the signal, to the end of the last descendant.
const SOON: Duration = Duration::from_secs(2);

/// How often something is done: `few` times, in a soak `many` times or as often as it says.
fn times(few: usize, many: usize) -> usize {
    match std::env::var("PIPELINE_SOAK").as_deref() {
        Err(_) => few,
        Ok("") => many,
        Ok(runs) => runs.parse().unwrap(),
    }
}

/// A soak's last lines.
fn count(row: &str, runs: usize, what: &str) {
    if std::env::var_os("PIPELINE_SOAK").is_some() {
        // A test's stdout begins behind its name.
        println!("\n{row}: {runs} {what}");
    }
}

/// Does `once`, which is told the number, by turns for both ways of keeping descendants.
fn soak(row: &str, what: &str, (few, many): (usize, usize), once: &dyn Fn(Keep, usize)) {
    let runs = times(few, many);
    for number in 0..runs {
        once(if number % 2 == 0 { Keep::Namespace } else { Keep::Subreapers }, number / 2);
    }
    count(row, runs, what);
}
