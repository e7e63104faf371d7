//! Runs of real processes.

mod kit;
mod order;
mod process;
mod queue;
mod remote;
mod signals;
mod values;
