//! Reads a TOML table into a struct and reports everything that is wrong with it, not only the first thing.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error, ValueDeserializer};

use super::shape::{allows, at_place, known_keys, property, shape, what};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names, nearest};
use crate::source::Span;

thread_local! {
    /// A recipe has many tables of few types, and a schema takes longer to make than a table to read.
    static SCHEMAS: RefCell<HashMap<Cow<'static, str>, Rc<Value>>> = RefCell::default();
}

/// The schema of a struct, everything in one piece.
pub(crate) fn schema_of<T: JsonSchema>() -> Rc<Value> {
    let make = || {
        let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
        Rc::new(T::json_schema(&mut settings.into_generator()).to_value())
    };
    SCHEMAS.with_borrow_mut(|schemas| schemas.entry(T::schema_id()).or_insert_with(make).clone())
}

/// Reads `table` as a `T`.
///
/// `name` names it in messages (`step \`build\``); `extra` are keys that somebody else reads. Unknown keys are errors with
/// the nearest known one. Wrong values are reported one by one: a key whose value does not fit is reported and left out,
/// and the rest is read again.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(
    table: &DeTable<'_>,
    span: &Span,
    name: &dyn fmt::Display,
    extra: &[&str],
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    read_as(table, span, name, extra, true, diagnostics).filter(|(_, whole)| *whole).map(|(read, _)| read)
}

/// The same, and as much as could be read also where something is wrong; whether it is whole.
pub(crate) fn read_loosely<T: DeserializeOwned + JsonSchema>(
    table: &DeTable<'_>,
    span: &Span,
    name: &dyn fmt::Display,
    extra: &[&str],
    diagnostics: &mut Diagnostics,
) -> Option<(T, bool)> {
    read_as(table, span, name, extra, true, diagnostics)
}

/// Looks for what is wrong with keys that are only a part of a `T`: others may follow from elsewhere.
pub(crate) fn read_part<T: DeserializeOwned + JsonSchema>(
    table: &DeTable<'_>,
    span: &Span,
    name: &dyn fmt::Display,
    extra: &[&str],
    diagnostics: &mut Diagnostics,
) {
    let _: Option<(T, bool)> = read_as(table, span, name, extra, false, diagnostics);
}

