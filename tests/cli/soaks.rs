//! The soaks that need nothing but this machine, a few times each. `scripts/soak` does them hundreds of times.

use std::process::Command;

use pipeline_testkit::{require, skip};

use crate::{PIPELINE, repository};

/// What the last line of the soak must begin with, which it then counts on. A soak that cannot run says why.
#[track_caller]
fn counts(name: &str, args: &[&str], expected: &str) {
    let mut command = Command::new(repository().join("scripts/soak"));
    let output = command.arg(name).args(["--binary", PIPELINE]).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said.lines().last().unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{errors}");
    match last.strip_prefix("skipped: ") {
        Some(reason) => skip(reason),
        None => assert!(last.starts_with(expected), "{said}{errors}"),
    }
}

#[test]
fn a_killed_engine_leaves_nothing_wrong() {
    require!("python3");
    counts("kill-engine", &["--runs", "10"], "F1: 10 kills, 0 corrupt resumes");
}

#[test]
fn a_system_call_that_is_the_last_or_fails_leaves_nothing_wrong() {
    require!("python3", "strace");
    counts("crash-syscalls", &["--cases", "10"], "F2, F9: 10 passed, 0 failed");
}

#[test]
fn many_steps_leave_no_zombie_and_no_open_file() {
    require!("python3");
    counts("large", &["--run", "300", "--plan", "1000"], "G1, G2: 10 passed, 0 failed");
}
