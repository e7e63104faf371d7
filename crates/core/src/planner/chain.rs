//! The chain of a target: its instances and all that they need, and nothing that waits for another target.

use std::collections::BTreeSet;

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::DiGraph;

use super::part::closure;
use super::targets::globs;
use crate::diag::{Diagnostic, Diagnostics, list_names};
use crate::plan::{Edge, Instance, Plan};

/// The chain of one target: its instances and all that they need.
pub fn chain(plan: &Plan, target: &str) -> Plan {
    let is_own = |instance: &Instance| instance.target.as_deref().map(|name| name == target);
    let graph = graph(plan, &kept(plan, &is_own, false));
    Plan { recipe: plan.recipe.clone(), graph, nodes: plan.nodes.clone(), ..Plan::default() }
}

/// Takes out of a plan whatever is of other targets and nodes, and what waits for those: globs, where no list takes everything.
///
/// Unlike a [`super::Selection`], which plans a part of a recipe as if the rest were not there, this leaves every instance what it
/// is in the whole: a step that joins all targets is left out, instead of joining those that are left.
pub fn chains(plan: &mut Plan, targets: &[String], nodes: &[String], diagnostics: &mut Diagnostics) {
    let axes: [Axis<'_>; 2] = [
        ("target", targets, |instance| instance.target.as_deref()),
        ("node", nodes, |instance| instance.node.as_deref()),
    ];
    let mut keep = vec![true; plan.graph.node_count()];
    for (what, patterns, name) in axes {
        if patterns.is_empty() {
            continue;
        }
        let matchers = globs(patterns, what, diagnostics);
        let names: BTreeSet<&str> = plan.graph.node_weights().filter_map(name).collect();
        for (matcher, pattern) in matchers.iter().zip(patterns) {
            if !names.iter().any(|name| matcher.is_match(name)) {
                let message = format!("no {what} of the plan matches `{}`", pattern.escape_debug());
                let help =
                    format!("it has {}", if names.is_empty() { "none".into() } else { list_names(&names) });
                diagnostics.push(Diagnostic::error("select::nothing", message).help(help));
            }
        }
        let is_own = |instance: &Instance| {
            name(instance).map(|name| matchers.iter().any(|matcher| matcher.is_match(name)))
        };
        let wanted = kept(plan, &is_own, what == "node");
        keep.iter_mut().zip(wanted).for_each(|(keep, wanted)| *keep &= wanted);
    }
    plan.graph = graph(plan, &keep);
}

/// What is chosen from: how it is called, what is wanted of it, and which one an instance is of.
type Axis<'a> = (&'a str, &'a [String], fn(&Instance) -> Option<&str>);

/// Which instances are left. `is_own` says whether one is of what was chosen; of those that are of nothing, all are wanted or only
/// what is needed.
fn kept(plan: &Plan, is_own: &dyn Fn(&Instance) -> Option<bool>, all: bool) -> Vec<bool> {
    let own: Vec<Option<bool>> = plan.graph.node_weights().map(is_own).collect();
    let others = own.iter().map(|own| *own == Some(false)).collect();
    let dropped = closure(plan, others, Outgoing);
    let wanted = own.iter().zip(dropped).map(|(own, dropped)| !dropped && own.unwrap_or(all));
    closure(plan, wanted.collect(), Incoming)
}

fn graph(plan: &Plan, keep: &[bool]) -> DiGraph<Instance, Edge> {
    plan.graph.filter_map(
        |node, instance| keep[node.index()].then(|| instance.clone()),
        |_, edge| Some(edge.clone()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::testing::plan_of;

    const RECIPE: &str = "[targets.a]\nplatform = 'linux/arm64'\nnodes = ['n1', 'n2']\n[targets.b]\nplatform = 'linux/amd64'\n\
        [nodes.n1]\nhost = 'n1'\nruntime = 'cri-o'\n[nodes.n2]\nhost = 'n2'\nruntime = 'cri-o'\n\
        [[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.com/a'\nbranch = 'main'\n\
        [[step]]\nid = 'image'\nuses = 'build'\ntag = 'example.com/x:1'\nsource = 'source'\n\
        [[step]]\nid = 'd'\nuses = 'deliver'\ntargets = ['a']\n\
        [[step]]\nid = 'join'\nuses = 'run'\nscope = 'once'\nargv = ['true']\nneeds = ['image']\n\
        [[step]]\nid = 'all'\nuses = 'run'\nscope = 'once'\nargv = ['true']\nneeds = ['d']\n\
        [[step]]\nid = 'apart'\nuses = 'run'\nscope = 'once'\nargv = ['true']\n";

    fn left(targets: &[&str], nodes: &[&str]) -> Vec<String> {
        let mut plan = plan_of(RECIPE);
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let mut diagnostics = Diagnostics::default();
        chains(&mut plan, &owned(targets), &owned(nodes), &mut diagnostics);
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        plan.order().into_iter().map(|node| plan.graph[node].id.to_string()).collect()
    }

    #[test]
    fn what_waits_for_another_target_or_node_is_left_out() {
        assert_eq!(left(&["a"], &[]), ["source", "image@a", "d@a@n1", "d@a@n2"]);
        assert_eq!(left(&["b"], &[]), ["source", "image@b"]);
        assert_eq!(left(&["a"], &["n2"]), ["source", "image@a", "d@a@n2"]);
        // `all` waits for n2 as well.
        assert_eq!(left(&[], &["n1"]), ["source", "image@a", "image@b", "d@a@n1", "join", "apart"]);
        assert_eq!(left(&["*"], &[]).len(), 5, "nothing of a target needs `apart`, and `join` is of none");
    }

    #[test]
    fn one_target_has_what_it_needs_and_nothing_else() {
        let chain = chain(&plan_of(RECIPE), "b");
        let ids: Vec<_> = chain.graph.node_weights().map(|instance| instance.id.to_string()).collect();
        assert_eq!(ids, ["source", "image@b"]);
    }

    #[test]
    fn what_there_is_not_is_told() {
        let mut diagnostics = Diagnostics::default();
        chains(&mut plan_of(RECIPE), &["c".into()], &[], &mut diagnostics);
        let told: Vec<_> = diagnostics.iter().map(|one| format!("{one:?}")).collect();
        assert!(told.len() == 1 && told[0].contains("no target of the plan matches `c`"), "{told:?}");
    }
}
