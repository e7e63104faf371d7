//! One layout for recipes: `=` and comments in columns, one indent, no line that says nothing. Moves spaces and line
//! ends and nothing else, and proves that of each result.

mod layout;
mod tree;

use toml::de::{DeTable, DeValue};
use toml_parser::parser::EventKind;

use crate::nesting::{self, MAX_DEPTH};

const BOM: char = '\u{feff}';

/// Why a text was not formatted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is no TOML.
    #[error("it is not TOML")]
    Syntax,
    /// It nests deeper than anything can be read.
    #[error("tables and arrays lie deeper in each other than {MAX_DEPTH} levels")]
    TooDeep,
    /// The result would have said something else.
    #[error("formatting would change what it says")]
    Changed,
    /// The result would have been formatted in yet another way.
    #[error("formatting it twice would give two results")]
    Unstable,
}

/// The text in our layout. A byte order mark, the line ends of the first line and all strings stay as they are.
pub fn format(text: &str) -> Result<String, FormatError> {
    if nesting::too_deep(text.strip_prefix(BOM).unwrap_or(text)) {
        return Err(FormatError::TooDeep);
    }
    let before = DeTable::parse(text).map_err(|_| FormatError::Syntax)?;
    let formatted = once(text)?;
    let after = DeTable::parse(&formatted).map_err(|_| FormatError::Changed)?;
    // The same keys, values and comments in the same order, and they mean the same.
    if words(text) != words(&formatted) || !same_table(before.get_ref(), after.get_ref()) {
        return Err(FormatError::Changed);
    }
    if once(&formatted)? != formatted {
        return Err(FormatError::Unstable);
    }
    Ok(formatted)
}

fn once(text: &str) -> Result<String, FormatError> {
    let body = text.strip_prefix(BOM).unwrap_or(text);
    let (events, sound) = nesting::events(body);
    if !sound {
        return Err(FormatError::Syntax);
    }
    let first = events.iter().find(|event| event.kind() == EventKind::Newline);
    let crlf = first.is_some_and(|event| tree::text_of(body, event) == "\r\n");
    let lines = tree::lines(body, &events).ok_or(FormatError::Changed)?;
    let formatted = layout::document(lines, if crlf { "\r\n" } else { "\n" });
    Ok(if body.len() == text.len() { formatted } else { format!("{BOM}{formatted}") })
}

/// All that a reader reads. A comma after the last item may come or go.
fn words(text: &str) -> Vec<(EventKind, &str)> {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let spaces = [EventKind::Whitespace, EventKind::Newline, EventKind::ValueSep];
    let (events, _) = nesting::events(text);
    let words = events.iter().filter(|event| !spaces.contains(&event.kind()));
    words.map(|event| (event.kind(), tree::text_of(text, event))).collect()
}

fn same_table(one: &DeTable<'_>, other: &DeTable<'_>) -> bool {
    one.len() == other.len()
        && one.iter().zip(other.iter()).all(|((key, value), (other_key, other_value))| {
            key.get_ref() == other_key.get_ref() && same(value.get_ref(), other_value.get_ref())
        })
}

fn same(one: &DeValue<'_>, other: &DeValue<'_>) -> bool {
    match (one, other) {
        (DeValue::Table(one), DeValue::Table(other)) => same_table(one, other),
        (DeValue::Array(one), DeValue::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other.iter()).all(|(one, other)| same(one.get_ref(), other.get_ref()))
        }
        (DeValue::Array(_) | DeValue::Table(_), _) | (_, DeValue::Array(_) | DeValue::Table(_)) => false,
        // Both as they were written, and without places.
        _ => format!("{one:?}") == format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests;
