//! `git-checkout` on real repositories.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::kit::{Work, eventually, processes};

/// A repository with two branches and a tag: `first` (tag `v1`) then `second` on `main`, `side` beside it.
pub(crate) struct Upstream<'w> {
    work: &'w Work,
}

impl<'w> Upstream<'w> {
    pub(crate) fn make(work: &'w Work) -> Self {
        let upstream = Self { work };
        fs::create_dir(upstream.dir()).unwrap();
        upstream.git(&["init", "--quiet", "--initial-branch=main"]);
        upstream.commit("first");
        upstream.git(&["tag", "--annotate", "--message=one", "v1"]);
        upstream.git(&["checkout", "--quiet", "-b", "side"]);
        upstream.commit("aside");
        upstream.git(&["checkout", "--quiet", "main"]);
        upstream.commit("second");
        upstream
    }

    pub(crate) fn dir(&self) -> std::path::PathBuf {
        self.work.root().join("upstream")
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = self
            .work
            .command("git")
            .arg("-C")
            .arg(self.dir())
            .args(["-c", "user.name=U", "-c", "user.email=u@example.org"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn commit(&self, text: &str) {
        fs::write(self.dir().join("file"), text).unwrap();
        self.git(&["add", "file"]);
        self.git(&["commit", "--quiet", "--message", text]);
    }

    pub(crate) fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", revision])
    }
}

/// A recipe that checks the upstream in `work` out.
pub(crate) fn recipe(work: &Work, key: &str) {
    let url = work.root().join("upstream");
    let text = format!(
        "version = 1\n[[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"file://{}\"\n\
         allow-protocols = [\"file\"]\n{key}\n",
        url.display()
    );
    work.write("pipeline.toml", text);
}

pub(crate) const FILE: &str = ".pipeline/work/source/src/file";

/// Takes what the upstream has now.
pub(crate) fn update(work: &Work) {
    let output = work.pipeline(&["lock", "--update"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Every object and pack in the mirror, by name and size.
pub(crate) fn objects(work: &Work) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![work.root().join("home/.cache/pipeline/git")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            } else if entry.path().to_str().unwrap().contains("/objects/") {
                found.push((entry.path().display().to_string(), meta.len()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn branch_tag_commit_and_default_branch() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    let first = upstream.id("v1^{commit}");
    for (key, commit, text) in [
        (String::new(), upstream.id("main"), "second"),
        ("branch = \"side\"".into(), upstream.id("side"), "aside"),
        ("tag = \"v1\"".into(), first.clone(), "first"),
        (format!("commit = \"{first}\""), first.clone(), "first"),
    ] {
        recipe(&work, &key);
        let outcome = work.run(&[]).exits(0);
        assert_eq!(outcome.output("source", "commit"), commit, "{key}");
        assert_eq!(outcome.output("source", "tree"), upstream.id(&format!("{commit}^{{tree}}")));
        assert_eq!(work.read(FILE), text, "{key}");
        assert!(!work.path(".pipeline/work/source/src/.git").exists());
        assert!(work.partials().is_empty());
    }
    recipe(&work, "keep-git-dir = true");
    work.run(&[]).exits(0);
    assert!(work.path(".pipeline/work/source/src/.git").exists());
}

#[test]
fn a_second_run_transfers_nothing_and_a_third_only_what_is_new() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    recipe(&work, "branch = \"main\"");
    work.run(&[]).exits(0);
    let before = objects(&work);
    work.run(&[]).exits(0);
    assert_eq!(objects(&work), before);
    upstream.commit("third");
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "second", "the lock says so");
    update(&work);
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "third");
    let after = objects(&work);
    assert!(before.iter().all(|object| after.contains(object)), "{before:?} {after:?}");
    // A commit, a tree and a blob, loose or as one pack with its index.
    assert!((1..=3).contains(&(after.len() - before.len())), "{before:?} {after:?}");
    // What the branch was before is not forgotten: a rewritten history is followed.
    upstream.git(&["reset", "--quiet", "--hard", "v1"]);
    upstream.commit("another second");
    update(&work);
    work.run(&[]).exits(0);
    assert_eq!(work.read(FILE), "another second");
}

/// Recipes lie in repositories, which have configurations and tops of their own.
#[test]
fn where_a_branch_is_now_is_asked_outside_of_the_recipes_repository() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    let git = |args: &[&str]| {
        assert!(work.command("git").arg("-C").arg(work.root()).args(args).status().unwrap().success());
    };
    git(&["init", "--quiet"]);
    git(&["config", "url./nowhere/.insteadOf", &format!("file://{}", upstream.dir().display())]);
    for url in [format!("file://{}", upstream.dir().display()), "../upstream".into()] {
        work.write(
            "pipeline.toml",
            format!(
                "version = 1\n[[step]]\nid = \"source\"\nuses = \"git-checkout\"\nurl = \"{url}\"\n\
                 allow-protocols = [\"file\"]\nbranch = \"main\"\n"
            ),
        );
        work.run(&[]).exits(0);
        let again = work.run(&[]).exits(0);
        assert!(again.stderr.contains("0 done, 1 up to date"), "{url}: {}", again.stderr);
    }
}

#[test]
fn a_branch_that_does_not_exist_leaves_nothing_half_made() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let _upstream = Upstream::make(&work);
    recipe(&work, "branch = \"gone\"");
    let outcome = work.run(&[]).exits(1);
    let outcome = outcome.says("couldn't find remote ref refs/heads/gone");
    let failure = outcome.failure("source");
    assert!(failure.message.contains("remote ref refs/heads/gone"), "{failure:?}");
    assert!(failure.help.as_ref().unwrap().contains("no such branch"), "{failure:?}");
    assert!(!work.path(".pipeline/work/source/src").exists());
    assert!(work.partials().is_empty(), "{:?}", work.partials());
    // The same with a checkout from before: it stays as it was, and is not taken for the new one.
    recipe(&work, "branch = \"side\"");
    work.run(&[]).exits(0);
    recipe(&work, "branch = \"gone\"");
    work.run(&[]).exits(1);
    assert_eq!(work.read(FILE), "aside");
}

#[test]
fn hooks_and_configuration_of_the_user_take_no_part() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    fs::write(upstream.dir().join(".gitattributes"), "file filter=evil\n").unwrap();
    upstream.git(&["add", ".gitattributes"]);
    upstream.git(&["commit", "--quiet", "--message", "attributes"]);
    let trace = work.root().join("trace");
    let home = work.root().join("home");
    fs::create_dir_all(home.join("templates/hooks")).unwrap();
    let hook = home.join("templates/hooks/post-checkout");
    fs::write(&hook, format!("#!/bin/sh\necho hook >>{}\n", trace.display())).unwrap();
    crate::kit::set_executable(&hook);
    let config = format!(
        "[init]\n templateDir = {}/templates\n[filter \"evil\"]\n smudge = touch {}; cat\n[core]\n hooksPath = {}/templates/hooks\n",
        home.display(),
        trace.display(),
        home.display()
    );
    fs::write(home.join(".gitconfig"), config).unwrap();
    recipe(&work, "branch = \"main\"");
    work.run(&[]).exits(0);
    assert!(!trace.exists(), "{}", fs::read_to_string(&trace).unwrap_or_default());
}

#[test]
fn a_killed_git_does_not_stand_in_the_way() {
    pipeline_testkit::require!("git");
    let work = Work::new("");
    let upstream = Upstream::make(&work);
    recipe(&work, "branch = \"main\"");
    // git's own lock files, as a kill leaves them, on the first and on a later run.
    for round in 0..2 {
        let shim = work.root().join("bin");
        fs::create_dir_all(&shim).unwrap();
        let fifo = work.root().join(format!("hold-{round}"));
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // A fetch that hangs for as long as the test likes, with the locks taken that it takes.
        let script = format!(
            "#!/bin/sh\nPATH=${{PATH#{at}:}}\ncase \" $* \" in *' fetch '*)\n  for lock in HEAD config packed-refs shallow refs/pipeline/source; do\n\
             mkdir -p \"${{1#--git-dir=}}/refs/pipeline\"; : >\"${{1#--git-dir=}}/$lock.lock\"; done; exec cat {fifo} ;; esac\nexec git \"$@\"\n",
            at = shim.display(),
            fifo = fifo.display()
        );
        fs::write(shim.join("git"), script).unwrap();
        crate::kit::set_executable(&shim.join("git"));
        let path = format!("{}:{}", shim.display(), std::env::var("PATH").unwrap());
        // Without news there would be no fetch.
        upstream.commit(&format!("before kill {round}"));
        let _ = fs::remove_file(work.path("pipeline.lock"));
        let mut engine = work
            .pipeline(&["run"])
            .env("PATH", path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let waiting = |fifo: &Path| processes(|words| words == ["cat", fifo.to_str().unwrap()]);
        let cat = eventually("git hangs", Duration::from_mins(1), || waiting(&fifo).first().copied());
        engine.kill().unwrap();
        engine.wait().unwrap();
        // What is left of a killed engine's children is another matter.
        let _ = Command::new("kill").args(["-KILL", &cat.to_string()]).status();
        upstream.commit(&format!("after kill {round}"));
        work.run(&[]).exits(0);
        assert_eq!(work.read(FILE), format!("after kill {round}"));
    }
}
