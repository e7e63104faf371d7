//! A frozen plan for CI systems, whose own scheduler runs the chains of the targets side by side.

mod matrix;

pub use matrix::{Form, TooMany, matrix};
