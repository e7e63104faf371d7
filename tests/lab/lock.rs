//! `pipeline.lock`: what names stood for when they were first asked for, with real repositories, engines and a registry.

use std::fs;

use crate::checkout::Upstream;
use crate::kit::{Outcome, Work, base};

/// A recipe that builds a branch of the upstream on a base in buildah's own store.
pub(crate) fn recipe(work: &Work, upstream: &Upstream<'_>) {
    let text = format!(
        "version = 1\n[pipeline]\nname = \"locked\"\nengine = \"buildah\"\n[targets.arm64]\nplatform = \"linux/arm64\"\n\
         [[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"file://{}\"\nbranch = \"main\"\n\
         allow-protocols = [\"file\"]\n\
         [[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"locked:1\"\n\
         [[step]]\nid = \"archive\"\nuses = \"save\"\npath = \"out.tar\"\n",
        upstream.dir().display()
    );
    work.write("pipeline.toml", text);
}

/// Puts an image with one file into the recipe's own store.
pub(crate) fn import(work: &Work, name: &str, text: &str) {
    let context = work.root().join("base");
    let _ = fs::remove_dir_all(&context);
    fs::create_dir(&context).unwrap();
    fs::copy(base("arm64"), context.join("busybox.tar")).unwrap();
    let dockerfile = format!("FROM scratch\nADD busybox.tar /\nRUN echo {text} > /base\n");
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    let here = work.path(".");
    let (root, run) = (here.join(".pipeline/store/root"), here.join(".pipeline/store/run"));
    let output = work
        .command("buildah")
        .arg("--root")
        .arg(root)
        .arg("--runroot")
        .arg(run)
        .args(["build", "--quiet", "--isolation", "chroot", "--platform", "linux/arm64", "--tag", name])
        .arg(&context)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn upstream(work: &Work) -> Upstream<'_> {
    let upstream = Upstream::make(work);
    fs::write(upstream.dir().join("Dockerfile"), "FROM localhost/base:1\nCOPY file /file\n").unwrap();
    upstream.git(&["add", "Dockerfile"]);
    upstream.git(&["commit", "--quiet", "--message", "a Dockerfile"]);
    upstream
}

/// `pipeline lock ARGS`
fn lock(work: &Work, args: &[&str]) -> Outcome {
    let mut command = work.pipeline(&["lock"]);
    work.outcome(command.args(args))
}

#[test]
fn the_same_image_until_the_lock_is_updated() {
    pipeline_testkit::require!("git", "buildah", "qemu-aarch64-static");
    let _lab = crate::require_lab!();
    let work = Work::new("");
    let upstream = upstream(&work);
    recipe(&work, &upstream);
    import(&work, "localhost/base:1", "one");
    let first = work.run(&[]).exits(0);
    let id = first.output("image@arm64", "id");
    let text = work.read("pipeline.lock");
    assert_eq!(text.matches(" = {").count(), 2, "{text}");
    assert!(text.contains(&upstream.id("main")), "{text}");
    work.run(&["--locked"]).exits(0).says("0 done, 3 up to date");
    // A branch that moved is nothing, also where everything is done again.
    upstream.commit("new");
    work.run(&["--locked"]).exits(0).says("0 done, 3 up to date");
    assert_eq!(work.run(&["--locked", "--force"]).exits(0).output("image@arm64", "id"), id);
    assert_eq!(work.read("pipeline.lock"), text);
    let drift = lock(&work, &["--check"]).exits(4);
    assert!(drift.stdout.contains("pipeline.toml:11:10"), "the place that asks for it: {}", drift.stdout);
    let (old, new) = (upstream.id("main~1"), upstream.id("main"));
    assert!(drift.stdout.contains(&format!("{old} -> {new}")), "{}", drift.stdout);
    assert_eq!(work.read("pipeline.lock"), text, "a check changes nothing");
    lock(&work, &[]).exits(0).says("2 entries, all as they were");
    lock(&work, &["--update", "*nothing*"]).exits(0).says("2 entries, all as they were");
    lock(&work, &["--update", "*upstream*"]).exits(0).says("2 entries, 1 of them new or changed");
    let after = work.run(&["--locked"]).exits(0).says("stands for another one in the lock");
    assert_ne!(after.output("image@arm64", "id"), id);
    lock(&work, &["--check"]).exits(0);
}

#[test]
fn a_base_that_is_another_than_the_lock_says_is_not_built_on() {
    pipeline_testkit::require!("git", "buildah", "qemu-aarch64-static");
    let _lab = crate::require_lab!();
    let work = Work::new("");
    let upstream = upstream(&work);
    recipe(&work, &upstream);
    import(&work, "localhost/base:1", "one");
    work.run(&[]).exits(0);
    import(&work, "localhost/base:1", "two");
    let outcome = work.run(&["--force"]).exits(4);
    let failure = outcome.failure("image@arm64");
    assert!(
        failure.message.contains("Dockerfile, line 1: the lock says that the base image `localhost/base:1`")
    );
    assert!(failure.help.as_ref().unwrap().contains("pipeline lock --update"), "{failure:?}");
    let drift = lock(&work, &["--check"]).exits(4);
    assert!(drift.stdout.contains("image localhost/base:1 linux/arm64"), "{}", drift.stdout);
    lock(&work, &["--update"]).exits(0);
    work.run(&["--locked"]).exits(0);
    // An image that is there and another one in the lock.
    import(&work, "localhost/base:1", "three");
    lock(&work, &["--update"]).exits(0);
    work.run(&["--locked"]).exits(0).says("image localhost/base:1 linux/arm64 stands for another one");
}

#[test]
fn locked_takes_neither_too_little_nor_too_much() {
    pipeline_testkit::require!("git", "buildah", "qemu-aarch64-static");
    let _lab = crate::require_lab!();
    let work = Work::new("");
    let upstream = upstream(&work);
    recipe(&work, &upstream);
    import(&work, "localhost/base:1", "one");
    let nothing = work.run(&["--locked"]).exits(4);
    assert!(nothing.stderr.contains("`pipeline.lock` is not there to say"), "{}", nothing.stderr);
    assert!(!work.path(".pipeline/work").exists(), "nothing was begun");
    // In CI it is the default.
    let mut in_ci = work.pipeline(&["run", "--allow-privileged"]);
    work.outcome(in_ci.env("CI", "true")).exits(4);
    let mut in_ci = work.pipeline(&["run", "--allow-privileged", "--locked=false"]);
    work.outcome(in_ci.env("CI", "true")).exits(0);
    let whole = work.read("pipeline.lock");
    let without = |word: &str| {
        whole.lines().filter(|line| !line.contains(word)).map(|line| format!("{line}\n")).collect::<String>()
    };
    work.write("pipeline.lock", without("localhost/base"));
    let outcome = work.run(&["--locked", "--force"]).exits(4);
    assert!(outcome.failure("image@arm64").message.contains("does not say what image localhost/base:1"));
    work.write("pipeline.lock", without("refs/heads/main"));
    work.run(&["--locked"]).exits(4).says("does not say what `git file://");
    let stale = whole.replace("refs/heads/main", "refs/heads/old");
    let stale: String =
        stale.lines().filter(|line| line.contains("refs/heads/old")).map(str::to_owned).collect();
    work.write("pipeline.lock", whole.replace("[image]", &format!("{stale}\n[image]")));
    work.run(&["--locked"]).exits(4).says("which the recipe does not ask for");
    let image = whole.lines().find(|line| line.contains("localhost/base")).unwrap().to_owned();
    work.write("pipeline.lock", format!("{whole}{}\n", image.replace("base:1", "other:1")));
    work.run(&["--locked"]).exits(4).says("explains `image localhost/other:1 linux/arm64`");
    // `lock` puts all of it right.
    lock(&work, &[]).exits(0);
    assert_eq!(work.read("pipeline.lock"), whole);
    work.run(&["--locked"]).exits(0);
}

#[test]
fn a_lock_that_cannot_be_read_or_written_is_told() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    crate::checkout::recipe(&work, "branch = \"main\"");
    for (text, wanted) in [
        ("version = 2\n", "is of version 2"),
        ("version = 1\n<<<<<<< HEAD\n", "a conflict that git left"),
        ("version = 1\n[git]\nx = 1\n", "invalid type"),
        ("what is this", "pipeline.lock"),
    ] {
        work.write("pipeline.lock", text);
        work.run(&[]).exits(4).says(wanted);
        let plan = work.pipeline(&["plan"]).output().unwrap();
        assert_eq!(plan.status.code(), Some(4), "{text}");
    }
    fs::remove_file(work.path("pipeline.lock")).unwrap();
    fs::create_dir(work.path("pipeline.lock")).unwrap();
    work.run(&[]).exits(4).says("cannot read `pipeline.lock`");
    fs::remove_dir(work.path("pipeline.lock")).unwrap();
    // Killed as soon as a name is known: what was found out is written down already.
    let outcome = work.run(&[]).exits(0);
    assert!(work.read("pipeline.lock").contains(&upstream.id("main")));
    assert!(outcome.stderr.contains("locked  source"), "{}", outcome.stderr);
}

