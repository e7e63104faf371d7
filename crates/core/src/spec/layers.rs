//! Every file of a recipe parsed, and laid over each other to one table. Knows the names of tables and nothing of what is in
//! them.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::document::Header;
use super::files::{RecipeFiles, Role};
use super::merge::{lay, lay_steps, moved_table};
use super::read::schema_of;
use super::shape;
use crate::diag::{Diagnostic, Diagnostics, did_you_mean};
use crate::nesting::{MAX_DEPTH, too_deep};
use crate::source::{SourceFile, Sources};

/// The keys at the top of a file.
pub(super) const TABLES: [&str; 14] = [
    "version", "include", "pipeline", "vars", "matrix", "targets", "nodes", "groups", "builders", "env",
    "ci", "pools", "defaults", "step",
];

/// A file is not larger than this, in bytes.
const MAX_SIZE: usize = 32 * 1024 * 1024;

/// More of them help nobody.
const MAX_SYNTAX_ERRORS: usize = 10;

/// All files as one table; none where one of them is no TOML.
pub(super) fn read<'s>(files: &'s RecipeFiles, diagnostics: &mut Diagnostics) -> Option<DeTable<'s>> {
    let sources: Vec<&SourceFile> = files.sources.files().collect();
    // In the order of their places, so that of two reports of one thing the first file's is kept.
    let mut parsed: Vec<Option<DeTable<'s>>> = sources
        .iter()
        .enumerate()
        .map(|(index, file)| {
            files.layers.contains(&index).then(|| parse(&files.sources, file, diagnostics)).flatten()
        })
        .collect();
    let mut merged = DeTable::new();
    let mut steps: Option<Spanned<DeValue<'s>>> = None;
    let mut complete = true;
    for &index in &files.layers {
        let Some(mut table) = parsed[index].take() else {
            complete = false;
            continue;
        };
        top(files, index, sources[index], &table, diagnostics);
        table.remove("include");
        if let Some(vars) = table.get_mut("vars") {
            long_form(vars);
        }
        if let Some(over) = table.remove("step") {
            steps = Some(match steps.take() {
                None => over,
                Some(under) => both(under, over),
            });
        }
        lay(&mut merged, table);
    }
    if let Some(steps) = steps {
        merged.insert(Spanned::new(steps.span(), DeString::from("step")), steps);
    }
    complete.then_some(merged)
}

/// Steps over steps. What is no array is left to be found.
fn both<'i>(mut under: Spanned<DeValue<'i>>, over: Spanned<DeValue<'i>>) -> Spanned<DeValue<'i>> {
    match (under.get_mut(), over.get_ref()) {
        (DeValue::Array(below), DeValue::Array(above)) => {
            lay_steps(below, above.clone());
            under
        }
        (DeValue::Array(_), _) => over,
        _ => under,
    }
}

/// `a = 1` of `[vars]` is short for `a = { default = 1 }`, so that a file that sets a value leaves the description alone.
fn long_form(vars: &mut Spanned<DeValue<'_>>) {
    let DeValue::Table(vars) = vars.get_mut() else { return };
    for (_, value) in vars.iter_mut() {
        if matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_) | DeValue::Datetime(_)) {
            continue;
        }
        let span = value.span();
        let short = std::mem::replace(value, Spanned::new(span.clone(), DeValue::Boolean(false)));
        let mut long = DeTable::new();
        long.insert(Spanned::new(span, DeString::from("default")), short);
        *value.get_mut() = DeValue::Table(long);
    }
}

