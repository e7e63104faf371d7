//! `smoke` in real images.

use crate::kit::Work;
use crate::require_lab;

/// A step each; the ids of those that must fail begin with `bad`.
const CHECKS: &str = "[[step]]\nid = \"machine\"\nuses = \"smoke\"\nargv = [\"uname\", \"-m\"]\nstdout = \"aarch64\"\n\
    [[step]]\nid = \"regex\"\nuses = \"smoke\"\nargv = [\"uname\", \"-m\"]\nstdout = { regex = \"^aarch(64|_be)$\" }\n\
    [[step]]\nid = \"code\"\nuses = \"smoke\"\nargv = [\"sh\", \"-c\", \"exit 3\"]\nexit = 3\n\
    [[step]]\nid = \"words\"\nuses = \"smoke\"\nargv = [\"echo\", \"a b\", \"$HOME;\", \"*\", \"--\"]\nstdout = \"a b $HOME; * --\"\n\
    [[step]]\nid = \"bad-code\"\nuses = \"smoke\"\nargv = [\"sh\", \"-c\", \"exit 4\"]\nexit = 3\n\
    [[step]]\nid = \"bad-text\"\nuses = \"smoke\"\nargv = [\"uname\", \"-m\"]\nstdout = \"x86_64\"\n\
    [[step]]\nid = \"bad-regex\"\nuses = \"smoke\"\nargv = [\"uname\", \"-m\"]\nstdout = { regex = \"^x86\" }\n\
    [[step]]\nid = \"bad-program\"\nuses = \"smoke\"\nargv = [\"no-such-program\"]\n";

#[track_caller]
fn judges(work: &Work) {
    let outcome = work.run(&["--keep-going"]);
    for good in ["machine", "regex", "code", "words"] {
        outcome.interval(&format!("{good}@arm64"));
        let status = outcome.status(&format!("{good}@arm64"));
        assert_eq!(status, Some(&pipeline_core::event::Status::Done), "{good}: {}", outcome.stderr);
    }
    let message = |step: &str| outcome.failure(&format!("{step}@arm64")).message.clone();
    assert!(message("bad-code").contains("code 4"), "{}", message("bad-code"));
    for step in ["bad-text", "bad-regex"] {
        assert!(message(step).contains("aarch64") && message(step).contains("x86"), "{}", message(step));
    }
    message("bad-program");
    // Another output than the recipe's is a mismatch, as it is on a node.
    let outcome = outcome.exits(6);
    // Containers do not pile up.
    let again = work.run(&["--keep-going"]);
    assert_eq!(again.code, outcome.code);
}

#[test]
fn with_buildah() {
    let _lab = require_lab!();
    let work = Work::tiny("smoke-buildah", "buildah", &[("arm64", "")], "", CHECKS);
    judges(&work);
    let mut list = work.command("buildah");
    list.arg("--root")
        .arg(work.path(".pipeline/store/root"))
        .arg("--runroot")
        .arg(work.path(".pipeline/store/run"));
    let list = list.args(["containers", "--quiet"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&list.stdout), "");
}

#[test]
fn with_docker() {
    let lab = require_lab!("dockerd");
    let mut work = Work::tiny("smoke-docker", "docker", &[("arm64", "")], "", CHECKS);
    work.with_docker(lab);
    judges(&work);
    let list = work.command("docker").args(["ps", "--all", "--format", "{{.Names}}"]).output().unwrap();
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(!names.contains("pipeline-smoke-docker"), "{names}");
}

#[test]
fn with_podman() {
    let lab = require_lab!("nodes");
    pipeline_testkit::require!("podman");
    let mut work = Work::tiny("smoke-podman", "podman", &[("arm64", "")], "", CHECKS);
    work.with_podman(lab);
    judges(&work);
}
