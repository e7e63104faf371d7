//! `stdout = …`: what a command must print, for all kinds that check one.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Lower, Refused};
use crate::diag::Diagnostic;
use crate::plan::Expect;
use crate::spec::Str;

/// With the place of the whole value.
#[derive(Debug)]
pub(super) enum Stdout {
    Literal(Str),
    Regex(Str),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Regex {
    /// A regular expression.
    regex: Str,
}

/// By hand, as serde's untagged enums lose places and say nothing of what is wrong.
impl<'de> Deserialize<'de> for Stdout {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<Shape>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(match spanned.into_inner() {
            Shape::Text(value) => Self::Literal(Str { value, span }),
            Shape::Regex(regex) => Self::Regex(regex),
        })
    }
}

enum Shape {
    Text(String),
    Regex(Str),
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Shape;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a table `{ regex }`")
            }

            fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
                Ok(Shape::Text(value.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
                let Regex { regex } = Regex::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Shape::Regex(regex))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Stdout {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stdout".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [String::json_schema(generator), Regex::json_schema(generator)] })
    }
}

impl Stdout {
    pub(super) fn lower(&self, cx: &mut Lower<'_>) -> Result<Expect, Refused> {
        match self {
            Self::Literal(text) => cx.text(text).map(Expect::Text),
            Self::Regex(regex) => pattern(cx, regex).map(Expect::Regex),
        }
    }
}

/// A regular expression, as it was written.
pub(super) fn pattern(cx: &mut Lower<'_>, regex: &Str) -> Result<String, Refused> {
    let Err(error) = regex::Regex::new(&regex.value) else { return Ok(regex.value.clone()) };
    // Its last line says why; those before draw the expression.
    let error = error.to_string();
    let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Err(cx.refuse(
        Diagnostic::error(
            "spec::bad-value",
            format!("`{}` is no regular expression: {why}", regex.value.escape_debug()),
        )
        .at(&regex.span, "in here")
        .help("write a literal `(`, `[`, `.` or the like with `\\\\` before it"),
    ))
}
