//! `crictl-verify` against real CRI servers, by the real crictl and over their sockets.

use pipeline_core::event::FailureKind;

use crate::kit::{Lab, Outcome, TestNode, Work};
use crate::require_lab;

const TO_CRIO: &str = "[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n\
    [[step]]\nid = \"import\"\nuses = \"skopeo-copy\"\ndest = \"containers-storage:docker.io/library/NAME:1\"\n";
const TO_CONTAINERD: &str =
    "[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n[[step]]\nid = \"import\"\nuses = \"load\"\n";

/// A node of the lab as `node`, with more keys.
fn node(lab: &Lab, host: &str, folder: &str, keys: &str) -> String {
    let at = lab.dir.display();
    let runtime = if host == "edge-arm64" {
        format!(
            "cri = \"unix://{at}/crio.sock\"\nstorage = {{ driver = \"overlay\", root = \"{at}/crio/root\", runroot = \"{at}/crio/run\" }}\n"
        )
    } else {
        format!("runtime = \"containerd\"\ncri = \"unix://{at}/containerd.sock\"\n")
    };
    format!(
        "[nodes.node]\nhost = \"{host}\"\nssh-config = \"{at}/ssh_config\"\ndir = \"{at}/{host}/files/{folder}\"\n{runtime}{keys}\n"
    )
}

/// Delivers `name` to the host, then does `tamper`, then verifies with `keys`.
pub(crate) fn delivered(
    lab: &Lab,
    name: &str,
    host: &str,
    node_keys: &str,
    tamper: &str,
    keys: &str,
) -> Work {
    let import = if host == "edge-arm64" { TO_CRIO } else { TO_CONTAINERD };
    let rest = node(lab, host, name, node_keys)
        + &import.replace("NAME", name)
        + tamper
        + "[[step]]\nid = \"verify\"\nuses = \"crictl-verify\"\n"
        + keys;
    // No two of these are one image: a node may know one image by several names.
    Work::tiny(name, "buildah", &[("arm64", "\"node\"")], &format!("LABEL name={name}"), &rest)
}

#[track_caller]
pub(crate) fn mismatch(outcome: Outcome, what: &str) {
    let outcome = outcome.exits(6);
    let failure = outcome.failure("verify@arm64@node");
    assert_eq!(failure.kind, FailureKind::Mismatch, "{failure:?}");
    assert!(failure.message.contains(what), "{failure:?}");
}

pub(crate) const EMULATES: &str = "emulates = [\"linux/arm64\"]";
pub(crate) const HOSTS: [&str; 2] = ["edge-arm64", "edge-armv7"];

#[test]
fn what_was_built_is_there() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let name = format!("verify-good-{host}");
        let work = delivered(lab, &name, host, EMULATES, "", "");
        let outcome = work.run(&[]).exits(0);
        let log = outcome.lines("verify@arm64@node");
        assert!(log.contains(&outcome.output("image@arm64", "id")) && log.contains("linux/arm64"), "{log}");
        let asked = outcome.commands("verify@arm64@node");
        assert!(asked.iter().any(|argv| argv.iter().any(|arg| arg.contains("crictl"))), "{asked:?}");
        let repository = format!("docker.io/library/{name}");
        let listed = lab.crictl_images(host);
        assert!(listed.iter().any(|(name, tag, _)| *name == repository && tag == "1"), "{listed:?}");
    }
}

#[test]
fn another_image_under_the_name() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let name = format!("verify-id-{host}");
        // Somebody else's image of the same name, in a file that the node can read.
        let other = Work::tiny(
            &name,
            "buildah",
            &[("arm64", "")],
            "LABEL other=1",
            "[[step]]\nuses = \"save\"\npath = \"o.tar\"\n",
        );
        let made = other.run(&[]).exits(0);
        let file = other.path("o.tar");
        let line = if host == "edge-arm64" {
            format!(
                "skopeo copy docker-archive:{} containers-storage:docker.io/library/{name}:1",
                file.display()
            )
        } else {
            format!(
                "ctr -a {}/containerd.sock -n k8s.io images import --platform linux/arm64 {}",
                lab.dir.display(),
                file.display()
            )
        };
        let tamper = format!(
            "[[step]]\nid = \"tamper\"\nuses = \"run\"\nscope = \"node\"\nneeds = [\"import\"]\n\
             argv = [\"ssh\", \"-F\", \"{}/ssh_config\", \"{host}\", \"{line}\"]\n",
            lab.dir.display()
        );
        let work = delivered(lab, &name, host, EMULATES, &tamper, "needs = [\"tamper\"]\n");
        let outcome = work.run(&[]);
        let (theirs, ours) = (made.output("image@arm64", "id"), outcome.output("image@arm64", "id"));
        assert_ne!(theirs, ours);
        mismatch(outcome, &theirs);
    }
}

#[test]
fn another_reference() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let name = format!("verify-name-{host}");
        let keys = "image = \"docker.io/library/never-delivered:1\"\n";
        let work = delivered(lab, &name, host, EMULATES, "", keys);
        mismatch(work.run(&[]), "does not have the image `docker.io/library/never-delivered:1`");
    }
}

