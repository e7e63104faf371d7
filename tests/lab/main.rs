//! The program on the real tools: builders, git, ssh, CRI servers. One lab for all tests, each with a folder of its
//! own; what cannot run here is skipped and says why. `PIPELINE_TEST_LAB=DIR` uses a lab that is up already, and
//! leaves it up.
#![allow(clippy::unwrap_used, reason = "a test panics where its set-up breaks")]

mod kit;

mod audit;
mod binfmt;
mod book;
mod build;
mod builders;
mod checkout;
mod checkout_full;
mod ci;
mod deliver;
mod delta;
mod demo;
mod emulation;
mod engine_ends;
mod evidence;
mod frozen;
mod lock;
mod manifest;
mod many;
mod patch;
mod progress;
mod refusals;
mod repro;
mod run_step;
mod save;
mod script;
mod secrets;
mod ship;
mod ship_disk;
mod ship_hostile;
mod smoke;
mod verify;
mod verify_image;
mod verify_run;
