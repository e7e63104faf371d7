//! `deliver` under faults: broken connections, signals, several at once, bits that flip.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pipeline_core::event::{Event, EventKind, FailureKind};

use crate::kit::{Marked, Parcel, Work, eventually, repository};
use crate::require_lab;

const STEP: &str = "deliver@arm64@own";
const LONG: Duration = Duration::from_mins(2);

#[test]
fn a_connection_that_breaks_anywhere() {
    let _lab = require_lab!();
    pipeline_testkit::require!("python3", "skopeo", "busybox", "unshare");
    let mut soak = Command::new(repository().join("scripts/soak"));
    soak.args(["ship-drops", "--binary", env!("CARGO_BIN_EXE_pipeline"), "--rounds", "3"]);
    let output = soak.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default();
    assert!(output.status.success(), "{said}{errors}");
    if let Some(reason) = last.strip_prefix("skipped: ") {
        pipeline_testkit::skip(reason);
        return;
    }
    assert!(last.starts_with("F7: 3 deliveries") && last.contains(" 0 failed"), "{said}{errors}");
}

/// Reads as slowly as a bad line, and ends when the line does.
const SLOW_CAT: &str = "#!/usr/bin/env python3\n\
    import os, time\n\
    while data := os.read(0, 16384):\n    os.write(1, data)\n    time.sleep(0.05)\n";

const LAYERS: [usize; 2] = [30_000, 3_000_000];

/// With the signals as a terminal's child has them.
fn start(work: &Work) -> Child {
    let mut command = work.command("env");
    command.args(["--default-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_pipeline"), "run"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// How much of the large layer is there.
fn arrived(parcel: &Parcel) -> u64 {
    let blobs = fs::read_dir(parcel.node.path("files/blobs")).into_iter().flatten().flatten();
    let partial = blobs.filter(|entry| entry.file_name().to_string_lossy().ends_with(".partial"));
    partial.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).max().unwrap_or_default()
}

#[track_caller]
fn ended(parcel: &Parcel, name: &str, mut engine: Child) {
    signal(name, engine.id());
    let status = engine.wait().unwrap();
    let code = match name {
        "-INT" => Some(130),
        "-TERM" => Some(143),
        _ => None,
    };
    assert_eq!(status.code(), code, "{name}");
    eventually("the node has no process left", Duration::from_secs(3), || {
        parcel.node.processes().is_empty().then_some(())
    });
}

#[test]
fn an_end_while_a_layer_travels() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo", "python3");
    let parcel = Parcel::new("ship-end-layer", &LAYERS);
    for name in ["-INT", "-TERM", "-KILL"] {
        let id = parcel.pack(&LAYERS);
        parcel.node.install("cat", SLOW_CAT);
        let engine = start(&parcel.work);
        eventually("a layer travels", LONG, || (arrived(&parcel) > 200_000).then_some(()));
        ended(&parcel, name, engine);
        fs::remove_file(parcel.node.path("bin/cat")).unwrap();
        let before = arrived(&parcel);
        assert!(before > 200_000, "{name}: what had arrived is gone");
        let outcome = parcel.arrives(&id);
        let sent: u64 = outcome.output(STEP, "sent").parse().unwrap();
        assert!(sent < 3_010_000 - before, "{name}: {sent} bytes were sent, and {before} were there");
    }
}

#[test]
fn an_end_while_the_store_imports() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-end-import", &LAYERS);
    for (tag, name) in [(61, "-INT"), (62, "-TERM"), (63, "-KILL")] {
        let id = parcel.pack(&LAYERS);
        let mark = Marked::new(tag);
        // It ignores the gentle signal, and so does its child.
        let deaf = format!("#!/bin/sh\ntrap '' TERM HUP INT\nsleep {}\n", mark.seconds());
        parcel.node.install("skopeo", &deaf);
        let engine = start(&parcel.work);
        eventually("the store imports", LONG, || mark.sleepers().first().copied());
        ended(&parcel, name, engine);
        fs::remove_file(parcel.node.path("bin/skopeo")).unwrap();
        let outcome = parcel.arrives(&id);
        assert_eq!(outcome.output(STEP, "sent"), "0", "{name}: what had arrived was sent again");
    }
}

