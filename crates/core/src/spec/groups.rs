//! `[groups]`: names for several nodes; and what names nodes anywhere: in `[groups]`, in a target's `nodes`, after `--node`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::{DeTable, DeValue};

use super::selector::Selector;
use super::text::Str;
use super::{Recipe, shape};
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Span;

/// `[groups]`: names for several nodes at once.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// In the order of the file, each with its terms.
    pub(crate) list: Vec<(Str, Vec<Str>)>,
}

impl Groups {
    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &Str> {
        self.list.iter().map(|(name, _)| name)
    }

    fn terms(&self, name: &str) -> Option<&[Str]> {
        self.list.iter().find(|(known, _)| known.value == name).map(|(_, terms)| terms.as_slice())
    }
}

/// What takes nodes: a name, a pattern of names, `LABEL=VALUE`, or a group of these.
#[derive(Debug)]
pub struct NodeTerm<'r> {
    selectors: Vec<Selector>,
    labels: BTreeMap<&'r str, BTreeMap<&'r str, &'r str>>,
}

impl NodeTerm<'_> {
    /// It takes the node of that name.
    pub fn takes(&self, node: &str) -> bool {
        let label = |label: &str| self.labels.get(node)?.get(label).copied();
        self.selectors.iter().any(|selector| selector.takes(&[node], label))
    }
}

impl Recipe<'_> {
    /// Reads what takes nodes, or says why it takes none.
    pub fn node_term(&self, text: &str) -> Result<NodeTerm<'_>, String> {
        let selectors = match self.groups.terms(text) {
            Some(terms) => terms.iter().map(|term| Selector::parse(&term.value)).collect(),
            None => Selector::parse(text).map(|one| vec![one]),
        };
        let labels = self.nodes.iter().map(|(name, node)| {
            let labels = node.labels.iter().map(|(label, value)| (label.as_str(), value.0.value.as_str()));
            (name.value.as_str(), labels.collect())
        });
        Ok(NodeTerm { selectors: selectors?, labels: labels.collect() })
    }

    /// The nodes that some terms take, each once, in the order of the terms and then of the recipe. A term that cannot be
    /// read takes none.
    pub fn nodes_of<'t>(&self, terms: impl IntoIterator<Item = &'t Str>) -> Vec<String> {
        let mut nodes: Vec<String> = Vec::new();
        for term in terms {
            let Ok(term) = self.node_term(&term.value) else { continue };
            for (name, _) in self.nodes.iter().filter(|(name, _)| term.takes(&name.value)) {
                if !nodes.contains(&name.value) {
                    nodes.push(name.value.clone());
                }
            }
        }
        nodes
    }
}

/// Reads the table.
pub(super) fn read(table: &DeTable<'_>, diagnostics: &mut Diagnostics) -> Groups {
    let mut list = Vec::new();
    for (key, value) in table {
        let name = Str { value: key.get_ref().to_string(), span: key.span() };
        let wrong = |is: &DeValue<'_>, span: Span| {
            Diagnostic::error(
                "spec::wrong-type",
                format!(
                    "`groups.{}` must be a list of strings, not {}",
                    name.value.escape_debug(),
                    shape::what(is)
                ),
            )
            .at(&span, "this value")
            .help("write nodes, patterns and labels, such as `[\"edge-1\", \"core-*\", \"rack=3\"]`")
        };
        let DeValue::Array(array) = value.get_ref() else {
            diagnostics.push(wrong(value.get_ref(), value.span()));
            list.push((name, Vec::new()));
            continue;
        };
        if array.is_empty() {
            diagnostics.push(
                Diagnostic::error("spec::bad-value", format!("the group `{name}` has no nodes"))
                    .at(&value.span(), "nothing in here")
                    .help("name its nodes, or take the group out"),
            );
        }
        let mut terms = Vec::new();
        for term in array {
            match term.get_ref().as_str() {
                Some(text) => terms.push(Str { value: text.to_owned(), span: term.span() }),
                None => diagnostics.push(wrong(term.get_ref(), term.span())),
            }
        }
        list.push((name, terms));
    }
    list.sort_by_key(|(name, _)| name.span.start);
    Groups { list }
}

impl JsonSchema for Groups {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Groups".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Names for several nodes at once, for `nodes` of targets and for `--node`.",
            "additionalProperties": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        })
    }
}
