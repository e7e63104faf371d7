//! `scp` goes on with what is there, by a real sshd behind a wire that breaks.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pipeline_testkit::{Sshd, TestSpace, Wire, skip};

use crate::PIPELINE;
use crate::image::{docker_archive, native};
use crate::lab::Ran;

/// Characters in the image.
const SIZE: usize = 6_000_000;
/// What a connection costs besides the file: keys, and the commands on the node.
const OVERHEAD: u64 = 60_000;
/// Names that mean something to shells, to sftp and to its patterns.
const HOSTILE: &str = "we ird \"q' $(touch pwned) `x` *[a]? \\ #!~";

/// A recipe that brings an image to a node, the node, and the way there.
struct Way {
    space: TestSpace,
    wire: Wire,
    /// The folder there.
    there: PathBuf,
    sshd: Sshd,
}

impl Way {
    /// `keys` are the node's, `step` the keys of `scp`.
    fn new(name: &str, keys: &str, step: &str) -> Option<Self> {
        let mut sshd = Sshd::start("")?;
        let wire = Wire::to(sshd.port);
        sshd.port = wire.port;
        let space = TestSpace::with_real_tools();
        let there = space.path("there").join(name);
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let recipe = format!(
            "version = 1\n[targets.t]\nplatform = '{}'\nnodes = ['n1']\n{}\
             [[step]]\nid = 'make'\nuses = 'run'\nargv = ['cp', 'image.tar', 'x.tar']\ninputs = ['image.tar']\n\
             outputs = {{ archive = 'x.tar' }}\nreference = 'docker.io/library/x:1'\n\
             [[step]]\nuses = 'scp'\ndest = {}\n{step}\n",
            native().0,
            sshd.node("n1", keys),
            quoted(there.join("x.tar").to_str().unwrap()),
        );
        space.write("pipeline.toml", recipe);
        let way = Self { space, wire, there, sshd };
        way.make();
        Some(way)
    }

    /// Another image.
    fn make(&self) {
        let mut text = String::with_capacity(SIZE + 16);
        while text.len() < SIZE {
            text += &format!("{:016x}", random());
        }
        docker_archive(&self.space.path("image.tar"), &text);
    }

    fn size(&self) -> u64 {
        fs::metadata(self.space.path("image.tar")).unwrap().len()
    }

    fn run(&self) -> Ran {
        Ran::of(self.space.command(PIPELINE).args(["run", "--verbose"]))
    }

    /// What is there of the copy.
    fn parts(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(&self.there).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders = folders.filter(|path| path.is_dir());
        folders.flat_map(|folder| fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path())).collect()
    }

    /// Breaks the connection somewhere in the file; the part.
    #[track_caller]
    fn broken(&self) -> PathBuf {
        self.wire.break_after(1_500_000 + random() % (self.size() - 3_000_000));
        let ran = self.run().must(1);
        assert!(ran.stderr.contains("node `n1` could not be reached"), "{}", ran.stderr);
        assert!(!self.there.join("x.tar").exists());
        // The node may still be writing what it had read.
        let until = Instant::now() + Duration::from_secs(20);
        while !self.sshd.connections().is_empty() {
            assert!(Instant::now() < until, "the node keeps a broken connection");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.part()
    }

    /// The one part, with something in it.
    #[track_caller]
    fn part(&self) -> PathBuf {
        let parts = self.parts();
        assert_eq!(parts.len(), 1, "{parts:?}");
        let length = fs::metadata(&parts[0]).unwrap().len();
        assert!(length > 10_000 && length < self.size(), "{length} of {}", self.size());
        parts[0].clone()
    }

    /// The next run brings the file and leaves nothing else; what it printed, and the bytes that crossed.
    #[track_caller]
    fn arrives(&self) -> (String, u64) {
        self.wire.sent();
        let ran = self.run().must(0);
        let sent = self.wire.sent();
        self.is_there();
        (ran.stderr, sent)
    }

    #[track_caller]
    fn is_there(&self) {
        let [made, there] = [self.space.path("image.tar"), self.there.join("x.tar")];
        assert!(fs::read(made).unwrap() == fs::read(&there).unwrap(), "another file arrived");
        let names: Vec<_> =
            fs::read_dir(&self.there).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["x.tar"]);
        fs::remove_file(there).unwrap();
    }
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn a_copy_that_breaks_anywhere_sends_only_the_rest_in_the_next_run() {
    let Some(way) = Way::new(HOSTILE, "", "") else { return };
    for _ in 0..3 {
        let part = length(&way.broken());
        let (said, sent) = way.arrives();
        assert!(said.contains("had arrived before") && said.contains("reput "), "{said}");
        assert!(said.contains("$ sftp -q -b - "), "{said}");
        assert!(!said.contains("$ scp "), "{said}");
        assert!(sent < way.size() - part + OVERHEAD, "{sent} of {}, and {part} were there", way.size());
        way.make();
    }
    assert!(!way.space.path("pwned").exists() && !way.there.join("pwned").exists());
}

