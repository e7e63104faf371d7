//! `pipeline schema`

use pipeline_core::interp::NAMES;
use pipeline_core::schema::{common_keys, schema as recipe_schema, tables};
use pipeline_core::{event, frozen};

use super::steps::rows;
use crate::args::{SchemaArgs, SchemaFormat, SchemaOf};
use crate::{exit_code, terminal};

pub(super) fn schema(args: &SchemaArgs) -> u8 {
    terminal::out(&match (args.of, args.format) {
        (SchemaOf::Recipe, SchemaFormat::Json) => text(),
        (SchemaOf::Recipe, SchemaFormat::Markdown) => markdown(),
        (SchemaOf::Events, SchemaFormat::Json) => format!("{:#}\n", event::schema()),
        (SchemaOf::Plan, SchemaFormat::Json) => format!("{:#}\n", frozen::schema()),
        (SchemaOf::Events | SchemaOf::Plan, SchemaFormat::Markdown) => {
            let help = "without `--format markdown` it prints the schema, which describes each key";
            terminal::error("usage::conflict", "only recipes have a reference in Markdown", Some(help));
            return exit_code::USAGE;
        }
    });
    exit_code::DONE
}

/// The schema as a file.
pub(super) fn text() -> String {
    format!("{}\n", serde_json::to_string_pretty(&recipe_schema()).unwrap_or_default())
}

const HEAD: &str = "# The language

Made by `pipeline schema --format markdown` from the types that read recipes; a test keeps it true. [recipes.md](recipes.md)
explains how it all works together, [steps.md](steps.md) has the keys of each step kind.

A recipe is TOML. An unknown key anywhere is an error.

## At the top

| key | value | meaning |
| --- | --- | --- |
| `version` | `1`, required | The version of the language. |
| `include` | array of strings | Files that this one is laid over; each relative to this file. |
";

fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for table in tables() {
        text += &format!("\n## `{}`\n\n{}\n\n", table.name, table.description);
        text += "| key | value | meaning |\n| --- | --- | --- |\n";
        text += &rows(&table.keys);
    }
    text += "\n## `[defaults.KIND]`\n\nKeys that every step of a kind has, unless it says otherwise: those of the kind and those \
             below, less `id` and `uses`.\n";
    text += "\n## `[[step]]`\n\nThe keys of every step. The kind, named by `uses`, adds its own.\n\n";
    text += "| key | value | meaning |\n| --- | --- | --- |\n| `uses` | string, required | The kind. |\n";
    text += &rows(&common_keys());
    text += "\n## `${…}`\n\nStands in strings. `$${` is a literal `${`.\n\n| name | value |\n| --- | --- |\n";
    for (name, value) in NAMES {
        text += &format!("| `{name}` | {value} |\n");
    }
    text
}
