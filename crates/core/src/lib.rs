//! Text → spec → plan → exec → events → reporters.

pub mod actions;
pub mod audit;
pub mod binfmt;
pub mod diag;
pub mod dockerfile;
pub mod doctor;
pub mod event;
pub mod exec;
pub mod format;
pub mod fresh;
pub mod graph;
pub mod ident;
pub mod image;
pub mod interp;
pub mod nesting;
pub mod output;
pub mod plan;
pub mod planner;
pub mod platform;
pub mod schema;
pub mod show;
pub mod source;
pub mod spec;
pub mod state;
pub mod steps;
