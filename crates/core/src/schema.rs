//! The JSON Schema of recipes and the reference of step kinds, from the same types that read them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::spec::{Common, EnvSpec, Header, NodeSpec, Scalar, TargetSpec};
use crate::steps::KINDS;

/// A step kind for readers.
#[derive(Debug, Clone)]
pub struct KindReference {
    /// `uses = "…"`
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What it consumes and produces.
    pub flow: &'static str,
    /// A paragraph.
    pub description: String,
    /// Its own keys, required ones first.
    pub keys: Vec<KeyReference>,
}

/// A key for readers.
#[derive(Debug, Clone)]
pub struct KeyReference {
    /// Its name.
    pub name: String,
    /// What its value is: `string`, `array of strings`, `` `a` or `b` ``.
    pub shape: String,
    /// What it means.
    pub description: String,
    /// It cannot be left out.
    pub required: bool,
}

fn generator() -> SchemaGenerator {
    // draft-07 is what editors for TOML know.
    SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true).into_generator()
}

fn schema_of<T: JsonSchema>() -> Value {
    T::json_schema(&mut generator()).to_value()
}

/// Every kind, in the order of the table.
pub fn kinds() -> Vec<KindReference> {
    KINDS
        .iter()
        .map(|kind| {
            let schema = kind.schema(&mut generator()).to_value();
            KindReference {
                name: kind.name(),
                summary: kind.summary(),
                flow: kind.flow(),
                description: text(&schema, "description"),
                keys: keys(&schema),
            }
        })
        .collect()
}

/// The keys of every step, less `uses`.
pub fn common_keys() -> Vec<KeyReference> {
    keys(&schema_of::<Common>())
}

fn keys(schema: &Value) -> Vec<KeyReference> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut keys: Vec<KeyReference> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, property)| KeyReference {
            name: name.clone(),
            shape: shape(property),
            description: text(property, "description"),
            required: required.contains(&name.as_str()),
        })
        .collect();
    keys.sort_by_key(|key| !key.required);
    keys
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A schema in words.
fn shape(schema: &Value) -> String {
    for key in ["oneOf", "anyOf"] {
        if let Some(list) = schema[key].as_array() {
            let shapes: Vec<String> =
                list.iter().map(shape).filter(|shape| shape != "nothing" && !shape.is_empty()).collect();
            return shapes.join(" or ");
        }
    }
    if let Some(one) = schema["allOf"].as_array().and_then(|list| list.first()) {
        return shape(one);
    }
    if let Some(constant) = schema["const"].as_str() {
        return format!("`{constant}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> =
            values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        return values.join(" or ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => return String::new(),
    };
    let words: Vec<String> = types
        .into_iter()
        .map(|name| match name {
            "array" => format!("array of {}s", shape(&schema["items"])),
            "object" => match schema["additionalProperties"].as_object() {
                Some(_) => format!("table of {}s", shape(&schema["additionalProperties"])),
                None => {
                    let names: Vec<&str> = schema["properties"]
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(name, _)| name.as_str())
                        .collect();
                    format!("table `{{ {} }}`", names.join(", "))
                }
            },
            "null" => "nothing".into(),
            "integer" => "whole number".into(),
            other => other.into(),
        })
        .collect();
    words.join(" or ")
}

/// The JSON Schema (draft-07) of `pipeline.toml`.
pub fn schema() -> Value {
    let closed = |mut schema: Value| {
        schema["additionalProperties"] = Value::Bool(false);
        schema
    };
    let steps: Vec<Value> = KINDS
        .iter()
        .map(|kind| {
            let mut own = kind.schema(&mut generator()).to_value();
            let common = schema_of::<Common>();
            let mut properties: Map<String, Value> =
                common["properties"].as_object().cloned().unwrap_or_default();
            properties.extend(own["properties"].as_object().cloned().unwrap_or_default());
            let names: Vec<&str> =
                std::iter::once(kind.name()).chain(kind.aliases().iter().copied()).collect();
            properties.insert("uses".into(), json!({ "enum": names, "description": kind.summary() }));
            let mut required = own["required"].as_array().cloned().unwrap_or_default();
            required.push("uses".into());
            own["title"] = kind.name().into();
            own["type"] = "object".into();
            own["properties"] = Value::Object(properties);
            own["required"] = Value::Array(required);
            closed(own)
        })
        .collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "pipeline.toml",
        "description": "A recipe: container images from a git commit to verified on the node.",
        "type": "object",
        "required": ["version", "step"],
        "additionalProperties": false,
        "properties": {
            "version": { "const": 1, "description": "The version of the language." },
            "pipeline": closed(schema_of::<Header>()),
            "vars": {
                "type": "object",
                "description": "Variables with their values, for `${vars.NAME}`.",
                "additionalProperties": schema_of::<Scalar>(),
            },
            "targets": {
                "type": "object",
                "description": "What is built: one image for each.",
                "additionalProperties": closed(schema_of::<TargetSpec>()),
            },
            "nodes": {
                "type": "object",
                "description": "Where images go.",
                "additionalProperties": closed(schema_of::<NodeSpec>()),
            },
            "env": closed(schema_of::<EnvSpec>()),
            "step": {
                "type": "array",
                "description": "The steps. Their order does not matter: what one makes and another needs links them.",
                "minItems": 1,
                "items": { "oneOf": steps },
            },
        },
    })
}
