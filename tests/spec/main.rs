//! What `pipeline check` says of recipes: each file in `invalid` with the message beside it, each in `valid` without one.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic where a test would")]

mod bytes;
mod invalid;
mod valid;

use std::fs;
use std::path::{Path, PathBuf};

use pipeline_testkit::TestSpace;

/// The program under test.
const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");

/// A folder beside this file.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spec").join(name)
}

/// The recipes in a folder, by name.
fn recipes(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut recipes: Vec<_> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    recipes.sort();
    assert!(!recipes.is_empty());
    recipes
}

/// Exit code and stderr of a command on a recipe alone in its folder, without a tool on the `PATH`.
fn pipeline(command: &[&str], name: &str, recipe: &[u8]) -> (i32, String, String) {
    let space = TestSpace::new();
    let file = format!("{name}.toml");
    space.write(&file, recipe);
    let output = space.command(PIPELINE).args(command).args(["-f", &file]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

/// Every folder's modules are tests that run.
#[test]
fn every_file_is_listed() {
    let main = include_str!("main.rs");
    for entry in fs::read_dir(folder("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(
                stem == "main" || main.contains(&format!("mod {stem};")),
                "{stem}.rs is no module of main.rs"
            );
        }
    }
}
