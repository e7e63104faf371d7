//! `scp`, `skopeo-copy` and `load`, onto nodes and into a registry.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::kit::{Lab, TestNode, Work, eventually};
use crate::require_lab;

const SAVE: &str = "[[step]]\nuses = \"save\"\n";
const SCP: &str = "[[step]]\nuses = \"scp\"\n";

/// The lab's two nodes, with a folder of the test's own on each.
fn nodes(lab: &Lab, folder: &str) -> String {
    let at = lab.dir.display();
    format!(
        "[nodes.edge-arm64]\nhost = \"edge-arm64\"\nssh-config = \"{at}/ssh_config\"\nemulates = [\"linux/arm64\", \"linux/arm/v7\"]\n\
         storage = {{ driver = \"overlay\", root = \"{at}/crio/root\", runroot = \"{at}/crio/run\" }}\ndir = \"{at}/edge-arm64/files/{folder}\"\n\
         [nodes.edge-armv7]\nhost = \"edge-armv7\"\nssh-config = \"{at}/ssh_config\"\nemulates = [\"linux/arm64\", \"linux/arm/v7\"]\n\
         runtime = \"containerd\"\ncri = \"unix://{at}/containerd.sock\"\ndir = \"{at}/edge-armv7/files/{folder}\"\n"
    )
}

const REMOTE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn scp_lands_whole_under_its_name() {
    let lab = require_lab!("nodes");
    let rest = nodes(lab, "scp-whole") + SAVE + SCP;
    let work = Work::tiny("scp-whole", "buildah", &[("arm64", "\"edge-arm64\", \"edge-armv7\"")], "", &rest);
    for _ in 0..2 {
        let outcome = work.run(&[]).exits(0);
        for node in ["edge-arm64", "edge-armv7"] {
            let folder = lab.path(node).join("files/scp-whole");
            let names: Vec<_> =
                fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["scp-whole-arm64-image.tar"]);
            let sum =
                Command::new("sha256sum").arg(folder.join("scp-whole-arm64-image.tar")).output().unwrap();
            let sum = String::from_utf8(sum.stdout).unwrap();
            let sum = sum.split_whitespace().next().unwrap();
            assert_eq!(outcome.output("save@arm64", "sha256"), format!("sha256:{sum}"));
        }
    }
}

#[test]
fn scp_leaves_nothing_under_the_name_when_the_connection_breaks_and_then_goes_on() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv");
    let mut work = Work::tiny("scp-broken", "buildah", &[("arm64", "\"own\"")], "", "");
    let node = TestNode::start(&work.root().join("node"), REMOTE_PATH);
    let recipe = work.read("pipeline.toml") + &node.toml("") + SAVE + SCP;
    work.write("pipeline.toml", recipe);
    // A line so slow that there is all the time in the world to cut it.
    let real = pipeline_testkit::find("scp").unwrap();
    let bin = work.root().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("scp"), format!("#!/bin/sh\nexec {} -l 160 \"$@\"\n", real.display())).unwrap();
    crate::kit::set_executable(&bin.join("scp"));
    let path = std::env::var("PATH").unwrap();
    work.env("PATH", format!("{}:{path}", bin.display()));

    let mut run = work.pipeline(&["run"]);
    let engine = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let server =
        eventually("a part has arrived", Duration::from_mins(2), || writer_below(&node.path("files")));
    let status = Command::new("kill").args(["-KILL", &server.to_string()]).status().unwrap();
    assert!(status.success());
    let output = engine.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("node `own` could not be reached"), "{said}");
    assert!(!node.path("files/scp-broken-arm64-image.tar").exists());

    fs::remove_file(bin.join("scp")).unwrap();
    let outcome = work.run(&["--verbose"]).exits(0);
    assert!(outcome.stderr.contains("had arrived before"), "{}", outcome.stderr);
    let names = fs::read_dir(node.path("files")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["scp-broken-arm64-image.tar"]);
}

/// The process that has a file below the folder open, in which there is something already.
fn writer_below(folder: &std::path::Path) -> Option<u32> {
    let below = |link: &std::path::PathBuf| {
        link.starts_with(folder) && fs::metadata(link).is_ok_and(|file| file.is_file() && file.len() > 0)
    };
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut links = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        links.any(|link| fs::read_link(link.path()).is_ok_and(|link| below(&link))).then_some(pid)
    })
}

