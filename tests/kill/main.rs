//! No descendant survives the engine, however it ends: Ctrl-C and Ctrl-Z on a real terminal, every signal, `kill -9` of
//! every process of ours.
//!
//! Every process that a step starts connects to the test and then blocks; it counts as ended when its connection is
//! closed. That takes no pid, sees what hides in other sessions and namespaces, and is not deceived by zombies.
//!
//! Each test is done a few times here, and many times by `scripts/soak kill`.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic where a test would")]
#![cfg(target_os = "linux")]

mod ctrl_c;
mod engine;
mod pause;
mod processes;
mod remote;
mod signals;
mod stubborn;
mod terminal;
mod witness;

use std::time::Duration;

use engine::Keep;

/// From the engine's end, or from the signal, to the end of the last descendant.
const SOON: Duration = Duration::from_secs(2);

/// How often something is done: `few` times, or as often as a soak asks.
fn times(few: usize) -> usize {
    asked().unwrap_or(few)
}

/// What a soak wants to know at the end of a test.
fn count(row: &str, what: &str) {
    if let Some(runs) = asked() {
        // A test's stdout begins behind its name.
        println!("\n{row}: {runs} {what}");
    }
}

fn asked() -> Option<usize> {
    std::env::var("PIPELINE_SOAK_RUNS").ok().map(|runs| runs.parse().unwrap())
}

/// Does `once` by turns for both ways of keeping descendants.
fn soak(row: &str, what: &str, few: usize, once: &dyn Fn(Keep)) {
    for run in 0..times(few) {
        once(if run % 2 == 0 { Keep::Namespace } else { Keep::Subreapers });
    }
    count(row, what);
}
