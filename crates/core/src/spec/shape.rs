//! Schemas and TOML values in the words that people of TOML know.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::source::Span;

/// The keys of a struct's schema.
pub(super) fn known_keys(schema: &Value) -> impl Iterator<Item = &str> {
    schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str())
}

/// The schema of one key.
pub(super) fn property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    schema["properties"].get(key)
}

/// The alternatives that a schema lists, or itself.
fn alternatives(schema: &Value) -> Vec<&Value> {
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(list) = schema[key].as_array() {
            return list.iter().flat_map(alternatives).collect();
        }
    }
    vec![schema]
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A value of that JSON type may fit.
pub(super) fn allows(schema: &Value, kind: &str) -> bool {
    schema["type"] == *kind
        || alternatives(schema).into_iter().any(|schema| {
            let types = types(schema);
            types.contains(&kind)
                || (types.is_empty() && schema["const"].is_null() && schema["enum"].is_null())
        })
}

/// What a schema asks for: `` a string``, `an array of strings`, `` `a` or `b` ``. Empty where it asks for nothing.
pub(super) fn shape(schema: &Value) -> String {
    let mut shapes: Vec<String> = Vec::new();
    for schema in alternatives(schema) {
        if let Some(constant) = schema["const"].as_str() {
            shapes.push(format!("`{constant}`"));
        } else if let Some(values) = schema["enum"].as_array() {
            shapes.extend(values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")));
        } else {
            shapes.extend(types(schema).into_iter().filter_map(|kind| one(schema, kind)));
        }
    }
    match shapes.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] if last.contains(" or ") => format!("{}, {last}", init.join(", ")),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

fn one(schema: &Value, kind: &str) -> Option<String> {
    Some(match kind {
        "string" => "a string".into(),
        "integer" => match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
            (Some(from), Some(to)) => format!("a whole number from {from} to {to}"),
            (Some(from), None) => format!("a whole number from {from} on"),
            _ => "a whole number".into(),
        },
        "number" => "a number".into(),
        "boolean" => "`true` or `false`".into(),
        "array" => match plural(&schema["items"]) {
            Some(items) => format!("an array of {items}"),
            None => "an array".into(),
        },
        "object" => match (schema["properties"].as_object(), plural(&schema["additionalProperties"])) {
            (Some(properties), _) => {
                let keys: Vec<String> = properties.keys().map(|key| format!("{key} = …")).collect();
                format!("a table `{{ {} }}`", keys.join(", "))
            }
            (None, Some(items)) => format!("a table of {items}"),
            (None, None) => "a table".into(),
        },
        _ => return None,
    })
}

fn plural(schema: &Value) -> Option<&'static str> {
    match types(schema).as_slice() {
        ["string"] => Some("strings"),
        _ => None,
    }
}

/// What a value is.
pub(super) fn what(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => {
            let short: String = text.chars().take(40).collect();
            let more = if short.len() < text.len() { "…" } else { "" };
            format!("the string `{}{more}`", short.escape_debug())
        }
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(_) => "a date or time".into(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// The value that stands at exactly this place, with its path (`retry.attempts`, `argv[1]`) and its schema.
pub(super) fn at_place<'t, 'i>(
    table: &'t DeTable<'i>,
    schema: &'t Value,
    place: &Span,
) -> Option<(String, &'t Value, &'t DeValue<'i>)> {
    static NOTHING: Value = Value::Null;
    table.iter().find_map(|(key, value)| {
        let candidates = alternatives(schema);
        let inner = candidates
            .iter()
            .find_map(|schema| property(schema, key.get_ref()))
            .or_else(|| {
                candidates.iter().map(|schema| &schema["additionalProperties"]).find(|s| s.is_object())
            })
            .unwrap_or(&NOTHING);
        descend(key.get_ref(), inner, value, place)
    })
}

fn descend<'t, 'i>(
    path: &str,
    schema: &'t Value,
    value: &'t toml::Spanned<DeValue<'i>>,
    place: &Span,
) -> Option<(String, &'t Value, &'t DeValue<'i>)> {
    let span = value.span();
    if span == *place {
        return Some((path.to_owned(), schema, value.get_ref()));
    }
    if place.start < span.start || span.end < place.end {
        return None;
    }
    match value.get_ref() {
        DeValue::Table(inner) => {
            let (rest, schema, value) = at_place(inner, schema, place)?;
            Some((format!("{path}.{rest}"), schema, value))
        }
        DeValue::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let inner = alternatives(schema).into_iter().map(|schema| &schema["items"]).next()?;
            descend(&format!("{path}[{index}]"), inner, item, place)
        }),
        _ => None,
    }
}
