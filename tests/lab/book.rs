//! Pages of the book whose commands need an engine or a node; tests/docs has the others.
//!
//! The pages speak of `edge-1`, `edge-2` and `10.23.15.1`: machines with containerd where it usually is, which let root in by a key. Here
//! all three are one sshd with a view of its own of `/run` and `/var/lib`, and the user's ssh knows it by these names. That is the
//! machine; what is done with it stands on the page.

use std::fs;
use std::path::Path;

use pipeline_testkit::{Page, TestSpace, find, skip};

use crate::kit::{Lab, NODE_PATH, TestNode, debs, repository, set_executable};
use crate::require_lab;

/// A page in `space`, with these variables besides.
fn follow(lab: &Lab, space: &TestSpace, page: &str, env: &[(&str, String)]) {
    let page = Page::read(&repository().join(page));
    if let Some(missing) = page.tools.iter().find(|tool| find(tool).is_none()) {
        return skip(&format!("needs {missing}"));
    }
    let conf = ("CONTAINERS_CONF", lab.path("containers.conf").display().to_string());
    // What the user builds without us is in a store that goes with the space.
    let (store, at) = (space.root().join("storage.conf"), space.root().join("storage"));
    let text = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = \"{0}/root\"\nrunroot = \"{0}/run\"\n",
        at.display()
    );
    fs::write(&store, text).unwrap();
    let store = ("CONTAINERS_STORAGE_CONF", store.display().to_string());
    let env: Vec<(String, String)> =
        env.iter().cloned().chain([conf, store]).map(|(name, value)| (name.to_owned(), value)).collect();
    page.run(space, Path::new(env!("CARGO_BIN_EXE_pipeline")).parent().unwrap(), &env);
}

/// The node of the pages, while it is held.
fn node(lab: &Lab, space: &TestSpace) -> TestNode {
    let at = lab.dir.display();
    // The lab may lie in what is laid over, and a socket seen through an overlay is another one.
    let lines = format!(
        "mkdir -p \"$0/lab\"; mount --bind {at} \"$0/lab\"\n\
         for at in run var/lib; do mkdir -p \"$0/$at/up\" \"$0/$at/work\"\n\
         mount -t overlay overlay -o \"lowerdir=/$at,upperdir=$0/$at/up,workdir=$0/$at/work\" \"/$at\"; done\n\
         for at in /run/containerd /run/k3s/containerd; do mkdir -p $at; touch $at/containerd.sock\n\
         mount --bind \"$0/lab/containerd.sock\" $at/containerd.sock; done\n\
         mkdir -p /var/lib/containerd; mount --bind \"$0/lab/containerd/root\" /var/lib/containerd"
    );
    let node = TestNode::start_after(&space.root().join("node"), NODE_PATH, &lines);
    let config = fs::read_to_string(node.path("ssh_config")).unwrap();
    let config = config.replace("Host own\n", "Host edge-1 edge-2 10.23.15.1\n");
    reach(space, &config);
    node
}

/// Makes this the configuration of the user's ssh, which looks for it in no `HOME`.
fn reach(space: &TestSpace, config: &str) {
    let (file, ssh) = (space.root().join("ssh_config"), space.root().join("bin/ssh"));
    fs::write(&file, config).unwrap();
    let real = find("ssh").expect("the lab's nodes are reached by one");
    fs::write(&ssh, format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", real.display(), file.display())).unwrap();
    set_executable(&ssh);
}

#[test]
fn a_site_without_a_network_gets_what_was_built() {
    let lab = require_lab!("nodes", "containerd");
    let space = TestSpace::with_real_tools();
    let _node = node(lab, &space);
    follow(lab, &space, "docs/how-to/air-gapped.md", &[]);
}

#[test]
fn a_node_with_containerd_gets_an_image_and_the_one_before_back() {
    let lab = require_lab!("nodes", "containerd");
    let space = TestSpace::with_real_tools();
    let _node = node(lab, &space);
    follow(lab, &space, "docs/how-to/containerd.md", &[]);
}

#[test]
fn several_machines() {
    let lab = require_lab!();
    follow(lab, &TestSpace::with_real_tools(), "docs/how-to/several-machines.md", &[]);
}

#[test]
fn the_jobs_of_github_do_what_the_page_says() {
    let lab = require_lab!();
    follow(lab, &TestSpace::with_real_tools(), "docs/how-to/github.md", &[]);
}

#[test]
fn the_jobs_of_gitlab_do_what_the_page_says() {
    let lab = require_lab!("nodes", "containerd");
    let space = TestSpace::with_real_tools();
    let _node = node(lab, &space);
    follow(lab, &space, "docs/how-to/gitlab.md", &[]);
}

/// With the recipes as they are checked out, and the packages of the demo there as after a run of it.
#[test]
fn the_readme_from_the_demo_to_every_command() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    let space = TestSpace::with_real_tools();
    // Its owner is who runs the test, and what a run left in the original is not taken for done here.
    let copied = space.command("cp").arg("-R").arg(repository().join("pipelines")).arg(".").status();
    assert!(copied.unwrap().success());
    for name in ["demo", "docker-registry"] {
        let _ = fs::remove_dir_all(space.path(format!("pipelines/{name}/.pipeline")));
    }
    for arch in ["arm64", "armhf"] {
        let to = space.path(format!("pipelines/demo/.pipeline/out/debs-{arch}"));
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(debs(arch)).unwrap().flatten() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    reach(&space, &fs::read_to_string(lab.path("ssh_config")).unwrap());
    let at = lab.dir.display().to_string();
    let env = [("PIPELINE_LAB", at.clone()), ("PIPELINE_VAR_LAB", at)];
    follow(lab, &space, "README.md", &env);
}

#[test]
fn an_image_is_built_the_same_twice() {
    let lab = require_lab!();
    follow(lab, &TestSpace::with_real_tools(), "docs/explanation/reproducible.md", &[]);
}
