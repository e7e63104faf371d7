//! Runs that take turns in one folder, some of them killed. `scripts/soak contend` does the same with more, and longer.

use std::process::Command;

use pipeline_testkit::{find, require};

use crate::lab::Ran;
use crate::{PIPELINE, repository};

#[test]
fn runs_of_one_folder_take_turns_whoever_is_killed() {
    require!("python3", "flock");
    let mut soak = Command::new(find("python3").unwrap());
    soak.arg(repository().join("scripts/soak.d/contend"));
    soak.args(["--rounds", "3", "--runs", "4", "--binary", PIPELINE]);
    let ran = Ran::of(&mut soak).must(0);
    assert!(ran.stdout.ends_with("\n3 rounds of 4 runs, 0 failed\n"), "{}", ran.stdout);
}
