//! Exit codes: the same for every command, and part of what scripts may rely on.

/// Everything that was asked for is done.
pub(crate) const DONE: u8 = 0;
/// A step failed.
pub(crate) const STEP_FAILED: u8 = 1;
/// `fmt --check`: a file is not in our layout.
pub(crate) const NOT_FORMATTED: u8 = 1;
/// The command line cannot be read, or names what is not there. clap uses it too.
pub(crate) const USAGE: u8 = 2;
/// The recipe is invalid.
pub(crate) const RECIPE_INVALID: u8 = 3;
/// `pipeline.lock` does not say what a name stands for, says it of a name that nobody uses, or is not true any more.
pub(crate) const LOCK_STALE: u8 = 4;
/// Something that the run needs is missing: a tool, a node, a permission, the workspace's lock.
pub(crate) const PREFLIGHT_FAILED: u8 = 5;
/// A digest, an architecture or a reference is other than what was built, or an output than what the recipe expects.
pub(crate) const MISMATCH: u8 = 6;
/// Ended by a signal: this plus its number (130 for Ctrl-C, 143 for SIGTERM).
pub(crate) const SIGNAL: u8 = 128;
