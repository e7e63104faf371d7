//! A workspace with a git repository, fake engines that play an image, and nodes that are this machine behind a fake ssh.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pipeline_core::event::{Event, EventKind};
use pipeline_testkit::{Rule, TestSpace, find};

use crate::PIPELINE;
use crate::exports::Schema;
use crate::image::{docker_archive, native};

/// Tools that are what they are: they move files and run shells.
const REAL: [&str; 24] = [
    "sh",
    "mkdir",
    "rm",
    "rmdir",
    "find",
    "cp",
    "mv",
    "cat",
    "test",
    "sha256sum",
    "sync",
    "setsid",
    "sleep",
    "uname",
    "dirname",
    "mktemp",
    "mkfifo",
    "df",
    "stat",
    "id",
    "readlink",
    "env",
    "sed",
    "ls",
];

/// Tools that are never real here.
const FAKES: [&str; 10] =
    ["docker", "podman", "buildah", "skopeo", "ssh", "scp", "ctr", "crictl", "sudo", "git"];

/// The workspace of one test.
pub(crate) struct Lab {
    pub(crate) space: TestSpace,
    /// The id of the image that every engine here builds.
    pub(crate) id: String,
    /// The archive that every engine here exports.
    pub(crate) archive: PathBuf,
    /// The commit of the repository.
    pub(crate) commit: String,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let mut space = TestSpace::new();
        let real = space.root().join("real");
        fs::create_dir(&real).unwrap();
        for tool in REAL {
            let path = find(tool).unwrap_or_else(|| panic!("a test needs `{tool}`"));
            symlink(path, real.join(tool)).unwrap();
        }
        space.add_to_path(&real);
        space.install_fakes(&FAKES);
        let archive = space.root().join("exported.tar");
        let id = docker_archive(&archive, "hello");
        let commit = repository(&space);
        let lab = Self { space, id, archive, commit };
        lab.script(&[]);
        lab
    }

    /// What the tools play: `first`, else an engine that builds the image, and nodes that have it.
    pub(crate) fn script(&self, first: &[Rule]) {
        let mut rules = first.to_vec();
        let (_, architecture, machine) = native();
        let id = self.id.as_str();
        let hex = &id["sha256:".len()..];
        for engine in ["docker", "podman"] {
            let shown = if engine == "podman" { hex } else { id };
            let inspected = format!(
                r#"[{{"Id":"{shown}","Os":"linux","Architecture":"{architecture}","Variant":"{}"}}]"#,
                if architecture == "arm" { "v7" } else { "" }
            );
            rules.extend([
                Rule::of(engine).args(&["build"]).write_after("--iidfile", id),
                Rule::of(engine)
                    .args(&["image", "inspect", "--format"])
                    .stdout(&format!("linux/{architecture}\n")),
                Rule::of(engine).args(&["image", "inspect"]).stdout(&inspected),
                Rule::of(engine).args(&["image", "ls"]).stdout(&format!("{id}\n")),
                Rule::of(engine).args(&["run"]).stdout(&format!("{machine}\n")),
                Rule::of(engine).args(&["save"]).copy_after("--output", &self.archive),
            ]);
        }
        let manifest = format!(r#"{{"schemaVersion":2,"config":{{"digest":"{id}"}}}}"#);
        let buildah = serde_json::json!({
            "Manifest": manifest,
            "OCIv1": { "os": "linux", "architecture": architecture },
            "Docker": { "os": "linux", "architecture": architecture, "variant": if architecture == "arm" { "v7" } else { "" } },
        });
        let push = format!(
            "for last; do :; done; exec cp -- '{}' \"${{last#docker-archive:}}\"",
            self.archive.display()
        );
        let crictl = serde_json::json!({
            "status": { "id": id, "repoTags": ["docker.io/library/app:1"], "pinned": true },
            "info": { "imageSpec": { "os": "linux", "architecture": architecture } },
        });
        let images = self.space.path(".pipeline/store/root/overlay-images/images.json");
        let build = format!(
            "while [ \"$1\" != --iidfile ]; do shift; done; printf %s {id} >\"$2\"\n\
             mkdir -p '{folder}'; echo '[{{\"id\":\"{hex}\"}}]' >'{images}'",
            folder = images.parent().unwrap().display(),
            images = images.display(),
        );
        rules.extend([
            Rule::of("buildah").args(&["build"]).exec(self.program("build", &build)),
            Rule::of("buildah").args(&["inspect"]).stdout(&buildah.to_string()),
            Rule::of("buildah").args(&["run"]).stdout(&format!("{machine}\n")),
            Rule::of("buildah").args(&["push"]).exec(self.program("push", &push)),
            Rule::of("skopeo").args(&["inspect", "--raw"]).stdout(&manifest),
            Rule::of("crictl").args(&["inspecti"]).stdout(&crictl.to_string()),
            // What a node is asked is done here, by the shell that reads it there.
            Rule::of("ssh").exec(self.program("ssh", "for last; do :; done; exec sh -c \"$last\"")),
            Rule::of("scp").exec(self.program(
                "scp",
                "for last; do from=${to-}; to=$last; done; exec cp -- \"$from\" \"${to#*:}\"",
            )),
            Rule::of("sudo").exec(self.program("sudo", "shift 2; exec \"$@\"")),
            Rule::of("git").exec(find("git").expect("a test needs git")),
        ]);
        self.space.script(&rules);
    }

    /// A shell script of the test's own.
    pub(crate) fn program(&self, name: &str, body: &str) -> PathBuf {
        let path = self.space.root().join("programs").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // In place in one step: another process may be executing it.
        let partial = path.with_extension("partial");
        fs::write(&partial, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&partial, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&partial, &path).unwrap();
        path
    }

    /// The recipe in the workspace.
    pub(crate) fn recipe(&self, text: &str) {
        self.space.write("pipeline.toml", text);
    }

    /// `pipeline` with these arguments in the workspace.
    pub(crate) fn pipeline(&self, args: &[&str]) -> Command {
        let mut command = self.space.command(PIPELINE);
        command.args(args);
        command
    }

    /// Runs it to its end.
    pub(crate) fn output(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.pipeline(args))
    }

    /// The calls so far, each as its tool and arguments; without the connection that a run tries to share, which a fake
    /// ssh does not make.
    pub(crate) fn calls(&self) -> Vec<Vec<String>> {
        let calls = self.space.calls().into_iter().map(|call| [vec![call.tool], call.argv].concat());
        calls
            .filter(|call| call.get(1).is_none_or(|option| option != "-M"))
            .map(|mut call| {
                if call.get(2).is_some_and(|option| option == "ControlMaster=no") {
                    call.drain(1..3);
                }
                call
            })
            .collect()
    }

    /// The calls of one tool.
    pub(crate) fn calls_of(&self, tool: &str) -> Vec<Vec<String>> {
        self.calls().into_iter().filter(|call| call[0] == tool).collect()
    }

    /// The calls as a snapshot shows them: one a line, what differs from machine to machine replaced.
    pub(crate) fn shown_calls(&self) -> String {
        let lines: Vec<String> = self
            .calls()
            .iter()
            .map(|call| {
                // What nodes are asked before a run: long, and tested where it is made.
                let asked =
                    |arg: &String| if arg.contains("look=$1") { "[LOOK]".to_owned() } else { arg.clone() };
                serde_json::to_string(&call.iter().map(asked).collect::<Vec<_>>()).unwrap()
            })
            .collect();
        self.normalised(&lines.join("\n"))
    }

    /// What differs from machine to machine replaced.
    pub(crate) fn normalised(&self, text: &str) -> String {
        let (platform, architecture, machine) = native();
        let text = text
            .replace(&self.space.root().display().to_string(), "[SPACE]")
            .replace(&self.id, "[ID]")
            .replace(&self.id["sha256:".len()..], "[HEX]")
            .replace(&self.commit, "[COMMIT]")
            .replace(platform, "[PLATFORM]")
            .replace(&format!("\"{architecture}\""), "\"[ARCH]\"")
            .replace(machine, "[MACHINE]");
        pipeline_testkit::normalise(
            &text,
            &[
                // The remote side's watchdog: long, and tested where it is made.
                (r"exec 3<&0;.*?exit \$r", "[WATCHDOG]"),
                (r"sha256:[0-9a-f]{64}", "[SHA256]"),
                (r"[0-9a-f]{16}\.git", "[URL].git"),
                (r"(pipeline-\w{6}/)?export-\w{6}\.tar", "[EXPORT]"),
            ],
        )
    }

    /// The folder of the last run.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let mut runs: Vec<PathBuf> = fs::read_dir(self.space.path(".pipeline/runs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        runs.sort();
        runs.pop().expect("a run")
    }

    /// The events that the last run recorded, each as its schema has it.
    pub(crate) fn events(&self) -> Vec<Event> {
        let text = fs::read_to_string(self.run_folder().join("events.jsonl")).unwrap();
        let schema = Schema::of("events.schema.json");
        let problem = text.lines().find_map(|line| schema.problem(&serde_json::from_str(line).unwrap()));
        assert_eq!(problem, None);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every command of the last run, in order.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        self.events()
            .into_iter()
            .filter_map(|event| match event.kind {
                EventKind::Command { argv, .. } => Some(argv),
                _ => None,
            })
            .collect()
    }
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// The same, having ended with this code.
    #[track_caller]
    pub(crate) fn must(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// A git repository `upstream` in the workspace with a Dockerfile on two branches; the commit of `main`.
fn repository(space: &TestSpace) -> String {
    let dir = space.path("upstream");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("Dockerfile"), "FROM alpine:3.4\nCOPY . /src\n").unwrap();
    git(&dir, &["init", "--quiet", "--initial-branch=main", "."]);
    git(&dir, &["add", "."]);
    git(&dir, &["commit", "--quiet", "-m", "first"]);
    git(&dir, &["rev-parse", "HEAD"])
}

/// The real git, always with the same time and author.
fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new(find("git").expect("a test needs git"))
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs([("PATH", std::env::var_os("PATH").unwrap_or_default())])
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@example.org"),
            ("GIT_AUTHOR_DATE", "1700000000 +0000"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@example.org"),
            ("GIT_COMMITTER_DATE", "1700000000 +0000"),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