#[test]
fn one_image_from_two_workspaces_crosses_once() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo", "python3");
    let parcel = Parcel::new("ship-both", &LAYERS);
    let id = parcel.pack(&LAYERS);
    let other = Work::new("");
    for file in ["pipeline.toml", "packed.tar"] {
        fs::copy(parcel.work.path(file), other.path(file)).unwrap();
    }
    parcel.node.install("cat", SLOW_CAT);
    thread::scope(|scope| {
        let first = scope.spawn(|| parcel.work.run(&["--verbose"]));
        eventually("a layer travels", LONG, || (arrived(&parcel) > 200_000).then_some(()));
        let second = other.run(&["--verbose"]).exits(0);
        let first = first.join().unwrap().exits(0);
        let sent = [&first, &second].map(|outcome| outcome.output(STEP, "sent").parse::<u64>().unwrap());
        assert!(sent[0] > 3_000_000, "{sent:?}");
        assert_eq!(sent[1], 0, "{sent:?}\n{}", second.stderr);
        assert!(second.stderr.contains("another delivery sends a layer"), "{}", second.stderr);
    });
    assert_eq!(parcel.delivered().as_deref(), Some(&*id));
    assert_eq!(parcel.left(), Vec::<String>::new());
}

#[test]
fn two_that_begin_together_are_both_right() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-together", &LAYERS);
    let other = Work::new("");
    for _ in 0..3 {
        let id = parcel.pack(&LAYERS);
        for file in ["pipeline.toml", "packed.tar"] {
            fs::copy(parcel.work.path(file), other.path(file)).unwrap();
        }
        thread::scope(|scope| {
            let first = scope.spawn(|| parcel.work.run(&["--verbose"]));
            other.run(&["--verbose"]).exits(0);
            first.join().unwrap().exits(0);
        });
        assert_eq!(parcel.delivered().as_deref(), Some(&*id));
        assert_eq!(parcel.left(), Vec::<String>::new());
    }
}

#[test]
fn a_bit_that_flips_on_the_node_before_the_import() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-flip", &LAYERS);
    let id = parcel.pack(&LAYERS);
    let real = pipeline_testkit::find("skopeo").unwrap();
    let blobs = parcel.node.path("files/blobs");
    let flip = format!(
        "#!/bin/sh\nfor blob in {0}/*; do printf flipped. | dd of=$blob bs=1 seek=20000 conv=notrunc 2>/dev/null; done\n\
         exec {1} \"$@\"\n",
        blobs.display(),
        real.display()
    );
    parcel.node.install("skopeo", &flip);
    let outcome = parcel.work.run(&[]).exits(6);
    let failure = outcome.failure(STEP);
    assert_eq!(failure.kind, FailureKind::Mismatch, "{failure:?}");
    assert_eq!(failure.message.matches("sha256:").count(), 2, "{failure:?}");
    assert!(failure.message.contains("node `own`"), "{failure:?}");
    assert_eq!(parcel.delivered(), None);
    fs::remove_file(parcel.node.path("bin/skopeo")).unwrap();
    parcel.arrives(&id);
}

#[test]
fn a_blob_of_another_size_on_the_node_is_sent_again() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-short", &LAYERS);
    let id = parcel.pack(&LAYERS);
    parcel.node.install("skopeo", "#!/bin/sh\nexit 1\n");
    parcel.work.run(&[]).exits(1);
    let blobs: Vec<_> = fs::read_dir(parcel.node.path("files/blobs")).unwrap().flatten().collect();
    assert_eq!(blobs.len(), 2);
    for blob in &blobs {
        fs::OpenOptions::new().write(true).open(blob.path()).unwrap().set_len(1000).unwrap();
    }
    fs::remove_file(parcel.node.path("bin/skopeo")).unwrap();
    parcel.arrives(&id);
}