/// One file, with places counted over all of them.
pub(super) fn parse<'s>(
    sources: &Sources,
    file: &'s SourceFile,
    diagnostics: &mut Diagnostics,
) -> Option<DeTable<'s>> {
    if file.text().len() > MAX_SIZE {
        diagnostics.push(Diagnostic::error(
            "spec::too-large",
            format!("`{}` has {} bytes; a file has at most {MAX_SIZE}", file.name(), file.text().len()),
        ));
        return None;
    }
    if too_deep(file.text()) {
        diagnostics.push(
            Diagnostic::error(
                "spec::too-nested",
                format!(
                    "in `{}` tables and arrays lie deeper in each other than {MAX_DEPTH} levels",
                    file.name()
                ),
            )
            .help("no key of a recipe needs that: give names fewer dots"),
        );
        return None;
    }
    let (root, errors) = DeTable::parse_recoverable(file.text());
    if !errors.is_empty() {
        syntax(sources, file, &errors, diagnostics);
        return None;
    }
    let root = root.into_inner();
    Some(if file.base() == 0 { root } else { moved_table(root, file.base()) })
}

/// What is no TOML. After a slip the rest of the line makes no sense to the parser either, so one is told for each line.
fn syntax(sources: &Sources, file: &SourceFile, errors: &[toml::de::Error], diagnostics: &mut Diagnostics) {
    let mut lines = BTreeSet::new();
    let mut last: Option<(Slip, usize, usize)> = None;
    let mut errors: Vec<&toml::de::Error> = errors.iter().collect();
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let slip = Slip::of(error.message(), file.text(), &span);
        let line = sources.position(file.base() + span.start).line;
        // What follows from an array that is left open, and the keys of a table that stands there twice.
        let follows = last.as_mut().is_some_and(|(before, at, near)| {
            if *before == Slip::ArrayOpen && line - *near <= 2 {
                *near = line;
                return true;
            }
            slip == Slip::Twice && repeats(file.text(), *at, span.start)
        });
        if follows || lines.len() == MAX_SYNTAX_ERRORS || !lines.insert(line) {
            continue;
        }
        last = Some((slip, span.start, line));
        let (message, label, help) = slip.told(error.message(), file.text(), &span);
        // One of several lines was looked for to the end of the file: it begins where there are quotes the last time.
        let opened = |quotes| file.text().rfind(quotes).map(|at| at..at + 3);
        let span = match slip {
            Slip::LongOpen => {
                ["\"\"\"", "'''"].iter().filter_map(opened).max_by_key(|at| at.start).unwrap_or(span)
            }
            _ => span,
        };
        let span = file.base() + span.start..file.base() + span.end;
        diagnostics.push(Diagnostic::error("spec::syntax", message).at(&span, label).maybe_help(help));
    }
}

/// From one place to another there is no other table: the first stands in a header that was there before.
fn repeats(text: &str, header: usize, key: usize) -> bool {
    let line = text[..header].rfind('\n').map_or(0, |at| at + 1);
    text[line..header].trim_start().starts_with('[')
        && text.get(header..key).is_some_and(|between| !between.contains("\n["))
}

/// Sorts of slips in the text, each with words of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slip {
    NoValue,
    NoEquals,
    NoQuotes,
    QuoteOpen,
    LongOpen,
    Boolean,
    Escape,
    ArrayOpen,
    TableOpen,
    HeaderOpen,
    More,
    Twice,
    Key,
    Nested,
    Other,
}

impl Slip {
    fn of(message: &str, text: &str, span: &std::ops::Range<usize>) -> Self {
        let rest = text.get(span.start..).and_then(|text| text.lines().next()).unwrap_or_default();
        let before = text.get(..span.start).unwrap_or_default().trim_end_matches([' ', '\t']);
        let problem = message.split(", expected").next().unwrap_or_default();
        match problem {
            // The parser takes the missing value for a string without quotes.
            _ if rest.trim().is_empty() && before.ends_with('=') => Self::NoValue,
            "key with no value" => Self::NoEquals,
            // It takes a word that begins with `i` or `n` for infinity or for no number.
            "string values must be quoted" | "invalid float" => Self::NoQuotes,
            "missing escaped value" | "too few unicode value digits" => Self::Escape,
            "invalid boolean" => Self::Boolean,
            "missing comma between array elements" | "unclosed array" | "unexpected `=` in array" => {
                Self::ArrayOpen
            }
            "missing comma between key-value pairs" | "unclosed inline table" => Self::TableOpen,
            "unclosed table" | "unclosed array table" => Self::HeaderOpen,
            "unexpected key or value" => Self::More,
            "duplicate key" => Self::Twice,
            "invalid key-value pair" | "invalid unquoted key" | "unquoted keys cannot be empty" => Self::Key,
            "cannot recurse further; max recursion depth met" | "recursion limit" => Self::Nested,
            "invalid multi-line basic string" | "invalid multi-line literal string" if rest.is_empty() => {
                Self::LongOpen
            }
            "invalid basic string" | "invalid literal string" if rest.is_empty() => Self::QuoteOpen,
            _ => Self::Other,
        }
    }

