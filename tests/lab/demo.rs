//! The whole demo, with each engine.

use std::time::Duration;

use pipeline_core::event::Status;
use pipeline_testkit::{in_browser, longest};
use serde_json::json;

use crate::kit::{Lab, Outcome, Work};
use crate::require_lab;

const NODES: [&str; 2] = ["edge-arm64", "edge-armv7"];

/// What stdout says that was delivered: `(node, reference, id)`.
fn delivered(outcome: &Outcome) -> Vec<(String, String, String)> {
    let line = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        Some((columns.next()?, columns.next()?, columns.next()?))
    };
    outcome.stdout.lines().filter_map(line).collect()
}

/// Both nodes have, by their own account, the image that the run says it delivered; the real crictl lists it.
#[track_caller]
fn arrived(lab: &Lab, outcome: &Outcome, image: &str) {
    let said = delivered(outcome);
    assert_eq!(said.len(), 2, "{}", outcome.stdout);
    let (name, tag) = image.rsplit_once(':').unwrap();
    for node in NODES {
        let (_, reference, id) = said.iter().find(|(on, ..)| on == node).unwrap();
        assert_eq!(reference, image);
        assert_eq!(lab.delivered(node, image).as_ref(), Some(id), "{node}");
        let listed = lab.crictl_images(node);
        let bare = id.trim_start_matches("sha256:");
        let fits = |(repository, version, listed): &&(String, String, String)| {
            repository == name && version == tag && listed.trim_start_matches("sha256:") == bare
        };
        assert!(listed.iter().any(|image| fits(&image)), "{node}: {listed:?}");
    }
}

/// Id and archive digest of both targets.
fn results(outcome: &Outcome) -> Vec<String> {
    let of = |target: &str| {
        [
            outcome.output(&format!("image@{target}"), "id"),
            outcome.output(&format!("save@{target}"), "sha256"),
        ]
    };
    [of("arm64"), of("armv7")].concat()
}

fn overlap(outcome: &Outcome, one: &str, other: &str) -> bool {
    let (one, other) = (outcome.interval(one), outcome.interval(other));
    one.0.max(other.0) < one.1.min(other.1)
}

/// What the report of the whole demo shows in a browser.
fn report_of_success(work: &Work, outcome: &Outcome) {
    let id = outcome.output("image@arm64", "id");
    in_browser(
        &work.path("report.html"),
        "demo",
        &json!({
            "widths": [1280, 390], "steps": 21, "ran": 21, "graphs": 2, "longest": longest(&work.read("report.html")),
            "search": { "words": "containerd", "rows": 2 },
            "log": { "words": "COMMIT localhost/pipeline/demo/image/", "rows": 2 },
            "filters": [["Kind", "build", 4], ["Target", "arm64", 9], ["Node", "edge-armv7", 3]],
            "target": { "name": "armv7", "ran": 9 },
            "details": { "id": "image@arm64", "words": ["buildah", "emulated", id, "Needed by", "save@arm64"], "find": "STEP" },
            "words": ["demo", "Done", "edge-arm64", "edge-armv7", "verified", "linux/arm/v7"],
        }),
    );
}

/// And of the demo that failed for one target.
fn report_of_failure(work: &Work) {
    in_browser(
        &work.path("report.html"),
        "demo-failed",
        &json!({
            "widths": [1280], "steps": 21, "ran": 18, "graphs": 2, "longest": longest(&work.read("report.html")),
            "search": { "words": "smoke@", "rows": 5 },
            "log": { "words": "COMMIT localhost/pipeline/demo/image/", "rows": 2 },
            "filters": [["Status", "failed", 1], ["Status", "skipped", 3], ["Node", "edge-arm64", 3]],
            "details": { "id": "smoke@arm64", "words": ["the output of `docker-registry --nonsense` in the image does not match", "it is: (nothing)", "Needed by"], "find": "nonsense" },
            "words": ["demo", "1 step failed", "smoke@arm64", "edge-armv7", "verified"],
        }),
    );
}

