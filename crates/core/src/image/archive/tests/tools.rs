//! Archives from real engines, and what real tools make of ours.

use std::path::Path;
use std::process::{Command, Stdio};

use super::fixtures::Lab;
use crate::image::archive::{ArchiveFormat, inspect, seal};
use crate::image::digest::sha256_file;
use crate::image::{Digest, ImageRef};

/// Storage of its own for buildah, podman and skopeo.
struct Storage(String, String);

impl Storage {
    fn new(lab: &Lab, name: &str) -> Self {
        let folder = |part| lab.path(&format!("{name}-{part}")).to_str().unwrap().to_owned();
        Self(folder("root"), folder("run"))
    }

    fn flags(&self) -> [&str; 6] {
        ["--root", &self.0, "--runroot", &self.1, "--storage-driver", "vfs"]
    }

    /// The store as skopeo names it, with an image in it.
    fn image(&self, name: &str) -> String {
        format!("containers-storage:[vfs@{}+{}]{name}", self.0, self.1)
    }

    /// The id of the image of this name, as podman and the kubelet's runtime would print it.
    fn id(&self, name: &str) -> Digest {
        let flags = self.flags();
        let images = run("buildah", &[&flags[..], &["images", "--no-trunc", "--quiet", name]].concat());
        Digest::parse(images.trim()).unwrap()
    }
}

fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{tool} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn skopeo_copy(from: &str, to: &str) {
    run("skopeo", &["--insecure-policy", "copy", "--quiet", from, to]);
}

/// Says so when the tools cannot run here.
fn skipped(tools: &[&str]) -> bool {
    let works = |tool: &&&str| Command::new(tool).arg("--version").output().is_ok();
    if let Some(absent) = tools.iter().find(|tool| !works(tool)) {
        println!("skipped: no {absent}");
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: not root");
        return true;
    }
    false
}

/// Builds an image of two layers with buildah; its id, and its docker archive.
fn build(lab: &Lab, storage: &Storage) -> (Digest, std::path::PathBuf) {
    std::fs::create_dir(lab.path("context")).unwrap();
    std::fs::write(lab.path("context/Containerfile"), "FROM scratch\nCOPY a /\nCOPY b /\n").unwrap();
    std::fs::write(lab.path("context/a"), vec![7; 300_000]).unwrap();
    std::fs::write(lab.path("context/b"), "b").unwrap();
    let (context, archive) = (lab.path("context"), lab.path("export"));
    let build =
        ["build", "--quiet", "--format", "docker", "--isolation", "chroot", "--layers", "--timestamp", "0"];
    let name = ["--tag", "localhost/built:1", context.to_str().unwrap()];
    run("buildah", &[&storage.flags()[..], &build, &name].concat());
    let to = format!("docker-archive:{}:localhost/built:1", archive.display());
    run("buildah", &[&storage.flags()[..], &["push", "--quiet", "localhost/built:1", &to]].concat());
    (storage.id("localhost/built:1"), archive)
}

fn transport(format: ArchiveFormat, path: &Path) -> String {
    let name = match format {
        ArchiveFormat::DockerArchive => "docker-archive",
        ArchiveFormat::OciArchive => "oci-archive",
        ArchiveFormat::OciLayout => "oci",
    };
    format!("{name}:{}", path.display())
}

const FORMATS: [ArchiveFormat; 3] =
    [ArchiveFormat::DockerArchive, ArchiveFormat::OciArchive, ArchiveFormat::OciLayout];

#[test]
fn the_image_id_survives_from_buildah_through_every_format_into_a_node() {
    if skipped(&["buildah", "skopeo"]) {
        return;
    }
    let lab = Lab::new();
    let (id, export) = build(&lab, &Storage::new(&lab, "builder"));
    for format in FORMATS {
        let mut request = lab.seal(&export, &format!("{format:?}"), format);
        request.expect_id = Some(id);
        let sealed = seal(&request).unwrap();
        let node = Storage::new(&lab, &format!("node-{format:?}"));
        // With and without the name that is written into the archive.
        for (suffix, name) in
            [("", "localhost/free:1"), (":docker.io/library/registry:2", "docker.io/library/registry:2")]
        {
            skopeo_copy(&format!("{}{suffix}", transport(format, &request.to)), &node.image(name));
            assert_eq!(node.id(name), id, "{format:?}");
        }
        // And back: what skopeo exports from the node seals to the same bytes.
        let back = lab.path(&format!("back-{format:?}"));
        skopeo_copy(&node.image("localhost/free:1"), &transport(ArchiveFormat::DockerArchive, &back));
        let again = seal(&lab.seal(&back, &format!("again-{format:?}"), format)).unwrap();
        assert_eq!(again, sealed);
    }
}

