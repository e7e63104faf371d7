//! Text → spec → plan → exec → events → reporters.

pub mod image;
pub mod platform;
