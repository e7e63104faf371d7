//! `[pools]`: names with a bound each.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::{DeTable, DeValue};

use super::shape;
use super::text::Str;
use crate::diag::{Diagnostic, Diagnostics};

/// More at once is no bound.
const MOST: u32 = 1000;

/// `[pools]`: how many instances of the steps that name a pool run at the same time, whatever `--jobs` says.
#[derive(Debug, Clone, Default)]
pub struct Pools {
    /// In the order of the file; none where the number could not be read.
    list: Vec<(Str, Option<u32>)>,
}

impl Pools {
    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.list.iter().map(|(name, _)| name)
    }

    /// There is a pool of that name.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known.value == name)
    }

    /// The bound of a pool.
    pub fn bound(&self, name: &str) -> Option<u32> {
        self.list.iter().find(|(known, _)| known.value == name)?.1
    }
}

/// Reads the table.
pub(super) fn read(table: &DeTable<'_>, diagnostics: &mut Diagnostics) -> Pools {
    let mut list = Vec::new();
    for (key, value) in table {
        let name = Str { value: key.get_ref().to_string(), span: key.span() };
        let bound = match value.get_ref() {
            DeValue::Integer(number) => {
                u32::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
            }
            _ => None,
        };
        let bound = bound.filter(|bound| (1..=MOST).contains(bound));
        if bound.is_none() {
            diagnostics.push(
                Diagnostic::error(
                    "spec::wrong-type",
                    format!(
                        "`pools.{}` must be a whole number from 1 to {MOST}, not {}",
                        name.value.escape_debug(),
                        shape::what(value.get_ref())
                    ),
                )
                .at(&value.span(), "this value"),
            );
        }
        list.push((name, bound));
    }
    list.sort_by_key(|(name, _)| name.span.start);
    Pools { list }
}

impl JsonSchema for Pools {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pools".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Bounds on how many instances of the steps that name a pool run at the same time, whatever `--jobs` says.",
            "additionalProperties": { "type": "integer", "minimum": 1, "maximum": MOST },
        })
    }
}
