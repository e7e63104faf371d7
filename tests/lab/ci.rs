//! The demo by the jobs of a generated file, each in a checkout of its own: GitLab's by gitlab-ci-local, GitHub's by act. A node
//! that cannot be reached fails one job; that job alone is run again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_testkit::require;

use crate::kit::{Lab, Work, repository};
use crate::require_lab;

/// The demo in a repository, whose second node has no name yet that ssh knows.
fn checked_in(lab: &Lab, image: &str, file: &str, system: &str) -> Work {
    let work = Work::demo(lab, image);
    reach(lab, &work, false);
    let recipe = work.read("pipeline.toml");
    let own = work.root().join("ssh_config").display().to_string();
    let recipe = recipe.replace(
        &format!("lab    = \"{}\"", lab.dir.display()),
        &format!("ssh    = \"{own}\"\nlab    = \"{}\"", lab.dir.display()),
    );
    let recipe = recipe.replace("\"${vars.lab}/ssh_config\"", "\"${vars.ssh}\"");
    assert!(recipe.contains(&own), "{recipe}");
    work.write("pipeline.toml", recipe);
    let made = work.pipeline(&["ci", system, "-o", file]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let output = work.command("git").args(who).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    // Debian's packages come with the checkout, so that no job waits for a mirror.
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--force", "."]);
    git(&["commit", "--quiet", "-m", "demo"]);
    git(&["remote", "add", "origin", "https://github.com/team/demo.git"]);
    git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    work
}

/// Of which no node knows anything yet, also in a lab that was up before.
fn own_image(name: &str) -> String {
    format!("docker.io/library/demo-{name}-{}:2", std::process::id())
}

/// Lets ssh know the second node, or not.
fn reach(lab: &Lab, work: &Work, armv7: bool) {
    let config = fs::read_to_string(lab.path("ssh_config")).unwrap();
    let config = if armv7 { config } else { config.replace("edge-armv7", "edge-elsewhere") };
    fs::write(work.root().join("ssh_config"), config).unwrap();
}

/// The command in the checkout, with `pipeline` on its path.
fn in_checkout(work: &Work, program: &Path) -> Command {
    let mut command = work.command(program);
    let bin = Path::new(env!("CARGO_BIN_EXE_pipeline")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bin.display()));
    command
}

/// Runs it; what it told, and whether all jobs were right.
fn ran(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), said.concat())
}

#[test]
fn gitlab_runs_the_demo_and_one_job_again() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    pipeline_testkit::require!("git", "rsync");
    let Some(local) = require("gitlab-ci-local") else { return };
    let image = &own_image("gitlab");
    let work = checked_in(lab, image, ".gitlab-ci.yml", "gitlab");
    // Each job in a folder of its own, which holds the commit and what artifacts bring.
    let run = |jobs: &[&str]| ran(in_checkout(&work, &local).arg("--shell-isolation").args(jobs));

    let (right, said) = run(&[]);
    assert!(!right && said.contains("FAIL  deliver:armv7"), "{said}");
    for job in ["plan", "build: [arm64]", "build: [armv7]", "deliver:arm64", "report"] {
        assert!(said.contains(&format!("PASS  {job}")), "{job}: {said}");
    }
    assert!(lab.delivered("edge-arm64", image).is_some());
    assert_eq!(lab.delivered("edge-armv7", image), None);
    let report = work.read("pipeline-ci/report.html");
    assert!(
        report.contains("edge-elsewhere") || report.contains("edge-armv7"),
        "the failed job is in the report"
    );

    reach(lab, &work, true);
    let (right, said) = run(&["deliver:armv7"]);
    assert!(right && said.contains("taken from results") && !said.contains("start  rootfs@"), "{said}");
    assert!(!said.contains("build: [armv7]"), "no other job ran: {said}");
    assert!(lab.delivered("edge-armv7", image).is_some());
    let (right, said) = run(&["report"]);
    assert!(right, "{said}");
    for part in
        ["edge-arm64", "edge-armv7", "image@arm64", "image@armv7", "verify-containerd@armv7@edge-armv7"]
    {
        assert!(work.read("pipeline-ci/report.html").contains(part), "{part}");
    }

    // What a job made before is in its cache.
    let (right, said) = run(&["build: [arm64]"]);
    assert!(right && said.contains("imported cache") && !said.contains("start  rootfs@"), "{said}");
}

