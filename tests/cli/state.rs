//! What happens to `.pipeline/state` costs work and never a wrong result. `state/tests.rs` has every cut and every bit.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;

use pipeline_testkit::{require, skip};
use rustix::process::geteuid;

use crate::chain::{bound, chain, change, recovers, refused, right, steps};
use crate::lab::{Lab, Ran};

const ALL: [&str; 3] = ["one", "three", "two"];

/// After a run; and the file.
fn ran() -> (Lab, PathBuf) {
    let lab = chain();
    lab.output(&["run"]).must(0);
    let state = lab.space.path(".pipeline/state");
    (lab, state)
}

/// Damages the records of a finished run, with the input as it was and with another one.
fn damaged(how: impl Fn(&mut Vec<u8>, usize), places: impl Fn(usize) -> Vec<usize>) {
    let (lab, state) = ran();
    for place in places(fs::read(&state).unwrap().len()) {
        for other_input in [false, true] {
            let mut bytes = fs::read(&state).unwrap();
            how(&mut bytes, place);
            fs::write(&state, &bytes).unwrap();
            if other_input {
                change(&lab);
            }
            let case = format!("at {place}, input changed: {other_input}");
            let (ran, _) = recovers(&lab, &case);
            assert!(!other_input || ran.contains(&"one".to_owned()), "{case}: {ran:?}");
        }
    }
}

#[test]
fn cut_it_costs_work_only() {
    // Compared with the first length: later files are longer.
    damaged(Vec::truncate, |length| vec![1, 15, 16, 17, 40, length / 2, length - 1]);
}

#[test]
fn with_a_flipped_bit_it_costs_work_only() {
    let flip = |bytes: &mut Vec<u8>, place: usize| {
        let last = bytes.len() - 1;
        bytes[place.min(last)] ^= 0x10;
    };
    damaged(flip, |length| (0..length).step_by(length / 11).collect());
}

#[test]
fn what_was_lost_is_told_once_and_runs_again() {
    let (lab, state) = ran();
    let whole = fs::read(&state).unwrap();
    let newer = [b"pipeline state 3", &whole[16..]].concat();
    for (bytes, told) in [
        (newer, "it is of another version or none of ours, so that every step runs again"),
        (b"something else".to_vec(), "it is of another version or none of ours"),
        (whole[..20].to_vec(), "its last 4 bytes cannot be read, so that what they told of runs again"),
    ] {
        fs::write(&state, bytes).unwrap();
        let (ran, said) = recovers(&lab, told);
        assert_eq!(ran, ALL);
        assert!(said.contains(&format!("warning: {}: {told}", state.display())), "{said}");
    }
    // An empty one, or none, is how everything begins.
    fs::write(&state, "").unwrap();
    let (ran, said) = recovers(&lab, "empty");
    assert_eq!(ran, ALL);
    assert!(!said.contains("warning"), "{said}");
    fs::remove_file(&state).unwrap();
    assert_eq!(recovers(&lab, "none").0, ALL);
}

#[test]
fn a_folder_in_its_place_is_refused_and_stays() {
    let (lab, state) = ran();
    fs::remove_file(&state).unwrap();
    fs::create_dir(&state).unwrap();
    let ran = lab.output(&["run"]);
    refused(&ran, 5, &[&state.display().to_string(), "Is a directory", "move it away"]);
    assert!(state.is_dir());
    fs::remove_dir(&state).unwrap();
    assert_eq!(recovers(&lab, "a folder").0, ALL);
}

#[test]
fn what_may_not_be_read_is_refused_and_lost_it_is_not() {
    if geteuid().is_root() {
        require!("setpriv");
    }
    let (lab, state) = ran();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o000)).unwrap();
    let ran = Ran::of(&mut bound(&lab, &["run"]));
    refused(&ran, 5, &[&state.display().to_string(), "Permission denied", "make the file readable"]);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(recovers(&lab, "readable again").0, Vec::<String>::new());
}

#[test]
fn what_may_not_be_written_is_no_end_of_what_is_done() {
    if geteuid().is_root() {
        require!("setpriv");
    }
    let (lab, state) = ran();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o400)).unwrap();
    // Nothing is to be written where nothing runs.
    let ran = Ran::of(&mut bound(&lab, &["run"]));
    assert_eq!((ran.code, steps(&lab)), (0, vec![]), "{}", ran.stderr);
    change(&lab);
    let ran = Ran::of(&mut bound(&lab, &["run"]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("Permission denied"), "{}", ran.stderr);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(recovers(&lab, "writable again").0, ["one", "two"]);
}

#[test]
fn of_another_user_it_is_as_good() {
    if !geteuid().is_root() {
        return skip("needs root, to give files to another user");
    }
    require!("setpriv");
    let (lab, state) = ran();
    chown(&state, Some(1234), Some(1234)).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = Ran::of(&mut bound(&lab, &["run"]));
    refused(&ran, 5, &[&state.display().to_string(), "Permission denied"]);
    right(&lab, "refused");
    assert_eq!(recovers(&lab, "as root").0, Vec::<String>::new());
}
