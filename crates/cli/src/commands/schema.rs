//! `pipeline schema`

use pipeline_core::schema::schema as recipe_schema;

use crate::{exit_code, terminal};

pub(super) fn schema() -> u8 {
    let text = serde_json::to_string_pretty(&recipe_schema()).unwrap_or_default();
    terminal::out(&format!("{text}\n"));
    exit_code::DONE
}
