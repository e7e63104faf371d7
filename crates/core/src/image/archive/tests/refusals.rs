//! What is no sound archive of exactly the wanted image is refused, and says why.

use std::fs;

use serde_json::json;
use tar::EntryType;

use super::fixtures::{File, Image, Lab, append, pax, tar};
use crate::image::Digest;
use crate::image::archive::{ArchiveFormat, inspect, seal};
use crate::platform::Platform;

/// Both `inspect` and `seal` refuse the entries, and nothing is written.
#[track_caller]
fn refused(files: &[File], reason: &str) {
    refused_bytes(&tar(files), reason);
}

#[track_caller]
fn refused_bytes(bytes: &[u8], reason: &str) {
    let lab = Lab::new();
    let from = lab.write("in", bytes);
    let error = inspect(&from).unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    assert!(miette::Diagnostic::help(&error).is_some(), "{error}");
    for format in [ArchiveFormat::DockerArchive, ArchiveFormat::OciArchive, ArchiveFormat::OciLayout] {
        let sealed = seal(&lab.seal(&from, "out", format)).unwrap_err();
        assert_eq!(sealed.to_string(), error.to_string());
    }
    assert_eq!(lab.names(), ["in"]);
}

fn without(mut files: Vec<File>, part: &str) -> Vec<File> {
    files.retain(|file| !file.name.contains(part));
    files
}

fn with(mut files: Vec<File>, more: File) -> Vec<File> {
    files.retain(|file| file.name != more.name);
    files.push(more);
    files
}

#[test]
fn entries_that_lead_outside_are_refused_by_name_alone() {
    let image = Image::new(&["one"]);
    for name in ["../x", "/etc/passwd", "a/../../x", "a/..", "a\nb", "a\u{1b}[2J", ""] {
        refused(&with(image.docker_24(), File::new(name, b"x")), "an entry is named");
    }
    refused_bytes(
        &{
            let mut header = File::new("a", b"").header();
            header.as_old_mut().name[0] = 0xff;
            header.set_cksum();
            let mut bytes = Vec::new();
            append(&mut bytes, &header, b"");
            bytes.extend(tar(&image.docker_24()));
            bytes
        },
        "an entry is named",
    );
}

#[test]
fn links_lead_to_a_file_of_the_archive_or_nowhere() {
    let image = Image::new(&["one"]);
    let layer = "0000000000000000000000000000000000000000000000000000000000000000/layer.tar";
    for (kind, target) in [
        (EntryType::Symlink, "/etc/passwd"),
        (EntryType::Symlink, "../../../etc/passwd"),
        (EntryType::Symlink, "layer.tar"),
        (EntryType::Symlink, "absent"),
        (EntryType::Link, "../etc/passwd"),
        (EntryType::Link, layer),
        (EntryType::Link, ""),
    ] {
        refused(&with(image.docker_24(), File::link(kind, layer, target)), "leads to no file");
    }
    // A link that is not the image's may lead anywhere: it is never followed.
    let lab = Lab::new();
    let from =
        lab.write("in", &tar(&with(image.docker_24(), File::link(EntryType::Symlink, "x", "/etc/passwd"))));
    inspect(&from).unwrap();
}

#[test]
fn strange_entries_are_refused() {
    let image = Image::new(&["one"]);
    for kind in
        [EntryType::Fifo, EntryType::Char, EntryType::Block, EntryType::GNUSparse, EntryType::new(b'Z')]
    {
        refused(&with(image.docker_24(), File { kind, ..File::new("x", b"") }), "neither a file");
    }
    let files = [image.docker_24(), vec![File::new("manifest.json", b"[]")]].concat();
    refused(&files, "two entries named `manifest.json`");
    refused(
        &with(image.docker_24(), File { kind: EntryType::Symlink, ..File::new("x", b"sized") }),
        "only files have a size",
    );
    let many: Vec<_> = (0..100_001).map(|index| File::new(&format!("{index}"), b"")).collect();
    refused(&many, "more than 100000 entries");
}

#[test]
fn extension_headers_are_bounded_and_well_formed() {
    let image = Image::new(&["one"]);
    for (content, reason) in [
        (b"5 x\n".to_vec(), "PAX"),
        (b"4 x\n".to_vec(), "PAX"),
        (b"999 path=x\n".to_vec(), "PAX"),
        (b"0 path=x\n".to_vec(), "PAX"),
        (b"99999999999999999999999999 path=x\n".to_vec(), "PAX"),
        (pax("GNU.sparse.major", "1"), "PAX"),
        (pax("size", "-1"), "PAX"),
        (pax("size", "18446744073709551616"), "PAX"),
        (pax("path", "/etc"), "an entry is named"),
        (pax("size", "18446744073709551615"), "too large"),
        (pax("size", "9223372036854775000"), "cut short"),
        (vec![b'x'; 65537], "more than the 65536"),
    ] {
        let mut bytes = Vec::new();
        append(
            &mut bytes,
            &File { kind: EntryType::XHeader, ..File::new("pax", &content) }.header(),
            &content,
        );
        bytes.extend(tar(&image.docker_24()));
        refused_bytes(&bytes, reason);
    }
    let global = File { kind: EntryType::XGlobalHeader, ..File::new("pax", &pax("path", "x")) };
    refused(&[vec![global], image.docker_24()].concat(), "global PAX");
    let last = File { kind: EntryType::GNULongName, ..File::new("x", b"long\0") };
    refused(&[image.docker_24(), vec![last]].concat(), "extension of no entry");
}

