//! `[matrix]`: axes whose values multiply the targets.

use std::collections::BTreeMap;

use globset::GlobMatcher;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::document::scalar;
use super::shape;
use super::text::Str;
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names};
use crate::source::{Sources, Span};

/// More members are no recipe that a person wrote on purpose.
pub(super) const MAX_MEMBERS: usize = 10_000;

/// `[matrix]`: every target is built once for each combination of the values of all axes. `exclude` leaves out
/// combinations by some or all of their values, `include` adds ones that name a value for every axis; in both, `target`
/// restricts to one target.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// In the order of the file.
    pub axes: Vec<Axis>,
    include: Vec<Entry>,
    exclude: Vec<Entry>,
    /// Where combinations are left out.
    pub(crate) exclude_span: Option<Span>,
    /// Names of axes that could not be read.
    pub(crate) lost: Vec<String>,
}

/// One axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// Its name, for `${matrix.NAME}`.
    pub name: Str,
    /// Its values in order; each may be part of a name.
    pub values: Vec<Str>,
}

/// An entry of `include` or `exclude`.
#[derive(Debug, Clone)]
struct Entry {
    target: Option<Str>,
    /// A value for each axis, in the order of the axes.
    values: Vec<Option<Str>>,
}

impl JsonSchema for Matrix {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Matrix".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value = json_schema!({ "type": ["string", "number", "boolean"] });
        let entries = |description: &str| {
            json_schema!({
                "type": "array",
                "description": description,
                "items": { "type": "object", "additionalProperties": value.clone() },
            })
        };
        json_schema!({
            "type": "object",
            "description": "Axes whose values multiply the targets: `version = [\"2\", \"3\"]`, for `${matrix.version}`.",
            "properties": {
                "include": entries("Combinations to add; each names a value for every axis, and perhaps a `target`."),
                "exclude": entries("Combinations to leave out, by some or all of their values, and perhaps a `target`."),
            },
            "additionalProperties": { "type": "array", "items": value, "minItems": 1 },
        })
    }
}

/// Reads `[matrix]`.
pub(super) fn read(table: &DeTable<'_>, sources: &Sources, diagnostics: &mut Diagnostics) -> Matrix {
    let mut reader = Reader { sources, diagnostics, lost: Vec::new() };
    let mut axes = Vec::new();
    for (key, value) in table {
        let name = Str { value: key.get_ref().to_string(), span: key.span() };
        match name.value.as_str() {
            "include" | "exclude" => {}
            "target" => {
                let message = "no axis can be called `target`".to_owned();
                let help =
                    "entries of `include` and `exclude` name a target by it: call the axis something else";
                reader.error("spec::bad-name", message, &name.span, "this name", help);
                reader.lost.push(name.value);
            }
            _ => match reader.axis(&name, value) {
                Some(values) if !values.is_empty() => axes.push(Axis { name, values }),
                _ => reader.lost.push(name.value),
            },
        }
    }
    axes.sort_by_key(|axis| axis.name.span.start);
    let exclude = reader.entries(table, "exclude", &axes);
    let include = reader.entries(table, "include", &axes);
    let exclude_span = table.get_key_value("exclude").map(|(key, _)| key.span());
    Matrix { axes, include, exclude, exclude_span, lost: reader.lost }
}

struct Reader<'r> {
    sources: &'r Sources,
    diagnostics: &'r mut Diagnostics,
    lost: Vec<String>,
}

