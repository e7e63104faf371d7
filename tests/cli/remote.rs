//! Recipes in git repositories, by the real git.

use std::path::Path;

use pipeline_testkit::{TestSpace, require};

use crate::PIPELINE;

const RECIPE: &str = "version = 1\ninclude = ['../common.toml']\n[[step]]\nuses = 'run'\n\
    argv = ['touch', '${vars.file}-${recipe.commit}']\n";

fn git(space: &TestSpace, args: &[&str]) -> String {
    let name = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-C", "repo"];
    let output = space.command("git").args(name).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with a recipe on `main`, one that looks outside on `outside`; its URL.
fn space() -> (TestSpace, String) {
    let space = TestSpace::with_real_tools();
    space.write("repo/pipelines/app/pipeline.toml", RECIPE);
    space.write("repo/pipelines/common.toml", "vars.file = 'made'\n");
    git(&space, &["init", "--quiet", "--initial-branch=main"]);
    git(&space, &["add", "--all"]);
    git(&space, &["commit", "--quiet", "--message=one"]);
    git(&space, &["checkout", "--quiet", "-b", "outside"]);
    space.write("repo/pipelines/app/pipeline.toml", RECIPE.replace("common", "linked"));
    space.write("secret.toml", "vars.file = 'secret'\n");
    std::os::unix::fs::symlink(space.path("secret.toml"), space.path("repo/pipelines/linked.toml")).unwrap();
    git(&space, &["add", "--all"]);
    git(&space, &["commit", "--quiet", "--message=two"]);
    let url = format!("file://{}", space.path("repo").display());
    (space, url)
}

fn pipeline(space: &TestSpace, args: &[&str]) -> (i32, String, String) {
    let output = space.command(PIPELINE).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_fetched_recipe_is_shown_and_runs_only_when_it_is_confirmed() {
    require!("git");
    let (space, url) = space();
    let recipe = format!("{url}#main:pipelines/app");
    let commit = git(&space, &["rev-parse", "main"]);
    let (code, stdout, stderr) = pipeline(&space, &["plan", &recipe]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains(&format!("touch made-{commit}")), "{stdout}");

    let (code, _, stderr) = pipeline(&space, &["run", &recipe]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("touch made-") && stderr.contains("--yes"), "the plan and the way on:\n{stderr}");

    let (code, _, stderr) = pipeline(&space, &["run", "--yes", &format!("{url}#{commit}:pipelines/app")]);
    assert_eq!(code, 0, "{stderr}");
    let cache = space.path("").join("../home/.cache/pipeline/recipes");
    let checkouts: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    let made = |folder: &Path| folder.join(format!("pipelines/app/made-{commit}")).is_file();
    assert_eq!(checkouts.iter().filter(|folder| made(folder)).count(), 1, "{checkouts:?}");
}

#[test]
fn a_fetched_recipe_reads_nothing_else_of_this_machine() {
    require!("git");
    let (space, url) = space();
    let (code, stdout, stderr) = pipeline(&space, &["plan", &format!("{url}#outside:pipelines/app")]);
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert!(stderr.contains("it lies outside of the") && !stderr.contains("secret'"), "{stderr}");
}

#[test]
fn what_cannot_be_fetched_is_said() {
    require!("git");
    let (space, url) = space();
    for (name, said) in [
        (format!("{url}#gone"), "couldn't find remote ref gone"),
        (format!("{url}#main"), "there is no `pipeline.toml` in"),
        (format!("{url}#main:pipelines/gone"), "there is no `pipelines/gone` in"),
        ("ext::sh -c id".into(), "there is no recipe"),
        ("ext://sh".into(), "is not safe"),
    ] {
        let (code, _, stderr) = pipeline(&space, &["check", &name]);
        assert_eq!(code, 2, "{name}: {stderr}");
        assert!(stderr.contains(said), "{name}: {stderr}");
    }
    let without = TestSpace::new();
    let (code, _, stderr) = pipeline(&without, &["check", &url]);
    assert_eq!(code, 2);
    assert!(stderr.contains("install git"), "{stderr}");
}