#[test]
fn exactly_one_image_is_wanted() {
    let image = Image::new(&["one"]);
    let one = json!({"Config": "x.json", "RepoTags": ["a:1"], "Layers": []});
    refused(&with(image.docker_24(), File::json("manifest.json", &json!([]))), "no image");
    refused(&with(image.docker_24(), File::json("manifest.json", &json!([one, one]))), "2 images");
    refused(
        &with(image.docker_24(), File::json("manifest.json", &json!([{"Config": "x"}]))),
        "cannot be understood",
    );
    refused(&with(image.docker_24(), File::new("manifest.json", b"[")), "cannot be understood");
    refused(&without(image.docker_24(), "manifest.json"), "neither a docker archive nor");
    refused(&without(image.docker_25(), "manifest.json"), "no image");
    refused(
        &with(image.docker_24(), File::new("manifest.json", &vec![b' '; 4 << 20 | 1])),
        "more than the 4194304",
    );
    refused_bytes(b"", "cut short");
    refused_bytes(&[0; 1024], "neither a docker archive nor");
    refused_bytes(&[b'x'; 2048], "damaged");
}

#[test]
fn an_image_is_whole() {
    let image = Image::new(&["one", "two"]);
    let config = format!("{}.json", image.id().hex());
    let layer = "0000000000000000000000000000000000000000000000000000000000000001/layer.tar";
    refused(&without(image.docker_24(), &config), "is missing");
    refused(&without(image.docker_24(), layer), "is missing");
    refused(&with(image.docker_24(), File::new(layer, b"other")), "layer 2");
    refused(&with(image.docker_24(), File::new(layer, b"")), "layer 2");
    refused(&with(image.docker_24(), File::new(layer, &image.layers[0])), "layer 2");
    refused(&with(image.docker_24(), File::new(layer, b"\x1f\x8b\x08rest")), "compressed with gzip");
    refused(&with(image.docker_24(), File::new(layer, b"\x28\xb5\x2f\xfdrest")), "compressed with zstd");
    refused(&with(image.docker_24(), File::new(&config, b"{}")), "was altered");
    let manifest = json!([{"Config": config, "Layers": [layer]}]);
    refused(
        &with(image.docker_24(), File::json("manifest.json", &manifest)),
        "lists 1 layers, its image configuration 2",
    );
    let manifest = json!([{"Config": config, "Layers": [layer, layer.replace("1/", "0/")]}]);
    refused(&with(image.docker_24(), File::json("manifest.json", &manifest)), "layer 1");
}

#[test]
fn digests_in_documents_are_digests() {
    let config = br#"{"rootfs":{"diff_ids":["sha256:../../x"]}}"#;
    let image = Image { config: config.to_vec(), layers: vec![b"x".to_vec()] };
    refused(&image.docker_24(), "malformed digest");
    let index =
        json!({"schemaVersion": 2, "manifests": [{"mediaType": "x", "digest": "sha256:../../x", "size": 1}]});
    let files =
        [File::json("index.json", &index), File::json("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))];
    refused(&files, "malformed digest");
    let lab = Lab::new();
    for file in files {
        fs::create_dir_all(lab.path("layout")).unwrap();
        fs::write(lab.path("layout").join(file.name), file.bytes).unwrap();
    }
    assert!(inspect(&lab.path("layout")).unwrap_err().to_string().contains("malformed digest"));
}

#[test]
fn another_image_or_platform_is_refused_with_both_named() {
    let lab = Lab::new();
    let image = Image::new(&["one"]);
    let from = lab.write("in", &tar(&image.docker_24()));
    let mut request = lab.seal(&from, "out", ArchiveFormat::DockerArchive);
    request.expect_id = Some(Digest::of(b"other"));
    let error = seal(&request).unwrap_err().to_string();
    assert!(
        error.contains(&image.id().to_string()) && error.contains(&Digest::of(b"other").to_string()),
        "{error}"
    );
    request.expect_id = Some(image.id());
    request.platform = Some(Platform::parse("linux/arm/v7").unwrap());
    let error = seal(&request).unwrap_err().to_string();
    assert!(error.contains("for linux/arm64, not for linux/arm/v7"), "{error}");
    assert_eq!(lab.names(), ["in"]);
}

#[test]
fn what_was_there_survives_a_failure() {
    let lab = Lab::new();
    let image = Image::new(&["one"]);
    let from = lab.write(
        "in",
        &tar(&with(image.skopeo(), File::new(&format!("{}.tar", image.diff_ids()[0].hex()), b"x"))),
    );
    lab.write("out", b"old");
    seal(&lab.seal(&from, "out", ArchiveFormat::DockerArchive)).unwrap_err();
    assert_eq!(fs::read(lab.path("out")).unwrap(), b"old");
    assert_eq!(lab.names(), ["in", "out"]);
    // Failures of the destination name the destination.
    let good = lab.write("good", &tar(&image.skopeo()));
    let error = seal(&lab.seal(&good, "in/x", ArchiveFormat::DockerArchive)).unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("in/x"), "{error}");
    fs::create_dir(lab.path("folder")).unwrap();
    seal(&lab.seal(&good, "folder", ArchiveFormat::DockerArchive)).unwrap_err();
    assert_eq!(lab.names(), ["folder", "good", "in", "out"]);
    assert!(inspect(&lab.path("absent")).is_err());
    assert!(inspect(std::path::Path::new("/dev/zero")).is_err());
}
