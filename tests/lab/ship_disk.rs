//! `deliver` to nodes that cannot take the image: full and read-only disks, missing tools, other users' folders.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use pipeline_core::event::{EventKind, FailureKind};

use crate::kit::{NODE_PATH, Outcome, Parcel, TestNode, path_without};
use crate::require_lab;

const STEP: &str = "deliver@arm64@own";
const LAYERS: [usize; 3] = [20_000, 900_000, 300_000];

/// A tmpfs, gone when dropped.
struct Mounted<'p>(&'p Path);

impl<'p> Mounted<'p> {
    fn new(at: &'p Path, options: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at);
        Self(at)
    }

    fn again(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], self.0);
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(self.0).status();
    }
}

fn mount(options: &[&str], at: &Path) {
    assert!(Command::new("mount").args(options).arg(at).status().unwrap().success());
}

/// How often it was begun.
fn attempts(outcome: &Outcome) -> usize {
    let begun =
        |kind: &EventKind| matches!(kind, EventKind::Started { instance, .. } if instance.as_str() == STEP);
    outcome.events.iter().filter(|event| begun(&event.kind)).count()
}

/// It has failed once, in words that name the node, with a way out.
#[track_caller]
fn refused(outcome: &Outcome, words: &[&str]) {
    let failure = outcome.failure(STEP);
    let help = failure.help.clone().unwrap_or_default();
    assert!(failure.message.contains("node `own`"), "{failure:?}");
    assert!(!help.is_empty(), "no way out: {failure:?}");
    let all = format!("{}\n{help}\n{}", failure.message, outcome.lines(STEP));
    for word in words {
        assert!(all.contains(word), "no `{word}` in {all}");
    }
}

/// Sizes of a disk, in kB, on which the image has no room. `lying`: `df` tells of more than there is, so that the disk is full
/// in the middle.
fn full(place: &str, sizes: &[u32], lying: bool) {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new(&format!("ship-full-{place}-{lying}"), &LAYERS);
    if lying {
        let df = "#!/bin/sh\necho Filesystem\necho x 999999999 1 999999998 1% /\n";
        parcel.node.install("df", df);
    }
    let at = parcel.node.path(place);
    for size in sizes {
        let disk = Mounted::new(&at, &format!("size={size}k,mode=755"));
        let id = parcel.pack(&LAYERS);
        let outcome = parcel.work.run(&[]).exits(1);
        let failure = outcome.failure(STEP);
        assert_eq!(failure.kind, FailureKind::NoSpace, "{size} kB: {failure:?}");
        refused(&outcome, &[at.to_str().unwrap()]);
        assert_eq!(attempts(&outcome), 1, "{size} kB: a full disk was tried again");
        assert_eq!(parcel.left(), Vec::<String>::new(), "{size} kB");
        assert_ne!(parcel.delivered().as_ref(), Some(&id), "{size} kB");
        disk.again("size=100m");
        parcel.arrives(&id);
        drop(disk);
    }
}

#[test]
fn no_room_in_the_folder_of_the_node() {
    full("files", &[64, 700], false);
}

#[test]
fn the_folder_of_the_node_is_full_in_the_middle() {
    full("files", &[12, 64, 500, 1200], true);
}

#[test]
fn no_room_in_the_store() {
    full("storage", &[64, 700], false);
}

#[test]
fn the_store_is_full_in_the_middle() {
    full("storage", &[400, 1000, 1200], true);
}

#[test]
fn a_folder_that_cannot_be_written_to() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-read-only", &LAYERS);
    let at = parcel.node.path("files");
    let disk = Mounted::new(&at, "ro,mode=755");
    let outcome = parcel.work.run(&[]).exits(1);
    refused(&outcome, &[at.to_str().unwrap(), "Read-only file system"]);
    disk.again("rw");
    let id = parcel.pack(&LAYERS);
    parcel.arrives(&id);
}

#[test]
fn a_folder_of_another_user() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-owner", &LAYERS);
    let at = parcel.node.path("files");
    chown(&at, Some(1234), None).unwrap();
    let outcome = parcel.work.run(&[]).exits(1);
    refused(&outcome, &[at.to_str().unwrap(), "1234"]);
    chown(&at, Some(0), None).unwrap();
    let id = parcel.pack(&LAYERS);
    parcel.arrives(&id);
}

#[test]
fn no_tool_that_can_import() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::to("ship-no-tool", &LAYERS, |dir| {
        let path = path_without(&dir.with_extension("bin"), &["skopeo", "podman"]);
        TestNode::start(dir, path.to_str().unwrap())
    });
    let outcome = parcel.work.run(&["--keep-going"]).exits(1);
    refused(&outcome, &["skopeo"]);
    assert_eq!(outcome.failure(STEP).kind, FailureKind::Tool);
}

