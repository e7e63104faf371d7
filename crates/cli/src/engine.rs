//! The way into a run for commands that are none of a recipe's runs: its folder is theirs, and what they start is contained.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use pipeline_core::exec::{Lock, Options, Scratch, Signals, remedy};

use crate::contain::{self, Side};
use crate::prepare::Prepared;
use crate::{exit_code, place, terminal};

/// This process does the work.
pub(crate) struct Engine {
    /// With a folder for temporary files.
    pub(crate) options: Options,
    pub(crate) signals: Signals,
    /// One at a time in a folder.
    _lock: Lock,
}

/// Waits for other runs in the recipe's folder, and divides into the processes that a run is made of. The error is the exit
/// code: also of the parent, whose work is done when the engine's is.
pub(crate) fn begin(prepared: &Prepared, options: Options) -> Result<Engine, u8> {
    let lock = place::lock(&prepared.found.folder, Duration::MAX)?;
    lock.sweep();
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("nothing was begun: {error}");
        terminal::error("run::engine", &message, remedy(&message));
        exit_code::PREFLIGHT_FAILED
    };
    let tmpdir = prepared.env.get(OsStr::new("TMPDIR")).map(OsString::as_os_str);
    let scratch = Scratch::create(&lock, tmpdir).map_err(|error| failed(&error))?;
    let options = Options { scratch: Some(scratch.path().to_owned()), ..options };
    match contain::engine() {
        Ok(Side::Engine(signals)) => {
            // It is the parent's, who ends last.
            std::mem::forget(scratch);
            Ok(Engine { options, signals, _lock: lock })
        }
        Ok(Side::Parent(code)) => Err(code),
        Err(error) => Err(failed(&error)),
    }
}
