//! Text → spec → plan → exec → events → reporters.

pub mod event;
pub mod exec;
pub mod plan;
pub mod platform;
