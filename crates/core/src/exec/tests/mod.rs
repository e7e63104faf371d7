//! Runs of real processes.

pub(super) mod kit;
mod limits;
mod order;
mod process;
mod queue;
mod remote;
mod secrets;
mod signals;
mod values;
