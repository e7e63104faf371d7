//! No descendant survives the engine, however it ends.
//!
//! Before a step runs, the process becomes three. The *parent* keeps the pid that the user knows: it passes signals on,
//! stops and goes on with Ctrl-Z and `fg`, and ends as the engine ends. The *init* is its child and only waits; the
//! *engine* is init's child and does the work. Where it may, init is pid 1 of a PID namespace: when it ends, the kernel
//! ends everything in there, and when the parent ends, init does. Elsewhere parent and init are subreapers: what
//! loses its parent becomes their child, and each of the three ends what the others left. Only `kill -9` of all three
//! at once then leaves something.
//!
//! Init and engine are in a session of their own, without a terminal. So Ctrl-C reaches the parent alone, output never
//! stops in the background, and no tool asks for a password where nobody answers.

mod fork;
mod init;
mod namespace;
mod parent;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use pipeline_core::exec::{Bracket, Signals};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

use fork::Fork;

/// Which of the three processes this is now.
pub(crate) enum Side {
    /// The engine, and what it is told by the parent.
    Engine(Signals),
    /// The parent, when all is over: the exit code.
    Parent(u8),
}

/// How descendants are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Namespace,
    Subreapers,
}

/// Becomes parent, init and engine. Returns in the engine at once, in the parent when the engine has ended.
///
/// Call it before any thread is started.
pub(crate) fn engine() -> io::Result<Side> {
    if namespace::wanted()
        && let Ok(side) = start(Means::Namespace)
    {
        return Ok(side);
    }
    start(Means::Subreapers)
}

/// Why there is no PID namespace here; nothing where there is one.
pub(crate) fn no_namespace() -> Option<String> {
    if !namespace::wanted() {
        return Some(format!("{} is set", namespace::REFUSED));
    }
    let tried = fork_init(Means::Namespace).and_then(|forked| match forked {
        Forked::Parent { init, mut link, mask, bracket } => {
            let settled = answer(&mut link);
            let _ = waitpid(Some(init), WaitOptions::empty());
            bracket.end();
            mask.thread_set_mask()?;
            settled
        }
        Forked::Init { mut link, .. } => init::rehearse(&mut link),
    });
    tried.err().map(|error| error.to_string())
}

fn start(means: Means) -> io::Result<Side> {
    match fork_init(means)? {
        Forked::Init { link, mask } => init::run(link, means, &mask).map(Side::Engine),
        Forked::Parent { init, mut link, mask, bracket } => {
            if let Err(error) = answer(&mut link) {
                let _ = waitpid(Some(init), WaitOptions::empty());
                mask.thread_set_mask()?;
                return Err(error);
            }
            parent::attend(init, link, bracket, &mask).map(Side::Parent)
        }
    }
}

enum Forked {
    Parent { init: Pid, link: UnixStream, mask: SigSet, bracket: Bracket },
    Init { link: UnixStream, mask: SigSet },
}

/// The first fork. `mask` are the signals that were blocked before. The bracket begins while there is no child yet, and the
/// copy of it in the child ends at once: it has nothing in it.
fn fork_init(means: Means) -> io::Result<Forked> {
    let (near, far) = UnixStream::pair()?;
    let home = (means == Means::Namespace).then(namespace::Home::leave).transpose()?;
    fork::heed_children();
    let mask = handled().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let bracket = Bracket::begin();
    let forked = fork::fork();
    if !matches!(forked, Ok(Fork::Child)) {
        home.map(namespace::Home::enter).transpose()?;
    }
    match forked {
        Ok(Fork::Child) => Ok(Forked::Init { link: far, mask }),
        Ok(Fork::Parent(init)) => Ok(Forked::Parent { init, link: near, mask, bracket }),
        Err(error) => {
            mask.thread_set_mask()?;
            Err(error)
        }
    }
}

/// The signals that parent and init wait for. Nobody is interrupted by them, hence none is lost.
fn handled() -> SigSet {
    [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGTSTP,
        Signal::SIGCONT,
        Signal::SIGCHLD,
    ]
    .into_iter()
    .collect()
}

/// Gives an engine without a parent the time to end everything itself. Whoever does it for the engine kills it first, and
/// could then be killed half way.
fn farewell(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() && begun.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What init says when it is ready: nothing, or why it cannot be.
fn tell(link: &mut UnixStream, settled: &io::Result<()>) {
    let number = |error: &io::Error| error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
    let code = settled.as_ref().err().map_or(0, number);
    let _ = link.write_all(&[u8::try_from(code).unwrap_or(u8::MAX)]);
}

fn answer(link: &mut UnixStream) -> io::Result<()> {
    let mut code = [0];
    link.read_exact(&mut code)?;
    if code == [0] { Ok(()) } else { Err(io::Error::from_raw_os_error(i32::from(code[0]))) }
}
