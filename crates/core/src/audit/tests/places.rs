//! Where images lie: archives and layouts of one image or several.

use std::fs;
use std::io::Write as _;

use super::*;
use crate::image::Digest;
use crate::image::archive::{Flaw, inspect, seal};

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The blobs of an image for an OCI archive, and its manifest's descriptor. `pack` compresses layers.
fn oci(image: &Image, platform: &str, pack: impl Fn(&[u8]) -> Vec<u8>) -> (Vec<File>, Value) {
    let mut files = vec![File::new(&blob(&image.id()), &image.config)];
    let described =
        |bytes: &[u8]| json!({ "mediaType": "x", "digest": Digest::of(bytes), "size": bytes.len() });
    let mut layers = Vec::new();
    for layer in &image.layers {
        let packed = pack(layer);
        layers.push(described(&packed));
        files.push(File::new(&blob(&Digest::of(&packed)), &packed));
    }
    let manifest =
        json!({ "schemaVersion": 2, "config": described(&image.config), "layers": layers }).to_string();
    let mut descriptor = described(manifest.as_bytes());
    descriptor["mediaType"] = "application/vnd.oci.image.manifest.v1+json".into();
    descriptor["platform"] = label(platform);
    files.push(File::new(&blob(&Digest::of(manifest.as_bytes())), manifest.as_bytes()));
    (files, descriptor)
}

fn index(manifests: &[Value]) -> String {
    json!({ "schemaVersion": 2, "manifests": manifests }).to_string()
}

fn oci_archive(manifests: &[Value], files: Vec<File>) -> Vec<u8> {
    let mut all = vec![
        File::json("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" })),
        File::new("index.json", index(manifests).as_bytes()),
    ];
    all.extend(files);
    tar(&all)
}

fn plain(layer: &[u8]) -> Vec<u8> {
    layer.to_vec()
}

fn gzip(layer: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(layer).unwrap();
    writer.finish().unwrap()
}

fn zstd(layer: &[u8]) -> Vec<u8> {
    zstd::encode_all(layer, 3).unwrap()
}

fn image(platform: &str, elf: &Elf) -> Image {
    Image::of(label(platform), vec![tar(&[program("bin/a", elf)])])
}

/// The verdicts on all images of an archive.
fn verdicts(archive: &[u8]) -> Result<Vec<Verdict>, LocalError> {
    let lab = Lab::new();
    let path = lab.write("image.tar", archive);
    let images = LocalImage::all_in_archive(&path)?;
    images.iter().map(|image| audit(image, &Wanted::default()).map(|report| report.verdict)).collect()
}

#[test]
fn each_image_of_an_index_is_held_against_its_place_there() {
    use Verdict::{ContentWrong, LabelWrong, Right};
    let (arm, amd) = (image("linux/arm64", &Elf::arm64()), image("linux/amd64", &Elf::amd64()));
    let (a_files, a) = oci(&arm, "linux/arm64", plain);
    let (b_files, b) = oci(&amd, "linux/amd64", gzip);
    let files = || [a_files.clone(), b_files.clone()].concat();
    assert_eq!(verdicts(&oci_archive(&[a.clone(), b.clone()], files())).unwrap(), [Right, Right]);
    // Listed for the other platform, with the label right and with the content right.
    let listed = |of: &Value, platform: &str| {
        let mut of = of.clone();
        of["platform"] = label(platform);
        of
    };
    let wrong = [a.clone(), listed(&b, "linux/arm/v7")];
    assert_eq!(verdicts(&oci_archive(&wrong, files())).unwrap(), [Right, ContentWrong]);
    let (c_files, c) = oci(&image("linux/amd64", &Elf::arm64()), "linux/arm64", zstd);
    assert_eq!(verdicts(&oci_archive(&[c], c_files)).unwrap(), [LabelWrong]);
    // An index in the index, with attestations, as BuildKit writes it.
    let mut attestation = b.clone();
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    let inner = index(&[a, b, attestation]);
    let digest = Digest::of(inner.as_bytes());
    let outer = json!({ "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": inner.len() });
    let nested = [files(), vec![File::new(&blob(&digest), inner.as_bytes())]].concat();
    assert_eq!(verdicts(&oci_archive(&[outer], nested)).unwrap(), [Right, Right]);
}

