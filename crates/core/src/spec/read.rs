//! Reads a TOML table into a struct and reports everything that is wrong with it, not only the first thing.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

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
    name: &str,
    extra: &[&str],
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    read_as(table, span, name, extra, true, diagnostics)
}

/// Looks for what is wrong with keys that are only a part of a `T`: others may follow from elsewhere. Reads it where they are
/// enough.
pub(crate) fn read_part<T: DeserializeOwned + JsonSchema>(
    table: &DeTable<'_>,
    span: &Span,
    name: &str,
    extra: &[&str],
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    read_as(table, span, name, extra, false, diagnostics)
}

fn read_as<T: DeserializeOwned + JsonSchema>(
    table: &DeTable<'_>,
    span: &Span,
    name: &str,
    extra: &[&str],
    complete: bool,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let schema = schema_of::<T>();
    let mut left_out: Vec<&str> = extra.to_vec();
    let mut failed: Vec<&str> = Vec::new();
    let mut meant: Vec<&str> = Vec::new();
    for (key, value) in table {
        let typed = key.get_ref().as_ref();
        if extra.contains(&typed) {
            continue;
        }
        let Some(property) = property(&schema, typed) else {
            let all: Vec<&str> = known_keys(&schema).chain(extra.iter().copied()).collect();
            let help = did_you_mean(typed, all.iter().copied())
                .unwrap_or_else(|| format!("known keys: {}", all.join(", ")));
            meant.extend(nearest(typed, known_keys(&schema)));
            diagnostics.push(
                Diagnostic::error("spec::unknown-key", format!("unknown key `{typed}` in {name}"))
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
        let copy = rest().map(|(key, value)| (key.clone(), value.clone())).collect();
        let value = Spanned::new(span.clone(), DeValue::Table(copy));
        let error = match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) if failed.is_empty() => return Some(read),
            Ok(_) => return None,
            Err(error) => error,
        };
        let place = error.span().filter(|place| *place != *span);
        let culprit = place.as_ref().and_then(|place| {
            rest()
                .find(|(key, value)| {
                    key.span() == *place
                        || (value.span().start <= place.start && place.end <= value.span().end)
                })
                .map(|(key, _)| key.get_ref().as_ref())
        });
        match (culprit, missing_field(error.message())) {
            // A key that was left out for its bad value or its bad spelling is not missing; another one may be.
            (None, Some(field)) => {
                let required = schema["required"].as_array().into_iter().flatten();
                for field in required.filter_map(Value::as_str).chain([field]) {
                    let known = failed.contains(&field) || meant.contains(&field);
                    if complete && !known && table.get(field).is_none() {
                        diagnostics.push(missing(name, field, span));
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
                diagnostics.push(explain(&error, span, name, table, &schema));
                return None;
            }
        }
    }
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

fn missing(name: &str, field: &str, place: &Span) -> Diagnostic {
    Diagnostic::error("spec::missing-key", format!("{name} needs the key `{field}`"))
        .at(place, format!("no `{field}` here"))
}

/// Says in our words what serde said in its own.
fn explain(
    error: &toml::de::Error,
    place: &Span,
    key: &str,
    table: &DeTable<'_>,
    schema: &Value,
) -> Diagnostic {
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
        return Diagnostic::error(code, format!("{what} `{typed}` in `{key}`"))
            .at(place, if is_key { "nobody reads this" } else { "not one of the known values" })
            .help(
                did_you_mean(typed, names.iter().copied())
                    .unwrap_or_else(|| format!("known: {}", list_names(&names))),
            );
    }
    if let Some(field) = missing_field(message) {
        return missing(&format!("`{key}`"), field, place);
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
