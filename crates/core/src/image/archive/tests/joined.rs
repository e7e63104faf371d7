//! An index of images is the same however they come, and holds nothing that was not checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::fixtures::{File, Image, Lab, tar};
use crate::image::Digest;
use crate::image::archive::{ArchiveFormat, Join, Joined, join};
use crate::platform::Platform;

/// An image of a layer of its own on one that all share.
fn image(architecture: &str, variant: &str) -> Image {
    let layer = |text: &str| tar(&[File::new("file", text.as_bytes())]);
    let config = json!({ "os": "linux", "architecture": architecture, "variant": variant });
    Image::of(config, vec![layer("shared by all of them"), layer(architecture)])
}

fn joined(from: PathBuf, image: &Image, platform: &str) -> Joined {
    let platform = Platform::parse(platform).unwrap();
    Joined { from, id: image.id(), platform, annotations: BTreeMap::new() }
}

/// The two images in the lab, in two formats, and how to join them.
fn request(lab: &Lab, format: ArchiveFormat, gzip: bool) -> Join {
    let (arm64, armv7) = (image("arm64", ""), image("arm", "v7"));
    let images = vec![
        joined(lab.write("arm64.tar", &tar(&arm64.docker_25())), &arm64, "linux/arm64"),
        joined(lab.write("armv7.tar", &tar(&armv7.skopeo())), &armv7, "linux/arm/v7"),
    ];
    Join { images, to: lab.path("out"), format, gzip, name: Some("example.org/x:1".into()) }
}

fn blob(lab: &Lab, digest: &str) -> Vec<u8> {
    let bytes = fs::read(lab.path("out/blobs").join(digest.replace(':', "/"))).unwrap();
    assert_eq!(Digest::of(&bytes).to_string(), digest);
    bytes
}

fn document(lab: &Lab, digest: &Value) -> Value {
    serde_json::from_slice(&blob(lab, digest.as_str().unwrap())).unwrap()
}

#[test]
fn every_platform_has_its_image_and_a_shared_layer_is_there_once() {
    for gzip in [false, true] {
        let lab = Lab::new();
        let digest = join(&request(&lab, ArchiveFormat::OciLayout, gzip)).unwrap();
        let outer: Value = serde_json::from_slice(&fs::read(lab.path("out/index.json")).unwrap()).unwrap();
        let [entry] = outer["manifests"].as_array().unwrap().as_slice() else { panic!("{outer}") };
        assert_eq!(entry["digest"], digest.to_string());
        assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "example.org/x:1");
        let index = document(&lab, &entry["digest"]);
        let expected = [
            (image("arm", "v7"), json!({"os": "linux", "architecture": "arm", "variant": "v7"})),
            (image("arm64", ""), json!({"os": "linux", "architecture": "arm64"})),
        ];
        let entries = index["manifests"].as_array().unwrap();
        assert_eq!(entries.len(), expected.len());
        let mut layers = Vec::new();
        for (entry, (image, platform)) in entries.iter().zip(expected) {
            assert_eq!(entry["platform"], platform);
            let manifest = document(&lab, &entry["digest"]);
            assert_eq!(blob(&lab, manifest["config"]["digest"].as_str().unwrap()), image.config);
            for (layer, plain) in manifest["layers"].as_array().unwrap().iter().zip(&image.layers) {
                let bytes = blob(&lab, layer["digest"].as_str().unwrap());
                assert_eq!(layer["size"], bytes.len());
                assert_eq!(layer["mediaType"].as_str().unwrap().ends_with("+gzip"), gzip);
                let mut unpacked = Vec::new();
                if gzip {
                    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*bytes), &mut unpacked)
                        .unwrap();
                } else {
                    unpacked = bytes;
                }
                assert_eq!(unpacked, *plain);
                layers.push(layer["digest"].clone());
            }
        }
        assert_eq!(layers[0], layers[2]);
        // Two configurations, two manifests, the index, and three layers.
        assert_eq!(fs::read_dir(lab.path("out/blobs/sha256")).unwrap().count(), 8);
    }
}

#[test]
fn equal_images_make_an_equal_index_in_whatever_order_and_format() {
    let (one, two) = (Lab::new(), Lab::new());
    let first = request(&one, ArchiveFormat::OciArchive, false);
    let mut second = request(&two, ArchiveFormat::OciArchive, false);
    let (arm64, armv7) = (image("arm64", ""), image("arm", "v7"));
    second.images = vec![
        joined(two.write("a", &tar(&armv7.docker_24())), &armv7, "linux/arm/v7"),
        joined(two.write("b", &tar(&arm64.docker_24())), &arm64, "linux/arm64"),
    ];
    assert_eq!(join(&first).unwrap(), join(&second).unwrap());
    assert_eq!(fs::read(one.path("out")).unwrap(), fs::read(two.path("out")).unwrap());
    // A folder has the same index, and takes the place of another layout.
    let layout = Join { format: ArchiveFormat::OciLayout, to: one.path("layout"), ..first.clone() };
    assert_eq!(join(&layout).unwrap(), join(&first).unwrap());
    assert_eq!(join(&layout).unwrap(), join(&first).unwrap());
}

#[test]
fn a_wrong_image_is_refused_and_nothing_is_written() {
    let lab = Lab::new();
    let right = request(&lab, ArchiveFormat::OciLayout, true);
    let wrong = |change: &dyn Fn(&mut Joined)| {
        let mut request = right.clone();
        change(&mut request.images[1]);
        let error = join(&request).unwrap_err();
        assert!(miette::Diagnostic::help(&error).is_some(), "{error}");
        assert_eq!(lab.names(), ["arm64.tar", "armv7.tar"], "{error}");
        error.to_string()
    };
    let other = right.images[0].clone();
    assert!(wrong(&|image| image.from.clone_from(&other.from)).contains("holds image"));
    assert!(
        wrong(&|image| image.platform = Platform::parse("linux/amd64").unwrap())
            .contains("not for linux/amd64")
    );
    // One byte of a layer is another, in an archive that is of the right image.
    let bytes = fs::read(lab.path("armv7.tar")).unwrap();
    let at = bytes.windows(6).position(|window| window == b"shared").unwrap();
    let mut altered = bytes.clone();
    altered[at] = b'S';
    lab.write("armv7.tar", &altered);
    assert!(wrong(&|_| ()).contains("layer 1"), "{}", wrong(&|_| ()));
    lab.write("armv7.tar", &bytes);
    // What is not a layout may be somebody's work.
    fs::create_dir(lab.path("out")).unwrap();
    fs::write(lab.path("out/work"), "mine").unwrap();
    assert!(join(&right).unwrap_err().to_string().contains("no OCI layout"));
    assert_eq!(fs::read_to_string(lab.path("out/work")).unwrap(), "mine");
}
