//! Keys that somebody presses while a run is shown are not shown among it. They are kept for whoever reads them next: the shell.
//!
//! It is for the process that the terminal belongs to, and may give it back: the engine has none.

use std::io;

use rustix::fs::FileType;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// Until it is dropped, and while the terminal is ours, keys are not shown.
#[derive(Debug, Default)]
pub(crate) struct Unechoed {
    /// They would be, but for us.
    held: bool,
}

impl Unechoed {
    /// Where runs are shown live.
    pub(crate) fn begin() -> Self {
        let mut unechoed = Self::default();
        unechoed.again();
        unechoed
    }

    /// After somebody else had the terminal.
    pub(crate) fn again(&mut self) {
        if super::is_enabled() && is_ours() {
            self.held |= change(|settings| {
                let shown = settings.local_modes.contains(LocalModes::ECHO);
                settings.local_modes.remove(LocalModes::ECHO);
                shown
            });
        }
    }

    /// As it was, for somebody else.
    pub(crate) fn give_back(&mut self) {
        if std::mem::take(&mut self.held) && is_ours() {
            change(|settings| {
                settings.local_modes.insert(LocalModes::ECHO);
                true
            });
        }
    }
}

impl Drop for Unechoed {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// We are in the foreground, and there alone: a pager that reads our stdout sets the same terminal as it likes.
fn is_ours() -> bool {
    let piped = rustix::fs::fstat(io::stdout())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
    !piped && tcgetpgrp(io::stderr()).is_ok_and(|group| group == getpgrp())
}

/// The terminal is somebody else's now: a shell that has its prompt there.
pub(super) fn in_background() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|group| group != getpgrp())
}

/// Only what is ours of it: somebody else may set other things meanwhile.
fn change(change: impl FnOnce(&mut Termios) -> bool) -> bool {
    let Ok(mut settings) = tcgetattr(io::stderr()) else { return false };
    change(&mut settings) && tcsetattr(io::stderr(), OptionalActions::Now, &settings).is_ok()
}
