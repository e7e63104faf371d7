//! The program on the real tools: builders, git, ssh, CRI servers. One lab for all tests, each with a folder of its
//! own; what cannot run here is skipped and says why. `PIPELINE_TEST_LAB=DIR` uses a lab that is up already, and
//! leaves it up.
#![allow(clippy::missing_panics_doc, reason = "tests")]

mod kit;

mod checkout;
mod demo;
mod patch;
mod build;
mod save;
mod smoke;
mod deliver;
mod run_step;
mod refusals;
mod verify;
mod binfmt;
mod engine_ends;
mod script;
