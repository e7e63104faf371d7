//! Content and its stamps; what differs, in words.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::plan::{Action, Command, Instance, InstanceId};
use crate::state::Seen;

fn see(path: &Path, earlier: Option<&Seen>) -> Seen {
    content(path, earlier).unwrap().unwrap()
}

#[test]
fn content_is_names_permissions_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::write(tree.join("sub/a"), "one").unwrap();
    let first = see(&tree, None);
    let mut seen = vec![first.digest];
    let mut other = |change: &dyn Fn()| {
        change();
        let now = see(&tree, Some(&first)).digest;
        assert_eq!(now, see(&tree, None).digest, "what is known changes nothing");
        assert!(!seen.contains(&now));
        seen.push(now);
    };
    other(&|| fs::write(tree.join("sub/a"), "two").unwrap());
    other(&|| fs::write(tree.join("b"), "").unwrap());
    other(&|| fs::rename(tree.join("b"), tree.join("c")).unwrap());
    other(&|| fs::set_permissions(tree.join("c"), fs::Permissions::from_mode(0o755)).unwrap());
    other(&|| std::os::unix::fs::symlink("c", tree.join("d")).unwrap());
    other(&|| fs::create_dir(tree.join("e")).unwrap());
    let before = see(&tree, None).digest;
    fs::create_dir(tree.join(".git")).unwrap();
    fs::write(tree.join(".git/index"), "x").unwrap();
    assert_eq!(see(&tree, None).digest, before);
    assert_eq!(content(&tree.join("none"), None).unwrap(), None);
    assert_eq!(content(&tree.join("c/none"), None).unwrap(), None);
}

#[test]
fn a_stamp_is_believed_only_when_the_file_had_settled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "one").unwrap();
    let mut seen = see(&file, None);
    // As if it had been wrong all along: who believes the stamp repeats it.
    seen.files[0].2 = Digest([7; 32]);
    let wrong = |seen: &Seen| see(&file, Some(seen)).files[0].2 == Digest([7; 32]);
    assert!(!wrong(&seen), "it was written when it was looked at");
    seen.at += 10_000_000_000;
    assert!(wrong(&seen), "it was looked at later");
    seen.at = i64::MIN;
    assert!(!wrong(&seen), "it is from the future");
}

fn observed(argv: &[&str]) -> Observed {
    let command = Command::new(argv.iter().copied());
    let instance = Instance::new(InstanceId::new("s", None, None), "run", vec![Action::Command(command)]);
    Observed::new(configuration(&instance))
}

#[test]
fn what_differs_is_said() {
    let mut now = observed(&["docker", "build", "--build-arg", "GO=1.22", "."]);
    let mut before = observed(&["docker", "build", "--build-arg", "GO=1.21", "."]);
    let told =
        |now: &Observed, before: &Observed| now.differs(&before.detail).map(|reason| reason.to_string());
    assert_eq!(told(&now, &before).unwrap(), "`docker build` --build-arg changed: `GO=1.21` -> `GO=1.22`");
    assert_ne!(now.fingerprint(), before.fingerprint());
    before = observed(&["docker", "build", "--build-arg", "GO=1.22", "."]);
    assert_eq!(told(&now, &before), None);
    assert_eq!(now.fingerprint(), before.fingerprint());
    now.detail.inputs.insert("`Makefile`".into(), "a".repeat(64));
    before.detail.inputs.insert("`Makefile`".into(), "b".repeat(64));
    assert_eq!(told(&now, &before).unwrap(), "`Makefile` changed: bbbbbbbbbbbb -> aaaaaaaaaaaa");
    before.detail.inputs.clear();
    assert_eq!(told(&now, &before).unwrap(), "`Makefile` changed: `nothing` -> aaaaaaaaaaaa");
    now.detail.tool = Some(("buildah".into(), "1.28".into()));
    assert_eq!(told(&now, &before).unwrap(), "buildah is of another version: `nothing` -> `1.28`");
    now.detail.env.insert("GOFLAGS".into(), "-v".into());
    assert_eq!(told(&now, &before).unwrap(), "env GOFLAGS changed: `nothing` -> `-v`");
    let other = observed(&["docker", "build", "."]);
    assert_eq!(told(&other, &before).unwrap(), "`docker build`, argument 2 changed: `--build-arg` -> `.`");
}

#[test]
fn parts_are_kept_apart_in_the_fingerprint() {
    let with = |inputs: &[(&str, &str)], env: &[(&str, &str)]| {
        let mut observed = Observed::default();
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        (observed.detail.inputs, observed.detail.env) = (map(inputs), map(env));
        observed.fingerprint()
    };
    let all = [
        with(&[("a", "b")], &[]),
        with(&[], &[("a", "b")]),
        with(&[("ab", "")], &[]),
        with(&[("", "ab")], &[]),
        with(&[("a", "b"), ("c", "d")], &[]),
        with(&[("a", "b")], &[("c", "d")]),
    ];
    assert!(all.iter().enumerate().all(|(i, one)| !all[i + 1..].contains(one)));
}
