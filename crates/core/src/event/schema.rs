//! The JSON Schema of the events, from their types.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Event, VERSION};

/// The JSON Schema (draft 2020-12) of one line of `run --progress json` and of `events.jsonl`.
///
/// Keys that are not in it may come with a later program of the same version; those in it stay what they are.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Event>().to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".into(), json!(format!("An event of a run, version {VERSION}")));
    }
    schema
}
