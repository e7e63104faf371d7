//! What a remote command's other side hears of us: as long as we speak it lives, and when we fall silent it ends.
//!
//! The end of a connection ends its stdin. A line that swallows everything ends nothing, and the node would go on for as long
//! as its TCP waits: so we say that we are there, every few seconds.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use os_pipe::{PipeReader, PipeWriter};
use rustix::io::ioctl_fionbio;

/// Between two words. The node takes six that are missing for the end (`WATCHDOG`).
const EVERY: Duration = Duration::from_secs(5);

/// The writing end of a held stdin.
pub(super) struct Lifeline {
    writer: PipeWriter,
    /// The run stands still.
    still: Mutex<bool>,
}

impl Lifeline {
    pub(super) fn new() -> io::Result<(PipeReader, Self)> {
        let (reader, writer) = os_pipe::pipe()?;
        // Whoever reads nothing must not hold us up.
        ioctl_fionbio(&writer, true)?;
        Ok((reader, Self { writer, still: Mutex::new(false) }))
    }

    /// We are there: expect the next word soon.
    fn beat(&self) {
        let still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
        if !*still {
            self.say(b".\n");
        }
    }

    /// We shall stand still: wait, however long it takes. Nothing is said after this, until it goes on.
    pub(super) fn pause(&self) {
        let mut still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *still, true) {
            self.say(b"-\n");
        }
    }

    pub(super) fn go_on(&self) {
        *self.still.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Something of that name will be there, for those who clear up. It is a name of ours, in one line.
    pub(super) fn tell(&self, name: &str) {
        let _still = self.still.lock().unwrap_or_else(PoisonError::into_inner);
        self.say(format!("+{name}\n").as_bytes());
    }

    fn say(&self, word: &[u8]) {
        // Who does not listen, or has ended, needs no telling.
        let _ = (&self.writer).write(word);
    }
}

/// Says that we are there, at once and then again and again, until the lifeline or `over` is closed. On a thread of its own:
/// who follows the child may be held up for long, by a reader of its lines. In real time: the node's clock does not stand
/// still with the run.
pub(super) fn speak(lifeline: &Weak<Lifeline>, over: &Receiver<()>) {
    while let Some(held) = lifeline.upgrade() {
        held.beat();
        drop(held);
        if over.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
