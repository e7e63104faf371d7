//! Reads a TOML table into a struct and reports everything that is wrong with it, not only the first thing.

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names};
use crate::source::Span;

/// The keys that a struct accepts, from the same declaration that the schema is made of.
pub(crate) fn keys_of<T: JsonSchema>() -> Vec<String> {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    schema
        .as_object()
        .and_then(|object| object.get("properties"))
        .and_then(|properties| properties.as_object())
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// Reads `table` as a `T`.
///
/// `what` names it in messages (`step \`build\``); `extra` are keys that somebody else reads. Unknown keys are errors with
/// the nearest known one. Wrong values are reported one by one: a key whose value does not fit is reported and left out,
/// and the rest is read again.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(
    table: &DeTable<'_>,
    span: &Span,
    what: &str,
    extra: &[&str],
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let known = keys_of::<T>();
    let mut table = without(table, |key, _| {
        if extra.contains(&key.get_ref().as_ref()) {
            return true;
        }
        let is_known = known.iter().any(|name| name == key.get_ref());
        if !is_known {
            let all = known.iter().map(String::as_str).chain(extra.iter().copied());
            let help = did_you_mean(key.get_ref(), all.clone())
                .unwrap_or_else(|| format!("known keys: {}", all.collect::<Vec<_>>().join(", ")));
            diagnostics.push(
                Diagnostic::error("spec::unknown-key", format!("unknown key `{}` in {what}", key.get_ref()))
                    .at(&key.span(), "nobody reads this")
                    .help(help),
            );
        }
        !is_known
    });
    let mut failed: Vec<String> = Vec::new();
    loop {
        let value = Spanned::new(span.clone(), DeValue::Table(table.clone()));
        let error = match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) if failed.is_empty() => return Some(read),
            Ok(_) => return None,
            Err(error) => error,
        };
        let place = error.span().filter(|place| *place != *span);
        let culprit = place.as_ref().and_then(|place| {
            table
                .iter()
                .find(|(key, value)| {
                    key.span() == *place
                        || (value.span().start <= place.start && place.end <= value.span().end)
                })
                .map(|(key, _)| key.get_ref().to_string())
        });
        match (culprit, missing_field(error.message())) {
            // A key that was left out for its bad value is not missing.
            (None, Some(field)) if failed.iter().any(|name| name == field) => return None,
            (None, Some(field)) => {
                diagnostics.push(
                    Diagnostic::error("spec::missing-key", format!("{what} needs the key `{field}`"))
                        .at(span, format!("no `{field}` here")),
                );
                return None;
            }
            (Some(key), _) => {
                diagnostics.push(explain(&error, place.as_ref().unwrap_or(span), &key));
                table = without(&table, |name, _| *name.get_ref() == key);
                failed.push(key);
            }
            (None, None) => {
                diagnostics.push(explain(&error, span, what));
                return None;
            }
        }
    }
}

/// The table without the entries that `leave_out` names.
fn without<'i>(
    table: &DeTable<'i>,
    mut leave_out: impl FnMut(&Spanned<DeString<'i>>, &Spanned<DeValue<'i>>) -> bool,
) -> DeTable<'i> {
    table
        .iter()
        .filter(|(key, value)| !leave_out(key, value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// Says in our words what serde said in its own.
fn explain(error: &toml::de::Error, place: &Span, key: &str) -> Diagnostic {
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
        return Diagnostic::error("spec::missing-key", format!("`{key}` needs the key `{field}`"))
            .at(place, format!("no `{field}` here"));
    }
    let reason = match message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        Some((found, expected)) => {
            format!("`{key}` must be {}, not {}", plain(expected), plain(found))
        }
        None => format!("`{key}`: {message}"),
    };
    Diagnostic::error("spec::wrong-type", reason).at(place, "this value")
}

/// Names of types that people of TOML know.
fn plain(text: &str) -> String {
    text.replace("a borrowed string", "a string")
        .replace("sequence", "array")
        .replace("a sequence", "an array")
        .replace("a array", "an array")
        .replace("a map", "a table")
        .replace("map", "table")
        .replace("floating point", "number")
        .replace("u32", "a whole number")
        .replace("u16", "a whole number up to 65535")
        .replace("i32", "a whole number")
}
