//! A string of the recipe that knows where it stands.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::literal;
use crate::source::{Sources, Span};

/// A string and the place of its literal in the recipe, quotes included.
#[derive(Debug, Clone)]
pub struct Str {
    /// The string.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

impl Str {
    /// The place of some bytes of the string in the recipe's text.
    ///
    /// The whole literal where the value was not written as a string.
    pub fn place(&self, sources: &Sources, at: &Range<usize>) -> Span {
        self.places(sources, std::iter::once(at)).swap_remove(0)
    }

    /// The same for several places, each after those before it.
    pub fn places<'a>(&self, sources: &Sources, all: impl Iterator<Item = &'a Range<usize>>) -> Vec<Span> {
        let written = literal::Literal::of(sources.slice(&self.span));
        let mut cursor = written.as_ref().map(literal::Literal::cursor);
        all.map(|at| {
            let place =
                cursor.as_mut().and_then(|cursor| Some(cursor.offset(at.start)?..cursor.offset(at.end)?));
            match place {
                Some(place) => self.span.start + place.start..self.span.start + place.end,
                None => self.span.clone(),
            }
        })
        .collect()
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)
    }
}

impl<'de> Deserialize<'de> for Str {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl JsonSchema for Str {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "String".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// A whole number and its place.
#[derive(Debug, Clone)]
pub struct Whole {
    /// The number.
    pub value: u32,
    /// Where it stands.
    pub span: Span,
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<u32>::deserialize(deserializer)?;
        Ok(Self { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        u32::json_schema(generator)
    }
}
