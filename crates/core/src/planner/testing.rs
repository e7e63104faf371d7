//! Recipes in tests, planned.

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::{Machine, Selection};
use crate::diag::Diagnostics;
use crate::lock::Lock;
use crate::plan::{Edge, Engine, Plan};
use crate::platform::Platform;
use crate::spec::{Given, RecipeFiles, parse};

pub(super) fn select(text: &str, selection: &Selection) -> (Option<Plan>, Diagnostics) {
    let files = RecipeFiles::one("pipeline.toml", format!("version = 1\n{text}"));
    let (recipe, diagnostics) = parse(&files);
    let Some(recipe) = recipe else { return (None, diagnostics) };
    let machine = Machine {
        platform: Platform::parse("linux/amd64").unwrap(),
        folder: "recipe".into(),
        choose_engine: &|| Ok((Engine::Buildah, "it is a test".into())),
    };
    super::plan(&recipe, &Given::default(), &Lock::default(), selection, &machine)
}

pub(super) fn plan(text: &str) -> (Option<Plan>, Diagnostics) {
    select(text, &Selection::default())
}

pub(crate) fn plan_of(text: &str) -> Plan {
    let (plan, diagnostics) = plan(text);
    plan.unwrap_or_else(|| panic!("{:?}", diagnostics.iter().take(9).collect::<Vec<_>>()))
}

pub(super) fn codes(diagnostics: &Diagnostics) -> Vec<&'static str> {
    diagnostics.iter().filter(|one| one.is_error()).map(|one| one.code).collect()
}

pub(super) fn instance(plan: &Plan, id: &str) -> NodeIndex {
    let of = |at: &NodeIndex| {
        let id_of = plan.graph[*at].id.to_string();
        id_of == id || (!id.contains('@') && id_of.split('@').next() == Some(id))
    };
    let mut found = plan.graph.node_indices().filter(of);
    let first = found.next().unwrap_or_else(|| panic!("no instance `{id}`"));
    assert!(found.next().is_none(), "several are `{id}`");
    first
}

/// Where the instance's artifacts come from; the target is left out where it is the implicit one.
pub(super) fn sources(plan: &Plan, id: &str) -> Vec<String> {
    before(plan, id, |edge| matches!(edge, Edge::Artifact(_)))
}

/// What the instance waits for by edges of a sort.
pub(super) fn before(plan: &Plan, id: &str, sort: impl Fn(&Edge) -> bool) -> Vec<String> {
    let mut ids: Vec<String> = plan
        .graph
        .edges_directed(instance(plan, id), Direction::Incoming)
        .filter(|edge| sort(edge.weight()))
        .map(|edge| plan.graph[edge.source()].id.to_string())
        .map(|id| id.split("@host").next().unwrap_or_default().to_owned())
        .collect();
    ids.sort();
    ids
}
