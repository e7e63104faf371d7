//! What of a part of a plan must travel to whoever does the rest.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use petgraph::visit::EdgeRef;

use super::Lies;
use crate::plan::{Edge, Instance, InstanceId, NodeIndex, Plan};
use crate::steps::export_image;

/// An instance that is done, and what of it somebody else needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The instance.
    pub id: InstanceId,
    /// Where what travels of it lies; nowhere here, where its values are enough.
    pub lies: Lies,
}

/// What of the instances that are done must travel: what those read that are not, and what is there for people.
pub fn wanted(whole: &Plan, done: &BTreeSet<InstanceId>) -> Vec<Wanted> {
    let is_done = |node: NodeIndex| done.contains(&whole.graph[node].id);
    let nodes = whole.graph.node_indices().filter(|node| is_done(*node));
    let wanted = nodes.filter_map(|node| {
        let lies = match Lies::of(whole, node) {
            Lies::Machine => return None,
            lies if is_last(whole, node) || is_read(whole, node, &is_done) => lies,
            _ => Lies::Elsewhere,
        };
        Some(Wanted { id: whole.graph[node].id.clone(), lies })
    });
    wanted.collect()
}

/// Nobody of the plan waits for it: what it left is what was asked for.
pub(super) fn is_last(plan: &Plan, node: NodeIndex) -> bool {
    plan.graph.neighbors(node).next().is_none()
}

/// One that is not done reads what it left.
pub(super) fn is_read(plan: &Plan, node: NodeIndex, is_done: &dyn Fn(NodeIndex) -> bool) -> bool {
    let instance = &plan.graph[node];
    let mut edges = plan.graph.edges(node);
    edges.any(|edge| {
        // Where a recipe's own command reaches is not known: whatever it needs, it may read.
        let own = || *edge.weight() == Edge::Needs && plan.graph[edge.target()].is_own_command();
        !is_done(edge.target()) && (edge.weight().uses_what_is_left(instance) || own())
    })
}

/// Writes what lies in engines' stores to files: for each image an instance of its id, which says where.
pub fn exports(wanted: &[Wanted], file: &dyn Fn(&InstanceId) -> String) -> Plan {
    let mut plan = Plan::default();
    for Wanted { id, lies } in wanted {
        if let Lies::Store { engine, users, handle, .. } = lies {
            let export = export_image(*engine, *users, handle, &file(id));
            plan.graph.add_node(Instance::new(id.clone(), "keep", vec![export.into()]));
        }
    }
    plan
}

/// What others will read is looked at also where nothing here needs it: being up to date by the record is not enough for them.
/// `whole` is the plan, `part` what of it is done here, and `apart` what concerns nobody who gets it.
pub fn prove(whole: &Plan, part: &mut Plan, apart: &BTreeSet<InstanceId>) {
    let own = part.graph.node_weights().map(|instance| &instance.id);
    let travels = wanted(whole, &own.chain(apart).cloned().collect());
    let travels: BTreeSet<&InstanceId> =
        travels.iter().filter(|wanted| wanted.lies != Lies::Elsewhere).map(|wanted| &wanted.id).collect();
    for instance in part.graph.node_weights_mut() {
        instance.basis.intermediate &= !travels.contains(&instance.id);
    }
}

/// Where a file goes in the folder: what is left of `path` as a name below the instance's own.
pub fn file_name(id: &InstanceId, number: usize, path: &str) -> String {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let odd = name.is_empty() || name.starts_with('.') || name.chars().any(char::is_control);
    let name = if odd { "it" } else { name };
    if number == 0 { format!("files/{id}/{name}") } else { format!("files/{id}/{number}-{name}") }
}

/// Writes a folder as a tar: names in order, links as links.
pub fn pack(folder: &Path, to: &Path) -> io::Result<()> {
    let mut tar = tar::Builder::new(BufWriter::with_capacity(1 << 18, File::create(to)?));
    tar.follow_symlinks(false);
    tar.append_dir_all("", folder)?;
    tar.into_inner()?.flush()
}