#[test]
fn no_tool_that_compares_digests() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::to("ship-no-sha256sum", &LAYERS, |dir| {
        let path = path_without(&dir.with_extension("bin"), &["sha256sum"]);
        TestNode::start(dir, path.to_str().unwrap())
    });
    let outcome = parcel.work.run(&["--keep-going"]).exits(1);
    refused(&outcome, &["`sha256sum` is not installed", "coreutils"]);
    assert_eq!(outcome.failure(STEP).kind, FailureKind::Tool);
}

#[test]
fn a_node_with_the_tools_of_busybox() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let Some(busybox) = pipeline_testkit::require("busybox") else { return };
    let parcel = Parcel::new("ship-busybox", &LAYERS);
    for tool in [
        "sh",
        "awk",
        "base64",
        "cat",
        "df",
        "dirname",
        "find",
        "grep",
        "gzip",
        "head",
        "id",
        "ln",
        "mkdir",
        "mv",
        "rm",
        "sed",
        "setsid",
        "sha256sum",
        "sleep",
        "stat",
        "sync",
        "tar",
        "timeout",
    ] {
        std::os::unix::fs::symlink(&busybox, parcel.node.path("bin").join(tool)).unwrap();
    }
    let id = parcel.pack(&LAYERS);
    parcel.arrives(&id);
    let recipe = parcel.work.read("pipeline.toml");
    parcel.work.write("pipeline.toml", recipe + "[[step]]\nuses = \"scp\"\ndest = \"/DEST\"\n");
    let dest = parcel.node.path("copied/image.tar");
    let recipe = parcel.work.read("pipeline.toml").replace("/DEST", dest.to_str().unwrap());
    parcel.work.write("pipeline.toml", recipe);
    parcel.work.run(&[]).exits(0);
    assert_eq!(std::fs::read(dest).unwrap(), std::fs::read(parcel.work.path("image.tar")).unwrap());
}

#[test]
fn a_login_shell_that_has_something_to_say() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "unshare", "skopeo");
    let parcel = Parcel::to("ship-noise", &LAYERS, |dir| {
        let lines = "printf '#!/bin/sh\\necho Welcome to\\necho this node\\nexec /bin/sh \"$@\"\\n' >$0/shell\n\
                     chmod 755 $0/shell\n\
                     sed \"s|^\\(root:.*:\\)[^:]*\\$|\\1$0/shell|\" /etc/passwd >$0/passwd\n\
                     mount --bind $0/passwd /etc/passwd";
        TestNode::start_after(dir, NODE_PATH, lines)
    });
    let outcome = parcel.work.run(&["--keep-going"]).exits(1);
    refused(&outcome, &["answered something else", "start-up files"]);
    // What runs containers there is found out all the same.
    let doctor = parcel.work.outcome(&mut parcel.work.pipeline(&["doctor"]));
    assert!(doctor.stdout.contains("own answers"), "{}", doctor.stdout);
    let (archive, config) = (parcel.work.path("packed.tar"), parcel.node.path("ssh_config"));
    let mut ship = parcel.work.pipeline(&["ship", archive.to_str().unwrap(), "own", "--no-verify"]);
    let shipped = parcel.work.outcome(ship.arg("--ssh-config").arg(config)).exits(1);
    assert!(shipped.stderr.contains("start-up files"), "{}", shipped.stderr);
}

#[test]
fn a_folder_of_the_user_who_logs_in_and_becomes_root() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-sudo", &LAYERS);
    // As sudo does it, for a user who logged in as 1234.
    parcel.node.install("sudo", "#!/bin/sh\nshift 2\nSUDO_UID=1234 SUDO_GID=1234 exec \"$@\"\n");
    let recipe = parcel.work.read("pipeline.toml").replace("[nodes.own]\n", "[nodes.own]\nsudo = true\n");
    parcel.work.write("pipeline.toml", recipe);
    let at = parcel.node.path("files");
    std::fs::create_dir(at.join("blobs")).unwrap();
    for folder in [at.join("blobs"), at] {
        chown(&folder, Some(1234), None).unwrap();
    }
    let id = parcel.pack(&LAYERS);
    parcel.arrives(&id);
}

#[test]
fn no_policy() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "unshare", "skopeo");
    let parcel = Parcel::to("ship-no-policy", &LAYERS, |dir| {
        TestNode::start_after(dir, NODE_PATH, "mount -t tmpfs tmpfs /etc/containers")
    });
    let outcome = parcel.work.run(&["--keep-going"]).exits(1);
    refused(&outcome, &["/etc/containers/policy.json", "insecureAcceptAnything"]);
}

#[test]
fn a_store_where_none_can_be() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-no-store", &LAYERS);
    let recipe = parcel.work.read("pipeline.toml");
    let root = parcel.node.path("storage/root");
    let id = parcel.pack(&LAYERS);
    for wrong in ["/proc/containers/storage", "/dev/null/storage"] {
        parcel.work.write("pipeline.toml", recipe.replace(root.to_str().unwrap(), wrong));
        let outcome = parcel.work.run(&["--keep-going"]).exits(1);
        refused(&outcome, &[wrong]);
    }
    parcel.work.write("pipeline.toml", recipe);
    parcel.arrives(&id);
}
