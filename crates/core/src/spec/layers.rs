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
pub(super) const TABLES: [&str; 10] =
    ["version", "include", "pipeline", "vars", "matrix", "targets", "nodes", "env", "defaults", "step"];

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
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let line = sources.position(file.base() + span.start).line;
        if lines.len() == MAX_SYNTAX_ERRORS || !lines.insert(line) {
            continue;
        }
        let rest = file.text().get(span.start..).and_then(|text| text.lines().next()).unwrap_or_default();
        let before = file.text().get(..span.start).unwrap_or_default().trim_end_matches([' ', '\t']);
        // The parser takes the missing value for a string without quotes.
        let message = if rest.trim().is_empty() && before.ends_with('=') {
            "a value is missing after `=`".to_owned()
        } else {
            format!("not TOML: {}", error.message())
        };
        let span = file.base() + span.start..file.base() + span.end;
        diagnostics.push(Diagnostic::error("spec::syntax", message).at(&span, "here"));
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
                Diagnostic::error("spec::unknown-key", format!("unknown key `{name}` at the top level"))
                    .at(&key.span(), "nobody reads this")
                    .help(help),
            );
        }
    }
    version(files, index, file, table, diagnostics);
    let paths = table.get("include");
    let strings = |value: &DeValue<'_>| {
        value.as_array().is_some_and(|all| all.iter().all(|one| one.get_ref().is_str()))
    };
    if let Some(paths) = paths.filter(|paths| !strings(paths.get_ref())) {
        diagnostics.push(
            Diagnostic::error(
                "spec::wrong-type",
                format!("`include` must be an array of strings, not {}", shape::what(paths.get_ref())),
            )
            .at(&paths.span(), "this value")
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
