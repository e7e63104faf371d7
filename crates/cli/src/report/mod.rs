//! What `check` found, for programs. Each format is one file; all say the same.

mod github;
mod json;
mod sarif;

pub(crate) use github::github;
pub(crate) use json::json;
pub(crate) use sarif::sarif;

use std::ops::Range;
use std::path::Path;

use miette::Severity;
use pipeline_core::diag::{Diagnostic, Diagnostics};
use pipeline_core::source::Span;

use crate::exit_code;

/// What there is to tell.
pub(crate) struct Report<'r> {
    /// The recipe's file, where there is one.
    pub(crate) file: Option<&'r str>,
    /// All that was read.
    pub(crate) files: &'r [String],
    pub(crate) code: u8,
    pub(crate) diagnostics: &'r Diagnostics,
}

impl Report<'_> {
    fn valid(&self) -> bool {
        self.code == exit_code::DONE
    }

    /// The recipe's file as seen from here.
    fn file(&self) -> Option<String> {
        self.file.map(from_here)
    }
}

/// A place in a file. Lines and columns count from 1, columns count characters, and the end is the first that is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    start: (usize, usize),
    end: (usize, usize),
    /// The bytes of the file's text.
    bytes: Range<usize>,
}

/// Where a label of a diagnostic is. The one that knows how a diagnostic tells its file.
fn place(diagnostic: &Diagnostic, span: &Span) -> Option<Place> {
    let sources = diagnostic.source.as_ref()?;
    let base = sources.file(span.start)?.base();
    let (start, end) = (sources.position(span.start), sources.position(span.end));
    Some(Place {
        file: from_here(start.file),
        start: (start.line, start.column),
        end: (end.line, end.column),
        bytes: span.start - base..span.end - base,
    })
}

/// The path relative to the current folder, where it is below that.
fn from_here(name: &str) -> String {
    let path = Path::new(name);
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).or_else(|_| path.strip_prefix(".")).unwrap_or(path);
    path.display().to_string()
}

/// The message, and what to do.
fn words(diagnostic: &Diagnostic) -> String {
    match &diagnostic.help {
        Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    }
}

fn level(diagnostic: &Diagnostic, advice: &'static str) -> &'static str {
    match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => advice,
    }
}
