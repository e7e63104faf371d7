//! Registration in a table of its own: each test runs again in its own user and mount namespace.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::platform::Platform;

/// Set in the namespace, where the test body runs.
const INSIDE: &str = "PIPELINE_TEST_PRIVATE_BINFMT";

struct Table {
    binfmt: Binfmt,
    dir: TempDir,
    host: Platform,
}

/// A test with an empty table of its own.
macro_rules! private {
    ($name:ident, $body:expr) => {
        #[test]
        fn $name() {
            private(concat!(module_path!(), "::", stringify!($name)), $body);
        }
    };
}

mod refused;
mod runs;

/// Runs `body` with an empty table, in a new process; prints why if that is impossible here.
fn private(name: &str, body: fn(&Table)) {
    if std::env::var_os(INSIDE).is_some() {
        return body(&Table::new());
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = ["-Urm", "mount", "-t", "binfmt_misc", "binfmt_misc"];
    match Command::new("unshare").args(mount).arg(dir.path()).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            println!("skipped: no private binfmt_misc: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        Err(error) => {
            println!("skipped: unshare: {error}");
            return;
        }
    }
    let output = Command::new("unshare")
        .arg("-Urm")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name.split_once("::").unwrap().1, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.starts_with("skipped")).for_each(|line| println!("{line}"));
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

impl Table {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path().join("table");
        let bin = dir.path().join("bin");
        fs::create_dir(&mount).unwrap();
        fs::create_dir(&bin).unwrap();
        assert!(
            Command::new("mount").args(["-t", "binfmt_misc", "none"]).arg(&mount).status().unwrap().success()
        );
        let host = Platform::from_uname(rustix::system::uname().machine().to_str().unwrap()).unwrap();
        let binfmt = Binfmt { mount, interpreter_dirs: vec![bin], scratch: dir.path().to_owned() };
        Self { binfmt, dir, host }
    }

    /// Puts the machine's QEMU where it is looked for; owned by root in this namespace whoever runs the test.
    fn qemu(&self, platform: &Platform) -> Option<PathBuf> {
        let name = format!("qemu-{}-static", platform.qemu());
        let Ok(bytes) = fs::read(Path::new("/usr/bin").join(&name)) else {
            println!("skipped: no {name}");
            return None;
        };
        Some(self.interpreter(platform, &bytes))
    }

    fn interpreter(&self, platform: &Platform, bytes: &[u8]) -> PathBuf {
        let path = self.binfmt.interpreter_dirs[0].join(format!("qemu-{}-static", platform.qemu()));
        // Not overwritten: the kernel may hold the file.
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        mode(&path, 0o755);
        path
    }

    /// An interpreter of this code, in the machine language of the only host it was written for.
    fn fake(&self, platform: &Platform, code: &[u8]) -> Option<PathBuf> {
        if self.host.arch() != "amd64" {
            println!("skipped: the stand-in for QEMU is written for amd64");
            return None;
        }
        Some(self.interpreter(platform, &program::elf(&self.host, code)))
    }

    fn write(&self, file: &str, text: &[u8]) {
        fs::write(self.binfmt.mount.join(file), text).unwrap();
    }

    fn names(&self) -> Vec<PathBuf> {
        State::read(&self.binfmt.mount).unwrap().entries.into_iter().map(|entry| entry.path).collect()
    }

    fn assess(&self, platform: &Platform) -> Assessment {
        assess(&self.binfmt, platform, &self.host)
    }

    fn ensure(&self, platform: &Platform) -> Result<Ensured, BinfmtError> {
        ensure(&self.binfmt, std::slice::from_ref(platform), &self.host, true).map(|mut list| list.remove(0))
    }

    fn problem(&self, platform: &Platform) -> Problem {
        let Assessment::Broken(assessed) = self.assess(platform) else {
            panic!("{:?}", self.assess(platform))
        };
        match self.ensure(platform) {
            Err(BinfmtError::Broken { problem, .. }) => assert_eq!(problem, assessed),
            other => panic!("{other:?}"),
        }
        assessed
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Foreign on every machine these tests are likely to run on.
fn foreign() -> Platform {
    Platform::parse("riscv64").unwrap()
}
