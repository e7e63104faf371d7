//! `pipeline repro`, and what of an image depends on when and where it was built.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::checkout::Upstream;
use crate::kit::{Outcome, Work, eventually, processes};
use crate::require_lab;

fn repro(work: &Work, args: &[&str]) -> Outcome {
    let mut command = work.pipeline(&["repro", "--allow-privileged"]);
    work.outcome(command.args(args))
}

/// Nothing of it is left, neither files nor mounts nor images.
#[track_caller]
fn nothing_is_left(work: &Work) {
    assert!(!work.path(".pipeline/repro").exists());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = format!("{}/.pipeline/repro", work.path(".").canonicalize().unwrap().display());
    assert!(!mounts.contains(&below), "{mounts}");
    assert!(fs::read_dir(work.root().join("tmp")).unwrap().next().is_none(), "a temporary folder stays");
}

/// Built from a repository, on a base in the store that the recipe has.
#[test]
fn the_same_with_buildah_and_podman() {
    let lab = require_lab!();
    pipeline_testkit::require!("podman", "git");
    for engine in ["buildah", "podman"] {
        let dockerfile =
            "RUN mkdir /made && echo \"$(id -u) in $(pwd)\" >/made/x && ln -s x /made/y && chmod 600 /made/x";
        let rest =
            "[[step]]\nuses = \"smoke\"\nargv = [\"false\"]\n[[step]]\nuses = \"save\"\npath = \"out.tar\"\n";
        let mut work = Work::tiny(&format!("repro-{engine}"), engine, &[("arm64", "")], dockerfile, rest);
        work.with_podman(lab);
        let outcome = repro(&work, &[]).exits(0);
        assert!(outcome.stdout.starts_with("same     image@arm64  sha256:"), "{}", outcome.stdout);
        assert!(outcome.stdout.contains("out.tar sha256:"), "{}", outcome.stdout);
        assert!(!work.path("out.tar").exists() && !work.path("pipeline.lock").exists());
        nothing_is_left(&work);
        if engine == "podman" {
            let images = work.command("podman").args(["images", "--all", "--quiet"]).output().unwrap();
            assert!(images.stdout.is_empty(), "{}", String::from_utf8_lossy(&images.stdout));
        }
    }
}

/// What differs is told with layer, file and field; each line of the Dockerfile is a cause of its own.
#[test]
fn what_differs_is_named() {
    let _lab = require_lab!();
    let dockerfile = "RUN mkdir /var /var/log && cat /proc/sys/kernel/random/uuid >/x && echo same >/y && cat /proc/sys/kernel/random/uuid >/var/log/z";
    let work = Work::tiny("repro-differs", "buildah", &[("arm64", "")], dockerfile, "");
    let outcome = repro(&work, &[]).exits(6);
    let told = &outcome.stdout;
    assert!(told.starts_with("differs  image@arm64  sha256:"), "{told}");
    assert!(told.contains("layer 2 of 2: sha256:"), "{told}");
    assert!(told.contains("layer 2, /x: content from byte ") && !told.contains("/y"), "{told}");
    assert!(told.contains("layer 2, /var/log/z: ") && told.contains("may be: logs and caches"), "{told}");
    assert!(told.contains("may be: the time, random numbers"), "{told}");
    nothing_is_left(&work);
    let json = repro(&work, &["--format", "json"]).exits(6).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let image = &json["images"][0];
    assert_eq!((image["image"].as_str(), image["same"].as_bool()), (Some("image@arm64"), Some(false)));
    let files = image["found"]["files"]["differ"]["told"].as_array().unwrap();
    assert!(files.iter().any(|file| file["path"] == "/x"), "{image}");
    assert_eq!(image["found"]["files"]["layer"], 2);
}

