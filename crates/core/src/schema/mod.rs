//! The JSON Schema of recipes and the reference for readers, from the same types that read them.

mod reference;
mod tidy;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub use reference::{KeyReference, KindReference, TableReference, common_keys, kinds, tables};

use crate::spec::{
    Builders, CiSpec, Common, EnvSpec, Groups, Header, Inherits, Matrix, NodeSpec, Pools, Scalar, TargetSpec,
    Variable,
};
use crate::steps::{AnyKind, KINDS};

fn generator() -> SchemaGenerator {
    // draft-07 is what editors for TOML know.
    SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true).into_generator()
}

fn schema_of<T: JsonSchema>() -> Value {
    T::json_schema(&mut generator()).to_value()
}

/// The JSON Schema (draft-07) of `pipeline.toml`.
///
/// It says no to most of what `pipeline check` says no to, and never to what that says yes to.
pub fn schema() -> Value {
    let variable = json!({ "anyOf": [schema_of::<Scalar>(), closed(schema_of::<Variable>())] });
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "pipeline.toml",
        "description": "A recipe: container images from a git commit to verified on the node.",
        "type": "object",
        "required": ["version"],
        "additionalProperties": false,
        "properties": {
            "version": { "const": 1, "description": "The version of the language." },
            "include": {
                "type": "array",
                "items": { "type": "string" },
                "description": "Files that this one is laid over, such as `../common.toml`; relative to this file.",
            },
            "pipeline": closed(schema_of::<Header>()),
            "vars": {
                "type": "object",
                "description": "Variables, for `${vars.NAME}`: a value, or a table that says more.",
                "additionalProperties": variable,
            },
            "matrix": schema_of::<Matrix>(),
            "targets": {
                "type": "object",
                "description": "What is built: one image for each.",
                "additionalProperties": extensible(schema_of::<TargetSpec>()),
            },
            "nodes": {
                "type": "object",
                "description": "Where images go.",
                "additionalProperties": extensible(schema_of::<NodeSpec>()),
            },
            "groups": schema_of::<Groups>(),
            "builders": schema_of::<Builders>(),
            "env": closed(schema_of::<EnvSpec>()),
            "ci": closed(schema_of::<CiSpec>()),
            "pools": schema_of::<Pools>(),
            "defaults": {
                "type": "object",
                "description": "Keys that every step of a kind has, unless it says otherwise.",
                "additionalProperties": false,
                "properties": all_defaults(),
            },
            "step": {
                "type": "array",
                "description": "The steps. Their order does not matter: what one makes and another needs links them.",
                "minItems": 1,
                "items": { "anyOf": KINDS.iter().map(|kind| step(*kind)).collect::<Vec<_>>() },
            },
        },
        // What is not here may stand in a file that is included, and what a kind requires also in its defaults.
        "allOf": [
            { "if": { "not": { "required": ["include"] } }, "then": whole() },
            {
                "if": { "not": { "anyOf": [{ "required": ["include"] }, { "required": ["defaults"] }] } },
                "then": { "properties": { "step": { "items": { "allOf": required_keys() } } } },
            },
        ],
    });
    tidy::tidy(&mut schema);
    schema
}

/// Without what tables in it require: they are merged with those of what is extended, or with defaults.
fn loose(properties: &mut Map<String, Value>) {
    for table in properties.values_mut().filter_map(Value::as_object_mut) {
        if table.contains_key("properties") {
            table.remove("required");
        }
        // An optional table is one of two alternatives, the other being nothing.
        if let Some(Value::Array(schemas)) = table.get_mut("anyOf")
            && schemas.len() == 2
            && schemas.iter().any(|schema| schema["type"] == "null")
        {
            for table in schemas.iter_mut().filter_map(Value::as_object_mut) {
                table.remove("required");
            }
        }
    }
}

fn closed(mut schema: Value) -> Value {
    schema["additionalProperties"] = Value::Bool(false);
    schema
}

/// A target or a node: what it requires may come from what it extends, and an abstract one need not have it.
fn extensible(mut schema: Value) -> Value {
    let inherits = schema_of::<Inherits>();
    // A table in it may be half there and half in what it extends.
    for (_, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        property.as_object_mut().map(|property| property.remove("required"));
    }
    if let (Some(own), Some(more)) =
        (schema["properties"].as_object_mut(), inherits["properties"].as_object())
    {
        own.extend(more.clone());
        loose(own);
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
    }
    closed(schema)
}

/// What a recipe in one file has.
fn whole() -> Value {
    let required = schema_of::<TargetSpec>()["required"].clone();
    let complete = json!({
        "anyOf": [{ "required": required }, { "required": ["extends"] }, { "required": ["abstract"] }],
    });
    json!({
        "required": ["step"],
        "properties": {
            "step": { "items": { "required": ["uses"] } },
            "targets": { "additionalProperties": complete },
        },
    })
}

/// The keys of a step of a kind, `uses` apart.
fn step_keys(kind: &dyn AnyKind) -> Map<String, Value> {
    let properties = |schema: &Value| schema["properties"].as_object().cloned().unwrap_or_default();
    let mut keys = properties(&schema_of::<Common>());
    keys.extend(properties(&kind.schema(&mut generator()).to_value()));
    loose(&mut keys);
    keys
}

fn names(kind: &dyn AnyKind) -> Vec<&'static str> {
    std::iter::once(kind.name()).chain(kind.aliases().iter().copied()).collect()
}

fn step(kind: &dyn AnyKind) -> Value {
    let own = kind.schema(&mut generator()).to_value();
    let mut properties = step_keys(kind);
    properties.insert("uses".into(), json!({ "enum": names(kind), "description": kind.summary() }));
    json!({
        "title": kind.name(),
        "description": own["description"],
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// For each kind: a step of it has the keys that it requires.
fn required_keys() -> Vec<Value> {
    KINDS
        .iter()
        .filter_map(|kind| {
            let required = kind.schema(&mut generator()).to_value()["required"].clone();
            required.is_array().then(|| {
                json!({
                    "if": { "properties": { "uses": { "enum": names(*kind) } }, "required": ["uses"] },
                    "then": { "required": required },
                })
            })
        })
        .collect()
}

fn all_defaults() -> Map<String, Value> {
    KINDS
        .iter()
        .flat_map(|kind| {
            let mut properties = step_keys(*kind);
            properties.remove("id");
            let schema = json!({
                "type": "object",
                "description": format!("Defaults of `{}` steps.", kind.name()),
                "properties": properties,
                "additionalProperties": false,
            });
            names(*kind).into_iter().map(move |name| (name.to_owned(), schema.clone()))
        })
        .collect()
}