#[test]
fn with_buildah_twice_and_the_same_elsewhere() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    let image = "docker.io/library/demo-buildah:2";
    let work = Work::demo(lab, image);
    let first = work.run(&["--report", "report.html"]).exits(0);
    arrived(lab, &first, image);
    report_of_success(&work, &first);
    // Chains of both targets, somewhere along the way.
    let steps = ["rootfs", "base", "patched", "image", "smoke", "save", "scp"];
    let at = |step: &str, target: &str| match step {
        "scp" => format!("scp@{target}@edge-{target}"),
        _ => format!("{step}@{target}"),
    };
    let pairs = steps.iter().flat_map(|one| steps.iter().map(move |other| (*one, *other)));
    let together =
        pairs.filter(|(one, other)| overlap(&first, &at(one, "arm64"), &at(other, "armv7"))).count();
    assert!(together > 0, "the targets took turns:\n{}", first.stderr);
    let whole =
        |target: &str| (first.interval(&at("rootfs", target)).0, first.interval(&at("scp", target)).1);
    let (one, other): ((Duration, Duration), (Duration, Duration)) = (whole("arm64"), whole("armv7"));
    assert!(one.0.max(other.0) < one.1.min(other.1), "{one:?} {other:?}");

    let again = work.run(&[]).exits(0);
    arrived(lab, &again, image);
    assert_eq!(results(&again), results(&first));
    assert!(work.partials().is_empty(), "{:?}", work.partials());

    let elsewhere = Work::demo(lab, "docker.io/library/demo-buildah:2");
    let other = elsewhere.run(&["-j", "1"]).exits(0);
    assert_eq!(results(&other), results(&first), "another folder, one step at a time");

    for node in NODES {
        let probe = lab.script("probe-registry", &[node, image]);
        let said = String::from_utf8_lossy(&probe.stdout).into_owned();
        assert!(probe.status.success(), "{}", String::from_utf8_lossy(&probe.stderr));
        let machine = if node == "edge-arm64" { "aarch64" } else { "armv7l" };
        assert!(said.contains("/v2/ with 200") && said.trim_end().ends_with(machine), "{said}");
    }
}

#[test]
fn with_docker() {
    let lab = require_lab!("dockerd", "nodes", "containerd", "crio", "crictl");
    let image = "docker.io/library/demo-docker:2";
    let mut work = Work::demo(lab, image);
    work.with_docker(lab);
    for _ in 0..2 {
        arrived(lab, &work.run(&["--set", "engine=docker"]).exits(0), image);
    }
}

#[test]
fn with_podman() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    pipeline_testkit::require!("podman");
    let image = "docker.io/library/demo-podman:2";
    let mut work = Work::demo(lab, image);
    work.with_podman(lab);
    for _ in 0..2 {
        arrived(lab, &work.run(&["--set", "engine=podman"]).exits(0), image);
    }
}

#[test]
fn a_failed_check_keeps_its_target_from_every_node_and_the_other_arrives() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    let image = "docker.io/library/demo-gated:2";
    let work = Work::demo(lab, image);
    let recipe = work
        .read("pipeline.toml")
        .replace(
            "vars     = { debian = \"arm64\" }",
            "vars     = { debian = \"arm64\", question = \"--nonsense\" }",
        )
        .replace("[vars]\n", "[vars]\nquestion = \"--version\"\n")
        .replace("\"docker-registry\", \"--version\"", "\"docker-registry\", \"${vars.question}\"");
    work.write("pipeline.toml", recipe);
    let outcome = work.run(&["--keep-going", "--report", "report.html"]).exits(6);
    outcome.failure("smoke@arm64");
    report_of_failure(&work);
    assert!(matches!(outcome.status("scp@arm64@edge-arm64"), Some(Status::Skipped { .. })));
    assert_eq!(lab.delivered("edge-arm64", image), None);
    let (name, _) = image.rsplit_once(':').unwrap();
    assert!(lab.crictl_images("edge-arm64").iter().all(|(listed, ..)| listed != name));
    assert!(!lab.path("edge-arm64/files/demo-gated/registry.arm64.img").exists());
    let said = delivered(&outcome);
    assert_eq!(said.len(), 1, "{}", outcome.stdout);
    assert_eq!(lab.delivered("edge-armv7", image).as_ref(), Some(&said[0].2));
    assert_eq!(outcome.status("verify-containerd@armv7@edge-armv7"), Some(&Status::Done));
}
