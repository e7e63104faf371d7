//! `[vars]`: what variables there are and which values they may have.

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Scalar;
use super::text::Str;
use crate::diag::{did_you_mean, one_of_names};

/// A variable, for `${vars.NAME}`. `NAME = VALUE` in `[vars]` is short for `NAME = { default = VALUE }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Variable {
    /// What its values must look like; any text when absent.
    #[serde(default, rename = "type")]
    pub kind: VariableType,
    /// One line for `pipeline list --vars`.
    #[serde(default)]
    pub description: Option<String>,
    /// The value, unless another is given.
    #[serde(default)]
    pub default: Option<Scalar>,
    /// Has no default: a value must be given.
    #[serde(default)]
    pub required: bool,
    /// The only values that it may have.
    #[serde(default)]
    pub allowed: Vec<Scalar>,
}

/// See [`Variable::kind`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VariableType {
    /// Any text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl VariableType {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    fn accepts(self, value: &str) -> bool {
        match self {
            Self::String => true,
            Self::Integer => value.parse::<i64>().is_ok(),
            Self::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Boolean => matches!(value, "true" | "false"),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
        }
    }
}

impl Variable {
    /// Why a value is none of this variable, and perhaps what was meant.
    pub fn problem(&self, name: &str, value: &str) -> Option<(String, Option<String>)> {
        let shown = value.escape_debug();
        if !self.kind.accepts(value) {
            return Some((format!("`vars.{name}` must be {}, not `{shown}`", self.kind.words()), None));
        }
        let allowed = || self.allowed.iter().map(|allowed| allowed.0.value.as_str());
        if self.allowed.is_empty() || allowed().any(|allowed| allowed == value) {
            return None;
        }
        let message = format!("`vars.{name}` must be {}, not `{shown}`", one_of_names(allowed()));
        Some((message, did_you_mean(value, allowed())))
    }

    /// Every value in it.
    pub(super) fn values(&self) -> impl Iterator<Item = &Str> {
        self.default.iter().chain(&self.allowed).map(|value| &value.0)
    }
}
