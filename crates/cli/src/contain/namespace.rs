//! A PID namespace with its own /proc, in a mount namespace: what is mounted in there ends with it.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change, move_mount,
    open_tree,
};

/// Set to anything but nothing and `0`: no namespace, whatever would be possible.
pub(super) const REFUSED: &str = "PIPELINE_NO_NAMESPACE";

pub(super) fn wanted() -> bool {
    std::env::var_os(REFUSED).is_none_or(|value| value.is_empty() || value == "0")
}

/// The namespace that this process is in, and is to have its other children in.
pub(super) struct Home(File);

impl Home {
    /// The next child is pid 1 of a new namespace.
    pub(super) fn leave() -> io::Result<Self> {
        let home = File::open("/proc/self/ns/pid")?;
        // In a user namespace one may leave and not come back. Then every later child would be born into a namespace that
        // is over, and be killed.
        setns(&home, CloneFlags::CLONE_NEWPID)?;
        // Refused while another thread exists; one that has just been joined may.
        let mut tries = 200;
        loop {
            match unshare(CloneFlags::CLONE_NEWPID) {
                Ok(()) => return Ok(Self(home)),
                Err(Errno::EINVAL) if tries > 0 => tries -= 1,
                Err(error) => return Err(error.into()),
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Children are in our own one again.
    pub(super) fn enter(self) -> io::Result<()> {
        Ok(setns(self.0, CloneFlags::CLONE_NEWPID)?)
    }
}

/// What pid 1 does first. Mounts of the machine still arrive, ours do not reach it.
pub(super) fn furnish() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    let below = below_proc()?;
    mount("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)?;
    for (point, tree) in below {
        // What hung on a process that the new /proc does not have covers nothing there.
        let _: Option<()> = there(move_mount(tree, "", CWD, point, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH))?;
    }
    Ok(())
}

/// Copies of what is mounted below /proc: the table of emulators, what a container hides or shows otherwise. Not of what lies
/// under another mount, as in systemd-nspawn: nobody sees it.
fn below_proc() -> io::Result<Vec<(String, OwnedFd)>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    // ID PARENT DEVICE ROOT POINT …
    let mut points: Vec<&str> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| point.starts_with("/proc/"))
        .collect();
    // One on another: a copy is of the upper one.
    points.sort_unstable();
    points.dedup();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let copies = points.into_iter().map(|point| {
        let copy = there(open_tree(CWD, point, flags))?;
        Ok(copy.map(|copy| (point.to_owned(), copy)))
    });
    copies.filter_map(Result::transpose).collect()
}

/// None where there is nothing of that name.
fn there<T>(found: Result<T, rustix::io::Errno>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