#[test]
fn an_archive_that_is_cut_or_altered_before_it_is_delivered() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-archive", &LAYERS);
    let recipe = parcel.work.read("pipeline.toml");
    for alter in ["truncate -s -2000 image.tar", "truncate -s 2000000 image.tar", FLIP] {
        let id = parcel.pack(&LAYERS);
        let step = format!(
            "[[step]]\nid = \"alter\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", '{alter}']\nneeds = [\"image\"]\n"
        );
        let altered =
            recipe.replace("uses = \"deliver\"\n", "uses = \"deliver\"\nneeds = [\"alter\"]\n") + &step;
        parcel.work.write("pipeline.toml", altered);
        let outcome = parcel.work.run(&[]).exits(6);
        let failure = outcome.failure(STEP);
        assert!(failure.help.is_some(), "{failure:?}");
        if alter == FLIP {
            assert_eq!(failure.message.matches("sha256:").count(), 2, "{failure:?}");
        }
        assert_ne!(parcel.delivered().as_ref(), Some(&id));
        parcel.work.write("pipeline.toml", &recipe);
        parcel.arrives(&id);
    }
}

/// One byte of the large layer.
const FLIP: &str = "printf X | dd of=image.tar bs=1 seek=1500000 conv=notrunc";

#[test]
fn a_file_of_a_layer_that_is_altered_in_the_local_store() {
    let lab = require_lab!("nodes", "crio");
    let at = lab.dir.display();
    let node = format!(
        "[nodes.own]\nhost = \"edge-arm64\"\nssh-config = \"{at}/ssh_config\"\nemulates = [\"linux/arm64\"]\n\
         storage = {{ driver = \"overlay\", root = \"{at}/crio/root\", runroot = \"{at}/crio/run\" }}\n\
         dir = \"{at}/edge-arm64/files/ship-altered\"\n[[step]]\nuses = \"deliver\"\n"
    );
    let work = Work::tiny("ship-altered", "buildah", &[("arm64", "\"own\"")], "COPY data /data", &node);
    work.write("context-arm64/data", "as it was built");
    work.run(&["--until", "image"]).exits(0);
    let found =
        Command::new("find").arg(work.path(".pipeline/store")).args(["-path", "*/diff/data"]).output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    assert_eq!(found.lines().count(), 1, "{found}");
    fs::write(found.trim(), "as it was BUILT").unwrap();
    let failure = work.run(&[]).exits(6).failure(STEP).clone();
    assert_eq!(failure.message.matches("sha256:").count(), 2, "{failure:?}");
    assert_eq!(lab.delivered("edge-arm64", "docker.io/library/ship-altered:1"), None);
}

#[test]
fn four_images_at_once_while_crictl_looks() {
    let lab = require_lab!("nodes", "crio", "crictl");
    let at = lab.dir.display();
    let works: Vec<Work> = (0..4)
        .map(|number| {
            let name = format!("ship-four-{number}");
            let node = format!(
                "[nodes.own]\nhost = \"edge-arm64\"\nssh-config = \"{at}/ssh_config\"\nemulates = [\"linux/arm64\"]\n\
                 storage = {{ driver = \"overlay\", root = \"{at}/crio/root\", runroot = \"{at}/crio/run\" }}\n\
                 dir = \"{at}/edge-arm64/files/ship-four\"\n[[step]]\nuses = \"deliver\"\n"
            );
            let work = Work::tiny(&name, "buildah", &[("arm64", "\"own\"")], "COPY data /data", &node);
            work.write("context-arm64/data", format!("image {number}"));
            work.run(&["--until", "image"]).exits(0);
            work
        })
        .collect();
    thread::scope(|scope| {
        let runs: Vec<_> = works.iter().map(|work| scope.spawn(|| work.run(&[]))).collect();
        let mut looks = 0;
        while runs.iter().any(|run| !run.is_finished()) || looks == 0 {
            // It fails where crictl does.
            lab.crictl_images("edge-arm64");
            looks += 1;
        }
        for (number, run) in runs.into_iter().enumerate() {
            let id = run.join().unwrap().exits(0).output("image@arm64", "id");
            let reference = format!("docker.io/library/ship-four-{number}");
            assert_eq!(lab.delivered("edge-arm64", &format!("{reference}:1")), Some(id.clone()));
            let listed = lab.crictl_images("edge-arm64").into_iter();
            let listed = listed.filter(|(name, ..)| *name == reference).map(|(.., id)| id);
            let listed: Vec<String> = listed.collect();
            assert!(
                listed.iter().any(|listed| id.ends_with(listed.trim_start_matches("sha256:"))),
                "{listed:?}"
            );
        }
    });
}

