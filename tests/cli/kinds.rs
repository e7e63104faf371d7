//! The whole argv of every kind, by engine and by the node's runtime.

use pipeline_core::event::{EventKind, Status};
use pipeline_testkit::Rule;

use crate::image::native;
use crate::lab::Lab;

/// Every kind in one chain, to one node behind ssh.
pub(crate) fn every_kind(engine: &str, node: &str, import: &str) -> String {
    let (platform, _, machine) = native();
    format!(
        r#"version = 1

[pipeline]
name   = "app"
engine = "{engine}"

[vars]
base = "alpine:3.20"

[targets.native]
platform = "{platform}"
nodes    = ["edge"]

{node}

[[step]]
uses = "binfmt-register"

[[step]]
id              = "source"
uses            = "git-checkout"
url             = "upstream"
branch          = "main"
allow-protocols = ["file"]

[[step]]
uses = "patch-FROM"
from = "${{vars.base}}"

[[step]]
id     = "image"
uses   = "build"
tag    = "app:1"
args   = {{ COMMIT = "${{steps.source.commit}}", TEXT = "a b $(c)" }}
labels = {{ "org.example.target" = "${{target.name}}" }}

[[step]]
uses   = "smoke"
argv   = ["uname", "-m"]
stdout = "{machine}"

[[step]]
uses = "save"
path = "out/app.${{target.name}}.img"

[[step]]
uses = "scp"

{import}

[[step]]
uses  = "run"
check = false
argv  = ["test", "${{steps.source.commit}}", "!=", "${{steps.image.id}}"]
env   = {{ STEP = "set" }}
"#
    )
}

const CRI_O: &str = r#"
[[step]]
uses = "skopeo-copy"
dest = "containers-storage:docker.io/library/app:1"

[[step]]
uses  = "crictl-verify"
image = "docker.io/library/app:1"
"#;

const LOAD: &str = "[[step]]\nuses = \"load\"\n";

fn edge(lab: &Lab, runtime: &str, more: &str) -> String {
    let dir = lab.space.root().join("node");
    let keys = "host = \"root@edge\"\nssh-config = \"ssh_config\"\nport = 2222";
    format!("[nodes.edge]\n{keys}\nruntime = \"{runtime}\"\ndir = \"{}\"\n{more}", dir.display())
}

fn run(engine: &str, runtime: &str, more: &str, import: &str) -> Lab {
    let lab = Lab::new();
    let node = edge(&lab, runtime, more);
    lab.recipe(&every_kind(engine, &node, import));
    lab.output(&["run", "-j", "1", "--progress", "plain"]).must(0);
    for event in lab.events() {
        if let EventKind::Finished { instance, status, .. } = event.kind {
            assert_eq!(status, Status::Done, "{instance}");
        }
    }
    lab
}

#[test]
fn docker_to_cri_o() {
    let storage =
        "sudo = true\nstorage = { driver = \"overlay\", root = \"/srv/root\", runroot = \"/srv/run\" }\n";
    let lab = run("docker", "cri-o", storage, CRI_O);
    insta::assert_snapshot!(lab.shown_calls());
}

#[test]
fn podman_to_containerd() {
    let lab = run("podman", "containerd", "cri = \"unix:///run/containerd/containerd.sock\"\n", LOAD);
    insta::assert_snapshot!(lab.shown_calls());
}

#[test]
fn buildah_to_podman() {
    let lab = run("buildah", "podman", "", LOAD);
    insta::assert_snapshot!(lab.shown_calls());
}

#[test]
fn buildx_to_docker() {
    let lab = run("buildx", "docker", "", LOAD);
    insta::assert_snapshot!(lab.shown_calls());
}

