//! Text → spec → plan → exec → events → reporters.

pub mod platform;
