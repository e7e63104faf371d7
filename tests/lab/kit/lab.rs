//! The one lab of a test run.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::repository;

/// The lab, as `tests/lab/lab` brought it up.
#[derive(Debug)]
pub(crate) struct Lab {
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// `lab status`, a line for each part.
    status: String,
}

/// The lab, where it has all these parts. Otherwise the test is skipped, with the lab's own reason.
pub(crate) fn lab(parts: &[&str]) -> Option<&'static Lab> {
    static LAB: OnceLock<Result<Lab, String>> = OnceLock::new();
    let found = match LAB.get_or_init(bring_up) {
        Ok(lab) => parts.iter().try_for_each(|part| lab.part(part)).map(|()| lab),
        Err(reason) => Err(reason.clone()),
    };
    found.map_err(|reason| pipeline_testkit::skip(&reason)).ok()
}

fn bring_up() -> Result<Lab, String> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Err("needs root: the lab mounts, runs containers and lets root in over ssh".into());
    }
    let script = repository().join("tests/lab/lab");
    let dir = env::var_os("PIPELINE_TEST_LAB").map(PathBuf::from);
    let dir = dir.unwrap_or_else(|| format!("/var/lib/pl-test-{}", std::process::id()).into());
    if !dir.join(".pipeline-lab").exists() {
        take_down_afterwards(&script, &dir);
    }
    let lab = |command: &str| {
        Command::new(&script).arg(command).env("PIPELINE_LAB", &dir).stdin(Stdio::null()).output().unwrap()
    };
    let up = lab("up");
    assert!(up.status.success(), "the lab does not come up:\n{}", String::from_utf8_lossy(&up.stderr));
    let status = String::from_utf8_lossy(&lab("status").stdout).into_owned();
    Ok(Lab { dir, status })
}

/// libtest has no hook for the end, and a killed process has none at all: a shell waits for the end of a pipe that only
/// this process holds.
#[expect(clippy::zombie_processes, reason = "it outlives this process")]
fn take_down_afterwards(script: &Path, dir: &Path) {
    let waiter = "trap '' INT TERM HUP; cat >/dev/null; exec \"$1\" down";
    let mut waiter = Command::new("sh")
        .args(["-c", waiter, "sh"])
        .arg(script)
        .env("PIPELINE_LAB", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C at the terminal is for the tests.
        .process_group(0)
        .spawn()
        .unwrap();
    std::mem::forget(waiter.stdin.take());
}

impl Lab {
    fn part(&self, part: &str) -> Result<(), String> {
        let line = self.status.lines().find(|line| line.split_whitespace().next() == Some(part));
        let line = line.unwrap_or_else(|| panic!("the lab knows no part `{part}`:\n{}", self.status));
        if line.contains(" running: ") { Ok(()) } else { Err(format!("the lab's {line}").replace("  ", " ")) }
    }

    /// A path in the lab's folder.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// `127.0.0.1:PORT` of the registry.
    pub(crate) fn registry(&self) -> String {
        fs::read_to_string(self.path("registry.addr")).unwrap().trim().to_owned()
    }

    /// One of the scripts beside `lab`, such as `delivered`.
    pub(crate) fn script(&self, name: &str, args: &[&str]) -> Output {
        Command::new(repository().join("tests/lab").join(name))
            .args(args)
            .env("PIPELINE_LAB", &self.dir)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The image id that the node itself knows under the reference.
    pub(crate) fn delivered(&self, node: &str, image: &str) -> Option<String> {
        let output = self.script("delivered", &[node, image]);
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.split_whitespace().next().unwrap().to_owned())
    }

    /// A command on a node, over ssh; its stdout.
    pub(crate) fn on_node(&self, node: &str, line: &str) -> String {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(self.path("ssh_config"))
            .args([node, line])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{node}: {line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Nobody else lists images, or has them not to be listed, for as long as the guard lives.
    pub(crate) fn listing() -> MutexGuard<'static, ()> {
        static LISTING: Mutex<()> = Mutex::new(());
        LISTING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names that the real `crictl images` lists on a node: `(name, tag, id)`.
    pub(crate) fn crictl_images(&self, node: &str) -> Vec<(String, String, String)> {
        let _listing = Self::listing();
        let table = self.on_node(node, "crictl images --no-trunc");
        table
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut columns = line.split_whitespace().map(str::to_owned);
                Some((columns.next()?, columns.next()?, columns.next()?))
            })
            .collect()
    }
}
