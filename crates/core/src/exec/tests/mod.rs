//! Runs of real processes.

mod kit;
mod order;
mod process;
mod values;
