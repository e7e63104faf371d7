//! `deliver` to every runtime: what crosses the wire, and whether what is there at the end is what was built.

use std::fs;
use std::process::Command;

use pipeline_core::image::archive;

use crate::kit::{Lab, Outcome, TestNode, Work};
use crate::require_lab;

/// The lab's node of each runtime: how a recipe describes it.
fn node(lab: &Lab, runtime: &str, folder: &str) -> (String, &'static str) {
    let at = lab.dir.display();
    let (host, more) = match runtime {
        "cri-o" => (
            "edge-arm64",
            format!(
                "cri = \"unix://{at}/crio.sock\"\n\
                 storage = {{ driver = \"overlay\", root = \"{at}/crio/root\", runroot = \"{at}/crio/run\" }}\n"
            ),
        ),
        "containerd" => (
            "edge-armv7",
            format!(
                "cri = \"unix://{at}/containerd.sock\"\nstorage = {{ root = \"{at}/containerd/root\" }}\n"
            ),
        ),
        "docker" => ("edge-docker", String::new()),
        _ => ("edge-podman", String::new()),
    };
    let toml = format!(
        "[nodes.node]\nhost = \"{host}\"\nssh-config = \"{at}/ssh_config\"\nruntime = \"{runtime}\"\n\
         emulates = [\"linux/arm64\"]\ndir = \"{at}/{host}/files/{folder}\"\n{more}"
    );
    (toml, host)
}

/// Three layers: the tools, half a megabyte that nothing can compress, and a small one.
fn work(lab: &Lab, engine: &str, runtime: &str, name: &str, steps: &str) -> (Work, &'static str) {
    let (toml, host) = node(lab, runtime, name);
    let dockerfile = "COPY large /large\nCOPY small /small";
    let work = Work::tiny(name, engine, &[("arm64", "\"node\"")], dockerfile, &(toml + steps));
    work.write("context-arm64/large", random(500_000));
    work.write("context-arm64/small", random(20_000));
    (work, host)
}

fn random(bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    rustix::rand::getrandom(&mut buffer, rustix::rand::GetRandomFlags::empty()).unwrap();
    buffer
}

const DELIVER: &str = "[[step]]\nuses = \"deliver\"\n";

fn sent(outcome: &Outcome) -> u64 {
    outcome.output("deliver@arm64@node", "sent").parse().unwrap()
}

/// What a change of the smallest layer may cost: its compressed size and a little.
const SMALL: std::ops::Range<u64> = 20_000..22_000;

fn only_what_changed_travels(engine: &str, runtime: &str) {
    let lab = require_lab!("nodes", "nodedocker", "containerd", "crio", "dockerd");
    pipeline_testkit::require!("podman");
    let name = format!("delta-{engine}-{runtime}");
    let reference = format!("docker.io/library/{name}:1");
    let (mut work, host) = work(lab, engine, runtime, &name, DELIVER);
    match engine {
        "docker" => drop(work.with_docker(lab)),
        "podman" => drop(work.with_podman(lab)),
        _ => {}
    }
    let first = work.run(&[]).exits(0);
    assert!(sent(&first) > 500_000, "{}", sent(&first));
    whole(lab, runtime, host, &reference, &first.output("image@arm64", "id"));

    work.write("context-arm64/small", random(20_000));
    let second = work.run(&[]).exits(0).says("of 1 layer in").says("of 2 layers avoided");
    assert!(SMALL.contains(&sent(&second)), "{} bytes were sent", sent(&second));
    let (old, new) = (first.output("image@arm64", "id"), second.output("image@arm64", "id"));
    assert_ne!(old, new);
    whole(lab, runtime, host, &reference, &new);
    assert_eq!(lab.delivered(host, &format!("{reference}.previous")), Some(old.clone()));

    // Everything is there: nothing runs, and where it is made to, nothing is sent.
    let forced = work.run(&["--from", "deliver"]).exits(0);
    let forced = forced.says("sent deliver@arm64@node nothing;").says("of 3 layers avoided");
    assert_eq!(sent(&forced), 0);

    let back = work.outcome(&mut work.pipeline(&["rollback"])).exits(0);
    assert!(back.stdout.contains(&reference), "{}", back.stdout);
    assert_eq!(lab.delivered(host, &reference), Some(old));
    // What the recipe says is not there any more, so the next run brings it, and no layer of it.
    let again = work.run(&["--verbose"]).exits(0);
    assert_eq!(sent(&again), 0, "{}", again.stderr);
    assert_eq!(lab.delivered(host, &reference), Some(new));

    let left: Vec<_> = fs::read_dir(lab.path(host).join("files").join(&name)).unwrap().flatten().collect();
    let left: Vec<_> = left.iter().map(fs::DirEntry::file_name).collect();
    assert_eq!(left, ["blobs"]);
    let blobs = fs::read_dir(lab.path(host).join("files").join(&name).join("blobs")).unwrap().count();
    assert_eq!(blobs, 0, "layers stay behind");
}

/// The image comes out of the node's store as it was built: its tools make every layer again from the files there, and each
/// has the digest that the configuration names.
fn whole(lab: &Lab, runtime: &str, host: &str, reference: &str, id: &str) {
    assert_eq!(lab.delivered(host, reference).as_deref(), Some(id), "{runtime}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.tar");
    let (at, to) = (lab.dir.display(), file.display());
    let line = match runtime {
        // The second has other documents, and is only to be had.
        "cri-o" | "podman" => format!(
            "skopeo copy --quiet containers-storage:{reference} oci-archive:{to} && \
             skopeo copy --quiet containers-storage:{reference} docker-archive:{to}.docker"
        ),
        "docker" => format!("docker save --output {to} {reference}"),
        _ => format!(
            "ctr --address {at}/containerd.sock --namespace k8s.io images export --platform linux/arm64 {to} {reference}"
        ),
    };
    lab.on_node(host, &line);
    let image = pipeline_core::image::LocalImage::in_archive(&file).unwrap();
    assert_eq!(image.id.to_string(), id, "{runtime}");
    image.verify().unwrap();
    if runtime == "containerd" {
        // Its export is of blobs; the files are those of the snapshot.
        unpacked(lab, host, reference, &image, folder.path());
    }
}