impl Reader<'_> {
    fn error(
        &mut self,
        code: &'static str,
        message: String,
        at: &Span,
        label: &str,
        help: impl Into<String>,
    ) {
        self.diagnostics.push(Diagnostic::error(code, message).at(at, label).help(help));
    }

    fn array<'t, 'i>(
        &mut self,
        name: &str,
        value: &'t Spanned<DeValue<'i>>,
        help: &str,
    ) -> Option<&'t DeArray<'i>> {
        let array = value.get_ref().as_array();
        if array.is_none() {
            let message = format!("`matrix.{name}` must be an array, not {}", shape::what(value.get_ref()));
            self.error("spec::wrong-type", message, &value.span(), "this value", help);
        }
        array
    }

    fn axis(&mut self, name: &Str, value: &Spanned<DeValue<'_>>) -> Option<Vec<Str>> {
        let array = self.array(&name.value, value, "write its values as `[\"2\", \"3\"]`")?;
        let mut seen = BTreeMap::new();
        let mut values = Vec::new();
        for item in array {
            let Some(one) = self.value(&name.value, item) else { continue };
            // They become parts of file names, and some file systems fold case.
            match seen.insert(one.value.to_lowercase(), one.value.clone()) {
                None => values.push(one),
                Some(first) if first == one.value => {
                    let message = format!("the axis `{name}` has the value `{one}` twice");
                    self.error("spec::bad-value", message, &one.span, "again", "name it once");
                }
                Some(first) => {
                    let message = format!(
                        "the axis `{name}` has the values `{first}` and `{one}`, which differ only in case"
                    );
                    self.error("spec::bad-value", message, &one.span, "the second", "give it another name");
                }
            }
        }
        if array.is_empty() {
            let message = format!("the axis `{name}` has no values, so nothing would be built");
            self.error(
                "spec::empty-matrix",
                message,
                &value.span(),
                "no values",
                "add one, or take the axis out",
            );
        }
        Some(values)
    }

    /// A value becomes part of the names of targets.
    fn value(&mut self, name: &str, item: &Spanned<DeValue<'_>>) -> Option<Str> {
        let Some(value) = scalar(item, self.sources) else {
            let is = shape::what(item.get_ref());
            let message =
                format!("a value of `matrix.{name}` must be a string, a number, `true` or `false`, not {is}");
            self.diagnostics
                .push(Diagnostic::error("spec::wrong-type", message).at(&item.span(), "this value"));
            return None;
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if value.value.is_empty() || value.value.len() > 64 || !value.value.chars().all(fits) {
            let message = format!("`{}` cannot be a value of an axis", value.value.escape_debug());
            let help =
                "it becomes part of the target's name: use letters, digits, `.`, `_` and `-`, at most 64";
            self.error("spec::bad-value", message, &value.span, "this value", help);
            return None;
        }
        Some(value)
    }

    fn entries(&mut self, table: &DeTable<'_>, key: &str, axes: &[Axis]) -> Vec<Entry> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let help = format!("write `{key} = [{{ … = \"…\" }}]`");
        let Some(array) = self.array(key, value, &help) else { return Vec::new() };
        array.iter().filter_map(|item| self.entry(key, item, axes)).collect()
    }

    fn entry(&mut self, key: &str, item: &Spanned<DeValue<'_>>, axes: &[Axis]) -> Option<Entry> {
        let Some(table) = item.get_ref().as_table() else {
            let message =
                format!("an entry of `matrix.{key}` must be a table, not {}", shape::what(item.get_ref()));
            self.error(
                "spec::wrong-type",
                message,
                &item.span(),
                "this value",
                "write `{ version = \"2\" }`",
            );
            return None;
        };
        let mut entry = Entry { target: None, values: vec![None; axes.len()] };
        for (name, value) in table {
            let value = self.value(key, value)?;
            let at = axes.iter().position(|axis| axis.name.value == *name.get_ref());
            if let Some(at) = at {
                if key == "exclude" && !axes[at].values.iter().any(|known| known.value == value.value) {
                    let known = axes[at].values.iter().map(|known| known.value.as_str());
                    let message = format!("the axis `{}` has no value `{value}`", axes[at].name);
                    let help = did_you_mean(&value.value, known.clone())
                        .unwrap_or_else(|| format!("it has {}", list_names(known)));
                    self.error("spec::bad-value", message, &value.span, "leaves nothing out", help);
                }
                entry.values[at] = Some(value);
            } else if name.get_ref() == "target" {
                entry.target = Some(value);
            } else if self.lost.iter().any(|lost| lost == name.get_ref()) {
                // Reported with the axis.
                return None;
            } else {
                let known = axes.iter().map(|axis| axis.name.value.as_str()).chain(["target"]);
                let help = did_you_mean(name.get_ref(), known.clone())
                    .unwrap_or_else(|| format!("known: {}", list_names(known)));
                let message = format!("no axis is called `{}`", name.get_ref().escape_debug());
                self.error("spec::unknown-key", message, &name.span(), "no such axis", help);
            }
        }
        let missing: Vec<&str> = axes
            .iter()
            .zip(&entry.values)
            .filter(|(_, value)| value.is_none())
            .map(|(axis, _)| axis.name.value.as_str())
            .collect();
        if key == "include" && !missing.is_empty() {
            let message = format!("an entry of `matrix.include` needs a value for {}", list_names(&missing));
            self.error(
                "spec::missing-key",
                message,
                &item.span(),
                "not for every axis",
                "name a value for each axis",
            );
            return None;
        }
        if key == "exclude" && table.is_empty() {
            let message = "an empty entry of `matrix.exclude` leaves out everything".to_owned();
            self.error("spec::bad-value", message, &item.span(), "names no axis", "name a value of an axis");
            return None;
        }
        Some(entry)
    }
}

impl Matrix {
    /// How many members so many targets have before anything is excluded; `None` for more than can be counted.
    pub(super) fn members(&self, targets: usize) -> Option<usize> {
        let product = self.axes.iter().try_fold(1_usize, |size, axis| size.checked_mul(axis.values.len()));
        product?.checked_add(self.include.len())?.checked_mul(targets.max(1))
    }

    /// They are more than are allowed, which was reported with the recipe.
    pub(crate) fn too_large(&self, targets: usize) -> bool {
        !self.axes.is_empty() && self.members(targets).is_none_or(|members| members > MAX_MEMBERS)
    }

    /// The targets that entries name.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Str> {
        self.include.iter().chain(&self.exclude).filter_map(|entry| entry.target.as_ref())
    }

    /// An added combination has a value on this axis that matches.
    pub(super) fn includes(&self, axis: &str, value: &GlobMatcher) -> bool {
        let at = self.axes.iter().position(|known| known.name.value == axis);
        let values = at
            .into_iter()
            .flat_map(|at| self.include.iter().filter_map(move |entry| entry.values[at].as_ref()));
        values.into_iter().any(|known| value.is_match(&known.value))
    }

    /// The combinations of values for one target, the last axis fastest; one without values where there are no axes.
    pub fn cells(&self, target: &str) -> Vec<Vec<&str>> {
        let mut cells: Vec<Vec<&str>> = vec![Vec::new()];
        for axis in &self.axes {
            cells = cells
                .iter()
                .flat_map(|cell| {
                    axis.values
                        .iter()
                        .map(move |value| cell.iter().copied().chain([value.value.as_str()]).collect())
                })
                .collect();
        }
        let concerns = |entry: &&Entry| entry.target.as_ref().is_none_or(|only| only.value == target);
        let excluded = |cell: &[&str]| {
            self.exclude.iter().filter(concerns).any(|entry| {
                entry
                    .values
                    .iter()
                    .zip(cell)
                    .all(|(value, at)| value.as_ref().is_none_or(|value| value.value == *at))
            })
        };
        cells.retain(|cell| !excluded(cell));
        for entry in self.include.iter().filter(concerns) {
            let cell: Vec<&str> = entry.values.iter().flatten().map(|value| value.value.as_str()).collect();
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        cells
    }
}