#[test]
fn podman_saves_the_same_bytes_and_loads_every_archive_by_its_name() {
    if skipped(&["buildah", "podman"]) {
        return;
    }
    let lab = Lab::new();
    let builder = Storage::new(&lab, "builder");
    let (id, export) = build(&lab, &builder);
    let saved = lab.path("saved");
    run(
        "podman",
        &[&builder.flags()[..], &["save", "--quiet", "-o", saved.to_str().unwrap(), "localhost/built:1"]]
            .concat(),
    );
    // podman names an image that it loads from a folder after the folder's path, so a layout is skopeo's business.
    for format in [ArchiveFormat::DockerArchive, ArchiveFormat::OciArchive] {
        let request = lab.seal(&export, &format!("{format:?}"), format);
        let sealed = seal(&request).unwrap();
        assert_eq!(seal(&lab.seal(&saved, "again", format)).unwrap(), sealed);
        let node = Storage::new(&lab, &format!("node-{format:?}"));
        run(
            "podman",
            &[&node.flags()[..], &["load", "--quiet", "-i", request.to.to_str().unwrap()]].concat(),
        );
        assert_eq!(node.id("docker.io/library/registry:2"), id, "{format:?}");
    }
}

#[test]
fn skopeos_own_layouts_and_archives_are_read() {
    if skipped(&["buildah", "skopeo"]) {
        return;
    }
    let lab = Lab::new();
    let builder = Storage::new(&lab, "builder");
    let (id, export) = build(&lab, &builder);
    for format in FORMATS {
        let path = lab.path(&format!("skopeo-{format:?}"));
        // skopeo compresses layers on the way into a layout, unless it may not touch them.
        let from = transport(ArchiveFormat::DockerArchive, &export);
        skopeo_copy(&from, &format!("{}:docker.io/library/x:1", transport(format, &path)));
        match inspect(&path) {
            Ok(info) => {
                assert_eq!((info.format, info.id), (ArchiveFormat::DockerArchive, id));
                assert_eq!(info.names, ["docker.io/library/x:1"]);
            }
            Err(error) => assert!(error.to_string().contains("compressed with gzip"), "{error}"),
        }
    }
}

/// `PIPELINE_TEST_DOCKER_HOST` names a docker daemon that the test may load an image into.
#[test]
fn docker_saves_what_is_sealed_and_loads_it_back() {
    let Ok(host) = std::env::var("PIPELINE_TEST_DOCKER_HOST") else {
        println!("skipped: no PIPELINE_TEST_DOCKER_HOST");
        return;
    };
    if skipped(&["buildah", "docker"]) {
        return;
    }
    let lab = Lab::new();
    let (id, export) = build(&lab, &Storage::new(&lab, "builder"));
    let mut request = lab.seal(&export, "sealed", ArchiveFormat::DockerArchive);
    request.reference = ImageRef::parse("pipeline-test/sealed:1").unwrap();
    let sealed = seal(&request).unwrap();
    let docker = |arguments: &[&str]| run("docker", &[&["--host", &host], arguments].concat());
    let loaded = docker(&["load", "-i", request.to.to_str().unwrap()]);
    assert!(loaded.contains("pipeline-test/sealed:1"), "{loaded}");
    let saved = lab.path("saved");
    docker(&["save", "-o", saved.to_str().unwrap(), "pipeline-test/sealed:1"]);
    docker(&["image", "rm", "pipeline-test/sealed:1"]);
    assert_eq!(inspect(&saved).unwrap().id, id);
    let mut again = request.clone();
    (again.from, again.to) = (saved, lab.path("again"));
    assert_eq!(seal(&again).unwrap(), sealed);
    assert_eq!(sha256_file(&again.to).unwrap(), sealed.sha256);
}
