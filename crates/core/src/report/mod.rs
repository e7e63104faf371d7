//! A run as one HTML file that needs nothing else: no network, no server, no other file.
//!
//! Everything of it is there as plain HTML; a small script adds the timeline, filters, search and details, which it reads
//! from the file's islands of JSON. The page's policy lets no other script, style or request through. What a tool or a
//! recipe printed comes in by two doors only, [`Plain`] and [`island()`], and both show what would act.
//!
//! Logs are read one after the other while the file is written: its size and the memory that it takes have a bound,
//! whatever the run printed.

mod before;
mod course;
mod graphs;
mod html;
mod island;
mod logs;
mod page;
mod policy;
mod proofs;
mod sections;
#[cfg(test)]
mod tests;
mod verdict;

use std::path::Path;

use crate::history::Account;
use crate::plan::Plan;

pub use before::Before;
pub use page::write;

use html::Plain;
use island::island;

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Source<'s> {
    /// What was to be done; none of a run that had nothing to do, and of one whose plan is lost.
    pub plan: Option<&'s Plan>,
    /// What happened.
    pub account: &'s Account,
    /// The run's folder: its logs, and what it can prove.
    pub folder: &'s Path,
    /// What it is compared with.
    pub before: Option<&'s Before>,
}
