//! `git-checkout` beyond a branch: what is shared, what is left out, what is refused.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::checkout::{FILE, Upstream, objects, recipe, update};
use crate::kit::Work;

/// `git ARGS`, as nobody has configured it.
fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(["-c", "user.name=U", "-c", "user.email=u@example.org", "-c", "protocol.file.allow=always"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn mirror(work: &Work) -> std::path::PathBuf {
    let cache = work.root().join("home/.cache/pipeline/git");
    let mut mirrors: Vec<_> = fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "git"))
        .collect();
    assert_eq!(mirrors.len(), 1, "{mirrors:?}");
    mirrors.remove(0)
}

/// Two recipes, and many runs at once, each in a folder of its own.
#[test]
fn recipes_share_a_mirror_also_at_the_same_time() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    let url = format!("file://{}", upstream.dir().display());
    let folders: Vec<_> = (0..6).map(|number| work.root().join(format!("recipe-{number}"))).collect();
    for folder in &folders {
        fs::create_dir(folder).unwrap();
        let text = format!(
            "version = 1\n[[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"{url}\"\n\
             branch = \"main\"\nallow-protocols = [\"file\"]\n"
        );
        fs::write(folder.join("pipeline.toml"), text).unwrap();
    }
    let start = |folder: &std::path::PathBuf| {
        let mut command = work.pipeline(&["run"]);
        command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = folders.iter().map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for folder in &folders {
        assert_eq!(fs::read_to_string(folder.join(FILE)).unwrap(), "second");
    }
    mirror(&work);
    // What one has fetched, no other fetches.
    let before = objects(&work);
    recipe(&work, "branch = \"main\"");
    work.run(&[]).exits(0);
    assert_eq!(objects(&work), before);
}

#[test]
fn shallow_and_partial_clones_bring_less() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    upstream.git(&["config", "uploadpack.allowFilter", "true"]);
    recipe(&work, "branch = \"main\"\ndepth = 1\nkeep-git-dir = true");
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "second");
    let checkout = work.path(".pipeline/work/source/src");
    assert_eq!(git(&checkout, &["rev-list", "--count", "HEAD"]), "1");
    let origin = git(&checkout, &["config", "remote.origin.url"]);
    assert_eq!(origin, format!("file://{}", upstream.dir().display()));
    assert_eq!(git(&mirror(&work), &["rev-list", "--count", "--all"]), "1");
    // The next commit comes alone, too.
    upstream.commit("third");
    update(&work);
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "third");

    let work = Work::new("");
    let upstream = Upstream::make(&work);
    upstream.git(&["config", "uploadpack.allowFilter", "true"]);
    recipe(&work, "branch = \"main\"\nfilter = \"blob:none\"");
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "second");
    let lacks = ["rev-list", "--objects", "--all", "--missing=print"];
    let missing = git(&mirror(&work), &lacks).lines().filter(|line| line.starts_with('?')).count();
    assert_eq!(missing, 1, "of the files, only that of the commit came");
}

#[test]
fn submodules_come_when_asked_for_and_theirs() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    let inner = work.root().join("inner");
    let deep = work.root().join("deep");
    for (folder, text) in [(&deep, "deep"), (&inner, "inner")] {
        fs::create_dir(folder).unwrap();
        git(folder, &["init", "--quiet", "--initial-branch=main"]);
        fs::write(folder.join("text"), text).unwrap();
        git(folder, &["add", "text"]);
        git(folder, &["commit", "--quiet", "--message", text]);
    }
    git(&inner, &["submodule", "--quiet", "add", &format!("file://{}", deep.display()), "deep"]);
    git(&inner, &["commit", "--quiet", "--message", "with deep"]);
    // Relative to the repository's own url.
    git(&upstream.dir(), &["remote", "add", "origin", &format!("file://{}", upstream.dir().display())]);
    git(&upstream.dir(), &["submodule", "--quiet", "add", "../inner", "modules/inner"]);
    upstream.git(&["commit", "--quiet", "--message", "with inner"]);
    let folder = work.path(".pipeline/work/source/src/modules/inner");
    recipe(&work, "branch = \"main\"");
    work.run(&[]).exits(0);
    assert!(!folder.join("text").exists());
    recipe(&work, "branch = \"main\"\nsubmodules = true");
    work.run(&[]).exits(0);
    assert_eq!(fs::read_to_string(folder.join("text")).unwrap(), "inner");
    assert_eq!(fs::read_to_string(folder.join("deep/text")).unwrap(), "deep");
    let left =
        Command::new("find").arg(work.path(".pipeline/work")).args(["-name", ".git"]).output().unwrap();
    assert!(left.stdout.is_empty(), "{}", String::from_utf8_lossy(&left.stdout));
    recipe(&work, "branch = \"main\"\nsubmodules = true\nkeep-git-dir = true");
    work.run(&[]).exits(0);
    assert_eq!(git(&folder, &["status", "--porcelain"]), "");
}

