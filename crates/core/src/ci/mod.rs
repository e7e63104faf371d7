//! A frozen plan for CI systems, whose own scheduler runs the chains of the targets side by side.

mod actions;
mod command;
mod generic;
mod github;
mod gitlab;
mod jobs;
mod matrix;
mod refused;
mod switch;
#[cfg(test)]
mod tests;
mod yaml;

pub use generic::{json as generic_json, text as generic_text};
pub use github::workflow;
pub use gitlab::{Shape, pipeline};
pub use jobs::{Jobs, Place};
pub use matrix::{Form, matrix};
pub use refused::Refused;
