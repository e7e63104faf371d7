//! Every engine's archive in, every format out, always the same image and the same bytes.

use std::fs;

use super::fixtures::{File, Image, Lab, append, pax, tar};
use crate::image::archive::{ArchiveFormat, inspect, seal};
use crate::image::digest::sha256_file;
use crate::image::{Digest, ImageRef};
use crate::platform::Platform;

#[test]
fn every_engines_archive_gives_the_same_bytes() {
    let lab = Lab::new();
    let image = Image::new(&["one", "two", "one", "two", "three"]);
    let mut seen = Vec::new();
    for (name, files) in [("24", image.docker_24()), ("25", image.docker_25()), ("skopeo", image.skopeo())] {
        let from = lab.write(name, &tar(&files));
        for format in [ArchiveFormat::DockerArchive, ArchiveFormat::OciArchive] {
            let mut request = lab.seal(&from, &format!("{name}-{format:?}"), format);
            request.expect_id = Some(image.id());
            request.platform = Some(Platform::parse("linux/arm64").unwrap());
            let sealed = seal(&request).unwrap();
            assert_eq!(sealed.id, image.id());
            assert_eq!(sealed.layers, image.diff_ids());
            assert_eq!(sealed.sha256, sha256_file(&request.to).unwrap());
            assert_eq!(sealed.size, fs::metadata(&request.to).unwrap().len());
            seen.push((format, sealed.sha256));
            let info = inspect(&request.to).unwrap();
            assert_eq!(info.format, format);
            assert_eq!(info.id, image.id());
            assert_eq!((info.os.as_str(), info.architecture.as_str()), ("linux", "arm64"));
            assert_eq!(info.names, ["docker.io/library/registry:2"]);
            assert_eq!(info.layers.iter().map(|layer| layer.diff_id).collect::<Vec<_>>(), image.diff_ids());
            // What was sealed can be sealed again, into any format.
            let again = lab.seal(&request.to, "again", ArchiveFormat::DockerArchive);
            assert_eq!(seal(&again).unwrap().sha256, seen[0].1);
        }
    }
    seen.sort_by_key(|(format, digest)| (*format == ArchiveFormat::OciArchive, *digest));
    seen.dedup();
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn a_docker_archive_has_each_layer_once_and_the_configuration_byte_for_byte() {
    let lab = Lab::new();
    let image = Image::new(&["one", "two", "one"]);
    let from = lab.write("in", &tar(&image.docker_24()));
    let request = lab.seal(&from, "out", ArchiveFormat::DockerArchive);
    seal(&request).unwrap();
    let mut archive = tar::Archive::new(fs::File::open(&request.to).unwrap());
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!(header.mode().unwrap(), 0o444);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        if name == format!("{}.json", image.id().hex()) {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            assert_eq!(bytes, image.config);
        }
        names.push(name);
    }
    let [one, two, _] = image.diff_ids()[..] else { panic!("three layers") };
    assert_eq!(
        names,
        [
            format!("{}.json", image.id().hex()),
            format!("{}.tar", one.hex()),
            format!("{}.tar", two.hex()),
            "manifest.json".to_owned()
        ]
    );
}

#[test]
fn a_layout_is_replaced_whole_and_other_folders_are_left_alone() {
    let lab = Lab::new();
    let first = Image::new(&["one"]);
    let second = Image::new(&["two", "three"]);
    for image in [&first, &second, &second] {
        let from = lab.write("in", &tar(&image.docker_24()));
        let request = lab.seal(&from, "deep/layout", ArchiveFormat::OciLayout);
        let sealed = seal(&request).unwrap();
        assert_eq!(sealed.sha256, sha256_file(&request.to.join("index.json")).unwrap());
        let info = inspect(&request.to).unwrap();
        assert_eq!((info.format, info.id), (ArchiveFormat::OciLayout, image.id()));
        let blobs = fs::read_dir(request.to.join("blobs/sha256")).unwrap().count();
        assert_eq!(blobs, image.layers.len() + 2, "no blob of the old layout is left");
        assert_eq!(fs::read_dir(lab.path("deep")).unwrap().count(), 1, "nothing temporary is left");
    }
    let from = lab.write("in", &tar(&first.docker_24()));
    fs::create_dir(lab.path("mine")).unwrap();
    lab.write("mine/work.txt", b"precious");
    let error = seal(&lab.seal(&from, "mine", ArchiveFormat::OciLayout)).unwrap_err();
    assert!(error.to_string().contains("no OCI layout"), "{error}");
    assert_eq!(fs::read(lab.path("mine/work.txt")).unwrap(), b"precious");
    fs::create_dir(lab.path("empty")).unwrap();
    seal(&lab.seal(&from, "empty", ArchiveFormat::OciLayout)).unwrap();
}

#[test]
fn the_name_in_the_archive_is_full_and_has_a_tag() {
    let lab = Lab::new();
    let image = Image::new(&["one"]);
    let from = lab.write("in", &tar(&image.skopeo()));
    let digest = Digest::of(b"");
    for (text, name) in [
        ("registry", "docker.io/library/registry:latest".to_owned()),
        ("host:5000/a/b:1", "host:5000/a/b:1".to_owned()),
        (&format!("registry:2@{digest}"), "docker.io/library/registry:2".to_owned()),
    ] {
        let mut request = lab.seal(&from, "out", ArchiveFormat::DockerArchive);
        request.reference = ImageRef::parse(text).unwrap();
        seal(&request).unwrap();
        assert_eq!(inspect(&request.to).unwrap().names, [name]);
    }
    let mut request = lab.seal(&from, "none", ArchiveFormat::DockerArchive);
    request.reference = ImageRef::parse(&format!("registry@{digest}")).unwrap();
    assert!(seal(&request).unwrap_err().to_string().contains("no tag"));
    assert_eq!(lab.names(), ["in", "out"]);
}

#[test]
fn long_names_and_large_sizes_in_extension_headers_are_read() {
    let lab = Lab::new();
    let image = Image::new(&["one"]);
    let mut files = image.docker_24();
    let layer = files.iter().position(|file| file.name.ends_with("layer.tar")).unwrap();
    let before = tar(&files[..layer]);
    let mut bytes = before[..before.len() - 1024].to_vec();
    // What Go writes for a layer above 8 GiB: the size is in the PAX record only.
    let size = files[layer].bytes.len().to_string();
    let records = [pax("comment", "a\nb=c"), pax("size", &size)].concat();
    append(
        &mut bytes,
        &File { kind: tar::EntryType::XHeader, ..File::new("pax", &records) }.header(),
        &records,
    );
    let mut header = files[layer].header();
    header.set_size(0);
    header.set_cksum();
    append(&mut bytes, &header, &files[layer].bytes);
    // And GNU's way to a name that does not fit into a header.
    let long = format!("./{}/layer.tar", "d/".repeat(80));
    let name = [long.as_bytes(), b"\0"].concat();
    append(
        &mut bytes,
        &File { kind: tar::EntryType::GNULongName, ..File::new("././@LongLink", &name) }.header(),
        &name,
    );
    append(&mut bytes, &File::new("cut", b"x").header(), b"x");
    bytes.extend(tar(&files.split_off(layer + 1)));
    let from = lab.write("in", &bytes);
    assert_eq!(inspect(&from).unwrap().id, image.id());
}
