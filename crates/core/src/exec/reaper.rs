//! No process outlives a run: descendants that left their process group are adopted, and ended when the run ends.
//!
//! A child that calls `setsid`, or whose parent ended first, is beyond `kill(-group)`. On Linux the engine is a *child
//! subreaper* during a run: such a process becomes its child, and [`Bracket::end`] ends those until none is left. What is
//! not ours is spared: children from before the run, children in the engine's own process group (whoever embeds the
//! engine starts them; ours always have groups of their own), and leaders that a worker or a probe still waits for.
//! There is one bracket at a time in a process, as nothing tells whose orphans are whose.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Pid;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Leaders of process groups that somebody in this process waits for.
static LEADERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn leaders() -> MutexGuard<'static, BTreeSet<i32>> {
    LEADERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a child that the sweep must leave to its starter.
pub(super) fn spawn<T>(start: impl FnOnce() -> io::Result<(T, Pid)>) -> io::Result<(T, Pid)> {
    let mut leaders = leaders();
    let (child, pid) = start()?;
    leaders.insert(pid.as_raw_pid());
    Ok((child, pid))
}

/// Reaps such a child, which has ended. Under the lock, so that its number is not given out in between.
pub(super) fn reap<T>(pid: Pid, wait: impl FnOnce() -> T) -> T {
    let mut leaders = leaders();
    let status = wait();
    leaders.remove(&pid.as_raw_pid());
    status
}

/// The time from the start of a run, before its first child, to its end.
///
/// [`run`](super::run) has its own. A process beside it, that is to clean up after an engine that was killed, has one from
/// after the fork to the engine's end.
#[derive(Debug)]
pub struct Bracket {
    #[cfg(target_os = "linux")]
    before: BTreeSet<(i32, u64)>,
    #[cfg(target_os = "linux")]
    was_subreaper: bool,
    ended: bool,
    _alone: MutexGuard<'static, ()>,
}

#[cfg(target_os = "linux")]
impl Bracket {
    /// Waits until no other run is under way in this process.
    pub fn begin() -> Self {
        use rustix::process::{child_subreaper, getpid, set_child_subreaper};
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let was_subreaper = child_subreaper().is_ok_and(|pid| pid.is_some());
        // Refused only by kernels before 3.4; then groups are all there is.
        let _ = set_child_subreaper(Some(getpid()));
        let before =
            linux::children().into_iter().map(|child| (child.pid.as_raw_pid(), child.since)).collect();
        Self { before, was_subreaper, ended: false, _alone: alone }
    }

    /// Ends what is left of the run's descendants. Yields those that did not go within two seconds: another user's, or
    /// stuck in the kernel.
    pub fn end(mut self) -> Vec<i32> {
        self.sweep()
    }

    fn sweep(&mut self) -> Vec<i32> {
        use rustix::process::{Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};
        if std::mem::replace(&mut self.ended, true) {
            return Vec::new();
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut pause = Duration::from_millis(1);
        let left = loop {
            let mut left = Vec::new();
            {
                let leaders = leaders();
                for child in linux::children() {
                    let pid = child.pid.as_raw_pid();
                    if self.before.contains(&(pid, child.since))
                        || leaders.contains(&pid)
                        || child.in_our_group
                    {
                        continue;
                    }
                    // The number is safe: only we can reap it. Its own children come to us when it ends, hence the loop.
                    let _ = kill_process(child.pid, Signal::KILL);
                    let _ = waitpid(Some(child.pid), WaitOptions::NOHANG);
                    left.push(pid);
                }
            }
            if left.is_empty() || Instant::now() >= deadline {
                break left;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        if !self.was_subreaper {
            let _ = set_child_subreaper(None);
        }
        left
    }
}

#[cfg(not(target_os = "linux"))]
impl Bracket {
    /// Waits until no other run is under way in this process.
    pub fn begin() -> Self {
        Self { ended: false, _alone: ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Only Linux lets a process adopt its descendants.
    pub fn end(mut self) -> Vec<i32> {
        self.sweep()
    }

    fn sweep(&mut self) -> Vec<i32> {
        self.ended = true;
        Vec::new()
    }
}

impl Drop for Bracket {
    fn drop(&mut self) {
        self.sweep();
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::io::Errno;
    use rustix::process::{Pid, WaitId, WaitIdOptions, getpgrp, getpid, waitid};

    /// A child of this process.
    pub(super) struct Child {
        pub(super) pid: Pid,
        pub(super) in_our_group: bool,
        /// Its start, in clock ticks since boot: a number that is used again has another one.
        pub(super) since: u64,
    }

    pub(super) fn children() -> Vec<Child> {
        // Nearly always there is none, and then this one call is all.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if matches!(waitid(WaitId::All, options), Err(Errno::CHILD)) {
            return Vec::new();
        }
        let (us, our_group) = (getpid().as_raw_pid(), getpgrp().as_raw_pid());
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter_map(|pid| {
                // The name in it may hold anything: other bytes than UTF-8, and also `)`.
                let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
                let stat = String::from_utf8_lossy(&stat);
                let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
                let parent: i32 = fields.next()?.parse().ok()?;
                let group: i32 = fields.next()?.parse().ok()?;
                let since = fields.nth(16)?.parse().ok()?;
                let child = Child { pid: Pid::from_raw(pid)?, in_our_group: group == our_group, since };
                Some(child).filter(|_| parent == us)
            })
            .collect()
    }
}
