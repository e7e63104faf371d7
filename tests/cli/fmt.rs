//! `pipeline fmt`: files keep what they say, and are never half written.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pipeline_testkit::TestSpace;

use crate::lab::Ran;
use crate::{PIPELINE, repository};

const UGLY: &str = "version=1\n\n\n\n[[ step ]]   # one\nuses=\"run\" # kind\n  argv = [ \"true\" ]#all\n";
const PRETTY: &str = "version = 1\n\n[[step]] # one\nuses = \"run\"    # kind\nargv = [\"true\"] #all\n";

fn fmt(space: &TestSpace, args: &[&str]) -> Ran {
    Ran::of(space.command(PIPELINE).arg("fmt").args(args))
}

fn through_stdin(space: &TestSpace, args: &[&str], text: &[u8]) -> Ran {
    let mut command = space.command(PIPELINE);
    command.arg("fmt").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

/// Whatever lies in the workspace, so that nothing is left there unseen.
fn names(space: &TestSpace) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(space.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_recipes_of_this_repository_are_formatted() {
    let mut command = Command::new(PIPELINE);
    command.current_dir(repository()).args(["fmt", "--check"]);
    for entry in fs::read_dir(repository().join("pipelines")).unwrap() {
        let recipe = entry.unwrap().path().join("pipeline.toml");
        command.args(recipe.exists().then_some(recipe));
    }
    Ran::of(&mut command).must(0);
}

#[test]
fn the_nearest_recipe_is_formatted_in_place_and_keeps_its_mode() {
    let space = TestSpace::new();
    let recipe = space.write("pipeline.toml", UGLY);
    fs::set_permissions(&recipe, fs::Permissions::from_mode(0o640)).unwrap();
    let below = space.path("below");
    fs::create_dir(&below).unwrap();
    let ran = Ran::of(space.command(PIPELINE).arg("fmt").current_dir(&below)).must(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "../pipeline.toml: formatted\n"));
    assert_eq!(fs::read_to_string(&recipe).unwrap(), PRETTY);
    assert_eq!(fs::metadata(&recipe).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(fmt(&space, &[]).must(0).stderr, "pipeline.toml is formatted already\n");
    assert_eq!(names(&space), ["below", "pipeline.toml"]);
}

#[test]
fn a_check_changes_nothing_and_shows_a_patch() {
    let space = TestSpace::with_real_tools();
    space.write("pipelines/good/pipeline.toml", PRETTY);
    let bad = space.write("pipelines/bad/pipeline.toml", UGLY);
    assert_eq!(fmt(&space, &["--check", "good"]).must(0).stdout, "");
    let ran = fmt(&space, &["--check", "good", "bad"]).must(1);
    assert_eq!(
        ran.stderr,
        "pipelines/good/pipeline.toml is formatted\npipelines/bad/pipeline.toml is not formatted\n"
    );
    assert_eq!(fs::read_to_string(&bad).unwrap(), UGLY);
    assert!(ran.stdout.contains("\n-uses=\"run\" # kind\n"), "{}", ran.stdout);
    if pipeline_testkit::find("patch").is_some() {
        space.write("difference", &ran.stdout);
        Ran::of(space.command("patch").args(["-p0", "-i", "difference"])).must(0);
        assert_eq!(fs::read_to_string(&bad).unwrap(), PRETTY);
    }
}

#[test]
fn stdin_goes_to_stdout() {
    let space = TestSpace::new();
    let ran = through_stdin(&space, &["-"], UGLY.as_bytes()).must(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (PRETTY, ""));
    let ran = through_stdin(&space, &["--check", "-"], UGLY.as_bytes()).must(1);
    assert!(ran.stdout.starts_with("--- stdin\n+++ stdin\n@@ "), "{}", ran.stdout);
    assert_eq!(through_stdin(&space, &["-"], b"version = \n").must(3).stdout, "");
    let ran = through_stdin(&space, &["-"], b"a = \"\xff\"").must(3);
    assert!(ran.stderr.contains("stdin is not UTF-8: the byte at offset 5 is not"), "{}", ran.stderr);
}

#[test]
fn a_link_stays_and_the_file_behind_it_changes() {
    let space = TestSpace::new();
    let real = space.write("real/the.toml", UGLY);
    symlink("real/the.toml", space.path("pipeline.toml")).unwrap();
    fmt(&space, &[]).must(0);
    assert_eq!(fs::read_to_string(real).unwrap(), PRETTY);
    assert_eq!(fs::read_link(space.path("pipeline.toml")).unwrap(), PathBuf::from("real/the.toml"));
}

#[test]
fn line_ends_and_the_mark_stay() {
    let space = TestSpace::new();
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let recipe = space.write("pipeline.toml", windows(UGLY));
    fmt(&space, &[]).must(0);
    assert_eq!(fs::read_to_string(recipe).unwrap(), windows(PRETTY));
}

#[test]
fn what_cannot_be_read_stays_as_it_is_and_keeps_no_other_from_being_formatted() {
    let space = TestSpace::new();
    let brackets = "[".repeat(1_000_000);
    let key = vec!["a"; 79].join(".");
    let deep = format!("{}1{}\n", format!("{key} = {{ ").repeat(79), "}".repeat(79));
    let bad: [(&str, &[u8], &str); 6] = [
        ("syntax", b"version = 1\nx = [1,\ny = 2\n", "spec::syntax"),
        ("twice", b"a = 1\na = 2\n", "spec::syntax"),
        ("nul", b"version = 1\0\n", "spec::syntax"),
        ("bytes", b"version = \"\xc3\"\n", "is not UTF-8"),
        ("brackets", brackets.as_bytes(), "spec::syntax"),
        ("deep", deep.as_bytes(), "deeper in each other than 256 levels"),
    ];
    for (name, bytes, says) in bad {
        let file = space.write(format!("{name}.toml"), bytes);
        let good = space.write("good.toml", UGLY);
        let ran = fmt(&space, &[&format!("{name}.toml"), "good.toml"]).must(3);
        assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
        assert_eq!(fs::read(file).unwrap(), bytes);
        assert_eq!(fs::read_to_string(good).unwrap(), PRETTY, "{name}");
        fmt(&space, &["--check", &format!("{name}.toml")]).must(3);
    }
    for args in [&["nowhere"][..], &["./"], &["--", "--force"]] {
        let ran = fmt(&space, args).must(2);
        assert!(ran.stderr.contains("there is no recipe"), "{args:?}: {}", ran.stderr);
    }
    // A recipe need not be valid to be formatted.
    space.write("odd.toml", "unknown=1\n");
    fmt(&space, &["odd.toml"]).must(0);
}

#[test]
fn what_cannot_be_written_is_as_it_was() {
    let space = TestSpace::with_real_tools();
    let recipe = space.write("pipeline.toml", UGLY);
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" fmt";
    let ran = Ran::of(space.command("sh").args(["-c", script, PIPELINE])).must(5);
    assert!(ran.stderr.contains("cannot write `pipeline.toml`: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("help: it is as it was"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&recipe).unwrap(), UGLY);
    assert_eq!(names(&space), ["pipeline.toml"]);
    // Root may write everywhere.
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(&recipe, fs::Permissions::from_mode(0o444)).unwrap();
        fmt(&space, &[]).must(5);
        fs::set_permissions(space.path("."), fs::Permissions::from_mode(0o555)).unwrap();
        let ran = fmt(&space, &[]).must(5);
        fs::set_permissions(space.path("."), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(ran.stderr.contains("must be writable"), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&recipe).unwrap(), UGLY);
    }
}