/// Where nobody has the base yet, its registry's index is asked, and what is pulled is what the lock names.
#[test]
fn a_base_in_a_registry_is_pulled_by_the_digest_that_the_lock_has() {
    pipeline_testkit::require!("git", "buildah", "skopeo", "qemu-aarch64-static");
    let lab = crate::require_lab!("registry");
    let registry = fs::read_to_string(lab.path("registry.addr")).unwrap().trim().to_owned();
    let work = Work::new("");
    let conf = work.root().join("home/.config/containers/registries.conf");
    fs::create_dir_all(conf.parent().unwrap()).unwrap();
    fs::write(&conf, format!("[[registry]]\nlocation = \"{registry}\"\ninsecure = true\n")).unwrap();
    let upstream = Upstream::make(&work);
    let name = format!("{registry}/lock-{}:1", std::process::id());
    fs::write(
        upstream.dir().join("Dockerfile"),
        format!("ARG BASE={name}\nFROM ${{BASE}}\nCOPY file /file\n"),
    )
    .unwrap();
    upstream.git(&["add", "Dockerfile"]);
    upstream.git(&["commit", "--quiet", "--message", "a Dockerfile"]);
    recipe(&work, &upstream);
    let push = |work: &Work, text: &str| {
        let list = format!("localhost/list-{text}");
        let here = work.root().join("elsewhere");
        let buildah = |args: &[&str]| {
            let output = work
                .command("buildah")
                .arg("--root")
                .arg(here.join("root"))
                .arg("--runroot")
                .arg(here.join("run"))
                .args(args)
                .output()
                .unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let context = work.root().join("base");
        let _ = fs::remove_dir_all(&context);
        fs::create_dir(&context).unwrap();
        fs::copy(base("arm64"), context.join("busybox.tar")).unwrap();
        fs::write(
            context.join("Dockerfile"),
            format!("FROM scratch\nADD busybox.tar /\nRUN echo {text} > /base\n"),
        )
        .unwrap();
        let context = context.to_str().unwrap();
        buildah(&[
            "build",
            "--quiet",
            "--isolation",
            "chroot",
            "--platform",
            "linux/arm64",
            "--manifest",
            &list,
            context,
        ]);
        buildah(&["manifest", "push", "--all", &list, &format!("docker://{name}")]);
    };
    push(&work, "one");
    lock(&work, &[]).exits(0);
    let text = work.read("pipeline.lock");
    let line = text.lines().find(|line| line.contains(&registry)).unwrap();
    assert!(line.contains("digest = ") && line.contains("manifest = ") && line.contains("id = "), "{line}");
    push(&work, "two");
    // The tag is another image by now; the one that the lock names is built on.
    let outcome = work.run(&["--locked"]).exits(0);
    let patched = work.read(".pipeline/work/image@arm64/Dockerfile");
    assert!(patched.contains("@sha256:"), "{patched}");
    assert!(outcome.lines("image@arm64").contains("+FROM "), "the difference is shown");
    let drift = lock(&work, &["--check"]).exits(4);
    assert!(drift.stdout.contains(&name), "{}", drift.stdout);
    let first = outcome.output("image@arm64", "id");
    lock(&work, &["--update"]).exits(0);
    assert_ne!(work.run(&["--locked"]).exits(0).output("image@arm64", "id"), first);
}
