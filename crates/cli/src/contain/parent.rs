//! The process that the user sees: passes signals on, and ends as the engine ends.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use pipeline_core::exec::{Bracket, ENDING};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal as RawSignal, WaitOptions, WaitStatus, kill_process_group, setrlimit, wait,
    waitpid,
};

use super::{farewell, handled};
use crate::terminal::Unechoed;
use crate::{exit_code, terminal};

/// The longest that the engine takes to stop its children. More, and it is not itself.
const STANDSTILL: Duration = Duration::from_secs(5);

/// Attends to the engine until init has ended, and everything with it. The engine's exit code.
pub(super) fn attend(init: Pid, mut link: UnixStream, bracket: Bracket, mask: &SigSet) -> io::Result<u8> {
    let stop: SigSet = Signal::SIGTSTP.into();
    let mut other = handled();
    other.remove(Signal::SIGTSTP);
    // Nothing is taken from the first one: see `suspend`.
    let (stops, others) = (SignalFd::new(&stop)?, SignalFd::with_flags(&other, SfdFlags::SFD_NONBLOCK)?);
    link.set_read_timeout(Some(STANDSTILL))?;
    let mut keys = Unechoed::begin();
    let status = loop {
        if let Some(status) = ended(init) {
            break status;
        }
        let mut fds = [PollFd::new(&stops, PollFlags::IN), PollFd::new(&others, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let stopped = fds[0].revents().contains(PollFlags::IN);
        while let Ok(Some(info)) = others.read_signal() {
            let number = i32::try_from(info.ssi_signo).unwrap_or_default();
            if number == Signal::SIGCONT as i32 {
                keys.again();
                go_on(init, &mut link);
            } else if number != Signal::SIGCHLD as i32 {
                say(&mut link, number);
            }
        }
        if stopped {
            suspend(init, &mut link, stop, &mut keys)?;
        }
    };
    drop((link, keys));
    if status.signaled() {
        farewell(|| matches!(wait(WaitOptions::NOHANG), Err(Errno::CHILD)));
    }
    let left = bracket.end();
    if !left.is_empty() {
        terminal::error(
            "run::left-over",
            &format!("processes of the run could not be ended: {left:?}"),
            Some("end them by hand"),
        );
    }
    mask.thread_set_mask()?;
    Ok(end(status))
}

/// Lets the engine, its children and this process stand still until SIGCONT.
///
/// SIGTSTP is not taken but let through: had SIGCONT come in between, the kernel would have withdrawn it, and there is
/// nothing to stop for.
fn suspend(init: Pid, link: &mut UnixStream, stop: SigSet, keys: &mut Unechoed) -> io::Result<()> {
    say(link, Signal::SIGTSTP as i32);
    let _ = link.read(&mut [0]);
    let _ = kill_process_group(init, RawSignal::STOP);
    settle(init);
    terminal::wipe();
    keys.give_back();
    stop.thread_unblock()?;
    // Here it stops.
    stop.thread_block()?;
    keys.again();
    go_on(init, link);
    Ok(())
}

/// Waits until whoever draws stands still as well: the signal is on its way to each of the engine's threads.
fn settle(init: Pid) {
    let init = init.as_raw_nonzero();
    let engine = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap_or_default();
    let tasks = format!("/proc/{}/task", engine.trim());
    let runs = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // Behind the name, which may hold anything.
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['T', 't', 'Z']))
    };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(100)
        && fs::read_dir(&tasks).is_ok_and(|tasks| tasks.flatten().any(runs))
    {
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn go_on(init: Pid, link: &mut UnixStream) {
    let _ = kill_process_group(init, RawSignal::CONT);
    say(link, Signal::SIGCONT as i32);
}

/// An engine that has ended needs no signals.
fn say(link: &mut UnixStream, signal: i32) {
    let _ = link.write_all(&[u8::try_from(signal).unwrap_or_default()]);
}

fn ended(init: Pid) -> Option<WaitStatus> {
    waitpid(Some(init), WaitOptions::NOHANG).ok().flatten().map(|(_, status)| status)
}

/// The exit code; or the end by a signal, as the engine had.
fn end(status: WaitStatus) -> u8 {
    let code =
        status.exit_status().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit_code::STEP_FAILED);
    let by = status.terminating_signal().unwrap_or(i32::from(code) - i32::from(exit_code::SIGNAL));
    // The engine says itself by which signal a run was ended.
    if by <= 0 || ENDING.contains(&by) && status.exited() {
        return code;
    }
    terminal::wipe();
    terminal::error(
        "run::ended",
        &format!("the engine was ended by signal {by}"),
        Some("the next run sweeps what it left"),
    );
    // One core dump is enough.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    if let Ok(signal) = Signal::try_from(by) {
        let only: SigSet = signal.into();
        let _ = only.thread_unblock();
        let _ = raise(signal);
    }
    exit_code::SIGNAL.saturating_add(u8::try_from(by).unwrap_or_default())
}