#[test]
fn a_node_s_bandwidth_bounds_what_is_sent_there() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-pace", &[1000]);
    let recipe = parcel.work.read("pipeline.toml");
    parcel.work.write("pipeline.toml", recipe.replace("runtime =", "bandwidth = \"1 MB/s\"\nruntime ="));
    let wire = parcel.node.through();
    let id = parcel.pack(&[1_000_000, 1_000_000]);
    let begun = Instant::now();
    let outcome = parcel.arrives(&id);
    assert!(begun.elapsed() > Duration::from_millis(1800), "{:?}", begun.elapsed());
    assert!(wire.sent() > 2_000_000);
    assert!(outcome.output(STEP, "sent").parse::<u64>().unwrap() > 2_000_000);
    let far: Vec<u64> = outcome.events.iter().filter_map(sent).collect();
    assert!(far.len() > 1 && far.iter().all(|far| *far <= 1_010_000), "{far:?}");
}

fn sent(event: &Event) -> Option<u64> {
    match &event.kind {
        EventKind::Transfer { sent, .. } => Some(*sent),
        _ => None,
    }
}

#[test]
fn ctrl_c_while_a_node_s_bandwidth_holds_a_layer_back() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-pace-end", &[3_000_000]);
    let recipe = parcel.work.read("pipeline.toml");
    let paced = recipe.replace("runtime =", "bandwidth = \"100 kB/s\"\nruntime =");
    parcel.work.write("pipeline.toml", paced);
    let engine = start(&parcel.work);
    eventually("a layer travels", LONG, || (arrived(&parcel) > 50_000).then_some(()));
    let begun = Instant::now();
    ended(&parcel, "-INT", engine);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    parcel.work.write("pipeline.toml", recipe);
    parcel.work.run(&[]).exits(0);
}

#[test]
fn a_name_that_differs_by_a_dot_is_another_name() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-dot", &[20_000]);
    let recipe = parcel.work.read("pipeline.toml");
    let known = |tag: &str| {
        let at = parcel.node.path("storage");
        let place = format!("containers-storage:[overlay@{0}/root+{0}/run]", at.display());
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--raw", &format!("{place}docker.io/library/ship-dot:{tag}")]);
        skopeo.output().unwrap().status.success()
    };
    for tag in ["1-2", "1.2"] {
        parcel.pack(&[20_000]);
        let reference = format!("{recipe}reference = \"docker.io/library/ship-dot:{tag}\"\n");
        parcel.work.write("pipeline.toml", reference);
        parcel.work.run(&[]).exits(0);
        assert!(known(tag));
    }
    assert!(!known("1.2.previous"), "an image of another name was kept as the one before");
}

#[test]
fn a_connection_that_breaks_when_the_store_has_imported_leaves_nothing() {
    let _lab = require_lab!("nodes");
    pipeline_testkit::require!("setpriv", "skopeo");
    let parcel = Parcel::new("ship-late", &[20_000, 50_000]);
    let skopeo = pipeline_testkit::find("skopeo").unwrap();
    // Once, when it has copied, it ends the sshd above it.
    let script = format!(
        "#!/bin/sh\n{} \"$@\" || exit\ncase \"$*\" in *' copy '*) ;; *) exit 0;; esac\n[ ! -e {1} ] || exit 0\n\
         touch {1}\nup=$$\nwhile [ \"$(cat /proc/$up/comm)\" != sshd ]; do\n\
         up=$(sed 's/.*) . //' /proc/$up/stat | cut -d' ' -f1)\ndone\nkill -9 $up\nsleep 9\n",
        skopeo.display(),
        parcel.node.path("cut").display()
    );
    parcel.node.install("skopeo", &script);
    let id = parcel.pack(&[20_000, 50_000]);
    let said = parcel.arrives(&id).stderr;
    assert!(parcel.node.path("cut").exists() && said.contains("is there already"), "{said}");
}
