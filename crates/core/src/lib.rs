//! Text → spec → plan → exec → events → reporters.

pub mod binfmt;
pub mod platform;