    /// The message, the label and what to do.
    fn told(
        self,
        message: &str,
        text: &str,
        span: &std::ops::Range<usize>,
    ) -> (String, &'static str, Option<String>) {
        let here = text.get(span.clone()).unwrap_or_default();
        let help = |text: &str| Some(text.to_owned());
        match self {
            Self::NoValue => ("a value is missing after `=`".into(), "here", None),
            Self::NoEquals => {
                let line = text.get(..span.start).and_then(|text| text.lines().last()).unwrap_or_default();
                let json = line.trim_start().starts_with('"');
                let help = if line.contains("//") || line.contains("/*") {
                    "comments begin with `#`"
                } else if line.contains(':') || json {
                    "a recipe is written in TOML: `KEY = VALUE`, and tables as `[NAME]`"
                } else {
                    "write `KEY = VALUE`; a key with spaces in it needs quotes"
                };
                ("`=` is missing after the key".into(), "here", Some(help.into()))
            }
            Self::NoQuotes => {
                ("a string needs quotes".into(), "this value", Some(format!("write `\"{here}\"`")))
            }
            Self::QuoteOpen => (
                "this string has no closing quotes".into(),
                "here",
                help("a string in `\"…\"` or `'…'` ends on its line"),
            ),
            Self::LongOpen => (
                "this string has no closing quotes".into(),
                "begins here",
                help("close it with the same three quotes"),
            ),
            Self::Boolean => (format!("`{here}` is no value"), "here", help("write `true` or `false`")),
            Self::Escape => (
                "`\\` with what follows stands for no character".into(),
                "here",
                help("write `\\\\` for a backslash, or put the string into single quotes"),
            ),
            Self::ArrayOpen => ("`,` or `]` is missing in this array".into(), "before this", None),
            Self::TableOpen => ("`,` or `}` is missing in this table".into(), "before this", None),
            Self::HeaderOpen => (
                "the table's name is not closed".into(),
                "here",
                help("write `[NAME]`, and `[[step]]` for a step"),
            ),
            Self::More => {
                let help = match text.get(span.start..).and_then(|text| text.chars().next()) {
                    Some('/') => help("comments begin with `#`"),
                    Some(']') => help("take one `]` away"),
                    Some(',' | ';') => help("take it away: a line ends with its value"),
                    _ => help("a key and its value have a line of their own; quotes in a string need a `\\`"),
                };
                ("nothing may follow here on this line".into(), "too much", help)
            }
            Self::Twice => (format!("`{here}` is there a second time"), "again", help("keep one of them")),
            Self::Key => ("a key is missing here".into(), "here", help("write `KEY = VALUE`")),
            Self::Nested => ("arrays and tables are nested too deep".into(), "here", None),
            Self::Other => (format!("not TOML: {message}").replace(", expected nothing", ""), "here", None),
        }
    }
}