#[test]
fn and_in_the_next_attempt_of_the_same_run() {
    let Some(way) = Way::new("there", "", "retry = { attempts = 3, delay = '1s' }") else { return };
    way.wire.break_after(3_000_000);
    let ran = way.run().must(0);
    assert!(ran.stderr.contains("had arrived before"), "{}", ran.stderr);
    // What was on its way when it broke is sent again.
    assert!(way.wire.sent() < way.size() + (3 << 20), "it was sent twice");
    way.is_there();
}

#[test]
fn a_killed_run_is_continued_by_the_next_within_the_node_s_bandwidth() {
    let Some(way) = Way::new("there", "bandwidth = '2 MB/s'", "") else { return };
    for signal in ["-KILL", "-INT"] {
        let mut run = way.space.command("env");
        run.args(["--default-signal=INT", PIPELINE, "run"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = run.spawn().unwrap();
        let until = Instant::now() + Duration::from_mins(1);
        while way.parts().iter().all(|part| length(part) < 1_000_000) {
            assert!(Instant::now() < until, "nothing arrives");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
        run.wait().unwrap();
        let part = length(&way.part());
        let begun = Instant::now();
        let (said, sent) = way.arrives();
        assert!(said.contains("$ sftp -q -b - -l 16000 "), "{said}");
        assert!(sent < way.size() - part + OVERHEAD, "{signal}: {sent}, and {part} were there");
        // Half of what that takes at least.
        assert!(begun.elapsed() > Duration::from_micros((way.size() - part) / 4), "{:?}", begun.elapsed());
        way.make();
    }
}

#[test]
fn another_file_is_copied_whole() {
    let Some(way) = Way::new("there", "", "") else { return };
    way.broken();
    way.make();
    let (said, sent) = way.arrives();
    assert!(!said.contains("had arrived before") && said.contains("$ scp "), "{said}");
    assert!(sent > way.size());
}

#[test]
fn a_part_that_leads_to_something_else_is_copied_whole() {
    let Some(way) = Way::new("there", "", "") else { return };
    let part = way.broken();
    let mut bytes = fs::read(&part).unwrap();
    bytes[5000] ^= 1;
    fs::write(&part, bytes).unwrap();
    let (said, sent) = way.arrives();
    assert!(said.contains("the copy differs: ") && said.contains("the whole file is copied"), "{said}");
    assert!(sent > way.size());

    // More than there may be, and all there is.
    way.make();
    let part = way.broken();
    fs::write(&part, vec![1; usize::try_from(way.size()).unwrap() + 1]).unwrap();
    let (said, sent) = way.arrives();
    assert!(!said.contains("had arrived before") && sent > way.size(), "{said}");
    way.make();
    let part = way.broken();
    fs::copy(way.space.path("image.tar"), &part).unwrap();
    let (said, sent) = way.arrives();
    assert!(said.contains("had arrived before") && sent < OVERHEAD, "{sent}: {said}");
}

#[test]
fn parts_that_have_lain_for_a_day_are_removed() {
    let Some(way) = Way::new("there", "", "") else { return };
    let part = way.broken();
    let age = |path: &Path| {
        let status = Command::new("touch").args(["-d", "25 hours ago"]).arg(path).status();
        assert!(status.unwrap().success());
    };
    age(&part);
    let [old, young] = ["old", "young"].map(|name| {
        let folder = way.there.join(format!(".partial-{name}"));
        fs::create_dir(&folder).unwrap();
        let part = folder.join(part.file_name().unwrap());
        fs::write(&part, "x").unwrap();
        part
    });
    age(&old);
    // By a link to somebody else's.
    let others = way.space.path("others");
    fs::create_dir(&others).unwrap();
    let kept = others.join(part.file_name().unwrap());
    fs::write(&kept, "x").unwrap();
    age(&kept);
    let link = way.there.join(".partial-link");
    std::os::unix::fs::symlink(&others, &link).unwrap();
    let ran = way.run().must(0);
    assert!(kept.exists());
    fs::remove_file(link).unwrap();
    assert!(!ran.stderr.contains("had arrived before"), "{}", ran.stderr);
    assert!(!old.parent().unwrap().exists() && young.exists());
    fs::remove_dir_all(young.parent().unwrap()).unwrap();
    way.is_there();
}

#[test]
fn a_part_in_a_folder_of_somebody_else_is_not_continued() {
    let Some(way) = Way::new("there", "", "") else { return };
    let part = way.broken();
    if std::os::unix::fs::chown(part.parent().unwrap(), Some(12345), None).is_err() {
        skip("only root gives folders away");
        return;
    }
    let (said, _) = way.arrives();
    assert!(!said.contains("had arrived before"), "{said}");
}

#[test]
fn without_a_working_sftp_the_whole_file_is_copied() {
    let Some(way) = Way::new("there", "", "") else { return };
    way.broken();
    let sftp = way.space.root().join("bin/sftp");
    fs::write(&sftp, "#!/bin/sh\necho 'no such option' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&sftp, fs::Permissions::from_mode(0o755)).unwrap();
    let (said, sent) = way.arrives();
    assert!(said.contains("exited with code 1: no such option: the whole file is copied"), "{said}");
    assert!(sent > way.size());
}

#[test]
fn a_node_without_sftp_is_told() {
    let Some(sshd) = Sshd::without_sftp() else { return };
    let space = TestSpace::with_real_tools();
    docker_archive(&space.path("image.tar"), "x");
    let recipe = format!(
        "version = 1\n[targets.t]\nplatform = '{}'\nnodes = ['n1']\n{}\
         [[step]]\nid = 'make'\nuses = 'run'\nargv = ['cp', 'image.tar', 'x.tar']\n\
         outputs = {{ archive = 'x.tar' }}\nreference = 'docker.io/library/x:1'\n\
         [[step]]\nuses = 'scp'\n",
        native().0,
        sshd.node("n1", &format!("dir = '{}'", space.path("there").display())),
    );
    space.write("pipeline.toml", recipe);
    let ran = Ran::of(space.command(PIPELINE).arg("run")).must(1);
    assert!(ran.stderr.contains("Subsystem sftp internal-sftp"), "{}", ran.stderr);
}

/// A file system of its own, gone when dropped.
struct Disk<'p>(&'p Path);

impl<'p> Disk<'p> {
    fn new(at: &'p Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        mount(options, at).then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

fn mount(options: &str, at: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

#[test]
fn on_a_disk_that_cannot_be_written_to() {
    let Some(way) = Way::new("there", "", "") else { return };
    let Some(_disk) = Disk::new(&way.there, "ro,mode=755") else { return skip("only root mounts") };
    let ran = way.run().must(1);
    assert!(ran.stderr.contains("help: on the node, work in a folder on a disk"), "{}", ran.stderr);
}

#[test]
fn on_a_full_disk_nothing_is_left() {
    let Some(way) = Way::new("there", "", "retry = { attempts = 3, delay = '1s' }") else { return };
    let Some(_disk) = Disk::new(&way.there, "size=4m,mode=755") else { return skip("only root mounts") };
    let left = || {
        let ran = way.run().must(1);
        assert!(ran.stderr.contains("make room on the disk"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("attempt 2"), "{}", ran.stderr);
        let entries = fs::read_dir(&way.there).unwrap().flatten();
        (entries.map(|entry| entry.file_name()).collect::<Vec<_>>(), ran.stderr)
    };
    let (names, _) = left();
    assert!(names.is_empty(), "{names:?}");

    // In the middle of the rest.
    assert!(mount("remount,size=20m", &way.there));
    let recipe = way.space.read("pipeline.toml");
    way.space.write("pipeline.toml", recipe.replace("attempts = 3", "attempts = 1"));
    way.wire.break_after(2_000_000);
    way.run().must(1);
    way.space.write("pipeline.toml", recipe);
    let other = vec![1; (20 << 20) - usize::try_from(length(&way.part())).unwrap() - 500_000];
    fs::write(way.there.join("other"), other).unwrap();
    let (names, said) = left();
    assert_eq!(names, ["other"]);
    assert!(said.contains("$ sftp ") && !said.contains("$ scp "), "{said}");
    fs::remove_file(way.there.join("other")).unwrap();
    way.arrives();
}
