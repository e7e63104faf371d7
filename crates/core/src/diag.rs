//! Errors and warnings about a recipe: what, where (underlined), what to do. Collected, never thrown one at a time.

use std::collections::HashSet;
use std::fmt;

use miette::{LabeledSpan, Severity, SourceCode};

use crate::source::{Sources, Span};

const REPORTED: &str = "reported";

/// One error or warning.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// A stable name such as `spec::unknown-key`.
    pub code: &'static str,
    /// Stops the run, or does not.
    pub severity: Severity,
    /// What is wrong; a fragment in lower case with names in backticks.
    pub message: String,
    /// Underlined places; the first is where it is.
    pub labels: Vec<(Span, String)>,
    /// What to type instead.
    pub help: Option<String>,
    /// The files that the labels are in.
    pub source: Option<Sources>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            source: None,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// For what follows from an error that has been reported: [`Diagnostics`] takes no notice of it.
    pub(crate) fn reported() -> Self {
        Self::error(REPORTED, "")
    }

    /// Underlines a place and says what it is.
    #[must_use]
    pub fn at(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.labels.push((span.clone(), label.into()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do, when there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// It stops the run.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn position(&self) -> usize {
        self.labels.first().map_or(0, |(span, _)| span.start)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.labels.is_empty() {
            return None;
        }
        Some(Box::new(self.labels.iter().enumerate().map(|(index, (span, label))| {
            let label = Some(label.clone()).filter(|label| !label.is_empty());
            if index == 0 {
                LabeledSpan::new_primary_with_span(label, span.clone())
            } else {
                LabeledSpan::new_with_span(label, span.clone())
            }
        })))
    }
}

/// Errors and warnings of one reading, to be shown together.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    places: HashSet<(&'static str, String)>,
}

impl Diagnostics {
    /// Adds one, unless the same is known of the same place: a cause may be met on several ways, such as the key of a
    /// target that others extend.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.code == REPORTED {
            return;
        }
        let place = match diagnostic.labels.as_slice() {
            [] => diagnostic.message.clone(),
            labels => format!("{labels:?}"),
        };
        if self.places.insert((diagnostic.code, place)) {
            self.list.push(diagnostic);
        }
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Diagnostics) {
        other.list.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Keeps those that `keep` says yes to.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Diagnostic) -> bool) {
        self.list.retain(keep);
    }

    /// One of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    /// Sorted by place, each with the files it is about.
    #[must_use]
    pub fn finish(mut self, sources: &Sources) -> Self {
        self.list.sort_by_key(Diagnostic::position);
        for diagnostic in &mut self.list {
            if !diagnostic.labels.is_empty() {
                diagnostic.source.get_or_insert_with(|| sources.clone());
            }
        }
        self
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// The name among `known` that `typed` was probably meant to be, as a question.
pub fn did_you_mean<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(typed, known).map(|near| format!("did you mean `{near}`?"))
}

/// A longer name was not typed by hand.
const MAX_TYPED: usize = 100;

/// Of more names than these nobody is looking for one by heart, and each costs time.
const MAX_KNOWN: usize = 1_000;

/// The name among `known` that is nearest to `typed`, if near enough to be a slip.
pub fn nearest<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if typed.len() > MAX_TYPED {
        return None;
    }
    let lower = typed.to_lowercase();
    let length = lower.chars().count();
    known
        .into_iter()
        .take(MAX_KNOWN)
        .filter_map(|name| {
            let other = name.to_lowercase();
            let tolerated = tolerated(length.max(other.chars().count()));
            if least_distance(&lower, &other) > tolerated {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&lower, &other);
            (distance <= tolerated).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Two names are at least so far apart as one of them has letters that the other lacks, which is much sooner known than how
/// far it is.
fn least_distance(one: &str, other: &str) -> usize {
    let mut counts = [0_i32; 256];
    // Some characters share a place, which only makes it less.
    let place = |c: char| u32::from(c) as usize % 256;
    one.chars().for_each(|c| counts[place(c)] += 1);
    other.chars().for_each(|c| counts[place(c)] -= 1);
    let sum = |sign: i32| counts.iter().map(|count| (sign * count).max(0)).sum::<i32>();
    usize::try_from(sum(1).max(sum(-1))).unwrap_or_default()
}

/// How many letters of a name may be wrong. Of one or two none: `2` is no slip for `3`.
fn tolerated(length: usize) -> usize {
    match length {
        0..=2 => 0,
        length => (length / 3).max(1),
    }
}

/// `` `a`, `b` and `c` ``.
pub fn list_names<T: fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    joined(names, "and")
}

/// `` `a`, `b` or `c` ``.
pub fn one_of_names<T: fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    joined(names, "or")
}

/// Names for a message, not all of thousands.
const MAX_LISTED: usize = 20;

fn joined<T: fmt::Display>(names: impl IntoIterator<Item = T>, word: &str) -> String {
    let mut all = names.into_iter();
    let names: Vec<String> = all.by_ref().take(MAX_LISTED).map(|name| format!("`{name}`")).collect();
    let more = all.count();
    match names.as_slice() {
        [] => String::new(),
        names if more > 0 => format!("{} … and {more} more", names.join(", ")),
        [one] => one.clone(),
        [init @ .., last] => format!("{} {word} {last}", init.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_suggested_can_have_been_meant() {
        let known = ["source", "image", "save", "id"];
        for (typed, near) in [("soruce", "source"), ("IMAGE", "image"), ("ID", "id"), ("sav", "save")] {
            assert_eq!(nearest(typed, known), Some(near), "{typed}");
        }
        for typed in ["", "x", "it", "sorcery-and-more", &"source".repeat(2_000_000)] {
            assert_eq!(nearest(typed, known), None);
        }
        assert_eq!(nearest("4", ["2", "3"]), None);
        assert_eq!(nearest("", [""; 0]), None);
        assert_eq!(nearest("gröse", ["größe"]), Some("größe"));
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list_names(["a", "b", "c"]), "`a`, `b` and `c`");
        assert!(list_names(0..20).ends_with("`18` and `19`"));
        assert!(one_of_names(0..100_000).ends_with("`18`, `19` … and 99980 more"));
    }
}
