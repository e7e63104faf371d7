//! A recipe in a folder of its own, and what came of running it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use pipeline_core::event::{Event, EventKind, Failure, Status};
use tempfile::TempDir;

use super::{Lab, base, debs, repository};

/// A recipe's folder, a home and a `TMPDIR`; gone when dropped, with everything that is mounted below.
#[derive(Debug)]
pub(crate) struct Work {
    root: TempDir,
    env: Vec<(OsString, OsString)>,
}

impl Work {
    /// With this recipe, less the line `version = 1`.
    pub(crate) fn new(recipe: &str) -> Self {
        let root = tempfile::Builder::new().prefix("lab-test-").tempdir().unwrap();
        for dir in ["recipe", "home", "tmp"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        let work = Self { root, env: Vec::new() };
        let text = format!("version = 1\n{recipe}");
        work.write("pipeline.toml", text);
        work
    }

    /// The demo's recipe, with an image name, node folders and a store of its own, and Debian's packages there already.
    pub(crate) fn demo(lab: &Lab, image: &str) -> Self {
        let work = Self::new("");
        copy(&repository().join("pipelines/demo"), &work.path("."));
        for arch in ["arm64", "armhf"] {
            copy(&debs(arch), &work.path(format!(".pipeline/out/debs-{arch}")));
        }
        let image = image.strip_prefix("docker.io/library/").unwrap();
        let (name, _) = image.split_once(':').unwrap();
        let recipe = work
            .read("pipeline.toml")
            .replace("/var/lib/pipeline-lab", lab.dir.to_str().unwrap())
            .replace("docker.io/library/registry:2", &format!("docker.io/library/{image}"))
            .replace("/files\"", &format!("/files/{name}\""));
        work.write("pipeline.toml", recipe);
        work
    }

    /// A recipe with the given targets, an `engine`, and a build `image` of a busybox with `dockerfile` after its base.
    /// `rest` is what comes after: nodes, more steps.
    pub(crate) fn tiny(
        name: &str,
        engine: &str,
        targets: &[(&str, &str)],
        dockerfile: &str,
        rest: &str,
    ) -> Self {
        use std::fmt::Write as _;
        let mut recipe = format!("[pipeline]\nname = \"{name}\"\nengine = \"{engine}\"\n");
        for (target, nodes) in targets {
            let platform = platform(target);
            let _ = writeln!(recipe, "[targets.{target}]\nplatform = \"{platform}\"");
            if !nodes.is_empty() {
                let _ = writeln!(recipe, "nodes = [{nodes}]");
            }
        }
        let steps = format!(
            "[[step]]\nid = \"context\"\nuses = \"run\"\nargv = [\"true\"]\n\
             outputs = {{ context = \"context-${{target.name}}\" }}\n\
             [[step]]\nid = \"image\"\nuses = \"build\"\ntag = \"docker.io/library/{name}:1\"\n"
        );
        let work = Self::new(&(recipe + &steps + rest));
        for (target, _) in targets {
            work.context(&format!("context-{target}"), target, dockerfile);
        }
        work
    }

    /// A build context of a busybox for a target named as in [`Work::tiny`].
    pub(crate) fn context(&self, dir: &str, target: &str, dockerfile: &str) {
        let debian = if target == "armv7" { "armhf" } else { target };
        self.write(format!("{dir}/Dockerfile"), format!("FROM scratch\nADD busybox.tar /\n{dockerfile}\n"));
        fs::copy(base(debian), self.path(dir).join("busybox.tar")).unwrap();
    }

    /// A variable for `pipeline` and its children.
    pub(crate) fn env(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The lab's dockerd.
    pub(crate) fn with_docker(&mut self, lab: &Lab) -> &mut Self {
        let mut socket = OsString::from("unix://");
        socket.push(lab.path("docker.sock"));
        self.env("DOCKER_HOST", socket).env("DOCKER_CONFIG", lab.path("dockerd"))
    }

    /// podman with the lab's configuration, and a store in this folder.
    pub(crate) fn with_podman(&mut self, lab: &Lab) -> &mut Self {
        let at = self.root.path().join("podman");
        fs::create_dir(&at).unwrap();
        let (conf, at) = (at.join("storage.conf"), at.display());
        let text =
            format!("[storage]\ndriver = \"overlay\"\ngraphroot = \"{at}/root\"\nrunroot = \"{at}/run\"\n");
        fs::write(&conf, text).unwrap();
        self.env("CONTAINERS_CONF", lab.path("containers.conf")).env("CONTAINERS_STORAGE_CONF", conf)
    }

    /// The folder with everything in it.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A path in the recipe's folder.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.path().join("recipe").join(path)
    }

    /// Writes a file in the recipe's folder, and the folders above it.
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The text of a file in the recipe's folder.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A program in this folder's environment, started in the recipe's folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("NO_COLOR", "1")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path("."))
            .stdin(Stdio::null());
        command
    }