fn read_as<T: DeserializeOwned + JsonSchema>(
    table: &DeTable<'_>,
    span: &Span,
    name: &dyn fmt::Display,
    extra: &[&str],
    complete: bool,
    diagnostics: &mut Diagnostics,
) -> Option<(T, bool)> {
    let schema = schema_of::<T>();
    let mut left_out: Vec<&str> = extra.to_vec();
    let mut failed: Vec<&str> = Vec::new();
    // By keys that nobody knows.
    let mut meant: Vec<String> = Vec::new();
    for (key, value) in table {
        let typed = key.get_ref().as_ref();
        if extra.contains(&typed) {
            continue;
        }
        let Some(property) = property(&schema, typed) else {
            let all: Vec<&str> = known_keys(&schema).chain(extra.iter().copied()).collect();
            let near = nearest(typed, all.iter().copied());
            meant.extend(near.map(str::to_owned));
            let help = near.map_or_else(
                || format!("known keys: {}", all.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("unknown key `{}` in {name}", typed.escape_debug());
            diagnostics.push(
                Diagnostic::error("spec::unknown-key", message)
                    .at(&key.span(), "nobody reads this")
                    .help(help),
            );
            left_out.push(typed);
            continue;
        };
        // An array would be taken for the fields of a struct in their order.
        if value.get_ref().is_array() && !allows(property, "array") {
            diagnostics.push(wrong_type(typed, property, value.get_ref(), &value.span()));
            left_out.push(typed);
            failed.push(typed);
        }
    }
    loop {
        let rest = || table.iter().filter(|(key, _)| !left_out.contains(&key.get_ref().as_ref()));
        let values =
            rest().map(|(key, value)| (key.get_ref().as_ref(), ValueDeserializer::from(value.clone())));
        let error: Error = match T::deserialize(MapDeserializer::new(values)) {
            Ok(read) => return Some((read, failed.is_empty())),
            Err(error) => error,
        };
        let place = error.span().filter(|place| *place != *span);
        // An error about a table with a header of its own has no place.
        let place = place.or_else(|| unknown_key(table, error.message()));
        let culprit = place.as_ref().and_then(|place| {
            rest()
                .find(|(key, value)| {
                    key.span() == *place
                        || (value.span().start <= place.start && place.end <= value.span().end)
                        || value
                            .get_ref()
                            .as_table()
                            .is_some_and(|inner| key_place(inner, &|key| key.span() == *place).is_some())
                })
                .map(|(key, _)| key.get_ref().as_ref())
        });
        match (culprit, missing_field(error.message())) {
            // A key that was left out for its bad value is not missing, nor one that is misspelt; another one may be.
            (None, Some(field)) => {
                let required = schema["required"].as_array().into_iter().flatten();
                let told = |field: &str| failed.contains(&field) || meant.iter().any(|name| name == field);
                for field in required.filter_map(Value::as_str).chain([field]) {
                    if complete && !told(field) && table.get(field).is_none() {
                        diagnostics.push(missing(name, field, span, &schema));
                    }
                }
                return None;
            }
            (Some(key), _) => {
                diagnostics.push(explain(&error, place.as_ref().unwrap_or(span), key, table, &schema));
                left_out.push(key);
                failed.push(key);
            }
            (None, None) => {
                diagnostics.push(explain(&error, span, &name.to_string(), table, &schema));
                return None;
            }
        }
    }
}

/// The place of the key that serde does not know, in one of the tables below.
fn unknown_key(table: &DeTable<'_>, message: &str) -> Option<Span> {
    let (typed, _) = message.strip_prefix("unknown field `")?.split_once("`, expected ")?;
    let mut tables = table.values().filter_map(|value| value.get_ref().as_table());
    tables.find_map(|inner| key_place(inner, &|key| *key.get_ref() == typed))
}

/// The place of the first key that fits, in a table or below it.
fn key_place(table: &DeTable<'_>, fits: &dyn Fn(&Spanned<DeString<'_>>) -> bool) -> Option<Span> {
    let here = table.keys().find(|key| fits(key)).map(Spanned::span);
    here.or_else(|| {
        table.values().filter_map(|value| value.get_ref().as_table()).find_map(|inner| key_place(inner, fits))
    })
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

fn missing(name: impl fmt::Display, field: &str, place: &Span, schema: &Value) -> Diagnostic {
    let value = match schema["properties"][field]["type"].as_str() {
        Some("string") => "\"…\"",
        Some("array") => "[\"…\"]",
        Some("object") => "{ … }",
        _ => "…",
    };
    Diagnostic::error("spec::missing-key", format!("{name} needs the key `{field}`"))
        .at(place, format!("no `{field}` here"))
        .help(format!("add `{field} = {value}`"))
}

/// Says in our words what serde said in its own.
fn explain(error: &Error, place: &Span, key: &str, table: &DeTable<'_>, schema: &Value) -> Diagnostic {
    let message = error.message();
    if let Some((typed, known)) = message.split_once(", expected ").and_then(|(left, right)| {
        let typed =
            left.strip_prefix("unknown field `").or_else(|| left.strip_prefix("unknown variant `"))?;
        Some((typed.strip_suffix('`')?, right))
    }) {
        let names: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let is_key = message.starts_with("unknown field");
        let what = if is_key { "unknown key" } else { "unknown value" };
        let code = if is_key { "spec::unknown-key" } else { "spec::bad-value" };
        // The key itself, where the error is about the table that it stands in.
        let within = table.iter().find(|(_, value)| value.span() == *place).map(|(_, value)| value.get_ref());
        let inner = within.and_then(DeValue::as_table).and_then(|table| table.get_key_value(typed));
        let place = &inner.filter(|_| is_key).map_or_else(|| place.clone(), |(key, _)| key.span());
        return Diagnostic::error(code, format!("{what} `{}` in `{key}`", typed.escape_debug()))
            .at(place, if is_key { "nobody reads this" } else { "not one of the known values" })
            .help(
                did_you_mean(typed, names.iter().copied())
                    .unwrap_or_else(|| format!("known: {}", list_names(&names))),
            );
    }
    if let Some(field) = missing_field(message) {
        return missing(format_args!("`{key}`"), field, place, &Value::Null);
    }
    match at_place(table, schema, place) {
        Some((path, schema, value)) => wrong_type(&path, schema, value, place),
        None => Diagnostic::error("spec::wrong-type", format!("`{key}`: {message}")).at(place, "this value"),
    }
}

/// `path` must be what the schema says.
fn wrong_type(path: &str, schema: &Value, value: &DeValue<'_>, place: &Span) -> Diagnostic {
    let wanted = shape(schema);
    let message = if wanted.is_empty() {
        format!("`{path}` cannot be {}", what(value))
    } else {
        format!("`{path}` must be {wanted}, not {}", what(value))
    };
    Diagnostic::error("spec::wrong-type", message).at(place, "this value")
}