#[test]
fn late_values_and_odd_text_are_one_argument() {
    let lab = run("docker", "docker", "", LOAD);
    let build = &lab.calls_of("docker").into_iter().find(|call| call[1] == "build").unwrap();
    assert!(build.contains(&format!("COMMIT={}", lab.commit)), "{build:?}");
    assert!(build.contains(&"TEXT=a b $(c)".to_owned()), "{build:?}");
    assert!(build.contains(&"org.example.target=native".to_owned()), "{build:?}");
    // By the id that the engine gave, never by a name that somebody may have moved.
    let saved = lab.calls_of("docker").into_iter().find(|call| call[1] == "save").unwrap();
    assert_eq!(saved.last(), Some(&lab.id));
    let last = lab.commands().into_iter().rfind(|argv| argv[0] == "test" && argv.len() == 4).unwrap();
    assert_eq!(last, ["test", &lab.commit, "!=", &lab.id]);
}

#[test]
fn the_file_on_the_node_is_the_file_here() {
    let lab = run("docker", "docker", "", LOAD);
    let here = std::fs::read(lab.space.path("out/app.native.img")).unwrap();
    let there = std::fs::read(lab.space.root().join("node/app.native.img")).unwrap();
    assert!(!here.is_empty());
    assert_eq!(here, there);
    let left: Vec<_> = std::fs::read_dir(lab.space.root().join("node")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half-made is left: {left:?}");
    let patched = lab.space.read(".pipeline/work/patch-FROM@native/context/Dockerfile");
    assert_eq!(patched, "FROM alpine:3.20\nCOPY . /src\n");
    assert_eq!(lab.space.read("upstream/Dockerfile"), "FROM alpine:3.4\nCOPY . /src\n");
}

#[test]
fn a_second_run_only_asks_and_a_forced_one_does_the_same_again() {
    let lab = run("docker", "cri-o", "", CRI_O);
    let first = lab.shown_calls();
    lab.output(&["run", "-j", "1"]).must(0);
    let both = lab.shown_calls();
    // Whether the engine's version is asked again is a matter of how long ago its file was written.
    let second = both.strip_prefix(&first).unwrap().lines().filter(|call| !call.contains("--version"));
    insta::assert_snapshot!(second.collect::<Vec<_>>().join("\n"));
    lab.output(&["run", "-j", "1", "--force"]).must(0);
    let all = lab.shown_calls();
    // The version of the engine and what names stand for is known by then, and also how long steps take, which changes
    // their order.
    let asks = |call: &str| {
        ["--version", "\"fetch\"", "\"rev-parse\"", "\"docker://"].iter().any(|word| call.contains(word))
    };
    let but_version = |calls: &str| -> Vec<String> {
        let calls = calls.lines().filter(|call| !call.is_empty() && !asks(call));
        let mut calls: Vec<String> = calls.map(str::to_owned).collect();
        calls.sort();
        calls
    };
    assert_eq!(but_version(all.strip_prefix(&both).unwrap()), but_version(&first));
}

#[test]
fn what_arrived_is_told_on_stdout() {
    let lab = run("docker", "cri-o", "", CRI_O);
    let ran = lab.output(&["run"]).must(0);
    let (platform, _, _) = native();
    assert_eq!(ran.stdout, format!("edge\tdocker.io/library/app:1\t{}\t{platform}\n", lab.id));
}

#[test]
fn an_image_that_differs_on_the_node_is_exit_code_6() {
    let lab = Lab::new();
    lab.recipe(&every_kind("docker", &edge(&lab, "cri-o", ""), CRI_O));
    let other = format!("sha256:{}", "0".repeat(64));
    let status = format!(r#"{{"status":{{"id":"{other}","repoTags":["docker.io/library/app:1"]}}}}"#);
    lab.script(&[Rule::of("crictl").args(&["inspecti"]).stdout(&status)]);
    let ran = lab.output(&["run"]).must(6);
    assert!(ran.stderr.contains(&other) && ran.stderr.contains(&lab.id), "{}", ran.stderr);
    // The same where the copy itself is of another image.
    let manifest = format!(r#"{{"config":{{"digest":"{other}"}}}}"#);
    lab.script(&[Rule::of("skopeo").args(&["inspect"]).stdout(&manifest)]);
    let ran = lab.output(&["run"]).must(6);
    assert!(ran.stderr.contains("is not of the image that was built"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("docker.io/library/app:1"), "it is not told as arrived: {}", ran.stdout);
}
