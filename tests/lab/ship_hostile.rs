//! `deliver` with values that mean something to a shell or a tool, through a real sshd and the login shells that nodes have.

use std::path::Path;

use pipeline_testkit::PAYLOADS;

use crate::kit::{NODE_PATH, Parcel, TestNode};
use crate::require_lab;

/// Fields, and what stands before a value there that is refused alone. The first three are of one delivery.
const FIELDS: [(&str, &[&str]); 10] = [
    ("dir", &["", "FOLDER/"]),
    ("root", &["", "FOLDER/"]),
    ("runroot", &["", "FOLDER/"]),
    ("driver", &[""]),
    ("cri", &["", "unix:///run/"]),
    ("host", &[""]),
    ("identity", &["", "/run/"]),
    ("host-key", &["", "ssh-ed25519 "]),
    ("reference", &["", "docker.io/library/"]),
    ("image", &[""]),
];

fn recipe(parcel: &Parcel, set: &[(&str, &str)]) -> String {
    let at = parcel.node.path("storage").display().to_string();
    let value = |field: &str, good: &str| {
        let found = set.iter().find(|(name, _)| *name == field).map_or(good, |(_, value)| value);
        toml::Value::from(found).to_string()
    };
    // Only containerd's tools are told the socket.
    let (runtime, cri) = if set.iter().any(|(name, _)| *name == "cri") {
        ("containerd", format!("cri = {}\n", value("cri", "")))
    } else {
        ("cri-o", String::new())
    };
    let mut keys = format!(
        "runtime = \"{runtime}\"\nemulates = [\"linux/arm64\"]\n{cri}\
         storage = {{ driver = {}, root = {}, runroot = {} }}\n",
        value("driver", "overlay"),
        value("root", &format!("{at}/root")),
        value("runroot", &format!("{at}/run")),
    );
    for field in ["identity", "host-key"] {
        if set.iter().any(|(name, _)| *name == field) {
            keys += &format!("{field} = {}\n", value(field, ""));
        }
    }
    let node = parcel.node.path("");
    let node = node.to_str().unwrap();
    let dir = format!("{node}files");
    parcel
        .recipe("ship-hostile", &keys)
        .replace("host = \"own\"", &format!("host = {}", value("host", "own")))
        .replace(&format!("dir = \"{dir}\""), &format!("dir = {}", value("dir", &dir)))
        .replace("retry = { attempts = 3, delay = \"1s\" }\n", "")
        + &format!(
            "image = {}\nreference = {}\n",
            value("image", "image"),
            value("reference", "docker.io/library/ship-hostile:1")
        )
}

fn node(shell: &str) -> impl Fn(&Path) -> TestNode + use<'_> {
    move |dir| {
        let lines = format!(
            "sed 's|^\\(root:.*:\\)[^:]*$|\\1{shell}|' /etc/passwd >$0/passwd\nmount --bind $0/passwd /etc/passwd"
        );
        TestNode::start_after(dir, NODE_PATH, &lines)
    }
}

fn no_value_is_code(shell: &str) {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "unshare", "skopeo", shell);
    let parcel = Parcel::to("ship-hostile", &[20_000, 100_000], node(&format!("/bin/{shell}")));
    let said = parcel
        .work
        .command("ssh")
        .arg("-F")
        .arg(parcel.node.path("ssh_config"))
        .args(["own", "echo $0"])
        .output();
    assert_eq!(String::from_utf8(said.unwrap().stdout).unwrap().trim().rsplit('/').next(), Some(shell));
    // The real one would wait for a socket that is not there.
    parcel.node.install("ctr", "#!/bin/sh\necho \"ctr got $*\" >&2\nexit 1\n");
    let (canary, folder) = (parcel.work.root().join("canary"), parcel.node.path("odd"));
    let (mut refused, mut ran, mut arrived) = (0, 0, 0);
    for payload in PAYLOADS {
        let payload = match payload {
            "LONG" => "x".repeat(5000),
            other => other.replace("CANARY", canary.to_str().unwrap()),
        };
        // What a plan takes runs: the paths together, all else alone.
        let mut together: Vec<(&str, String)> = Vec::new();
        for (field, before) in FIELDS {
            for before in before {
                let value = format!("{}{payload}", before.replace("FOLDER", folder.to_str().unwrap()));
                parcel.work.write("pipeline.toml", recipe(&parcel, &[(field, &value)]));
                let planned = parcel.work.outcome(&mut parcel.work.pipeline(&["plan"]));
                if planned.code != Some(0) {
                    assert_eq!(planned.code, Some(3), "{field} = {value:?}: {}", planned.stderr);
                    refused += 1;
                } else if ["dir", "root", "runroot"].contains(&field) && !before.is_empty() {
                    together.push((field, value));
                } else {
                    ran += 1;
                    runs(&parcel, &[(field, &value)], &canary);
                }
            }
        }
        if !together.is_empty() {
            let set: Vec<_> = together.iter().map(|(field, value)| (*field, value.as_str())).collect();
            ran += 1;
            arrived += usize::from(runs(&parcel, &set, &canary));
        }
    }
    // Not all is refused: odd paths are, after all, paths, and an image arrives there.
    assert!(refused > 300 && ran > 60 && arrived > 5, "{refused} {ran} {arrived}");
}

/// Whether the image arrived.
#[track_caller]
fn runs(parcel: &Parcel, set: &[(&str, &str)], canary: &Path) -> bool {
    parcel.work.write("pipeline.toml", recipe(parcel, set));
    let outcome = parcel.work.run(&["--keep-going", "--force"]);
    let code = outcome.code;
    assert!(code.is_some_and(|code| [0, 1, 5, 6].contains(&code)), "{set:?}: {code:?} {}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{set:?}: {}", outcome.stderr);
    assert!(!canary.exists(), "{set:?} ran as code");
    code == Some(0)
}

#[test]
fn no_value_is_code_to_dash() {
    no_value_is_code("dash");
}

#[test]
fn no_value_is_code_to_bash() {
    no_value_is_code("bash");
}