/// The keys at the top of a file.
fn top(
    files: &RecipeFiles,
    index: usize,
    file: &SourceFile,
    table: &DeTable<'_>,
    diagnostics: &mut Diagnostics,
) {
    for (key, _) in table {
        let name = key.get_ref().as_ref();
        if !TABLES.contains(&name) {
            let help = if schema_of::<Header>()["properties"].get(name).is_some() {
                format!("write `{name}` below `[pipeline]`")
            } else {
                did_you_mean(name, TABLES)
                    .unwrap_or_else(|| format!("known at the top level: {}", TABLES.join(", ")))
            };
            diagnostics.push(
                Diagnostic::error(
                    "spec::unknown-key",
                    format!("unknown key `{}` at the top level", name.escape_debug()),
                )
                .at(&key.span(), "nobody reads this")
                .help(help),
            );
        }
    }
    version(files, index, file, table, diagnostics);
    let Some(paths) = table.get("include") else { return };
    let wrong: Vec<&Spanned<DeValue<'_>>> = match paths.get_ref() {
        DeValue::Array(items) => items.iter().filter(|item| !item.get_ref().is_str()).collect(),
        _ => vec![paths],
    };
    for value in wrong {
        let is = shape::what(value.get_ref());
        diagnostics.push(
            Diagnostic::error("spec::wrong-type", format!("`include` must be an array of strings, not {is}"))
                .at(&value.span(), "this value")
                .help("write `include = [\"../common.toml\"]`"),
        );
    }
}

/// The recipe itself must say its version; the other files may.
fn version(
    files: &RecipeFiles,
    index: usize,
    file: &SourceFile,
    table: &DeTable<'_>,
    diagnostics: &mut Diagnostics,
) {
    let start = file.base()..file.base();
    match table.get("version") {
        None if index == 0 && files.role(&start) == Role::Recipe => diagnostics.push(
            Diagnostic::error(
                "spec::version",
                "the recipe does not say which version of the language it is in",
            )
            .at(&start, "the first line")
            .help("add `version = 1` at the top"),
        ),
        Some(value) if value.get_ref().as_integer().is_none_or(|number| number.as_str() != "1") => {
            diagnostics.push(
                Diagnostic::error("spec::version", "this version of the language is not known")
                    .at(&value.span(), "only version 1 is")
                    .help("write `version = 1`, or use a newer `pipeline`"),
            );
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::files::File;

    fn merged(texts: &[&str]) -> String {
        let given: Vec<File> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| File {
                role: if index == 0 { Role::Recipe } else { Role::Overlay },
                name: format!("{index}.toml"),
                text: (*text).to_owned(),
            })
            .collect();
        let files = RecipeFiles::gather(&given, &|_| Err("none".into()));
        let mut diagnostics = Diagnostics::default();
        let table = read(&files, &mut diagnostics).unwrap();
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        plain(&DeValue::Table(table))
    }

    fn plain(value: &DeValue<'_>) -> String {
        match value {
            DeValue::Table(table) => {
                let entries: Vec<String> = table
                    .iter()
                    .map(|(key, value)| format!("{}={}", key.get_ref(), plain(value.get_ref())))
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
            DeValue::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| plain(item.get_ref())).collect();
                format!("[{}]", items.join(" "))
            }
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn tables_are_merged_and_the_rest_is_replaced() {
        let below = "version = 1\nvars.a = '1'\n[vars.b]\ndefault = '2'\ndescription = 'd'\n[targets.x]\nnodes = ['m']\n";
        let above = "vars.b = '3'\n[targets.x]\nnodes = ['n']\nplatform = 'p'\n";
        assert_eq!(
            merged(&[below, above]),
            "{targets={x={nodes=[n] platform=p}} vars={a={default=1} b={default=3 description=d}} version=1}"
        );
    }

    #[test]
    fn steps_are_merged_by_id() {
        let below = "version = 1\n[[step]]\nid = 'a'\nuses = 'run'\n[[step]]\nuses = 'save'\n";
        let above =
            "[[step]]\nid = 'a'\ntimeout = '1m'\n[[step]]\nuses = 'save'\npath = 'x'\n[[step]]\nid = 'c'\n";
        assert_eq!(
            merged(&[below, above]),
            "{step=[{id=a timeout=1m uses=run} {path=x uses=save} {id=c}] version=1}"
        );
        let twice = "[[step]]\nid = 'a'\n[[step]]\nid = 'a'\n";
        assert_eq!(merged(&["version = 1", twice]), "{step=[{id=a} {id=a}] version=1}");
        assert_eq!(merged(&[below, twice]).matches("id=a").count(), 2, "one slip is not hidden by the merge");
    }
}
