//! The JSON Schema takes what the program takes, and says no where it can: by a public validator, and by taplo, which editors use.

use std::fs;
use std::path::Path;
use std::process::Command;

use pipeline_testkit::{TestSpace, find, require};
use serde_json::Value;

use crate::{PIPELINE, Sample, checked, folder, samples};

/// What a schema can see: it knows shapes, and not what stands somewhere else.
const SHAPES: [&str; 2] = ["spec::unknown-key", "spec::wrong-type"];

/// Whose shape hangs on other parts of the recipe.
const BEYOND: [&str; 1] = ["matrix-unknown-keys"];

struct Validator {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let output = TestSpace::new().command(PIPELINE).arg("schema").output().unwrap();
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("recipe.json", serde_json::from_slice(&output.stdout).unwrap()).unwrap();
        let index = compiler.compile("recipe.json", &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
        Self { schemas, index }
    }

    /// Why the schema does not take a recipe.
    fn problem(&self, recipe: &str) -> Option<String> {
        let Ok(table) = recipe.parse::<toml::Table>() else { return Some("no TOML".into()) };
        let document: Value = serde_json::to_value(table).unwrap();
        self.schemas.validate(&document, self.index).err().map(|error| format!("{error:#}"))
    }
}

fn text(sample: &Sample) -> String {
    String::from_utf8(sample.files[&sample.recipe].clone()).unwrap()
}

/// Recipes below `pipelines/`.
fn own() -> Vec<String> {
    let folders = fs::read_dir(folder("../../pipelines")).unwrap();
    folders
        .filter_map(|folder| fs::read_to_string(folder.unwrap().path().join("pipeline.toml")).ok())
        .collect()
}

#[test]
fn it_takes_every_right_recipe_also_when_it_is_resolved() {
    let validator = Validator::new();
    for sample in samples("valid").iter().chain(&samples("warned")) {
        assert_eq!(validator.problem(&text(sample)), None, "{}", sample.name);
        let (code, resolved, stderr) = sample.run(&["plan", "--format", "toml"]);
        assert_eq!(code, 0, "{}: {stderr}", sample.name);
        assert_eq!(validator.problem(&resolved), None, "{} resolved:\n{resolved}", sample.name);
    }
    for recipe in own() {
        assert_eq!(validator.problem(&recipe), None, "{recipe}");
    }
}

/// Recipes in one file that have an error of shape, as `check` tells it.
fn shapeless() -> impl Iterator<Item = &'static Sample> {
    // Of several files, the others are no recipes.
    let alone = checked("invalid").iter().filter(|(sample, _)| sample.files.len() == 1);
    alone
        .filter(|(_, (_, _, stderr))| stderr.lines().any(|line| SHAPES.contains(&line)))
        .map(|(sample, _)| sample)
}

#[test]
fn it_says_no_to_every_wrong_shape() {
    let validator = Validator::new();
    let (taken, refused): (Vec<&Sample>, Vec<&Sample>) =
        shapeless().partition(|sample| validator.problem(&text(sample)).is_none());
    let taken: Vec<&str> = taken.iter().map(|sample| sample.name.as_str()).collect();
    let refused = refused.len();
    assert_eq!(taken, BEYOND);
    let all = samples("invalid").len();
    println!("{refused} of {all} wrong recipes have a shape that the schema refuses");
    assert!(refused >= 40, "only {refused} of {all}");
}

/// What taplo says of a recipe with the schema.
fn taplo(recipe: &Path) -> (bool, String) {
    let schema = folder("../../docs/pipeline.schema.json").canonicalize().unwrap();
    let output = Command::new(find("taplo").unwrap())
        .args(["lint", "--schema", &format!("file://{}", schema.display())])
        .arg(recipe)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn taplo_reads_it_the_same_way() {
    require!("taplo");
    let space = TestSpace::new();
    let lint = |name: &str, recipe: &str| taplo(&space.write(format!("{name}/pipeline.toml"), recipe));
    let (mut taken, mut refused) = (0, 0);
    for sample in samples("valid").iter().chain(&samples("warned")) {
        let (good, said) = lint(&sample.name, &text(sample));
        // Its own parser knows TOML 1.0 only, and not all of that.
        if said.contains("invalid TOML") {
            println!("taplo cannot read {}", sample.name);
            continue;
        }
        assert!(good, "{}: {said}", sample.name);
        taken += 1;
    }
    for sample in shapeless() {
        if BEYOND.contains(&sample.name.as_str()) {
            continue;
        }
        let (good, _) = lint(&sample.name, &text(sample));
        assert!(!good, "{}: taplo takes it", sample.name);
        refused += 1;
    }
    for (index, recipe) in own().iter().enumerate() {
        let (good, said) = lint(&format!("own-{index}"), recipe);
        assert!(good, "{said}");
    }
    println!("taplo takes {taken} right recipes and refuses {refused} wrong ones");
    assert!(taken >= 40 && refused >= 40);
}
