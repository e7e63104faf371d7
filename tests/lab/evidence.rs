//! Provenance of a real build, held against the public schema and by the tools of others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::{Lab, Work, repository};
use crate::require_lab;

/// A Python with in-toto's package, which survives test runs; none where it cannot be had.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("in-toto");
    let python = folder.join("bin/python3");
    if !folder.join("complete").exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
        let installed = made.ok().filter(|output| output.status.success()).and_then(|_| {
            let mut command = Command::new(&python);
            command.args(["-m", "pip", "--quiet", "install", "in-toto-attestation==0.9.3"]).output().ok()
        });
        if !installed.is_some_and(|output| output.status.success()) {
            pipeline_testkit::skip("the Python package in-toto-attestation cannot be had");
            return None;
        }
        fs::write(folder.join("complete"), "").unwrap();
    }
    Some(python)
}

/// A build on a base that is pinned, saved and signed.
fn work() -> Work {
    let work = Work::tiny(
        "evidence",
        "buildah",
        &[("arm64", "")],
        "RUN echo said >/said",
        "[[step]]\nuses = \"save\"\npath = \"out/app.tar\"\n",
    );
    for (args, file) in [
        (&["genpkey", "-algorithm", "ed25519", "-out", "key"][..], "key"),
        (&["pkey", "-in", "key", "-pubout", "-out", "key.pub"], "key.pub"),
    ] {
        assert!(work.command("openssl").args(args).status().unwrap().success());
        assert!(work.path(file).exists());
    }
    work.run(&["--sign", "key"]).exits(0);
    work
}

fn statement(work: &Work) -> PathBuf {
    let runs = fs::read_dir(work.path(".pipeline/runs")).unwrap().map(|entry| entry.unwrap().path());
    runs.max().unwrap().join("provenance/save@arm64.json")
}

#[test]
fn the_public_schema_takes_a_statement() {
    let _lab: &Lab = require_lab!();
    let Some(python) = python() else { return };
    let work = work();
    let check = |file: &Path| {
        let output = Command::new(&python)
            .arg(repository().join("tests/lab/check-provenance"))
            .arg(file)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (is_right, said) = check(&statement(&work));
    assert!(is_right, "{said}");
    let text = fs::read_to_string(statement(&work)).unwrap();
    assert!(text.contains("\"qemu-aarch64\"") || std::env::consts::ARCH == "aarch64", "{text}");
    assert!(text.contains("\"buildah\""), "{text}");
    for (from, to) in [
        ("\"buildType\"", "\"buildKind\""),
        ("\"subject\"", "\"subjects\""),
        ("\"startedOn\": \"2", "\"startedOn\": \"x2"),
    ] {
        work.write("wrong.json", text.replacen(from, to, 1));
        assert!(!check(&work.path("wrong.json")).0, "{from}");
    }
}

#[test]
fn cosign_takes_a_signed_statement() {
    let _lab: &Lab = require_lab!();
    pipeline_testkit::require!("cosign");
    let work = work();
    let verify = |archive: &str, envelope: &str, key: &str| {
        let mut command = work.command("cosign");
        command.args([
            "verify-blob-attestation",
            "--insecure-ignore-tlog",
            "--type",
            "slsaprovenance1",
            "--key",
            key,
        ]);
        let output = command.args(["--signature", envelope, archive]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let envelope = "out/app.tar.intoto.jsonl";
    let (is_right, said) = verify("out/app.tar", envelope, "key.pub");
    assert!(is_right, "{said}");
    let mut archive = fs::read(work.path("out/app.tar")).unwrap();
    archive[3000] ^= 1;
    work.write("altered.tar", archive);
    assert!(!verify("altered.tar", envelope, "key.pub").0, "another archive");
    let text = work.read(envelope);
    work.write("altered.jsonl", text.replacen("\"sig\":\"", "\"sig\":\"A", 1));
    assert!(!verify("out/app.tar", "altered.jsonl", "key.pub").0, "another signature");
    let args = ["genpkey", "-algorithm", "ed25519", "-out", "other"];
    assert!(work.command("openssl").args(args).status().unwrap().success());
    let args = ["pkey", "-in", "other", "-pubout", "-out", "other.pub"];
    assert!(work.command("openssl").args(args).status().unwrap().success());
    assert!(!verify("out/app.tar", envelope, "other.pub").0, "another key");
}
