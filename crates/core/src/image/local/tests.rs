//! Real stores, written by the real tools.

use std::path::Path;
use std::process::Command;

use super::docker::chain;
use super::*;

/// An image of three layers in a private store of buildah; its id. None where there is no buildah.
fn built(root: &Path, driver: &str) -> Option<Digest> {
    let context = root.join("context");
    std::fs::create_dir_all(context.join("folder")).unwrap();
    std::fs::write(context.join("a"), vec![7; 100_000]).unwrap();
    std::fs::write(context.join("folder/two words"), "b").unwrap();
    std::fs::write(context.join("c"), "").unwrap();
    std::os::unix::fs::symlink("a", context.join("folder/link")).unwrap();
    let file = "FROM scratch\nCOPY a /a\nCOPY folder /folder\nCOPY c /a\n";
    std::fs::write(context.join("Dockerfile"), file).unwrap();
    let output = Command::new("buildah")
        .args(["--storage-driver", driver, "--root"])
        .arg(root.join("store"))
        .arg("--runroot")
        .arg(root.join("run"))
        .args(["build", "--layers", "--quiet", "--isolation", "chroot", "--tag", "localhost/t:1"])
        .arg(&context)
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: no buildah here");
            return None;
        }
        other => other.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    Digest::from_hex(said.trim().trim_start_matches("sha256:"))
}

#[test]
fn layers_of_containers_storage_come_out_byte_for_byte() {
    for driver in ["overlay", "vfs"] {
        let lab = tempfile::tempdir().unwrap();
        let Some(id) = built(lab.path(), driver) else { return };
        let image = LocalImage::in_store(StoreKind::Containers, &lab.path().join("store"), &id).unwrap();
        assert_eq!((image.id, image.layers.len()), (id, 3), "{driver}");
        for (index, layer) in image.layers.iter().enumerate() {
            let mut bytes = Vec::new();
            let count = image.copy_layer(index, &mut bytes).unwrap();
            assert_eq!((count, Digest::of(&bytes)), (layer.size, layer.diff_id), "{driver}");
        }
        let other = Digest::of(b"x");
        let error =
            LocalImage::in_store(StoreKind::Containers, &lab.path().join("store"), &other).unwrap_err();
        assert!(matches!(error, LocalError::Absent { id, .. } if id == other), "{error}");
    }
}

#[test]
fn a_file_that_was_changed_in_the_store_is_noticed() {
    let lab = tempfile::tempdir().unwrap();
    let Some(id) = built(lab.path(), "overlay") else { return };
    let store = lab.path().join("store");
    let image = LocalImage::in_store(StoreKind::Containers, &store, &id).unwrap();
    let At::Store(stored) = &image.at else { panic!("no store") };
    std::fs::write(stored[0].files.join("a"), vec![8; 100_000]).unwrap();
    let error = image.copy_layer(0, &mut Vec::new()).unwrap_err();
    assert!(
        matches!(&error, LocalError::Altered { expected, .. } if *expected == image.layers[0].diff_id),
        "{error}"
    );
}

#[test]
fn a_full_disk_is_told_from_a_bad_store() {
    let lab = tempfile::tempdir().unwrap();
    let Some(id) = built(lab.path(), "overlay") else { return };
    let image = LocalImage::in_store(StoreKind::Containers, &lab.path().join("store"), &id).unwrap();
    let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = image.copy_layer(0, &mut full).unwrap_err();
    assert!(
        matches!(&error, LocalError::Write(error) if error.kind() == io::ErrorKind::StorageFull),
        "{error}"
    );
}

#[test]
fn chain_ids_are_those_of_the_specification() {
    let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
    assert_eq!(chain(&[a]), [a]);
    assert_eq!(chain(&[a, b])[1], Digest::of(format!("{a} {b}").as_bytes()));
}
