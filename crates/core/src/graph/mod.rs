//! A plan's graph as a picture: for a terminal, for Graphviz, for Mermaid, and as an SVG that needs neither.
//!
//! What is drawn is decided once (`model`); each format only writes it down. The default has a node for each step, however
//! many targets and nodes there are, so a recipe of a thousand instances is as easy to read as one of ten. Expanded, every
//! instance stands in the group of its target.
//!
//! Edges that only say what comes first are left out where a longer path says it too (`implied`).

mod dot;
mod implied;
mod keys;
mod layout;
mod mermaid;
mod model;
mod order;
mod page;
mod rails;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use mermaid::{Mermaid, VIEWER_CHARACTERS, VIEWER_EDGES};
pub use model::Drawing;

/// How much of a plan is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One node for each step.
    Steps,
    /// One node for each instance, grouped by target.
    Instances,
}