#[test]
fn skopeo_copies_into_a_nodes_storage() {
    let lab = require_lab!("nodes", "crio");
    let rest = nodes(lab, "skopeo-storage")
        + SAVE
        + SCP
        + "[[step]]\nid = \"import\"\nuses = \"skopeo-copy\"\ndest = \"containers-storage:docker.io/library/skopeo-storage:1\"\n";
    let work = Work::tiny("skopeo-storage", "buildah", &[("arm64", "\"edge-arm64\"")], "", &rest);
    for _ in 0..2 {
        let outcome = work.run(&[]).exits(0);
        let id = outcome.output("image@arm64", "id");
        assert_eq!(lab.delivered("edge-arm64", "docker.io/library/skopeo-storage:1"), Some(id));
    }
}

#[test]
fn skopeo_pushes_to_a_registry() {
    let lab = require_lab!("registry", "dockerd");
    let registry = lab.registry();
    for (name, engine, source) in [
        ("push-archive", "buildah", "save"),
        ("push-image", "buildah", "image"),
        ("push-docker", "docker", "save"),
    ] {
        let (save, key) = if source == "save" { (SAVE, "archive") } else { ("", "image") };
        let push = format!(
            "{save}[[step]]\nid = \"push\"\nuses = \"skopeo-copy\"\n{key} = \"{source}\"\n\
             dest = \"docker://{registry}/{name}:${{target.name}}\"\ntls-verify = false\n"
        );
        let mut work = Work::tiny(name, engine, &[("arm64", ""), ("armv7", "")], "", &push);
        let outcome = work.with_docker(lab).run(&[]).exits(0);
        for target in ["arm64", "armv7"] {
            let image = format!("docker://{registry}/{name}:{target}");
            let mut inspect = work.command("sh");
            let line = format!("skopeo inspect --tls-verify=false --config --raw {image} | sha256sum");
            let sum = inspect.args(["-c", &line]).output().unwrap();
            let sum = String::from_utf8(sum.stdout).unwrap();
            let id = format!("sha256:{}", sum.split_whitespace().next().unwrap());
            assert_eq!(id, outcome.output(&format!("image@{target}"), "id"), "{name} {target}");
        }
    }
    // Over TLS there is nobody.
    let push =
        format!("[[step]]\nid = \"push\"\nuses = \"skopeo-copy\"\ndest = \"docker://{registry}/tls:1\"\n");
    let work = Work::tiny("push-tls", "buildah", &[("arm64", "")], "", &push);
    work.run(&[]).exits(1).failure("push@arm64");
}

#[test]
fn load_by_containerd_docker_and_podman() {
    let lab = require_lab!("nodes", "containerd", "dockerd");
    pipeline_testkit::require!("podman");
    let containerd = nodes(lab, "load") + SAVE + SCP + "[[step]]\nuses = \"load\"\n";
    let work = Work::tiny("load-containerd", "buildah", &[("armv7", "\"edge-armv7\"")], "", &containerd);
    for _ in 0..2 {
        let outcome = work.run(&[]).exits(0);
        let id = outcome.output("image@armv7", "id");
        assert_eq!(lab.delivered("edge-armv7", "docker.io/library/load-containerd:1"), Some(id));
    }
    // This machine as a node, by archive.
    let local = |runtime: &str| {
        let name = format!("load-{runtime}");
        let rest = format!("[nodes.this]\nruntime = \"{runtime}\"\n{SAVE}[[step]]\nuses = \"load\"\n");
        Work::tiny(&name, "buildah", &[("arm64", "\"this\"")], "", &rest)
    };
    let mut work = local("docker");
    let outcome = work.with_docker(lab).run(&[]).exits(0);
    let inspect = ["image", "inspect", "--format", "{{.Id}} {{.Architecture}}", "load-docker:1"];
    let said = work.command("docker").args(inspect).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.trim(), format!("{} arm64", outcome.output("image@arm64", "id")));
    let mut work = local("podman");
    let outcome = work.with_podman(lab).run(&[]).exits(0);
    let inspect =
        ["image", "inspect", "--format", "{{.Id}} {{.Architecture}}", "docker.io/library/load-podman:1"];
    let said = work.command("podman").args(inspect).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let id = outcome.output("image@arm64", "id");
    assert_eq!(said.trim(), format!("{} arm64", id.trim_start_matches("sha256:")));
}
