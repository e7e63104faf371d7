//! As root, what another user could have written is not run unasked.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use pipeline_testkit::skip;
use rustix::process::geteuid;

use crate::lab::{Lab, Ran};

const RECIPE: &str = "version = 1\n[[step]]\nuses = \"run\"\nargv = [\"docker\"]\n";

/// Somebody who is not root.
const OTHER: u32 = 1234;

/// A recipe, and files that lie over it; none where owners cannot be changed.
fn lab() -> Option<Lab> {
    if !geteuid().is_root() {
        skip("needs root, to give files to another user");
        return None;
    }
    let lab = Lab::new();
    lab.recipe(&format!("include = [\"parts/more.toml\"]\n{RECIPE}"));
    lab.space.write("parts/more.toml", "[vars]\n");
    lab.space.write("over.toml", "");
    lab.space.write("pipeline.local.toml", "");
    Some(lab)
}

fn run(lab: &Lab, more: &[&str], env: Option<(&str, &str)>) -> Ran {
    let mut command: Command =
        lab.pipeline(&[&["run", "-f", "pipeline.toml", "-f", "over.toml"], more].concat());
    Ran::of(command.envs(env))
}

#[test]
fn root_runs_no_recipe_of_another_user_unless_told() {
    let Some(lab) = lab() else { return };
    for file in [".", "pipeline.toml", "parts/more.toml", "over.toml", "pipeline.local.toml"] {
        let path = lab.space.path(file);
        chown(&path, Some(OTHER), None).unwrap();
        let ran = run(&lab, &[], None).must(5);
        assert!(ran.stderr.contains(&format!("belongs to user {OTHER}")), "{file}: {}", ran.stderr);
        let name = if file == "." { "work" } else { file };
        assert!(ran.stderr.contains(&format!("{name} belongs")), "{file}: {}", ran.stderr);
        for remedy in ["run it as that user", "--allow-owner", "PIPELINE_ALLOW_OWNER=1"] {
            assert!(ran.stderr.contains(remedy), "{file}: {}", ran.stderr);
        }
        assert!(!lab.space.path(".pipeline").exists(), "{file}: something was written");
        chown(&path, Some(0), None).unwrap();
    }
    assert_eq!(lab.calls(), Vec::<Vec<String>>::new());
    run(&lab, &[], None).must(0);
}

#[test]
fn who_became_root_by_sudo_or_says_so_runs_it() {
    let Some(lab) = lab() else { return };
    chown(lab.space.path("pipeline.toml"), Some(OTHER), None).unwrap();
    run(&lab, &[], Some(("SUDO_UID", "1"))).must(5);
    run(&lab, &[], Some(("SUDO_UID", "nobody"))).must(5);
    run(&lab, &[], Some(("SUDO_UID", &OTHER.to_string()))).must(0);
    run(&lab, &[], Some(("PIPELINE_ALLOW_OWNER", "1"))).must(0);
    run(&lab, &["--allow-owner"], None).must(0);
    assert_eq!(lab.calls().len(), 3);
    // What starts nothing of the recipe's looks at no owner.
    for command in ["plan", "check", "list", "explain", "graph"] {
        lab.output(&[command]).must(0);
    }
    lab.output(&["run", "--dry-run"]).must(0);
}

#[test]
fn what_else_lies_in_the_folder_is_anybodys() {
    let Some(lab) = lab() else { return };
    for file in ["upstream", "upstream/Dockerfile"] {
        chown(lab.space.path(file), Some(OTHER), None).unwrap();
    }
    lab.output(&["run"]).must(0);
    assert!(fs::metadata(lab.space.path(".pipeline/state")).unwrap().len() > 0);
}