#[test]
fn what_gitmodules_say_is_not_believed() {
    pipeline_testkit::require!("git");
    let canary = |work: &Work| work.root().join("canary");
    for (name, modules, wanted) in [
        ("option", "url = -u./p\npath = a", "read as an option"),
        ("helper", "url = \"ext::sh -c touch% CANARY\"\npath = a", "remote helpers"),
        ("upload-pack", "url = \"--upload-pack=touch CANARY\"\npath = a", "read as an option"),
        ("protocol", "url = http://127.0.0.1:1/x\npath = a", "not allowed"),
        ("out", "url = ../x\npath = ../../out", "is none within it"),
        ("return", "url = ../x\npath = \"a\\r\"", "is none within it"),
        ("git", "url = ../x\npath = a/.GIT/hooks", "is none within it"),
        ("command", "url = ../x\npath = a\nupdate = \"!touch CANARY\"", "`update` would run a program"),
    ] {
        let work = Work::new("");
        let upstream = Upstream::make(&work);
        let modules = modules.replace("CANARY", canary(&work).to_str().unwrap());
        fs::write(upstream.dir().join(".gitmodules"), format!("[submodule \"a\"]\n{modules}\n")).unwrap();
        let commit = upstream.id("main");
        upstream.git(&["add", ".gitmodules"]);
        upstream.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},a")]);
        upstream.git(&["commit", "--quiet", "--message", name]);
        // Our own look comes before git's, which refuses some of them on the way.
        recipe(&work, "branch = \"main\"\nsubmodules = true");
        let outcome = work.run(&[]).exits(1);
        let failure = outcome.failure("source");
        let said = format!("{}\n{}", failure.message, outcome.lines("source"));
        assert!(said.contains(wanted) || said.contains("gitmodules"), "{name}: {said}");
        assert!(!canary(&work).exists(), "{name}");
        assert!(!work.path(".pipeline/work/source/src").exists(), "{name}");
    }
}

#[test]
fn files_of_git_lfs_come_when_asked_for() {
    pipeline_testkit::require!("git", "git-lfs");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    fs::write(upstream.dir().join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n").unwrap();
    fs::write(upstream.dir().join("big.bin"), "the real content").unwrap();
    let lfs = ["-c", "filter.lfs.clean=git-lfs clean -- %f", "-c", "filter.lfs.smudge=git-lfs smudge -- %f"];
    upstream.git(&[&lfs[..], &["add", "."]].concat());
    upstream.git(&[&lfs[..], &["commit", "--quiet", "--message", "lfs"]].concat());
    let big = ".pipeline/work/source/src/big.bin";
    recipe(&work, "branch = \"main\"");
    let outcome = work.run(&[]).exits(0);
    assert!(work.read(big).starts_with("version https://git-lfs"), "{}", work.read(big));
    assert!(outcome.lines("source").contains("`lfs = true` fetches them"), "{}", outcome.lines("source"));
    recipe(&work, "branch = \"main\"\nlfs = true");
    work.run(&[]).exits(0);
    assert_eq!(work.read(big), "the real content");
    assert!(!work.path(".pipeline/work/source/src/.git").exists());
    // What the server lost is no pointer in the image.
    fs::remove_dir_all(upstream.dir().join(".git/lfs/objects")).unwrap();
    fs::remove_dir_all(mirror(&work).join("lfs")).unwrap();
    let outcome = work.run(&["--force"]).exits(1);
    assert!(!outcome.failure("source").message.is_empty());
    assert_eq!(work.read(big), "the real content", "what was there stays");
}

/// A key for signatures by ssh, and the file of those who may sign.
fn ssh_key(work: &Work, name: &str) -> std::path::PathBuf {
    let key = work.root().join(name);
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(status.success());
    key
}

#[test]
fn only_signed_commits_where_that_is_asked_for_by_ssh() {
    pipeline_testkit::require!("git", "ssh-keygen");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    let (good, other) = (ssh_key(&work, "good"), ssh_key(&work, "other"));
    let public = fs::read_to_string(good.with_extension("pub")).unwrap();
    work.write("allowed", format!("u@example.org {public}"));
    let sign = |key: &Path, text: &str| {
        fs::write(upstream.dir().join("file"), text).unwrap();
        upstream.git(&["add", "file"]);
        let key = format!("user.signingkey={}", key.display());
        upstream.git(&["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "-S", "--message", text]);
    };
    recipe(&work, "branch = \"main\"\nverify = \"ssh\"\nkeyring = \"allowed\"");
    let refused = |outcome: crate::kit::Outcome| {
        let outcome = outcome.exits(6);
        let failure = outcome.failure("source");
        assert!(failure.message.contains("has no signature by a key of allowed"), "{failure:?}");
    };
    refused(work.run(&[]));
    assert!(!work.path(FILE).exists(), "nothing of it is checked out");
    sign(&good, "signed");
    update(&work);
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "signed");
    sign(&other, "signed by another");
    assert_eq!(work.pipeline(&["lock", "--update"]).output().unwrap().status.code(), Some(1));
    fs::remove_file(work.path("pipeline.lock")).unwrap();
    refused(work.run(&[]));
    // Who may sign counts.
    let public = fs::read_to_string(other.with_extension("pub")).unwrap();
    work.write("allowed", format!("u@example.org {public}"));
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "signed by another");
}

#[test]
fn only_signed_commits_where_that_is_asked_for_by_gpg() {
    pipeline_testkit::require!("git", "gpg");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    // gpg's sockets need a short path.
    let home = tempfile::Builder::new().prefix("gpg").tempdir().unwrap();
    let gpg = |args: &[&str]| {
        let output = Command::new("gpg")
            .arg("--homedir")
            .arg(home.path())
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    for name in ["good@example.org", "other@example.org"] {
        gpg(&["--quick-generate-key", name, "ed25519", "sign", "never"]);
    }
    work.write("keys.asc", gpg(&["--armor", "--export", "good@example.org"]));
    let sign = |key: &str| {
        fs::write(upstream.dir().join("file"), key).unwrap();
        git(&upstream.dir(), &["add", "file"]);
        let output = Command::new("git")
            .arg("-C")
            .arg(upstream.dir())
            .env("GNUPGHOME", home.path())
            .args(["-c", "user.name=U", "-c", "user.email=u@example.org"])
            .args(["commit", "--quiet", &format!("-S{key}"), "--message", key])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    recipe(&work, "branch = \"main\"\nverify = \"gpg\"\nkeyring = \"keys.asc\"");
    sign("good@example.org");
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "good@example.org");
    sign("other@example.org");
    fs::remove_file(work.path("pipeline.lock")).unwrap();
    let outcome = work.run(&[]).exits(6);
    assert!(outcome.failure("source").message.contains("has no signature by a key of keys.asc"));
    assert_eq!(work.read(FILE), "good@example.org");
    let _ = Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "all"]).status();
}

