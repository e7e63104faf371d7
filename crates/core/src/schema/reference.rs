//! The reference of the language and of step kinds, from the types that read recipes and their comments.

use serde_json::Value;

use super::{generator, schema_of};
use crate::spec::{
    BuilderSpec, CiSpec, Common, EnvSpec, Groups, Header, Inherits, Matrix, NodeSpec, Pools, StorageSpec,
    TargetSpec, Variable,
};
use crate::steps::KINDS;

/// A table of `pipeline.toml` for readers, with the keys that its type has.
#[derive(Debug, Clone)]
pub struct TableReference {
    /// How it is written, such as `[targets.NAME]`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its keys, required ones first.
    pub keys: Vec<KeyReference>,
}

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
    words(schema, false)
}

/// The same, of one or of many.
fn words(schema: &Value, plural: bool) -> String {
    for key in ["oneOf", "anyOf"] {
        if let Some(list) = schema[key].as_array() {
            let shapes = list.iter().map(|schema| words(schema, plural));
            let shapes: Vec<String> =
                shapes.filter(|shape| shape != "nothing" && !shape.is_empty()).collect();
            return either(&shapes);
        }
    }
    if let Some(one) = schema["allOf"].as_array().and_then(|list| list.first()) {
        return words(one, plural);
    }
    if let Some(constant) = schema["const"].as_str() {
        return format!("`{constant}`");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> =
            values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        return either(&values);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => return String::new(),
    };
    let s = if plural { "s" } else { "" };
    let shapes: Vec<String> = types
        .into_iter()
        .map(|name| match name {
            "array" => format!("array{s} of {}", words(&schema["items"], true)),
            "object" => match (schema["additionalProperties"].as_object(), &schema["properties"]) {
                (Some(_), _) => format!("table{s} of {}", words(&schema["additionalProperties"], true)),
                (None, Value::Object(properties)) => {
                    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
                    format!("table{s} `{{ {} }}`", names.join(", "))
                }
                (None, _) => format!("table{s}"),
            },
            "null" => "nothing".into(),
            "integer" => format!("whole number{s}"),
            other => format!("{other}{s}"),
        })
        .collect();
    either(&shapes)
}

/// `a, b or c`.
fn either(words: &[String]) -> String {
    match words {
        [init @ .., last] if !init.is_empty() => format!("{} or {last}", init.join(", ")),
        _ => words.concat(),
    }
}

/// Every table but `[[step]]`, in the order in which recipes have them.
pub fn tables() -> Vec<TableReference> {
    let inherits = keys(&schema_of::<Inherits>());
    let extended = |schema: &Value| [keys(schema), inherits.clone()].concat();
    let matrix = schema_of::<Matrix>();
    let axis = KeyReference {
        name: "AXIS".into(),
        shape: shape(&matrix["additionalProperties"]),
        description: "The values of an axis of this name; each becomes part of the names of targets.".into(),
        required: false,
    };
    let pools = schema_of::<Pools>();
    let pool = KeyReference {
        name: "NAME".into(),
        shape: shape(&pools["additionalProperties"]),
        description: "How many instances of the pool run at the same time.".into(),
        required: false,
    };
    let groups = schema_of::<Groups>();
    let group = KeyReference {
        name: "NAME".into(),
        shape: shape(&groups["additionalProperties"]),
        description: "Its nodes: names, patterns of names such as `edge-*`, and labels such as `rack=3`."
            .into(),
        required: false,
    };
    let (target, node) = (schema_of::<TargetSpec>(), schema_of::<NodeSpec>());
    [
        ("[pipeline]", schema_of::<Header>(), None),
        ("[vars.NAME]", schema_of::<Variable>(), None),
        ("[matrix]", matrix.clone(), Some([vec![axis], keys(&matrix)].concat())),
        ("[targets.NAME]", target.clone(), Some(extended(&target))),
        ("[nodes.NAME]", node.clone(), Some(extended(&node))),
        ("[nodes.NAME.storage]", schema_of::<StorageSpec>(), None),
        ("[groups]", groups, Some(vec![group])),
        ("[builders.\"PLATFORM\"]", schema_of::<BuilderSpec>(), None),
        ("[env]", schema_of::<EnvSpec>(), None),
        ("[ci]", schema_of::<CiSpec>(), None),
        ("[pools]", pools, Some(vec![pool])),
    ]
    .into_iter()
    .map(|(name, schema, own)| TableReference {
        name: name.to_owned(),
        description: text(&schema, "description"),
        keys: own.unwrap_or_else(|| keys(&schema)),
    })
    .collect()
}
