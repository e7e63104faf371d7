//! The wish to stop, as workers see it: two latches that `poll` can wait for beside a child's output; and standing still,
//! as Ctrl-Z asks for it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process_group};

use super::clock::Clock;
use super::lifeline::Lifeline;
use super::poll::poll;

/// Shared by the coordinator, the workers and the thread that receives signals.
#[derive(Debug)]
pub(super) struct Cancel {
    /// The first signal's number; 0 before.
    signal: AtomicI32,
    stop: Latch,
    kill: Latch,
    groups: Mutex<Groups>,
    clock: Clock,
}

/// Process groups of running children. A group leaves before its leader is reaped, so a number here is never reused.
#[derive(Debug, Default)]
struct Groups {
    /// And what a remote side hears of us, while it is held.
    numbers: BTreeMap<i32, Option<Weak<Lifeline>>>,
    /// They stand still, and so will those that come.
    stopped: bool,
}

impl Groups {
    fn tell(&self, what: impl Fn(&Lifeline)) {
        self.numbers.values().flatten().filter_map(Weak::upgrade).for_each(|lifeline| what(&lifeline));
    }

    fn signal(&self, signal: Signal) {
        self.numbers.keys().for_each(|number| send(*number, signal));
    }

    /// All but those that have to carry a last word to a node: what they are stands still when nobody reads what they print.
    fn stop(&self) {
        let here = self.numbers.iter().filter(|(_, lifeline)| lifeline.is_none());
        here.for_each(|(number, _)| send(*number, Signal::STOP));
    }
}

fn send(group: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(group) {
        let _ = kill_process_group(group, signal);
    }
}

impl Cancel {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            signal: AtomicI32::new(0),
            stop: Latch::new()?,
            kill: Latch::new()?,
            groups: Mutex::default(),
            clock: Clock::default(),
        })
    }

    /// A signal came. The first one asks: nothing starts any more, and each worker ends its child gently. Any other one
    /// ends all children at once, from the calling thread, so that a worker that is busy cannot delay it. SIGTSTP and
    /// SIGCONT are no wish to stop: children and clock stand still, and go on.
    pub(super) fn request(&self, signal: i32) {
        match Signal::from_named_raw(signal) {
            Some(Signal::TSTP) => return self.pause(),
            Some(Signal::CONT) => return self.resume(),
            Some(Signal::KILL) => return self.kill(),
            _ => {}
        }
        // Who stands still hears no gentle signal.
        self.resume();
        if self.signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.stop.set();
        } else {
            self.kill();
        }
    }

    /// Ends all children at once.
    pub(super) fn kill(&self) {
        let _ = self.signal.compare_exchange(0, Signal::KILL.as_raw(), Ordering::SeqCst, Ordering::SeqCst);
        self.stop.set();
        self.kill.set();
        self.groups().signal(Signal::KILL);
    }

    fn pause(&self) {
        self.clock.stop();
        let mut groups = self.groups();
        groups.stopped = true;
        groups.tell(Lifeline::pause);
        groups.stop();
    }

    fn resume(&self) {
        let mut groups = self.groups();
        if std::mem::take(&mut groups.stopped) {
            groups.signal(Signal::CONT);
            groups.tell(Lifeline::go_on);
        }
        self.clock.go_on();
    }

    /// The time of this run, in which all deadlines are.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The first signal, once there was one.
    pub(super) fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    pub(super) fn requested(&self) -> bool {
        self.signal().is_some()
    }

    pub(super) fn kill_requested(&self) -> bool {
        self.kill.is_set()
    }

    /// Readable for `poll` when the run should stop.
    pub(super) fn stop_fd(&self) -> BorrowedFd<'_> {
        self.stop.reader.as_fd()
    }

    /// Readable for `poll` when children should end at once.
    pub(super) fn kill_fd(&self) -> BorrowedFd<'_> {
        self.kill.reader.as_fd()
    }

    /// Waits for `pause`, or less when the run should stop; tells whether it should.
    pub(super) fn wait(&self, pause: Duration) -> bool {
        let _ = poll(&mut [PollFd::from_borrowed_fd(self.stop_fd(), PollFlags::IN)], Some(pause));
        self.requested()
    }

    pub(super) fn enter(&self, group: Pid, lifeline: Option<&Arc<Lifeline>>) {
        let mut groups = self.groups();
        groups.numbers.insert(group.as_raw_pid(), lifeline.map(Arc::downgrade));
        if groups.stopped {
            match lifeline {
                Some(lifeline) => lifeline.pause(),
                None => send(group.as_raw_pid(), Signal::STOP),
            }
        }
    }

    pub(super) fn leave(&self, group: Pid) {
        self.groups().numbers.remove(&group.as_raw_pid());
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pipe whose write end is closed, once and for all: every `poll` on its read end sees that, whenever it begins.
#[derive(Debug)]
struct Latch {
    reader: os_pipe::PipeReader,
    writer: Mutex<Option<os_pipe::PipeWriter>>,
}

impl Latch {
    fn new() -> io::Result<Self> {
        let (reader, writer) = os_pipe::pipe()?;
        Ok(Self { reader, writer: Mutex::new(Some(writer)) })
    }

    fn set(&self) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn is_set(&self) -> bool {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_asks_and_the_second_kills() {
        let cancel = Cancel::new().unwrap();
        assert!(!cancel.wait(Duration::from_millis(1)));
        cancel.request(2);
        cancel.request(15);
        assert_eq!(cancel.signal(), Some(2));
        assert!(cancel.kill_requested());
        let begun = Instant::now();
        assert!(cancel.wait(Duration::from_secs(10)));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