#[test]
fn a_commit_that_is_gone_is_told_with_the_lock() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    recipe(&work, "branch = \"main\"");
    let outcome = work.run(&[]).exits(0);
    let commit = outcome.output("source", "commit");
    upstream.git(&["reset", "--quiet", "--hard", "v1"]);
    upstream.commit("another second");
    upstream.git(&["reflog", "expire", "--expire=now", "--all"]);
    upstream.git(&["gc", "--quiet", "--prune=now"]);
    // Here it is still in the mirror.
    work.run(&["--force"]).exits(0);
    fs::remove_dir_all(mirror(&work)).unwrap();
    let outcome = work.run(&["--force"]).exits(4);
    let failure = outcome.failure("source");
    assert!(
        failure.message.contains(&commit) && failure.message.contains("not there any more"),
        "{failure:?}"
    );
    assert!(failure.help.as_ref().unwrap().contains("pipeline lock --update"), "{failure:?}");
    update(&work);
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "another second");
    // A tree that is not the commit's.
    let lock = work.read("pipeline.lock");
    let tree = upstream.id("main^{tree}");
    work.write("pipeline.lock", lock.replace(&tree, &upstream.id("v1^{tree}")));
    let outcome = work.run(&["--force"]).exits(6);
    assert!(
        outcome.failure("source").message.contains("and the lock says"),
        "{:?}",
        outcome.failure("source")
    );
}

/// Names that mean something to a shell, a terminal or git.
#[test]
fn hostile_names_in_a_repository_stay_names() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    for name in ["-rf", "$(touch canary)", "a\nb", "\u{1b}]0;x\u{7}", "ü", "HEAD", "refs", ".gitignore"] {
        fs::write(upstream.dir().join(name), name).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", upstream.dir().join("link")).unwrap();
    upstream.git(&["add", "--force", "--all", "--", "."]);
    upstream.git(&["commit", "--quiet", "--message", "names"]);
    recipe(&work, "branch = \"main\"");
    work.run(&[]).exits(0);
    let folder = work.path(".pipeline/work/source/src");
    for name in ["-rf", "$(touch canary)", "a\nb", "\u{1b}]0;x\u{7}", "ü", "HEAD", "refs"] {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), name);
    }
    assert!(fs::symlink_metadata(folder.join("link")).unwrap().is_symlink());
    assert!(!work.path("canary").exists() && !folder.join("canary").exists());
}

/// One fetches into a mirror, the others wait and say for what.
#[test]
fn who_finds_a_mirror_in_use_waits() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let _upstream = Upstream::make(&work);
    recipe(&work, "branch = \"main\"");
    work.run(&[]).exits(0);
    let held = fs::File::open(mirror(&work).with_extension("lock")).unwrap();
    held.lock().unwrap();
    let mut waits = work.pipeline(&["run", "--force", "--verbose"]);
    let mut run = waits.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(run.try_wait().unwrap().is_none(), "it does not wait");
    drop(held);
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("another run fetches"), "{said}");
}
