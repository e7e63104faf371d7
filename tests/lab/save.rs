//! `save` in its three formats, read back by skopeo.

use crate::kit::Work;
use crate::require_lab;

const FORMATS: [(&str, &str); 3] =
    [("docker-archive", "out/d.tar"), ("oci-archive", "out/o.tar"), ("oci", "out/layout")];

fn steps() -> String {
    let step = |(format, path): &(&str, &str)| {
        format!("[[step]]\nid = \"{format}\"\nuses = \"save\"\nformat = \"{format}\"\npath = \"{path}\"\n")
    };
    FORMATS.iter().map(step).collect()
}

/// Sum of the file, or of everything in the folder.
fn sum(work: &Work, path: &str) -> String {
    let script = "cd \"$1\" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum";
    let file = work.path(path);
    let mut command = if file.is_dir() {
        let mut command = work.command("sh");
        command.args(["-c", script, "sh"]).arg(file);
        command
    } else {
        let mut command = work.command("sha256sum");
        command.arg(file);
        command
    };
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[track_caller]
fn saves(work: &Work, name: &str) {
    let first = work.run(&[]).exits(0);
    let sums: Vec<String> = FORMATS.iter().map(|(_, path)| sum(work, path)).collect();
    for (format, path) in FORMATS {
        if format != "oci" {
            let said = first.output(&format!("{format}@arm64"), "sha256");
            assert_eq!(said, format!("sha256:{}", sum(work, path)), "{format}");
        }
        // skopeo reads it, and finds the image that was built, under its name.
        let mut inspect = work.command("skopeo");
        let output =
            inspect.args(["inspect", "--config", "--raw", &format!("{format}:{path}")]).output().unwrap();
        assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        let mut hash = work.command("sh");
        let line = format!("skopeo inspect --config --raw {format}:{path} | tr -d '\\n' | sha256sum");
        let hash = hash.args(["-c", &line]).output().unwrap();
        let id = String::from_utf8(hash.stdout).unwrap();
        let id = format!("sha256:{}", id.split_whitespace().next().unwrap());
        assert_eq!(id, first.output("image@arm64", "id"), "{format}");
        let config = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(config.contains("\"arm64\""), "{config}");
        let full = format!("docker.io/library/{name}:1");
        let named = format!("{format}:{path}:{full}");
        let output = work.command("skopeo").args(["inspect", "--raw", &named]).output().unwrap();
        assert!(output.status.success(), "{named}: {}", String::from_utf8_lossy(&output.stderr));
    }
    work.run(&[]).exits(0);
    let again: Vec<String> = FORMATS.iter().map(|(_, path)| sum(work, path)).collect();
    assert_eq!(again, sums, "the same when written again");
    assert!(work.partials().is_empty(), "{:?}", work.partials());
    // Nothing beside what was asked for.
    let mut left: Vec<String> = std::fs::read_dir(work.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["d.tar", "layout", "o.tar"]);
}

#[test]
fn from_buildah() {
    let _lab = require_lab!();
    let work = Work::tiny("save-buildah", "buildah", &[("arm64", "")], "RUN echo x >/x", &steps());
    saves(&work, "save-buildah");
}

#[test]
fn from_docker() {
    let lab = require_lab!("dockerd");
    let mut work = Work::tiny("save-docker", "docker", &[("arm64", "")], "RUN echo x >/x", &steps());
    work.with_docker(lab);
    saves(&work, "save-docker");
}

#[test]
fn from_podman() {
    let lab = require_lab!("nodes");
    pipeline_testkit::require!("podman");
    let mut work = Work::tiny("save-podman", "podman", &[("arm64", "")], "RUN echo x >/x", &steps());
    work.with_podman(lab);
    saves(&work, "save-podman");
}