#[test]
fn gitlab_runs_the_demo_as_a_child_pipeline() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    pipeline_testkit::require!("git", "rsync");
    let Some(local) = require("gitlab-ci-local") else { return };
    let image = &own_image("child");
    let work = checked_in(lab, image, ".gitlab-ci.yml", "gitlab");
    let made = work.pipeline(&["ci", "gitlab", "--child", "-o", ".gitlab-ci.yml"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let git = |args: &[&str]| assert!(work.command("git").args(args).status().unwrap().success());
    git(&[
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "commit",
        "--quiet",
        "--all",
        "-m",
        "child",
    ]);
    reach(lab, &work, true);
    let (right, said) = ran(in_checkout(&work, &local).arg("--shell-isolation"));
    assert!(right && said.contains("deliver:armv7"), "{said}");
    for node in ["edge-arm64", "edge-armv7"] {
        assert!(lab.delivered(node, image).is_some(), "{node}: {said}");
    }
}

/// An action of the workflow, and the folder that stands for it.
fn stands_for(text: &str, action: &str) -> String {
    let line = text.lines().find(|line| line.contains(&format!("uses: {action}"))).unwrap();
    let commit = line.split(['@', ' ']).rev().find(|part| part.len() == 40).unwrap();
    let mut name: Vec<&str> = action.split('/').collect();
    name.truncate(2);
    let folder = repository().join("tests/lab/actions").join(name[1]);
    format!("{}@{commit}={}", name.join("/"), folder.display())
}

#[test]
fn github_runs_the_demo_and_what_failed_again() {
    let lab = require_lab!("nodes", "containerd", "crio", "crictl");
    pipeline_testkit::require!("git");
    let Some(act) = require("act") else { return };
    let (image, file) = (&own_image("github"), ".github/workflows/pipeline-demo.yml");
    let work = checked_in(lab, image, file, "github");
    let text = work.read(file);
    let (store, event): (PathBuf, PathBuf) = (work.root().join("store"), work.root().join("event.json"));
    fs::write(&event, r#"{"repository":{"default_branch":"main"}}"#).unwrap();
    let run = |more: &[&str]| {
        let mut command = in_checkout(&work, &act);
        let path = command.get_envs().find_map(|(name, path)| (name == "PATH").then_some(path?.to_owned()));
        let env = |name: &str, value: &Path| format!("{name}={}", value.display());
        command.args(["push", "--no-cache-server", "--pull=false", "--defaultbranch", "main"]);
        command.args(["-P", "ubuntu-24.04=-self-hosted", "--eventpath", event.to_str().unwrap()]);
        command.args(["--env", &env("STORE", &store), "--env", &env("PATH", Path::new(&path.unwrap()))]);
        for action in ["actions/upload-artifact", "actions/download-artifact", "actions/cache"] {
            command.args(["--local-repository", &stands_for(&text, action)]);
        }
        ran(command.args(more))
    };

    let (right, said) = run(&[]);
    assert!(!right, "{said}");
    for made in
        ["plan/plan.json", "build-arm64/results.json", "build-armv7/results.json", "report/report.html"]
    {
        assert!(store.join("artifacts").join(made).exists(), "{made}: {said}");
    }
    assert!(lab.delivered("edge-arm64", image).is_some(), "{said}");
    assert_eq!(lab.delivered("edge-armv7", image), None);

    reach(lab, &work, true);
    // What it needs is run again too: from its cache.
    let (right, said) = run(&["--job", "deliver", "--matrix", "target:armv7"]);
    assert!(right && said.contains("taken from results") && !said.contains("start  rootfs@"), "{said}");
    assert!(lab.delivered("edge-armv7", image).is_some(), "{said}");
}
