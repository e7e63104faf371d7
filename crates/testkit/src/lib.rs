//! Test tools of the workspace. They panic where a test would: on a broken set-up.
#![allow(
    clippy::print_stdout,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a library of tests behaves like a test"
)]

mod require;

pub use require::{SKIPS_VARIABLE, find, require, skip};
