//! Emulation of foreign architectures as a desired state: what `binfmt_misc` should say,
//! what it says, and whether a foreign program really runs.

use std::path::PathBuf;

mod check;
mod code;
mod error;
mod interpreter;
mod problem;
mod program;
mod proof;
mod register;
mod run;
mod state;
mod table;

pub use check::{Assessment, assess, find_interpreter};
pub use error::BinfmtError;
pub use problem::Problem;
pub use proof::{Emulator, Proof, ProofError, prove};
pub use register::{Ensured, Status, ensure};
pub use state::{Entry, Rule, State};
pub use table::{FLAGS, FLAGS_OLD_KERNEL, Registration};

/// Where the kernel's table is and where interpreters are looked for.
#[derive(Debug, Clone)]
pub struct Binfmt {
    /// Mount point of `binfmt_misc`, on most machines `/proc/sys/fs/binfmt_misc`.
    pub mount: PathBuf,
    /// Directories that may hold `qemu-<arch>-static`, best first.
    pub interpreter_dirs: Vec<PathBuf>,
    /// A directory that may hold programs (not mounted `noexec`), for the proof.
    pub scratch: PathBuf,
}

#[cfg(test)]
mod private_tests;
