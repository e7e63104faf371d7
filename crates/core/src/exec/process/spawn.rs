//! Starting a child: duct with a process group, pipes of ours, and nothing inherited.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::ExitStatus;
use std::sync::Arc;

use os_pipe::{PipeReader, PipeWriter};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{Request, Stdin};
use crate::exec::cancel::Cancel;
use crate::exec::lifeline::Lifeline;
use crate::exec::reaper;

/// A running child, the leader of its process group. Dropping it ends the group.
pub(super) struct Child {
    handle: duct::Handle,
    pid: Pid,
    cancel: Arc<Cancel>,
    reaped: bool,
    /// stdout and stderr, or only stderr.
    pub(super) lines: Option<PipeReader>,
    /// stdout, when it is kept.
    pub(super) kept: Option<PipeReader>,
    /// Held open. The run's pausing speaks through it as well.
    pub(super) stdin: Option<Arc<Lifeline>>,
    /// The other end of a stdin that is to be fed.
    pub(super) paced: Option<PipeWriter>,
    /// Readable when the leader has ended; absent on old kernels.
    pub(super) pidfd: Option<OwnedFd>,
}

pub(super) fn spawn(request: &Request<'_>, cancel: &Arc<Cancel>) -> io::Result<Child> {
    let name = request.argv.first().ok_or(io::ErrorKind::InvalidInput)?.clone();
    let mut expression = duct::cmd(request.program, &request.argv[1..])
        .dir(request.dir)
        .full_env(request.env)
        .unchecked()
        .before_spawn(move |command| {
            // The tool sees the name it was called by, as from a shell. Neither call costs posix_spawn.
            command.arg0(&name).process_group(0);
            Ok(())
        });
    let (lines, writer) = os_pipe::pipe()?;
    let kept = if request.keep_stdout {
        let (kept, stdout) = os_pipe::pipe()?;
        expression = expression.stdout_file(stdout).stderr_file(writer);
        Some(kept)
    } else {
        // The outer redirection is done first: stdout is the pipe, and stderr what stdout is.
        expression = expression.stderr_to_stdout().stdout_file(writer);
        None
    };
    let (mut stdin, mut paced) = (None, None);
    match request.stdin {
        Stdin::Held => {
            let (reader, lifeline) = Lifeline::new()?;
            expression = expression.stdin_file(reader);
            stdin = Some(Arc::new(lifeline));
        }
        Stdin::Paced(..) => {
            let (reader, writer) = os_pipe::pipe()?;
            expression = expression.stdin_file(reader);
            paced = Some(writer);
        }
        Stdin::File(file) => {
            expression = expression.stdin_file(file.try_clone()?);
        }
        Stdin::Null => {
            expression = expression.stdin_null();
        }
    }
    let (handle, pid) = reaper::spawn(|| {
        let handle = expression.start()?;
        let pid = handle.pids().first().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
        Ok((handle, pid.ok_or_else(|| io::Error::other("a child without a process id"))?))
    })?;
    // It holds our copies of the child's ends of the pipes: no end of file while it lives.
    drop(expression);
    cancel.enter(pid, stdin.as_ref());
    let cancel = Arc::clone(cancel);
    Ok(Child {
        handle,
        pid,
        cancel,
        reaped: false,
        lines: Some(lines),
        kept,
        stdin,
        paced,
        pidfd: pidfd(pid),
    })
}

#[cfg(target_os = "linux")]
fn pidfd(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn pidfd(_: Pid) -> Option<OwnedFd> {
    None
}

impl Child {
    /// Sends a signal to the whole group. The leader is not reaped yet, so the number is still its own.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.reaped {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// The leader has ended. It stays unreaped.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is nothing to wait for.
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Reaps the leader, and first ends what is left of its group: a shell's background job ignores SIGINT, and nothing
    /// that a tool leaves behind in its group may outlive it.
    pub(super) fn reap(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.cancel.leave(self.pid);
        self.reaped = true;
        reaper::reap(self.pid, || self.handle.wait().map(|output| output.status))
    }
}

impl Drop for Child {
    /// Only after a panic or an I/O error is it still there.
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.reap();
        }
    }
}