#[test]
fn a_node_that_cannot_run_it() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let work = delivered(lab, &format!("verify-machine-{host}"), host, "", "", "");
        mismatch(work.run(&[]), "cannot run an image for linux/arm64");
    }
}

#[test]
fn an_image_of_another_architecture() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let name = format!("verify-arch-{host}");
        let work = delivered(lab, &name, host, EMULATES, "", "");
        let id = work.run(&[]).exits(0).output("image@arm64", "id");
        // The one action, asked for another platform than the image's; as a script from `plan --format sh` would.
        let plan = work.pipeline(&["plan", "--format", "json"]).output().unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
        let mut action = find(&plan, &|value| value.get("cri-verify").is_some()).unwrap().clone();
        action["cri-verify"]["platform"] = "linux/s390x".into();
        action["cri-verify"]["id"] = id.clone().into();
        let mut nodes = serde_json::Map::new();
        nodes.insert("node".into(), plan["nodes"]["node"].clone());
        let request = serde_json::json!({ "action": action, "nodes": nodes }).to_string();
        let output = work.pipeline(&["action", &request]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{said}\n{request}");
        assert!(said.contains("is for linux/arm64, not for linux/s390x"), "{said}");
    }
}

/// The first object, however deep, that fits.
fn find<'v>(
    value: &'v serde_json::Value,
    fits: &dyn Fn(&serde_json::Value) -> bool,
) -> Option<&'v serde_json::Value> {
    if value.is_object() && fits(value) {
        return Some(value);
    }
    match value {
        serde_json::Value::Object(map) => map.values().find_map(|value| find(value, fits)),
        serde_json::Value::Array(list) => list.iter().find_map(|value| find(value, fits)),
        _ => None,
    }
}

/// What a node's PATH has when nobody installed crictl there.
pub(crate) const WITHOUT_CRICTL: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn without_crictl_over_the_socket_here() {
    let lab = require_lab!("containerd", "nodes");
    let at = lab.dir.display();
    let recipe = |name: &str, verify: &str| {
        let rest = format!(
            "[nodes.node]\nruntime = \"containerd\"\ncri = \"unix://{at}/containerd.sock\"\n{EMULATES}\n\
             [[step]]\nuses = \"save\"\n[[step]]\nuses = \"load\"\n[[step]]\nid = \"verify\"\nuses = \"crictl-verify\"\n{verify}"
        );
        let mut work = Work::tiny(name, "buildah", &[("arm64", "\"node\"")], "", &rest);
        work.env("PATH", WITHOUT_CRICTL);
        work
    };
    let work = recipe("verify-socket", "");
    let outcome = work.run(&[]).exits(0);
    assert!(outcome.lines("verify@arm64@node").contains("has no crictl: asking"));
    let wrong = recipe("verify-socket-other", "image = \"docker.io/library/never-delivered:1\"\n");
    mismatch(wrong.run(&[]), "does not have the image");
}

#[test]
fn without_crictl_over_a_forwarded_socket() {
    let lab = require_lab!("containerd", "nodes");
    pipeline_testkit::require!("setpriv");
    let at = lab.dir.display();
    for (name, verify, code) in [
        ("verify-forward", "", 0),
        ("verify-forward-other", "image = \"docker.io/library/never-delivered:1\"\n", 6),
    ] {
        let work = Work::tiny(name, "buildah", &[("arm64", "\"own\"")], "", "");
        let own = TestNode::start(&work.root().join("node"), WITHOUT_CRICTL);
        let keys = format!("runtime = \"containerd\"\ncri = \"unix://{at}/containerd.sock\"\n{EMULATES}");
        let steps = "[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n[[step]]\nuses = \"load\"\n[[step]]\nid = \"verify\"\nuses = \"crictl-verify\"\n";
        work.write("pipeline.toml", work.read("pipeline.toml") + &own.toml(&keys) + steps + verify);
        let outcome = work.run(&[]).exits(code);
        assert!(outcome.lines("verify@arm64@own").contains("has no crictl: asking"));
        if code == 6 {
            assert_eq!(outcome.failure("verify@arm64@own").kind, FailureKind::Mismatch);
        }
    }
}

#[test]
fn a_runtime_that_does_not_answer_is_no_mismatch() {
    let lab = require_lab!("nodes", "containerd", "crictl");
    let at = lab.dir.display();
    let name = "verify-silent";
    let work = delivered(lab, name, "edge-arm64", EMULATES, "", "");
    let recipe =
        work.read("pipeline.toml").replace(&format!("unix://{at}/crio.sock"), "unix:///run/nobody.sock");
    work.write("pipeline.toml", recipe);
    let outcome = work.run(&[]).exits(5).says("there is no socket at /run/nobody.sock");
    assert!(outcome.events.is_empty(), "something was started");
    let outcome = work.run(&["--keep-going"]).exits(1);
    let failure = outcome.failure("verify@arm64@node");
    assert!(failure.message.contains("no answer from the CRI runtime"), "{failure:?}");
}
