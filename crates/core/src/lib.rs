//! Text → spec → plan → exec → events → reporters.

pub mod binfmt;
pub mod event;
pub mod plan;
pub mod platform;