#[test]
fn docker_archives_of_several_images() {
    let (one, two) = (image("linux/arm64", &Elf::arm64()), image("linux/arm64", &Elf::amd64()));
    let mut files = Vec::new();
    let mut manifests = Vec::new();
    for image in [&one, &two] {
        let config = format!("{}.json", image.id().hex());
        let layers: Vec<String> = image.diff_ids().iter().map(|id| format!("{}.tar", id.hex())).collect();
        files.push(File::new(&config, &image.config));
        files.push(File::new(&layers[0], &image.layers[0]));
        manifests.push(json!({ "Config": config, "RepoTags": null, "Layers": layers }));
    }
    files.push(File::json("manifest.json", &Value::Array(manifests)));
    let archive = tar(&files);
    assert_eq!(verdicts(&archive).unwrap(), [Verdict::Right, Verdict::LabelWrong]);
    let lab = Lab::new();
    let path = lab.write("two.tar", &archive);
    assert!(
        matches!(inspect(&path).unwrap_err().flaw, Flaw::Count { count: 2 }),
        "one is asked for elsewhere"
    );
    files.pop();
    files.push(File::json("manifest.json", &json!([])));
    assert!(verdicts(&tar(&files)).is_err());
}

#[test]
fn a_folder_is_read_like_an_archive() {
    let lab = Lab::new();
    let (files, descriptor) = oci(&image("linux/arm64", &Elf::amd64()), "linux/arm64", gzip);
    fs::create_dir_all(lab.path("oci/blobs/sha256")).unwrap();
    fs::write(lab.path("oci/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(lab.path("oci/index.json"), index(&[descriptor])).unwrap();
    for file in files {
        fs::write(lab.path("oci").join(&file.name), &file.bytes).unwrap();
    }
    let images = LocalImage::all_in_archive(&lab.path("oci")).unwrap();
    assert_eq!(audit(&images[0], &Wanted::default()).unwrap().verdict, Verdict::ContentWrong);
}

#[test]
fn a_compressed_blob_is_the_one_that_its_name_says() {
    let image = image("linux/arm64", &Elf::arm64());
    for pack in [gzip, zstd] {
        let (files, descriptor) = oci(&image, "linux/arm64", pack);
        let layer = files
            .iter()
            .position(|file| Digest::of(&file.bytes) != image.id() && file.bytes[0] != b'{')
            .unwrap();
        for damage in [
            |bytes: &mut Vec<u8>| bytes[5] ^= 1,
            |bytes: &mut Vec<u8>| bytes.push(0),
            |bytes: &mut Vec<u8>| {
                bytes.pop();
            },
        ] {
            let mut files = files.clone();
            damage(&mut files[layer].bytes);
            assert!(verdicts(&oci_archive(std::slice::from_ref(&descriptor), files)).is_err());
        }
    }
}

#[test]
fn bombs_end_at_a_limit() {
    for pack in [gzip, zstd] {
        // Ten GB of zeros: a compressed piece many times, which readers take for one.
        let packed = pack(&vec![0; 64 << 20]).repeat(160);
        let image = image("linux/arm64", &Elf::arm64());
        let (files, descriptor) = oci(&image, "linux/arm64", |_| packed.clone());
        let error = verdicts(&oci_archive(&[descriptor], files)).unwrap_err();
        let Some(LocalError::Archive(error)) = Some(&error) else { panic!("{error}") };
        assert!(matches!(error.flaw, Flaw::Bomb { .. }), "{error}");
    }
}

#[test]
fn a_label_is_fixed_and_nothing_else() {
    let lab = Lab::new();
    let wrong = image("linux/amd64", &Elf::armhf());
    let from = lab.write("from.tar", &tar(&wrong.docker_24()));
    for format in [crate::image::ArchiveFormat::DockerArchive, crate::image::ArchiveFormat::OciArchive] {
        let platform = Platform::parse("linux/arm/v7").ok();
        let mut request = lab.seal(&from, "to.tar", format);
        (request.platform, request.label) = (platform.clone(), platform);
        let sealed = seal(&request).unwrap();
        let fixed = inspect(&request.to).unwrap();
        assert_eq!((fixed.id, fixed.id == wrong.id()), (sealed.id, false));
        assert_eq!(
            (fixed.os.as_str(), fixed.architecture.as_str(), fixed.variant.as_deref()),
            ("linux", "arm", Some("v7"))
        );
        assert_eq!(fixed.layers[0].diff_id, wrong.diff_ids()[0]);
        assert_eq!(verdicts(&fs::read(&request.to).unwrap()).unwrap(), [Verdict::Right]);
    }
}
