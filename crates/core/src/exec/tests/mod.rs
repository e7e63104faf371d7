//! Runs of real processes.

pub(super) mod kit;
mod order;
mod process;
mod queue;
mod remote;
mod signals;
mod values;
