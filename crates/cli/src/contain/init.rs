//! Between parent and engine: waits, reaps, and takes everything along when it ends.

use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, Signal};
use pipeline_core::exec::{Bracket, Signals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal as RawSignal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process,
    set_parent_process_death_signal, setsid, wait, waitid,
};

use super::fork::{self, Fork};
use super::{Means, farewell, namespace, tell};

/// Forks the engine and returns in it; in init it never returns.
pub(super) fn run(mut link: UnixStream, means: Means, mask: &SigSet) -> io::Result<Signals> {
    let settled = settle(&link, means);
    // The namespace ends with us; otherwise what the engine leaves becomes ours.
    let bracket = (means == Means::Subreapers).then(Bracket::begin);
    match settled.and_then(|()| fork::fork()) {
        Ok(Fork::Child) => {
            // A copy, with nothing in it.
            drop(bracket);
            if means == Means::Subreapers {
                // It may stand still just then, and has to read from `link` that nobody is left.
                set_parent_process_death_signal(Some(RawSignal::CONT))?;
            }
            mask.thread_set_mask()?;
            Signals::from_parent(link)
        }
        Ok(Fork::Parent(engine)) => {
            tell(&mut link, &Ok(()));
            attend(engine, &link, bracket)
        }
        Err(error) => {
            tell(&mut link, &Err(error));
            exit(1)
        }
    }
}

/// Becomes what an init is, tells how that went, and ends.
pub(super) fn rehearse(link: &mut UnixStream) -> ! {
    let settled = settle(link, Means::Namespace);
    tell(link, &settled);
    exit(0)
}

fn settle(link: &UnixStream, means: Means) -> io::Result<()> {
    setsid()?;
    // SIGCONT reaches a process that stands still as well. It is blocked, and waited for below.
    let signal = if means == Means::Namespace { RawSignal::KILL } else { RawSignal::CONT };
    set_parent_process_death_signal(Some(signal))?;
    // The parent may have ended before; and from another namespace `getppid` does not tell.
    if is_gone(link) {
        exit(1);
    }
    match means {
        Means::Namespace => namespace::furnish(),
        Means::Subreapers => Ok(()),
    }
}

/// The parent's end of the link is closed.
fn is_gone(link: &UnixStream) -> bool {
    let mut fds = [PollFd::new(link, PollFlags::empty())];
    let _ = poll(&mut fds, Some(&Timespec::default()));
    fds[0].revents().contains(PollFlags::HUP)
}

fn attend(engine: Pid, link: &UnixStream, bracket: Option<Bracket>) -> ! {
    let news: SigSet = [Signal::SIGCHLD, Signal::SIGCONT].into_iter().collect();
    loop {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == engine {
                bracket.map(Bracket::end);
                exit(code(status));
            }
        }
        if bracket.is_some() && is_gone(link) {
            // It may stand still. Going on, it learns the same.
            let _ = kill_process(engine, RawSignal::CONT);
            farewell(|| ended(engine));
            let _ = kill_process(engine, RawSignal::KILL);
        }
        let _ = news.wait();
    }
}

/// It has ended, and is not reaped.
fn ended(engine: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(engine), options), Ok(None))
}

/// As shells have it.
fn code(status: WaitStatus) -> i32 {
    let by_signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(by_signal).unwrap_or(1)
}

#[allow(clippy::exit, reason = "what the engine will yet use is not to be dropped here: it is a copy")]
fn exit(code: i32) -> ! {
    std::process::exit(code)
}
