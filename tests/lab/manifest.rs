//! `manifest`: one index of all targets' images, in a registry and in files, as skopeo and podman see it.

use std::process::Command;

use crate::kit::{Lab, Outcome, Work};
use crate::require_lab;

const TARGETS: [(&str, &str); 2] = [("arm64", ""), ("armv7", "")];

/// What `uname -m` says on a target's platform, and how an index names the platform.
const PLATFORMS: [(&str, &str, &str); 2] =
    [("arm64", "aarch64", "linux/arm64"), ("armv7", "armv7l", "linux/arm/v7")];

fn said(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(bytes)))
}

/// The index at `dest` as skopeo reads it: for each platform the config digest of the manifest that it names.
fn listed(work: &Work, dest: &str) -> Vec<(String, String)> {
    let inspect = |place: &str| {
        json(&said(work.command("skopeo").args(["inspect", "--raw", "--tls-verify=false", place])))
    };
    let text = |value: &serde_json::Value, pointer: &str| {
        value.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let index = inspect(dest);
    let entries = index["manifests"].as_array().unwrap().iter();
    let repository = dest.rsplit_once(':').unwrap().0;
    entries
        .map(|entry| {
            let parts = ["/platform/os", "/platform/architecture", "/platform/variant"];
            let platform: Vec<_> = parts.iter().map(|part| text(entry, part)).collect();
            let manifest = match dest.strip_prefix("oci:") {
                // skopeo finds no manifest of a layout by its digest.
                Some(layout) => {
                    let digest = text(entry, "/digest");
                    json(work.read(format!("{layout}/blobs/{}", digest.replace(':', "/"))).as_bytes())
                }
                None => inspect(&format!("{repository}@{}", text(entry, "/digest"))),
            };
            (platform.join("/").trim_end_matches('/').to_owned(), text(&manifest, "/config/digest"))
        })
        .collect()
}

fn built(outcome: &Outcome) -> Vec<(String, String)> {
    let id = |target: &str| outcome.output(&format!("image@{target}"), "id");
    let mut built: Vec<_> =
        PLATFORMS.iter().map(|(target, _, platform)| ((*platform).to_owned(), id(target))).collect();
    built.sort();
    built
}

/// Pulls each platform's image by the one name, runs it, and sees what was built.
fn runs(work: &mut Work, lab: &Lab, reference: &str, outcome: &Outcome) {
    work.with_podman(lab);
    for (target, machine, platform) in PLATFORMS {
        let pull = ["pull", "--quiet", "--tls-verify=false", "--platform", platform, reference];
        let id = String::from_utf8(said(work.command("podman").args(pull))).unwrap();
        assert_eq!(
            format!("sha256:{}", id.trim()),
            outcome.output(&format!("image@{target}"), "id"),
            "{platform}"
        );
        let run = ["run", "--rm", "--network=none", id.trim(), "uname", "-m"];
        assert_eq!(String::from_utf8(said(work.command("podman").args(run))).unwrap().trim(), machine);
    }
}

#[test]
fn an_index_in_a_registry_has_every_platforms_image() {
    let lab = require_lab!("registry", "dockerd");
    pipeline_testkit::require!("skopeo", "podman");
    let registry = lab.registry();
    for (name, engine, save) in
        [("index-image", "buildah", ""), ("index-archive", "docker", "[[step]]\nuses = \"save\"\n")]
    {
        let reference = format!("{registry}/{name}:1");
        let rest = format!(
            "{save}[[step]]\nuses = \"smoke\"\nargv = [\"true\"]\n[[step]]\nid = \"index\"\nuses = \"manifest\"\n\
             dest = \"docker://{reference}\"\nplatforms = [\"linux/arm/v7\", \"linux/arm64\"]\ntls-verify = false\n"
        );
        let mut work = Work::tiny(name, engine, &TARGETS, "", &rest);
        let outcome = work.with_docker(lab).run(&[]).exits(0);
        assert_eq!(listed(&work, &format!("docker://{reference}")), built(&outcome));
        assert!(!work.path(".pipeline/work/index/index").exists(), "what it was pushed from is gone");
        runs(&mut work, lab, &reference, &outcome);
        // It is there, so nothing is to do; and what is there instead of it is seen.
        let again = work.run(&[]).exits(0);
        assert!(again.commands("index").iter().all(|argv| !argv.contains(&"copy".to_owned())));
        let copy = format!("docker://{registry}/{name}:other");
        let (from, to) = (format!("docker://{reference}"), format!("docker://{reference}"));
        let mut skopeo = work.command("skopeo");
        said(
            skopeo
                .args([
                    "--override-arch",
                    "arm64",
                    "copy",
                    "--src-tls-verify=false",
                    "--dest-tls-verify=false",
                ])
                .args([&from, &copy]),
        );
        let mut skopeo = work.command("skopeo");
        said(skopeo.args(["copy", "--src-tls-verify=false", "--dest-tls-verify=false"]).args([&copy, &to]));
        let repaired = work.run(&[]).exits(0);
        assert!(repaired.commands("index").iter().any(|argv| argv.contains(&"copy".to_owned())));
        assert_eq!(listed(&work, &format!("docker://{reference}")), built(&outcome));
        assert_eq!(repaired.output("index", "digest"), outcome.output("index", "digest"));
    }
}

#[test]
fn an_index_in_files_is_the_same_each_time() {
    pipeline_testkit::require!("skopeo", "buildah");
    let rest = "[[step]]\nid = \"layout\"\nuses = \"manifest\"\ndest = \"oci:out/layout\"\n\
        [[step]]\nid = \"archive\"\nuses = \"manifest\"\ndest = \"oci-archive:out/index.tar\"\n";
    let work = Work::tiny("index-files", "buildah", &TARGETS, "", rest);
    let outcome = work.run(&[]).exits(0);
    assert_eq!(listed(&work, "oci:out/layout"), built(&outcome));
    assert_eq!(outcome.output("layout", "digest"), outcome.output("archive", "digest"));
    let sum = || said(work.command("sha256sum").arg("out/index.tar"));
    let first = sum();
    std::fs::remove_dir_all(work.path("out")).unwrap();
    work.run(&[]).exits(0);
    assert_eq!(sum(), first);
    // Each platform's image is in the file, and is what was built.
    for (target, _, platform) in PLATFORMS {
        let parts: Vec<_> = platform.split('/').collect();
        let variant = parts.get(2).map(|variant| format!("--override-variant={variant}"));
        let mut skopeo = work.command("skopeo");
        skopeo.arg(format!("--override-arch={}", parts[1])).args(variant);
        let config = said(skopeo.args(["inspect", "--raw", "--config", "oci-archive:out/index.tar"]));
        std::fs::write(work.path("config"), config).unwrap();
        let sum = String::from_utf8(said(work.command("sha256sum").arg("config"))).unwrap();
        let id = outcome.output(&format!("image@{target}"), "id");
        assert_eq!(format!("sha256:{}", sum.split_whitespace().next().unwrap()), id);
    }
}

#[test]
fn an_index_of_some_targets_is_refused() {
    let rest = "[[step]]\nid = \"index\"\nuses = \"manifest\"\ndest = \"oci:out/layout\"\n";
    let work = Work::tiny("index-part", "buildah", &TARGETS, "", rest);
    let outcome = work.run(&["--target", "arm64"]).exits(3);
    assert!(outcome.stderr.contains("only `linux/arm64` would be joined"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--skip index"), "{}", outcome.stderr);
}