/// The user's umask comes with the recipe's folder, and its owner and times do not.
#[test]
fn modes_of_the_recipes_folder_are_told() {
    let _lab = require_lab!();
    let work = Work::tiny("repro-modes", "buildah", &[("arm64", "")], "COPY file /file", "");
    work.write("context-arm64/file", "x");
    let outcome = repro(&work, &[]).exits(6);
    assert!(outcome.stdout.contains("layer 2, /file: mode: `0644` and `0664`"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("its umask") && !outcome.stdout.contains("mtime"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("uid"), "{}", outcome.stdout);
    // Engines write into the history of what they copied.
    work.write("context-arm64/Dockerfile", "FROM scratch\nCOPY --chmod=644 file /file\n");
    let outcome = repro(&work, &[]).exits(6);
    assert!(outcome.stdout.contains("configuration, history[0].created_by: "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("its umask"), "{}", outcome.stdout);
    work.context("context-arm64", "arm64", "");
    repro(&work, &[]).exits(0);
    // Kept until the next one.
    let kept = repro(&work, &["--keep"]).exits(0).says("kept: ");
    assert!(
        work.path(".pipeline/repro/one/.pipeline/work/image@arm64/image.tar").exists(),
        "{}",
        kept.stderr
    );
    repro(&work, &[]).exits(0);
    nothing_is_left(&work);
}

#[test]
fn the_classic_builder_differs_for_a_stated_reason() {
    let lab = require_lab!("dockerd");
    let mut work =
        Work::tiny("repro-docker", "docker", &[("arm64", "")], "RUN echo same >/y", "buildkit = false\n");
    work.with_docker(lab);
    let images = || {
        let listed =
            work.command("docker").args(["image", "ls", "--all", "--quiet", "--no-trunc"]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    };
    let outcome = repro(&work, &[]).exits(6);
    assert!(outcome.stdout.contains("configuration, created: "), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("why: docker's classic builder writes the time of the build"),
        "{}",
        outcome.stdout
    );
    nothing_is_left(&work);
    let named = work
        .command("docker")
        .args(["image", "ls", "--quiet", "localhost/pipeline/repro/*/*/*"])
        .output()
        .unwrap();
    assert!(named.stdout.is_empty(), "{}", images());
}

#[test]
fn names_that_nobody_wrote_down_are_asked_once() {
    let _lab = require_lab!();
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    fs::write(upstream.dir().join("Dockerfile"), "FROM localhost/base:1\nCOPY file /file\n").unwrap();
    upstream.git(&["add", "Dockerfile"]);
    upstream.git(&["commit", "--quiet", "--message", "a Dockerfile"]);
    crate::lock::recipe(&work, &upstream);
    // The base is in the recipe's own store and nowhere else.
    crate::lock::import(&work, "localhost/base:1", "one");
    // While the first is built, the branch moves.
    let hook = "[[step]]\nid = \"move\"\nuses = \"run\"\nneeds = [\"source\"]\nscope = \"once\"\n\
        argv = [\"git\", \"-C\", \"UPSTREAM\", \"-c\", \"user.name=U\", \"-c\", \"user.email=u@example.org\", \"commit\", \"-q\", \
        \"--allow-empty\", \"-m\", \"more\"]\n";
    let hook = hook.replace("UPSTREAM", upstream.dir().to_str().unwrap());
    let recipe = work.read("pipeline.toml").replace(
        "id = \"image\"\n",
        "id = \"image\"\nneeds = [\"move\"]\nlabels = { commit = \"${steps.source.commit}\" }\n",
    );
    work.write("pipeline.toml", recipe + &hook);
    let before = upstream.id("main");
    let outcome = repro(&work, &[]).exits(0);
    assert_ne!(upstream.id("main"), before);
    assert!(outcome.stdout.starts_with("same "), "{}", outcome.stdout);
    assert!(!work.path("pipeline.lock").exists());
    nothing_is_left(&work);
}

#[test]
fn a_build_that_fails_is_told_and_ctrl_c_leaves_nothing() {
    let _lab = require_lab!();
    let work = Work::tiny("repro-ends", "buildah", &[("arm64", "")], "RUN exit 7", "");
    let outcome = repro(&work, &[]).exits(1).says("FAILED");
    assert!(outcome.stdout.is_empty(), "{}", outcome.stdout);
    nothing_is_left(&work);
    work.context("context-arm64", "arm64", "RUN sleep 3217");
    let mut command = work.pipeline(&["repro", "--allow-privileged"]);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let sleeps = || processes(|line| line.contains(&"3217"));
    eventually("it builds", Duration::from_mins(2), || (!sleeps().is_empty()).then_some(()));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(sleeps().is_empty());
    nothing_is_left(&work);
}

/// Of two commits with a time in the image, the second one's is what a machine builds that never saw the first.
#[test]
fn a_commits_time_takes_nothing_of_another_commit() {
    let _lab = require_lab!();
    pipeline_testkit::require!("git");
    let recipe = |work: &Work, upstream: &std::path::Path, keys: &str| {
        let text = format!(
            "version = 1\n[pipeline]\nname = \"times\"\nengine = \"buildah\"\n[targets.arm64]\nplatform = \"linux/arm64\"\n\
             [[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"file://{}\"\nbranch = \"main\"\n\
             allow-protocols = [\"file\"]\n[[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"times:1\"\n{keys}",
            upstream.display()
        );
        work.write("pipeline.toml", text);
    };
    for (keys, moves) in [("timestamp = \"${steps.source.epoch}\"\n", true), ("", false)] {
        let work = Work::new("");
        let upstream = Upstream::make(&work);
        fs::write(upstream.dir().join("Dockerfile"), "FROM scratch\nCOPY kept /kept\nCOPY file /file\n")
            .unwrap();
        fs::write(upstream.dir().join("kept"), "kept").unwrap();
        upstream.git(&["add", "."]);
        upstream.git(&["commit", "--quiet", "--message", "a Dockerfile", "--date=@1000000000"]);
        recipe(&work, &upstream.dir(), keys);
        let first = work.run(&[]).exits(0).output("image@arm64", "id");
        // Later, and the same content.
        std::thread::sleep(Duration::from_millis(1100));
        upstream.git(&["commit", "--quiet", "--allow-empty", "--message", "nothing"]);
        crate::checkout::update(&work);
        let second = work.run(&["--force"]).exits(0).output("image@arm64", "id");
        assert_eq!(first != second, moves, "{keys}");
        let elsewhere = Work::new("");
        recipe(&elsewhere, &upstream.dir(), keys);
        assert_eq!(elsewhere.run(&[]).exits(0).output("image@arm64", "id"), second, "{keys}");
    }
}
