//! What `crictl-verify` says of an image besides that it is the right one: pinned or not, and a listing that fails.

use std::fs;
use std::time::Duration;

use crate::kit::{Lab, eventually};
use crate::require_lab;
use crate::verify::{EMULATES, HOSTS, delivered, mismatch};

const VERIFY: &str = "verify@arm64@node";

#[test]
fn an_image_that_the_kubelet_may_remove() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    for host in HOSTS {
        let name = format!("unpinned-{host}");
        let how = if host == "edge-arm64" {
            format!("`pinned_images = [\"docker.io/library/{name}:1\"]`")
        } else {
            let socket = lab.path("containerd.sock");
            format!(
                "`ctr -a {} -n k8s.io images label docker.io/library/{name}:1 io.cri-containerd.pinned=pinned`",
                socket.display()
            )
        };
        let log = delivered(lab, &name, host, EMULATES, "", "").run(&[]).exits(0).lines(VERIFY);
        assert!(
            log.contains("is not pinned") && log.contains("image garbage collection") && log.contains(&how),
            "{log}"
        );
        let outcome = delivered(lab, &name, host, EMULATES, "", "pinned = true\n").run(&[]);
        assert!(outcome.failure(VERIFY).help.as_ref().unwrap().contains(&how), "{}", outcome.stderr);
        mismatch(outcome, "expected: pinned\nit is: not pinned");
    }
}

/// A file of CRI-O's configuration, which goes with the test.
struct Configured<'l>(&'l Lab, &'static str);

impl Configured<'_> {
    fn reload(&self) {
        let dir = self.0.path("crio");
        let pid = fs::read_to_string(dir.join("pid")).unwrap();
        let pid = pid.split_whitespace().next().unwrap();
        assert!(std::process::Command::new("kill").args(["-HUP", pid]).status().unwrap().success());
    }
}

impl Drop for Configured<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.path("crio/conf.d").join(self.1));
        self.reload();
    }
}

#[test]
fn an_image_that_was_pinned_by_the_line_that_is_told() {
    let lab = require_lab!("nodes", "crio", "crictl");
    let file = "pinned-for-a-test.conf";
    fs::write(
        lab.path("crio/conf.d").join(file),
        "[crio.image]\npinned_images = [\"docker.io/library/pinned-edge-arm64:1\"]\n",
    )
    .unwrap();
    let configured = Configured(lab, file);
    configured.reload();
    let work = delivered(lab, "pinned-edge-arm64", "edge-arm64", EMULATES, "", "pinned = true\n");
    // CRI-O reads it when it comes to it.
    let outcome = eventually("the image is pinned", Duration::from_mins(1), || {
        let outcome = work.run(&[]);
        (outcome.code == Some(0)).then_some(outcome)
    });
    let log = outcome.lines(VERIFY);
    assert!(log.contains("and is pinned") && !log.contains("garbage"), "{log}");
}

/// An index of another architecture's image only, in CRI-O's own storage.
struct Foreign<'l>(&'l Lab);

impl Drop for Foreign<'_> {
    fn drop(&mut self) {
        self.0.on_node("edge-arm64", "buildah manifest rm localhost/foreign:1");
    }
}

#[test]
fn another_image_that_breaks_the_listing() {
    let lab = require_lab!("nodes", "crio", "crictl");
    let name = "listing-edge-arm64";
    let work = delivered(lab, name, "edge-arm64", EMULATES, "", "");
    let log = work.run(&[]).exits(0).lines(VERIFY);
    assert!(!log.contains("cannot list"), "{log}");
    let listing = Lab::listing();
    lab.on_node("edge-arm64", "buildah manifest create localhost/foreign:1");
    let foreign = Foreign(lab);
    let add =
        format!("buildah manifest add localhost/foreign:1 containers-storage:docker.io/library/{name}:1");
    lab.on_node("edge-arm64", &add);
    let log = work.run(&[]).exits(0).lines(VERIFY);
    assert!(log.contains("no image found in image index"), "{log}");
    assert!(log.contains("node `node` cannot list its images") && log.contains("cri-o#6457"), "{log}");
    // What is not there is still told from a runtime that does not answer.
    let other =
        delivered(lab, name, "edge-arm64", EMULATES, "", "image = \"docker.io/library/never-delivered:1\"\n");
    mismatch(other.run(&[]), "does not have the image");
    drop(foreign);
    drop(listing);
}
