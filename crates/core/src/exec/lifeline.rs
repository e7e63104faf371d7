//! What a remote command's other side hears of us: as long as we speak it lives, and when we fall silent it ends.
//!
//! The end of a connection ends its stdin. A line that swallows everything ends nothing, and the node would go on for as long
//! as its TCP waits: so we say that we are there, every few seconds.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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

    fn say(&self, word: &[u8]) {
        // Who does not listen, or has ended, needs no telling.
        let _ = (&self.writer).write(word);
    }
}

/// When the next word is due. In real time: the node's clock does not stand still with the run.
pub(super) struct Pulse(Instant);

impl Pulse {
    /// Due at once.
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn left(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Says the word when it is due.
    pub(super) fn beat(&mut self, lifeline: &Lifeline) {
        if self.left() == Duration::ZERO {
            lifeline.beat();
            self.0 = Instant::now() + EVERY;
        }
    }
}
