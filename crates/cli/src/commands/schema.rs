//! `pipeline schema`

use pipeline_core::schema::schema as recipe_schema;

use crate::{exit_code, terminal};

pub(super) fn schema() -> u8 {
    terminal::out(&text());
    exit_code::DONE
}

/// The schema as a file.
pub(super) fn text() -> String {
    format!("{}\n", serde_json::to_string_pretty(&recipe_schema()).unwrap_or_default())
}
