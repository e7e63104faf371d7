//! The program from outside, with fake tools: what it calls, prints, leaves behind and exits with.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic where a test would")]

mod audit;
mod build;
mod chain;
mod check;
mod ci;
mod ci_files;
mod compose;
mod connection;
mod contend;
mod damage;
mod evidence;
mod explain;
mod exports;
mod faults;
mod floods;
mod fmt;
mod frozen;
mod graph;
mod history;
mod hostile;
mod image;
mod init;
mod install;
mod kinds;
mod lab;
mod live;
mod logs;
mod matrix;
mod messages;
mod nodes;
mod package;
mod place;
mod plan;
mod process;
mod recipes;
mod record;
mod reference;
mod remote;
mod report;
mod repro;
mod results;
mod resume;
mod secrets;
mod select;
mod soaks;
mod state;

use std::fs;
use std::path::{Path, PathBuf};

/// The program under test.
const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");

/// The top of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A module that is not listed has tests that nobody runs.
#[test]
fn every_file_is_listed() {
    let main = include_str!("main.rs");
    for entry in fs::read_dir(repository().join("tests/cli")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(stem == "main" || main.contains(&format!("\nmod {stem};\n")), "{stem}.rs is not listed");
        }
    }
}
