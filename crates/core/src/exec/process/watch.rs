//! Following a child to its end.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use os_pipe::PipeReader;
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use super::spawn::Child;
use super::{Ended, KEPT, Limits, Why};
use crate::event::Stream;
use crate::exec::poll::poll;
use crate::output::{Line, Lines, Redactor};

/// From the end of stdin, which a remote side takes as the signal to die, to SIGTERM.
const FAREWELL: Duration = Duration::from_secs(1);

/// From a leader's end to the end of its output. The group is dead by then: only a descendant in another session holds on.
const LEAK: Duration = Duration::from_secs(2);

/// The same when the run is being stopped.
const LEAK_STOPPED: Duration = Duration::from_millis(100);

/// A longer grace period would not fit into a clock.
const LONGEST_GRACE: Duration = Duration::from_hours(24);

/// Where no pidfd tells that the leader has ended.
const INTERVAL: Duration = Duration::from_millis(20);

/// How far the end of a child has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    /// stdin is closed; SIGTERM follows.
    Closing(Instant),
    /// SIGTERM is sent; SIGKILL follows.
    Ending(Instant),
    /// SIGKILL is sent.
    Killed,
}

pub(super) struct Watch<'a> {
    child: Child,
    limits: &'a Limits<'a>,
    stage: Stage,
    why: Option<Why>,
    status: Option<(ExitStatus, Instant)>,
    stdout: Vec<u8>,
    /// When it last printed something.
    heard: Instant,
}

impl<'a> Watch<'a> {
    pub(super) fn new(child: Child, limits: &'a Limits<'a>) -> Self {
        let heard = limits.cancel.now();
        Self { child, limits, stage: Stage::Running, why: None, status: None, stdout: Vec::new(), heard }
    }