    /// `pipeline ARGS`
    pub(crate) fn pipeline(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_pipeline"));
        command.args(args);
        command
    }

    /// `pipeline run ARGS`, to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        let mut command = self.pipeline(&["run", "--allow-privileged"]);
        self.outcome(command.args(args))
    }

    /// Runs it to its end.
    pub(crate) fn outcome(&self, command: &mut Command) -> Outcome {
        let output = command.output().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            events: self.events(),
        }
    }

    /// The events of the newest run.
    pub(crate) fn events(&self) -> Vec<Event> {
        let Ok(runs) = fs::read_dir(self.path(".pipeline/runs")) else { return Vec::new() };
        let files = runs.flatten().map(|run| run.path().join("events.jsonl"));
        let modified = |file: &PathBuf| fs::metadata(file).and_then(|meta| meta.modified()).ok();
        let Some(file) = files.filter(|file| file.exists()).max_by_key(modified) else { return Vec::new() };
        let text = fs::read_to_string(file).unwrap();
        // A killed engine's last line may be torn.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The files and folders below the recipe's folder that say that they are half-made.
    pub(crate) fn partials(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders =
            vec![self.path(".pipeline/work"), self.path(".pipeline/git"), self.path(".pipeline/out")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().contains("partial") {
                    found.push(entry.path());
                } else if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        found
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // buildah and podman leave mounts of their store behind.
        let below = format!("{}/", self.root.path().display());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut mounts: Vec<&str> = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .filter(|at| at.starts_with(&below))
            .collect();
        mounts.sort_unstable();
        for mount in mounts.iter().rev() {
            let _ = Command::new("umount").args(["-l", mount]).stderr(Stdio::null()).status();
        }
    }
}

/// The platform of a target of [`Work::tiny`].
fn platform(target: &str) -> &'static str {
    match target {
        "arm64" => "linux/arm64",
        "armv7" => "linux/arm/v7",
        "amd64" => "linux/amd64",
        other => panic!("no platform for {other}"),
    }
}

/// Copies a folder with modes.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) events: Vec<Event>,
}

impl Outcome {
    /// Ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.stderr, self.stdout);
        self
    }

    /// Said this on stderr, line breaks and margins apart.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat(&self.stderr).contains(&flat(text)), "no `{text}` in:\n{}", self.stderr);
        self
    }

    /// An output of an instance.
    #[track_caller]
    pub(crate) fn output(&self, of: &str, output: &str) -> String {
        let value = self.events.iter().find_map(|event| match &event.kind {
            EventKind::Output { instance, name, value } if instance.as_str() == of && name == output => {
                Some(value.clone())
            }
            _ => None,
        });
        value.unwrap_or_else(|| panic!("{of} has no {output}\n{}", self.stderr))
    }

    /// When it ran, since the run began.
    #[track_caller]
    pub(crate) fn interval(&self, of: &str) -> (Duration, Duration) {
        let mut began = None;
        for event in &self.events {
            match &event.kind {
                EventKind::Started { instance, .. } if instance.as_str() == of => began = Some(event.elapsed),
                EventKind::Finished { instance, .. } if instance.as_str() == of => {
                    return (began.expect("what has finished has started"), event.elapsed);
                }
                _ => {}
            }
        }
        panic!("{of} has not run\n{}", self.stderr)
    }

    /// How it ended.
    pub(crate) fn status(&self, of: &str) -> Option<&Status> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::Finished { instance, status, .. } if instance.as_str() == of => Some(status),
            _ => None,
        })
    }

    /// Why it failed.
    #[track_caller]
    pub(crate) fn failure(&self, of: &str) -> &Failure {
        match self.status(of) {
            Some(Status::Failed(failure)) => failure,
            other => panic!("{of}: {other:?}\n{}", self.stderr),
        }
    }

    /// The commands that ran for it.
    pub(crate) fn commands(&self, of: &str) -> Vec<&Vec<String>> {
        let fits = |event: &'_ EventKind| matches!(event, EventKind::Command { instance, .. } if instance.as_str() == of);
        self.events
            .iter()
            .filter(|event| fits(&event.kind))
            .filter_map(|event| match &event.kind {
                EventKind::Command { argv, .. } => Some(argv),
                _ => None,
            })
            .collect()
    }

    /// Everything that was said for it.
    pub(crate) fn lines(&self, of: &str) -> String {
        let mut all = String::new();
        for event in &self.events {
            if let EventKind::Line { instance, text, .. } = &event.kind
                && instance.as_str() == of
            {
                all.push_str(text);
                all.push('\n');
            }
        }
        all
    }
}
