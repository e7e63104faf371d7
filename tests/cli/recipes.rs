//! The recipes of this repository: each is valid, and its plan is a snapshot.

use std::fs;

use pipeline_testkit::TestSpace;

use crate::PIPELINE;
use crate::lab::Ran;
use crate::repository;

#[test]
fn every_recipe_has_its_plan() {
    let mut names: Vec<String> = fs::read_dir(repository().join("pipelines"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("pipeline.toml").is_file())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.contains(&"demo".to_owned()), "{names:?}");
    for name in names {
        // A copy, and no tool on the PATH: a plan asks neither the machine nor the folder.
        let space = TestSpace::new();
        let recipe = fs::read(repository().join("pipelines").join(&name).join("pipeline.toml")).unwrap();
        space.write(format!("pipelines/{name}/pipeline.toml"), recipe);
        let ran = Ran::of(space.command(PIPELINE).args(["plan", &name])).must(0);
        assert_eq!(ran.stderr, "", "{name}");
        insta::assert_snapshot!(format!("plan_{name}"), ran.stdout);
    }
}
