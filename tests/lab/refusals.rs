//! Bad input that only real things refuse. The rest is with `git-checkout`, `patch-FROM`, `build` and `crictl-verify`.

use crate::kit::{Work, base, path_without};
use crate::require_lab;

#[test]
fn a_node_that_refuses_the_connection() {
    let _lab = require_lab!();
    let port = crate::kit::free_port();
    let rest = format!(
        "[nodes.gone]\nhost = \"root@127.0.0.1\"\nport = {port}\n[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n"
    );
    let work = Work::tiny("node-gone", "buildah", &[("arm64", "\"gone\"")], "", &rest);
    // Found out beforehand; and where the run is to go on regardless, by the step.
    let outcome = work.run(&[]).exits(5);
    let outcome = outcome.says("gone").says("refused");
    assert!(outcome.events.is_empty(), "something was started");
    let outcome = work.run(&["--keep-going"]).exits(1);
    let failure = outcome.failure("scp@arm64@gone");
    assert!(failure.message.contains("node `gone` could not be reached"), "{failure:?}");
    assert!(failure.help.as_ref().unwrap().contains("refused"), "{failure:?}");
}

#[test]
fn a_tool_that_is_not_installed() {
    let lab = require_lab!("registry");
    let push = format!(
        "[[step]]\nid = \"push\"\nuses = \"skopeo-copy\"\nimage = \"image\"\ndest = \"docker://{}/x:1\"\ntls-verify = false\n",
        lab.registry()
    );
    let mut work = Work::tiny("no-skopeo", "buildah", &[("arm64", "")], "", &push);
    let bin = path_without(&work.root().join("bin"), &["skopeo"]);
    work.env("PATH", &bin);
    let outcome = work.run(&[]).exits(5);
    let outcome = outcome.says("skopeo").says("apt-get install skopeo");
    assert!(outcome.events.is_empty(), "something was started");
    let outcome = work.run(&["--keep-going"]).exits(1);
    let failure = outcome.failure("push@arm64");
    assert!(failure.message.contains("`skopeo` is not installed"), "{failure:?}");
    assert!(failure.help.as_ref().unwrap().contains("apt-get install skopeo"), "{failure:?}");
}

#[test]
fn a_tool_that_is_not_installed_on_the_node() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv");
    let work = Work::tiny("no-tool-there", "buildah", &[("arm64", "\"own\"")], "", "");
    let bin = path_without(&work.root().join("bin"), &["skopeo"]);
    let own = crate::kit::TestNode::start(&work.root().join("node"), bin.to_str().unwrap());
    let steps = "[[step]]\nuses = \"save\"\n[[step]]\nuses = \"scp\"\n\
        [[step]]\nid = \"import\"\nuses = \"skopeo-copy\"\ndest = \"containers-storage:docker.io/library/x:1\"\n";
    work.write("pipeline.toml", work.read("pipeline.toml") + &own.toml("") + steps);
    let outcome = work.run(&["--keep-going"]).exits(1);
    let failure = outcome.failure("import@arm64@own");
    assert!(failure.message.contains("`skopeo` is not installed on node `own`"), "{failure:?}");
    assert!(failure.help.as_ref().unwrap().contains("apt-get install skopeo"), "{failure:?}");
}

#[test]
fn a_build_that_fails_leaves_nothing_half_made() {
    let _lab = require_lab!();
    base("arm64");
    let work = Work::tiny(
        "bad-build",
        "buildah",
        &[("arm64", "")],
        "RUN echo on purpose >&2; exit 3",
        "[[step]]\nuses = \"save\"\npath = \"x.tar\"\n",
    );
    let outcome = work.run(&[]).exits(1).says("on purpose");
    assert!(outcome.failure("image@arm64").message.contains("exited with code"));
    assert!(!work.path("x.tar").exists() && work.partials().is_empty());
}
