//! Text → spec → plan → exec → events → reporters.

pub mod dockerfile;
pub mod image;
pub mod platform;
