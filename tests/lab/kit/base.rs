//! Small base images of foreign architectures, made of Debian's packages.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::repository;

/// Survives test runs, so that only the first needs the network.
fn cache() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The packages of the demo's base image for a Debian architecture, as the demo's own script fetches them.
pub(crate) fn debs(arch: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = cache().join(format!("debs-{arch}"));
    if !folder.join("complete").exists() {
        let script = repository().join("pipelines/demo/make-base.sh");
        let output =
            Command::new(script).arg(arch).arg(cache().join(format!("base-{arch}"))).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "no packages for {arch}:\n{said}");
    }
    folder
}

/// A Debian package of any architecture, as the demo's own script fetches it.
pub(crate) fn package(arch: &str, name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = cache().join(format!("{name}-{arch}"));
    let found = || {
        let files = fs::read_dir(&folder).ok()?.map(|entry| entry.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"))
    };
    if !folder.join("complete").exists() {
        fs::create_dir_all(&folder).unwrap();
        let script = repository().join("pipelines/demo/fetch-debs.sh");
        let output = Command::new(script).arg(arch).arg(&folder).arg(name).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "no {name} for {arch}:\n{said}");
        fs::write(folder.join("complete"), "").unwrap();
    }
    found().unwrap()
}

const APPLETS: [&str; 9] = ["sh", "cat", "echo", "env", "false", "ls", "sleep", "true", "uname"];

/// A tar of a root file system with nothing but busybox, 2 MB.
pub(crate) fn base(arch: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let debs = debs(arch);
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let tar = cache().join(format!("busybox-{arch}.tar"));
    if tar.exists() {
        return tar;
    }
    let folder = tempfile::tempdir_in(cache()).unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("bin")).unwrap();
    for dir in ["dev", "proc", "sys", "tmp"] {
        fs::create_dir(root.join(dir)).unwrap();
    }
    let names: Vec<_> = fs::read_dir(debs).unwrap().map(|entry| entry.unwrap().path()).collect();
    let is_busybox = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("busybox");
    let deb = names.iter().find(is_busybox).unwrap();
    let mut unpacked =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn().unwrap();
    let tarred = Command::new("tar")
        .arg("-C")
        .arg(&root)
        .args(["-x", "--no-same-owner", "--wildcards", "*/bin/busybox"])
        .stdin(unpacked.stdout.take().unwrap())
        .status()
        .unwrap();
    assert!(unpacked.wait().unwrap().success() && tarred.success());
    if root.join("usr/bin/busybox").exists() {
        fs::rename(root.join("usr/bin/busybox"), root.join("bin/busybox")).unwrap();
        fs::remove_dir_all(root.join("usr")).unwrap();
    }
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    let partial = folder.path().join("partial.tar");
    let options = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-C"];
    let packed =
        Command::new("tar").args(options).arg(&root).arg("-cf").arg(&partial).arg(".").status().unwrap();
    assert!(packed.success());
    fs::rename(partial, &tar).unwrap();
    tar
}
