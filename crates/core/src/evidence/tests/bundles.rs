//! A bundle is its parts and nothing else, to the last byte.

use std::fs;
use std::path::Path;

use super::keys::{PRIVATE, file};
use crate::evidence::{Bundle, BundleError, PublicKey, SigningKey, bundle, read_bundle};

fn folder(at: &Path) {
    fs::create_dir_all(at.join("logs")).unwrap();
    fs::write(at.join("events.jsonl"), "{}\n").unwrap();
    fs::write(at.join("empty"), "").unwrap();
    fs::write(at.join("logs/image@arm64.log"), "x".repeat(700)).unwrap();
    fs::write(at.join("logs").join(format!("{}.log", "long-name-".repeat(20))), "y").unwrap();
}

fn read(path: &Path, key: Option<&PublicKey>) -> Result<(Bundle, Vec<String>), BundleError> {
    let mut names = Vec::new();
    let list = read_bundle(path, key, &mut |_| true, &mut |part, content| {
        assert_eq!(content.len() as u64, part.size);
        names.push(part.name.clone());
    })?;
    Ok((list, names))
}

#[test]
fn the_same_folder_gives_the_same_bytes_and_tar_reads_them() {
    let lab = tempfile::tempdir().unwrap();
    let (one, two) = (lab.path().join("one.tar"), lab.path().join("two.tar"));
    for (run, to) in [("a", &one), ("b", &two)] {
        folder(&lab.path().join(run));
        bundle("run", &lab.path().join(run), to, None).unwrap();
    }
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let (list, names) = read(&one, None).unwrap();
    assert_eq!((list.run.as_str(), names.len()), ("run", 4));
    assert!(names.is_sorted());
    let mut tar = tar::Archive::new(fs::File::open(&one).unwrap());
    let found: Vec<String> = tar
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found[0], "bundle.json");
    assert_eq!(found[1..], names);
}

#[test]
fn every_byte_counts_and_the_part_is_named() {
    let lab = tempfile::tempdir().unwrap();
    folder(&lab.path().join("run"));
    let path = lab.path().join("evidence.tar");
    bundle("run", &lab.path().join("run"), &path, None).unwrap();
    let sound = fs::read(&path).unwrap();
    for at in 0..sound.len() {
        let mut altered = sound.clone();
        altered[at] ^= 1 << (at % 8);
        fs::write(&path, &altered).unwrap();
        match read(&path, None) {
            Err(BundleError::Altered { part }) => assert!(sound_part(&sound, at, &part), "byte {at}: {part}"),
            // Of a list that cannot be read nobody knows even this.
            Err(BundleError::None(_) | BundleError::Version(_) | BundleError::Cut { .. }) => {
                assert!(at < 1200, "byte {at}");
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
    for length in (0..sound.len()).step_by(37) {
        fs::write(&path, &sound[..length]).unwrap();
        assert!(read(&path, None).is_err(), "cut at {length}");
    }
    for more in [&b"\0"[..], b"x", &[0; 512]] {
        fs::write(&path, [&sound, more].concat()).unwrap();
        assert!(matches!(read(&path, None), Err(BundleError::More)));
    }
}

/// The part to which this byte belongs: by the names in the headers before it.
fn sound_part(sound: &[u8], at: usize, part: &str) -> bool {
    let mut tar = tar::Archive::new(sound);
    let (mut last, mut name) = ("bundle.json".to_owned(), String::new());
    for entry in tar.entries().unwrap() {
        let entry = entry.unwrap();
        // A long name has a header of its own before.
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let header = entry.raw_header_position() - if path.len() > 100 { 1024 } else { 0 };
        if header > at as u64 {
            name.clone_from(&last);
            break;
        }
        last = path;
    }
    if name.is_empty() { part == last } else { part == name }
}

#[test]
fn a_signed_list_is_of_its_key_alone() {
    let lab = tempfile::tempdir().unwrap();
    let key = SigningKey::read(&file(lab.path(), "key", PRIVATE)).unwrap();
    let other = PRIVATE.replace("J1hsZ3v", "J1hsZ3w");
    let other = SigningKey::read(&file(lab.path(), "other", &other)).unwrap();
    folder(&lab.path().join("run"));
    let path = lab.path().join("evidence.tar");
    bundle("run", &lab.path().join("run"), &path, Some(&key)).unwrap();
    read(&path, None).unwrap();
    read(&path, Some(&key.public())).unwrap();
    assert!(matches!(read(&path, Some(&other.public())), Err(BundleError::Unsigned)));
    bundle("run", &lab.path().join("run"), &path, None).unwrap();
    assert!(matches!(read(&path, Some(&key.public())), Err(BundleError::Unsigned)));
}

#[test]
fn what_does_not_belong_into_a_run_is_no_part() {
    let lab = tempfile::tempdir().unwrap();
    let run = lab.path().join("run");
    folder(&run);
    std::os::unix::fs::symlink("/etc/passwd", run.join("link")).unwrap();
    let to = lab.path().join("evidence.tar");
    assert!(matches!(bundle("run", &run, &to, None), Err(BundleError::Name(_))));
    fs::remove_file(run.join("link")).unwrap();
    fs::write(run.join("bundle.json"), "{}").unwrap();
    assert!(matches!(bundle("run", &run, &to, None), Err(BundleError::Name(_))));
    assert!(!to.exists());
    assert!(matches!(read(&file(lab.path(), "text", "no bundle"), None), Err(BundleError::Cut { .. })));
    fs::write(&to, vec![7; 4096]).unwrap();
    assert!(matches!(read(&to, None), Err(BundleError::None(_))));
}
