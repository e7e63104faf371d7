//! Runs of real processes.

mod connection;
mod fresh;
pub(super) mod kit;
mod limits;
mod order;
mod process;
mod queue;
mod remote;
mod secrets;
mod signals;
mod values;
