//! `[groups]`: names for several nodes; and what names nodes anywhere: in `[groups]`, in a target's `nodes`, after `--node`.

use std::borrow::Cow;
use std::collections::HashSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::{DeTable, DeValue};

use super::selector::Selector;
use super::text::Str;
use super::{NodeSpec, Recipe, shape};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names};
use crate::ident::name_problem;
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
    nodes: &'r [(Str, NodeSpec)],
}

impl NodeTerm<'_> {
    /// It takes the node of that name.
    pub fn takes(&self, node: &str) -> bool {
        let label = |label: &str| {
            let (_, spec) = self.nodes.iter().find(|(name, _)| name.value == node)?;
            spec.labels.get(label).map(|value| value.0.value.as_str())
        };
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
        Ok(NodeTerm { selectors: selectors?, nodes: &self.nodes })
    }

    /// The nodes that some terms take, each once, in the order of the terms and then of the recipe. A term that cannot be
    /// read takes none.
    pub fn nodes_of<'t>(&self, terms: impl IntoIterator<Item = &'t Str>) -> Vec<String> {
        let (names, mut seen) = (self.node_names(), HashSet::new());
        let mut nodes = Vec::new();
        for term in terms {
            // Recipes may name very many, one by one.
            if names.has(&term.value) {
                nodes.extend(seen.insert(term.value.clone()).then(|| term.value.clone()));
                continue;
            }
            let Ok(term) = self.node_term(&term.value) else { continue };
            let taken = self.nodes.iter().map(|(name, _)| &name.value).filter(|name| term.takes(name));
            nodes.extend(taken.filter(|name| seen.insert((*name).clone())).cloned());
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

/// Labels and groups by themselves.
pub(super) fn check(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let nodes = recipe.node_names();
    for (name, node) in &recipe.nodes {
        for (label, value) in &node.labels {
            let problem = name_problem(label).or_else(|| {
                value.0.value.contains("${").then(|| "its value is as it stands: nothing is put in".into())
            });
            if let Some(problem) = problem {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::bad-name",
                        format!("bad label `{}` of node `{name}`: {problem}", label.escape_debug()),
                    )
                    .at(&value.0.span, "this label")
                    .help("write it like `labels = { rack = \"3\" }`"),
                );
            }
        }
    }
    for (group, terms) in &recipe.groups.list {
        for node in terms.iter().filter(|node| !nodes.has(&node.value)) {
            term(recipe, &format!("group `{group}`"), node, &nodes.list, diagnostics);
        }
    }
}

/// What names nodes must name one that there is.
pub(super) fn term(
    recipe: &Recipe<'_>,
    who: &str,
    node: &Str,
    known: &[&str],
    diagnostics: &mut Diagnostics,
) {
    let names = recipe.node_names();
    let (message, label) = match recipe.node_term(&node.value) {
        Err(problem) => {
            (format!("{who} names `{node}`, which is no pattern of nodes: {problem}"), "this pattern")
        }
        Ok(term) if names.list.iter().any(|name| term.takes(name)) => return,
        // One that could not be read may be meant.
        Ok(_) if !recipe.lost.nodes.is_empty() && node.value.contains(['*', '?', '[', '{', '=']) => return,
        Ok(_) if node.value.contains('=') => {
            (format!("{who} names the label `{node}`, which no node has"), "no such node")
        }
        Ok(_) => (format!("{who} names the unknown node `{node}`"), "no such node"),
    };
    let others = if known.is_empty() {
        "the recipe has no `[nodes]`".into()
    } else {
        format!("known nodes: {}", list_names(known))
    };
    diagnostics.push(
        Diagnostic::error("spec::unknown-node", message)
            .at(&node.span, label)
            .help(did_you_mean(&node.value, known.iter().copied()).unwrap_or(others)),
    );
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