fn unpacked(
    lab: &Lab,
    host: &str,
    reference: &str,
    image: &pipeline_core::image::LocalImage,
    folder: &std::path::Path,
) {
    let (source, mounted) = (folder.join("source"), folder.join("mounted"));
    for path in [&source, &mounted] {
        fs::create_dir(path).unwrap();
    }
    for index in 0..image.layers.len() {
        let layer = folder.join("layer.tar");
        image.copy_layer(index, &mut fs::File::create(&layer).unwrap()).unwrap();
        let status = Command::new("tar").arg("-xpf").arg(&layer).arg("-C").arg(&source).status().unwrap();
        assert!(status.success());
    }
    let ctr = format!("ctr --address {}/containerd.sock --namespace k8s.io", lab.dir.display());
    let at = mounted.display();
    lab.on_node(host, &format!("{ctr} images mount --platform linux/arm64 {reference} {at}"));
    let differ =
        Command::new("diff").args(["-r", "--no-dereference"]).args([&source, &mounted]).output().unwrap();
    lab.on_node(host, &format!("{ctr} images unmount --rm {at}"));
    assert!(differ.status.success(), "{}", String::from_utf8_lossy(&differ.stdout));
}

#[test]
fn only_what_changed_travels_to_cri_o() {
    only_what_changed_travels("buildah", "cri-o");
}

#[test]
fn only_what_changed_travels_to_containerd() {
    only_what_changed_travels("docker", "containerd");
}

#[test]
fn only_what_changed_travels_to_docker() {
    only_what_changed_travels("podman", "docker");
}

#[test]
fn only_what_changed_travels_to_podman() {
    only_what_changed_travels("docker", "podman");
}

#[test]
fn what_arrived_runs_on_cri_o_and_is_what_was_built() {
    let lab = require_lab!("nodes", "crio", "crictl");
    let verify =
        "[[step]]\nuses = \"crictl-verify\"\nrun = { argv = [\"uname\", \"-m\"], stdout = \"aarch64\" }\n";
    let (work, host) = work(lab, "buildah", "cri-o", "delta-runs", &format!("{DELIVER}{verify}"));
    work.run(&[]).exits(0);
    work.write("context-arm64/small", random(20_000));
    let second = work.run(&[]).exits(0);
    assert!(SMALL.contains(&sent(&second)));
    let id = second.output("image@arm64", "id");
    whole(lab, "cri-o", host, "docker.io/library/delta-runs:1", &id);
}

#[test]
fn an_archive_whose_layers_are_compressed_is_delivered_like_any_other() {
    let lab = require_lab!("nodes", "crio");
    let (work, host) =
        work(lab, "buildah", "cri-o", "delta-archive", "[[step]]\nuses = \"save\"\npath = \"image.tar\"\n");
    work.run(&[]).exits(0);
    let saved = work.path("image.tar");
    assert!(saved.exists());
    archive::inspect(&saved).unwrap();
    let packed = work.path("packed.tar");
    let status = work
        .command("skopeo")
        .args(["copy", "--quiet"])
        .arg(format!("docker-archive:{}", saved.display()))
        .arg(format!("oci-archive:{}:docker.io/library/delta-archive:1", packed.display()))
        .status()
        .unwrap();
    assert!(status.success());
    assert!(archive::inspect(&packed).is_err(), "skopeo compresses layers");
    let (at, config) = (lab.dir.display(), lab.path("ssh_config"));
    let mut ship = work.pipeline(&["ship", "packed.tar", "cri-o://edge-arm64", "--emulates", "linux/arm64"]);
    ship.arg("--ssh-config").arg(config).args(["--as", "docker.io/library/delta-archive:2"]);
    ship.args(["--storage", &format!("overlay@{at}/crio/root+{at}/crio/run")]);
    ship.args([
        "--cri",
        &format!("unix://{at}/crio.sock"),
        "--dir",
        &format!("{at}/{host}/files/delta-archive"),
    ]);
    let shipped = work.outcome(&mut ship).exits(0);
    let id = shipped.stdout.split('\t').nth(2).unwrap_or_default().to_owned();
    assert_eq!(lab.delivered(host, "docker.io/library/delta-archive:2"), Some(id));
}

#[test]
fn an_import_that_did_nothing_and_says_that_it_did_is_not_believed() {
    let _lab = require_lab!("nodes");
    let work = Work::tiny("delta-believed", "buildah", &[("arm64", "\"own\"")], "", "");
    let node = TestNode::start(&work.root().join("node"), "/usr/sbin:/usr/bin:/sbin:/bin");
    node.install("skopeo", "#!/bin/sh\nexit 0\n");
    let at = work.root().display();
    let keys =
        format!("storage = {{ driver = \"overlay\", root = \"{at}/there\", runroot = \"{at}/there-run\" }}");
    let recipe = work.read("pipeline.toml") + &node.toml(&keys) + DELIVER;
    work.write("pipeline.toml", recipe);
    work.run(&[]).exits(6).says("is not in the store after its import");
}
