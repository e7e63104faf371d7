//! What the compiler cannot vouch for: two calls.
#![allow(unsafe_code, reason = "fork and signal have no safe form; nothing else in the workspace needs any")]

use std::io;
use std::time::Duration;

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, fork as forked};
use rustix::process::Pid;

pub(super) enum Fork {
    Parent(Pid),
    Child,
}

/// Makes a copy of this process, which has one thread only.
pub(super) fn fork() -> io::Result<Fork> {
    alone()?;
    // SAFETY: no other thread exists that could hold a lock or be half way through something in the copy.
    match unsafe { forked() }? {
        ForkResult::Child => Ok(Fork::Child),
        ForkResult::Parent { child } => {
            Pid::from_raw(child.as_raw()).map(Fork::Parent).ok_or_else(|| io::ErrorKind::Other.into())
        }
    }
}

/// Children are to be waited for, also where whoever started us ignores the end of its own.
pub(super) fn heed_children() {
    // SAFETY: no handler is set, and none was.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// Waits for threads that have been joined and are still on their way out.
fn alone() -> io::Result<()> {
    for _ in 0..200 {
        // Without /proc nobody knows; then it is as the callers say.
        if std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count) == 1 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Err(io::Error::other("threads are running"))
}
