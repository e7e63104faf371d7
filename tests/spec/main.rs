//! What `pipeline check` says of recipes: each one in `invalid` with the message beside it, each in `warned` with its
//! warnings, each in `valid` without a word.
//!
//! A recipe is a file `NAME.toml`, or a folder `NAME` with `pipeline.toml`, the files that belong to it, and perhaps a file
//! `args`: more arguments for the command, and `PIPELINE_…=VALUE` for its environment, separated by white space.
#![allow(clippy::unwrap_used, reason = "helpers of tests panic where a test would")]

mod bytes;
mod complete;
mod invalid;
mod properties;
mod schema;
mod valid;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pipeline_testkit::TestSpace;

/// The program under test.
const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");

/// A folder beside this file.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spec").join(name)
}

/// Exit code, stdout and stderr.
type Said = (i32, String, String);

/// A recipe with everything that belongs to it.
struct Sample {
    name: String,
    /// The recipe's file.
    recipe: String,
    /// All files, by their paths in the recipe's folder.
    files: BTreeMap<String, Vec<u8>>,
    args: Vec<String>,
}

impl Sample {
    fn one(name: &str, text: &[u8]) -> Self {
        let recipe = format!("{name}.toml");
        let files = BTreeMap::from([(recipe.clone(), text.to_vec())]);
        Self { name: name.to_owned(), recipe, files, args: Vec::new() }
    }

    fn several(name: &str, folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files);
        let args = files.remove("args").map_or_else(String::new, |args| String::from_utf8(args).unwrap());
        Self {
            name: name.to_owned(),
            recipe: "pipeline.toml".into(),
            files,
            args: args.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// Exit code, stdout and stderr of a command on the recipe alone in its folder, without a tool on the `PATH`.
    fn run(&self, command: &[&str]) -> Said {
        let space = TestSpace::new();
        for (path, text) in &self.files {
            space.write(path, text);
        }
        let (env, args): (Vec<_>, Vec<_>) = self.args.iter().partition(|arg| arg.starts_with("PIPELINE_"));
        let mut program = space.command(PIPELINE);
        program.args(command).args(["-f", &self.recipe]).args(args);
        program.envs(env.iter().map(|pair| pair.split_once('=').unwrap()));
        let output = program.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
    }
}

fn collect(folder: &Path, within: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{within}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// The recipes in a folder, by name.
fn samples(set: &str) -> Vec<Sample> {
    let mut samples: Vec<Sample> = fs::read_dir(folder(set))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                Some(Sample::several(&name, &path))
            } else {
                let recipe = path.extension().is_some_and(|extension| extension == "toml");
                recipe.then(|| Sample::one(&name, &fs::read(&path).unwrap()))
            }
        })
        .collect();
    samples.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!samples.is_empty());
    samples
}

/// The recipes of a set with what `check` says of them, which several tests want to know.
fn checked(set: &str) -> &'static [(Sample, Said)] {
    static INVALID: OnceLock<Vec<(Sample, Said)>> = OnceLock::new();
    static WARNED: OnceLock<Vec<(Sample, Said)>> = OnceLock::new();
    let known = if set == "invalid" { &INVALID } else { &WARNED };
    known.get_or_init(|| {
        let check = |sample: Sample| {
            let said = sample.run(&["check"]);
            (sample, said)
        };
        samples(set).into_iter().map(check).collect()
    })
}

/// Exit code, stdout and stderr of a command on a recipe in one file.
fn pipeline(command: &[&str], name: &str, recipe: &[u8]) -> Said {
    Sample::one(name, recipe).run(command)
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

/// The sets are large enough to believe in.
#[test]
fn there_are_many() {
    assert!(samples("invalid").len() >= 130 && samples("valid").len() >= 45);
}
