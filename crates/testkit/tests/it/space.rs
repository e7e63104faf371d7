//! A space lets nothing in and leaves nothing behind.

use std::{fs, path::Path};

use pipeline_testkit::{TestSpace, normalise};

#[test]
fn a_command_has_the_environment_of_the_space_only() {
    let space = TestSpace::new();
    let output = space.command("/usr/bin/env").output().unwrap();
    let shown = normalise(&String::from_utf8(output.stdout).unwrap(), &[space.filter()]);
    let mut lines: Vec<_> = shown.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["HOME=[SPACE]/home", "LC_ALL=C.UTF-8", "NO_COLOR=1", "PATH=[SPACE]/bin", "TMPDIR=[SPACE]/tmp"]
    );
}

#[test]
fn tools_are_there_only_when_asked_for() {
    assert!(TestSpace::new().command("sh").arg("-c").arg("true").status().is_err());
    assert!(TestSpace::with_real_tools().command("sh").arg("-c").arg("true").status().unwrap().success());
    let mut space = TestSpace::new();
    space.add_to_path("/bin");
    assert!(space.command("sh").arg("-c").arg("true").status().unwrap().success());
}

#[test]
fn files_are_written_below_the_work_folder() {
    let space = TestSpace::new();
    let file = space.write("a/b.txt", "text");
    assert!(file.starts_with(space.root()));
    assert_eq!(space.read("a/b.txt"), "text");
    let output = space.command("/bin/pwd").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim_end(),
        space.root().join("work").to_str().unwrap()
    );
}

#[test]
fn a_space_is_deleted_unless_ejected() {
    let mut space = TestSpace::new();
    let root = space.root().to_owned();
    let kept = space.eject().to_owned();
    assert_eq!(kept, root);
    drop(space);
    assert!(root.is_dir());
    fs::remove_dir_all(&root).unwrap();

    let space = TestSpace::new();
    let root = space.root().to_owned();
    drop(space);
    assert!(!Path::new(&root).exists());
}