    pub(super) fn follow(
        mut self,
        redactor: &Redactor,
        line: &mut dyn FnMut(Stream, Line),
    ) -> io::Result<Ended> {
        let stream = if self.child.kept.is_some() { Stream::Error } else { Stream::Output };
        let mut lines = Lines::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some((status, _)) = self.status
                && (self.child.lines.is_none() && self.child.kept.is_none()
                    || self.next() == Some(Duration::ZERO))
            {
                lines.finish(&mut |text| line(stream, text));
                let leaked = self.child.lines.is_some() || self.child.kept.is_some();
                return Ok(Ended { status, why: self.why, stdout: self.stdout, leaked });
            }
            let ready = self.wait()?;
            if ready.lines
                && let Some(bytes) = read(&mut self.child.lines, &mut buffer)?
            {
                lines.push(bytes, redactor, &mut |text| line(stream, text));
                if self.limits.release.is_some_and(std::cell::Cell::get) {
                    self.child.stdin = None;
                }
            }
            if ready.kept
                && let Some(bytes) = read(&mut self.child.kept, &mut buffer)?
            {
                if self.stdout.len() + bytes.len() > KEPT {
                    self.child.kept = None;
                    self.stop(Why::TooMuch);
                } else {
                    self.stdout.extend_from_slice(bytes);
                }
            }
            if self.status.is_none() && (ready.ended || self.child.pidfd.is_none()) && self.child.has_ended()
            {
                self.status = Some((self.child.reap()?, self.now()));
            }
            if ready.lines || ready.kept {
                // After the lines were handed on: a reader that is slow makes no tool silent.
                self.heard = self.now();
            }
            self.act();
        }
    }

    /// Waits for whatever comes first.
    fn wait(&self) -> io::Result<Ready> {
        let child = &self.child;
        let mut timeout = self.next();
        if self.status.is_none() && child.pidfd.is_none() {
            timeout = Some(timeout.map_or(INTERVAL, |timeout| timeout.min(INTERVAL)));
        }
        let pidfd = child.pidfd.as_ref().filter(|_| self.status.is_none());
        // Only what has not been heard: these stay readable.
        let latch = match self.stage {
            Stage::Running if self.limits.heed_stop => Some(self.limits.cancel.stop_fd()),
            Stage::Killed => None,
            _ => Some(self.limits.cancel.kill_fd()),
        };
        // When the leader has ended, hearing is looking again how long to wait.
        let latch = latch.filter(|_| self.status.is_none() || !self.is_stopped());
        let sources = [
            child.lines.as_ref().map(AsFd::as_fd),
            child.kept.as_ref().map(AsFd::as_fd),
            pidfd.map(AsFd::as_fd),
            latch,
        ];
        let mut fds: Vec<PollFd<'_>> =
            sources.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        poll(&mut fds, timeout)?;
        let mut results = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut ready = sources.iter().map(|source| source.is_some() && results.next().unwrap_or(false));
        let mut next = || ready.next().unwrap_or(false);
        Ok(Ready { lines: next(), kept: next(), ended: next() })
    }

    /// The run's time: what is due here stands still with it.
    fn now(&self) -> Instant {
        self.limits.cancel.now()
    }

    /// The time to the next thing that happens by itself.
    fn next(&self) -> Option<Duration> {
        let at = match (self.status, self.stage) {
            (Some((_, ended)), _) => Some(ended + if self.is_stopped() { LEAK_STOPPED } else { LEAK }),
            (None, Stage::Running) => self.limits.deadline.into_iter().chain(self.silent_at()).min(),
            (None, Stage::Closing(until) | Stage::Ending(until)) => Some(until),
            (None, Stage::Killed) => None,
        };
        at.map(|at| at.saturating_duration_since(self.now()))
    }

    /// When its silence has lasted too long.
    fn silent_at(&self) -> Option<Instant> {
        self.heard.checked_add(self.limits.silence?)
    }

    /// It was to end, whoever noticed first.
    fn is_stopped(&self) -> bool {
        let cancel = self.limits.cancel;
        self.stage != Stage::Running || cancel.kill_requested() || self.limits.heed_stop && cancel.requested()
    }

    /// Does what is due.
    fn act(&mut self) {
        if self.status.is_some() {
            return;
        }
        let cancel = self.limits.cancel;
        if cancel.kill_requested() && self.stage != Stage::Killed {
            self.why.get_or_insert(Why::Cancelled);
            self.kill();
        } else if self.limits.heed_stop && cancel.requested() && self.stage == Stage::Running {
            self.stop(Why::Cancelled);
        }
        if self.next() == Some(Duration::ZERO) {
            match self.stage {
                Stage::Running => {
                    let late = self.limits.deadline.is_some_and(|deadline| deadline <= self.now());
                    self.stop(if late { Why::Timeout } else { Why::Silence });
                }
                Stage::Closing(_) => self.end(),
                Stage::Ending(_) => self.kill(),
                Stage::Killed => {}
            }
        }
    }

    fn stop(&mut self, why: Why) {
        if self.stage != Stage::Running {
            return;
        }
        self.why = Some(why);
        if self.child.stdin.take().is_some() {
            self.stage = Stage::Closing(self.now() + FAREWELL.min(self.limits.grace));
        } else {
            self.end();
        }
    }

    fn end(&mut self) {
        self.child.signal(Signal::TERM);
        self.stage = Stage::Ending(self.now() + self.limits.grace.min(LONGEST_GRACE));
    }

    fn kill(&mut self) {
        self.child.signal(Signal::KILL);
        self.stage = Stage::Killed;
    }
}

/// What `poll` found.
#[allow(clippy::struct_field_names)]
struct Ready {
    lines: bool,
    kept: bool,
    ended: bool,
}

/// One read; the end of the pipe closes it. It does not block, as `poll` said so and nobody else reads.
fn read<'b>(pipe: &mut Option<PipeReader>, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
    let Some(reader) = pipe else { return Ok(None) };
    match reader.read(buffer) {
        Ok(0) => {
            *pipe = None;
            Ok(None)
        }
        Ok(length) => Ok(Some(&buffer[..length])),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}
