//! Edges between instances: data, `${steps.…}`, `needs`, and checks as gates. Cycles are errors that show the way round.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use petgraph::Direction;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::expand::{Member, Members};
use super::producers::Links;
use crate::diag::{Diagnostic, Diagnostics};
use crate::interp::Name;
use crate::plan::{Artifact, Edge};
use crate::source::Span;
use crate::steps::{Configured, Role};

/// Indices of [`Members::list`], linked.
pub(super) type Graph = DiGraph<usize, Edge>;

/// The graph of all members; none where it has cycles.
pub(super) fn link(
    configured: &[Configured<'_>],
    members: &Members,
    links: &Links,
    diagnostics: &mut Diagnostics,
) -> Option<Graph> {
    let mut edges = Edges::new(members.list.len());
    let ids: HashMap<&str, usize> =
        configured.iter().enumerate().map(|(at, other)| (other.step.id.value.as_str(), at)).collect();
    for (configured_step, range) in configured.iter().zip(&members.ranges) {
        let step = configured_step.step;
        let names = step.names.iter().filter_map(|(name, span)| match name {
            Name::Step { id, output } => Some((*ids.get(id.as_str())?, output, span)),
            _ => None,
        });
        let names: Vec<_> = names.collect();
        let needs: Vec<usize> =
            step.common.needs.iter().filter_map(|need| ids.get(need.value.as_str()).copied()).collect();
        for consumer in range.clone() {
            let member = &members.list[consumer];
            for (input, producer) in
                links.get(&(member.step, member.target)).into_iter().flatten().enumerate()
            {
                let Some(producer) = producer else { continue };
                let joins = configured_step.body.joins();
                // Of all targets, those that the step is for.
                let is_for = |other: &usize| {
                    let target = members.list[*other].target;
                    !joins || target.is_none_or(|target| members.applies[member.step].contains(&target))
                };
                let producers = matching(members, member, producer.step).filter(is_for);
                if !joins && producers.clone().nth(1).is_some() {
                    let key = configured_step.body.inputs().get(input).map_or("input", |input| input.key);
                    diagnostics.push(set_for_one(configured, member, producer.step, key));
                }
                for one in producers {
                    edges.set(one, consumer, Edge::Artifact(producer.artifact));
                }
            }
            for &(other, output, span) in &names {
                let producers = matching(members, member, other);
                if producers.clone().next().is_none() {
                    diagnostics.push(members.left_out(configured, other, member.step, member.target, span));
                } else if producers.clone().nth(1).is_some() {
                    let what = format!("steps.{}.{output}", configured[other].step.id);
                    diagnostics.push(set_for_one(configured, member, other, &what));
                }
                for one in producers {
                    edges.add(one, consumer, || Edge::Output(output.clone()));
                }
            }
            for &need in &needs {
                for one in matching(members, member, need) {
                    edges.add(one, consumer, || Edge::Needs);
                }
            }
        }
    }
    let mut graph = edges.graph;
    gates(configured, members, &mut graph);
    super::rollout::waves(configured, members, &mut graph);
    cycles(configured, members, &graph, diagnostics).then_some(graph)
}

/// A graph in the making, consumer by consumer. Two instances have one edge at most.
struct Edges {
    graph: Graph,
    /// For each producer the last consumer that it was linked to.
    last: Vec<Option<(usize, EdgeIndex)>>,
}

impl Edges {
    fn new(instances: usize) -> Self {
        let mut graph = Graph::with_capacity(instances, instances * 2);
        (0..instances).for_each(|index| {
            graph.add_node(index);
        });
        Self { graph, last: vec![None; instances] }
    }

    /// Adds an edge unless there is one.
    fn add(&mut self, producer: usize, consumer: usize, edge: impl FnOnce() -> Edge) -> EdgeIndex {
        match self.last[producer] {
            Some((last, known)) if last == consumer => known,
            _ => {
                let new = self.graph.add_edge(NodeIndex::new(producer), NodeIndex::new(consumer), edge());
                self.last[producer] = Some((consumer, new));
                new
            }
        }
    }

    /// Adds an edge, or makes it of the one there is.
    fn set(&mut self, producer: usize, consumer: usize, edge: Edge) {
        let known = self.add(producer, consumer, || edge.clone());
        self.graph[known] = edge;
    }
}

/// The instances of a step that a member meets: a finer one shares a coarser, a coarser one meets the whole set.
fn matching(members: &Members, member: &Member, step: usize) -> impl Iterator<Item = usize> + Clone {
    let all = members.ranges[step].clone();
    let of_step = &members.list[all.clone()];
    // In the order of their targets, or one without.
    let one_target = member.target.is_some() && of_step.first().is_some_and(|first| first.target.is_some());
    let range = if one_target {
        let start = of_step.partition_point(|other| other.target < member.target);
        let end = of_step.partition_point(|other| other.target <= member.target);
        all.start + start..all.start + end
    } else {
        all
    };
    range.filter(|&other| match (&member.node, &members.list[other].node) {
        (Some(mine), Some(theirs)) => mine == theirs,
        _ => true,
    })
}

fn set_for_one(configured: &[Configured<'_>], member: &Member, producer: usize, what: &str) -> Diagnostic {
    let (consumer, producer) = (configured[member.step].step, configured[producer].step);
    Diagnostic::error(
        "plan::one-of-many",
        format!(
            "`{what}` of step `{}` asks for one, and `{}` has one for each target or node",
            consumer.id, producer.id
        ),
    )
    .at(&consumer.span, "runs less often")
    .at(&producer.span, "runs more often")
    .help(format!("give `{}` the scope of `{}`, or the other way round", consumer.id, producer.id))
}

/// Which edges lead from a member up to its images.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// Artifacts.
    Artifacts,
    /// Also what a step takes by `${steps.…}` from one that makes an image in any form; by `needs`, if by nothing else.
    Data,
    /// Whatever the image could have come by, such as a file that `needs` only orders.
    All,
}

/// An image in any form.
fn is_image(artifact: Artifact) -> bool {
    matches!(
        artifact,
        Artifact::Image
            | Artifact::Archive
            | Artifact::NodeFile
            | Artifact::NodeImage
            | Artifact::PushedImage
    )
}

/// The images that a member handles, by going up: from the image on, not what the image was made from.
fn images(
    configured: &[Configured<'_>],
    members: &Members,
    graph: &Graph,
    member: NodeIndex,
    follow: Follow,
) -> BTreeSet<NodeIndex> {
    let body = |at: NodeIndex| &configured[members.list[graph[at]].step].body;
    let carries = |at: NodeIndex| body(at).produces().into_iter().any(is_image);
    let data = |source: NodeIndex, edge: &Edge| match edge {
        Edge::Artifact(artifact) => is_image(*artifact),
        Edge::Output(_) => follow != Follow::Artifacts && carries(source),
        Edge::Needs | Edge::Gate => false,
    };
    let mut images = BTreeSet::new();
    let mut open = vec![member];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if !seen.insert(at) {
            continue;
        }
        let before = || graph.edges_directed(at, Direction::Incoming);
        let only_needs = !before().any(|edge| data(edge.source(), edge.weight()));
        if at != member && body(at).produces().contains(&Artifact::Image) {
            images.insert(at);
            continue;
        }
        // An archive that comes from nowhere, as `local-image` finds one, is the image itself.
        if at != member && only_needs && carries(at) {
            images.insert(at);
        }
        open.extend(
            before()
                .filter(|edge| {
                    let (source, edge) = (edge.source(), edge.weight());
                    data(source, edge)
                        || match follow {
                            Follow::Artifacts => false,
                            Follow::Data => only_needs && matches!(edge, Edge::Needs) && carries(source),
                            Follow::All => {
                                matches!(edge, Edge::Output(_) | Edge::Needs)
                                    && body(source).role() != Role::Check
                            }
                        }
                })
                .map(|edge| edge.source()),
        );
    }
    images
}

/// Every delivery waits for the checks of its images, also of those that it may only carry along: rather a gate too many.
fn gates(configured: &[Configured<'_>], members: &Members, graph: &mut Graph) {
    let of_role = |role: Role| {
        members
            .list
            .iter()
            .enumerate()
            .filter(move |(_, member)| configured[member.step].body.role() == role)
            .map(|(index, _)| NodeIndex::new(index))
            .collect::<Vec<_>>()
    };
    let mut checks: BTreeMap<NodeIndex, Vec<NodeIndex>> = BTreeMap::new();
    for check in of_role(Role::Check) {
        for image in images(configured, members, graph, check, Follow::Artifacts) {
            checks.entry(image).or_default().push(check);
        }
    }
    if checks.is_empty() {
        return;
    }
    let mut deliveries = of_role(Role::Delivery);
    deliveries
        .retain(|delivery| configured[members.list[graph[*delivery]].step].step.common.gate != Some(false));
    // What is found from here on must not depend on gates that are already there.
    let bare = graph.clone();
    for follow in [Follow::Data, Follow::All] {
        for &delivery in &deliveries {
            let node = members.list[graph[delivery]].node.as_deref();
            let mut missing: BTreeSet<NodeIndex> = images(configured, members, &bare, delivery, follow)
                .iter()
                .filter_map(|image| checks.get(image))
                .flatten()
                .copied()
                // One node's check says nothing of another node.
                .filter(|check| match (members.list[graph[*check]].node.as_deref(), node) {
                    (Some(checked), Some(node)) => checked == node,
                    _ => true,
                })
                .filter(|check| graph.find_edge(*check, delivery).is_none())
                .collect();
            if follow == Follow::All && !missing.is_empty() {
                // A check that waits for the delivery may be right where the image only may be the same.
                let mut after = petgraph::visit::Dfs::new(&*graph, delivery);
                while let Some(at) = after.next(&*graph) {
                    missing.remove(&at);
                }
            }
            for check in missing {
                graph.add_edge(check, delivery, Edge::Gate);
            }
        }
    }
}

/// A longer way round is not shown as a whole.
const LONGEST_ROUND: usize = 64;

/// There are none. Those that there are are reported, each once although many instances may go round.
fn cycles(
    configured: &[Configured<'_>],
    members: &Members,
    graph: &Graph,
    diagnostics: &mut Diagnostics,
) -> bool {
    if petgraph::algo::toposort(graph, None).is_ok() {
        return true;
    }
    let mut none = true;
    // Tarjan's algorithm as petgraph has it recurses, as deep as the recipe is long.
    for component in petgraph::algo::kosaraju_scc(graph) {
        let start = component[0];
        if component.len() == 1 && graph.find_edge(start, start).is_none() {
            continue;
        }
        none = false;
        let path = way_round(graph, &component);
        let at = |node: NodeIndex| &configured[members.list[graph[node]].step];
        let id = |node: &NodeIndex| at(*node).step.id.value.as_str();
        let ids: Vec<&str> = path.iter().chain(path.first()).map(id).take(LONGEST_ROUND + 1).collect();
        let more = path.len().checked_sub(LONGEST_ROUND).filter(|more| *more > 0);
        let more = more.map(|more| format!(" … and {more} more")).unwrap_or_default();
        let mut diagnostic = Diagnostic::error(
            "plan::cycle",
            match path.as_slice() {
                [_] => format!("step `{}` waits for itself", ids[0]),
                _ => format!("steps wait for each other: {}{more}", ids.join(" -> ")),
            },
        )
        .help("take one of these links out");
        for (index, node) in path.iter().enumerate().take(LONGEST_ROUND) {
            let next = path[(index + 1) % path.len()];
            let Some(edge) = graph.find_edge(next, *node).map(|edge| &graph[edge]) else { continue };
            let (place, other) = (reason(at(*node), at(next), edge), id(&next));
            diagnostic = diagnostic.at(place, format!("`{}` is after `{other}`: {edge}", id(node)));
        }
        diagnostics.push(diagnostic);
    }
    none
}

/// The text that makes one step wait for another: the name of the other, or the kind that takes what it makes.
fn reason<'c>(waiting: &'c Configured<'_>, other: &Configured<'_>, edge: &Edge) -> &'c Span {
    let step = waiting.step;
    let id = &other.step.id.value;
    let place = match edge {
        Edge::Artifact(_) => waiting
            .body
            .inputs()
            .into_iter()
            .filter_map(|input| input.named)
            .find(|named| named.value == *id)
            .map(|named| &named.span),
        Edge::Output(_) => {
            let uses = |name: &Name| matches!(name, Name::Step { id: used, .. } if used == id);
            step.names.iter().find(|(name, _)| uses(name)).map(|(_, span)| span)
        }
        Edge::Needs => step.common.needs.iter().find(|need| need.value == *id).map(|need| &need.span),
        Edge::Gate => None,
    };
    place.unwrap_or(&step.uses.span)
}

/// A shortest cycle through the first member of a component, each followed by one that it waits for.
fn way_round(graph: &Graph, component: &[NodeIndex]) -> Vec<NodeIndex> {
    let inside: BTreeSet<NodeIndex> = component.iter().copied().collect();
    let start = *inside.first().unwrap_or(&component[0]);
    let mut from = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for before in graph.neighbors_directed(at, Direction::Incoming).filter(|node| inside.contains(node)) {
            if before == start {
                let mut path = vec![at];
                let mut back = at;
                while let Some(&previous) = from.get(&back) {
                    path.push(previous);
                    back = previous;
                }
                path.reverse();
                return path;
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = from.entry(before)
                && before != start
            {
                entry.insert(at);
                open.push_back(before);
            }
        }
    }
    vec![start]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::LONGEST_ROUND;
    use crate::plan::Edge;
    use crate::planner::testing::{before, codes, plan, plan_of};

    const HEAD: &str = "[targets.x]\nplatform = 'linux/amd64'\nnodes = ['m', 'n']\n\
        [nodes.m]\nhost = 'm'\n[nodes.n]\nhost = 'n'\n\
        [[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.org/x.git'\nbranch = 'b'\n\
        [[step]]\nid = 'image'\nuses = 'build'\ntag = 'x:1'\n";
    const CHECKED: &str = "[[step]]\nuses = 'smoke'\nargv = ['true']\nimage = 'image'\n\
        [[step]]\nuses = 'save'\npath = 'a.tar'\nimage = 'image'\n";
    const LOAD: &str = "[[step]]\nid = 'load'\nuses = 'scp'\narchive = 'sign'\n";

    fn gates(text: &str, id: &str) -> Vec<String> {
        before(&plan_of(text), id, |edge| *edge == Edge::Gate)
    }

    fn run(id: &str, keys: &str) -> String {
        format!("[[step]]\nid = '{id}'\nuses = 'run'\n{keys}\n")
    }

    #[test]
    fn a_command_between_does_not_hide_the_image() {
        let archive = "outputs.archive = 'b.tar'\nreference = 'x:1'";
        let by_output = run("sign", &format!("argv = ['cp', '${{steps.save.path}}', 'b.tar']\n{archive}"));
        let by_need = run("sign", &format!("argv = ['cp', 'a.tar', 'b.tar']\nneeds = ['save']\n{archive}"));
        let untyped = run("copy", "argv = ['cp', '${steps.save.path}', 'c.tar']\noutputs.file = 'c.tar'")
            + &run("sign", &format!("argv = ['cp', 'c.tar', 'b.tar']\nneeds = ['copy']\n{archive}"));
        for sign in [by_output, by_need, untyped] {
            assert_eq!(gates(&[HEAD, CHECKED, &sign, LOAD].concat(), "load@x@m"), ["smoke@x"], "{sign}");
        }
    }

    #[test]
    fn a_check_that_needs_the_hidden_delivery_is_a_cycle() {
        let sign = run(
            "sign",
            "argv = ['cp', '${steps.save.path}', 'b.tar']\noutputs.archive = 'b.tar'\nreference = 'x:1'",
        );
        let late = run("late", "argv = ['true']\ncheck = true\nimage = 'image'\nneeds = ['load']");
        let (planned, errors) = plan(&[HEAD, CHECKED, &sign, LOAD, &late].concat());
        assert!(planned.is_none());
        assert_eq!(codes(&errors), ["plan::cycle"]);
    }

    #[test]
    fn an_order_alone_adds_no_cycle() {
        let other = "[[step]]\nid = 'second'\nuses = 'build'\ntag = 'y:1'\n\
            [[step]]\nid = 'save2'\nuses = 'save'\nimage = 'second'\npath = 'd.tar'\n\
            [[step]]\nid = 'load2'\nuses = 'scp'\narchive = 'save2'\nneeds = ['save']\n";
        let late = run("late", "argv = ['true']\ncheck = true\nimage = 'image'\nneeds = ['load2']");
        let text = [HEAD, CHECKED, other, &late].concat();
        assert_eq!(gates(&text, "load2@x@m"), ["smoke@x"]);
    }

    const TARGETS: &str = "[targets.x]\nplatform = 'linux/amd64'\n[targets.y]\nplatform = 'linux/arm64'\n\
        [targets.z]\nplatform = 'linux/arm64'\n[[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.org/x.git'\n\
        [[step]]\nid = 'image'\nuses = 'build'\ntag = 'x:1'\n[[step]]\nuses = 'smoke'\nargv = ['true']\n";

    fn joined(keys: &str) -> String {
        format!("{TARGETS}[[step]]\nid = 'index'\nuses = 'manifest'\n{keys}\n")
    }

    #[test]
    fn an_index_takes_the_whole_set_after_the_checks_of_all() {
        let text = joined("dest = 'docker://example.org/x:1'\ntargets = ['x', 'y']");
        let data = before(&plan_of(&text), "index", |edge| matches!(edge, Edge::Artifact(_)));
        assert_eq!(data, ["image@x", "image@y"]);
        assert_eq!(gates(&text, "index"), ["smoke@x", "smoke@y"]);
        // A file is no delivery.
        assert_eq!(gates(&joined("dest = 'oci:x'\ntargets = ['x', 'y']"), "index"), [""; 0]);
    }

    #[test]
    fn an_index_is_of_all_targets_or_of_none() {
        let select = |keys: &str, targets: &[&str]| {
            let targets = targets.iter().map(|&target| target.to_owned()).collect();
            let selection = crate::planner::Selection { targets, ..Default::default() };
            let (planned, errors) = crate::planner::testing::select(&joined(keys), &selection);
            assert_eq!(planned.is_none(), !codes(&errors).is_empty());
            codes(&errors).concat()
        };
        let keys = "dest = 'oci:x'\ntargets = ['x', 'y']";
        assert_eq!(select(keys, &["x"]), "select::part-of-an-index");
        assert_eq!(select(keys, &["x", "z"]), "select::part-of-an-index");
        assert_eq!(select(keys, &["x", "y"]), "");
        assert_eq!(select("dest = 'oci:x'", &[]), "plan::two-for-one-platform");
    }

    #[test]
    fn the_check_on_one_node_does_not_gate_another() {
        let check = run("probe", "argv = ['true']\ncheck = true\nscope = 'node'\nimage = 'image'");
        let text = [HEAD, CHECKED, &check, "[[step]]\nid = 'load'\nuses = 'scp'\n"].concat();
        assert_eq!(gates(&text, "load@x@m"), ["probe@x@m", "smoke@x"]);
        assert_eq!(gates(&text, "load@x@n"), ["probe@x@n", "smoke@x"]);
    }

    #[test]
    fn long_cycles_are_shown_in_part() {
        let mut text = String::new();
        for at in 0..500 {
            let need = (at + 1) % 500;
            let _ =
                write!(text, "{}", run(&format!("s{at}"), &format!("argv = ['true']\nneeds = ['s{need}']")));
        }
        let (_, errors) = plan(&text);
        assert_eq!(codes(&errors), ["plan::cycle"]);
        let error = errors.iter().next().unwrap();
        assert!(error.message.ends_with(" … and 436 more"), "{}", error.message);
        assert_eq!(error.labels.len(), LONGEST_ROUND);
        let chain = text.replacen("needs = ['s1']", "", 1);
        assert_eq!(plan_of(&chain).graph.edge_count(), 499);
    }

    #[test]
    fn many_targets_are_linked_each_to_its_own() {
        let mut text = String::new();
        for at in 0..60 {
            let _ = write!(text, "[targets.t{at}]\nplatform = 'linux/amd64'\n");
        }
        text.push_str("[[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.org/x.git'\nbranch = 'b'\n");
        text.push_str("[[step]]\nid = 'image'\nuses = 'build'\ntag = 'x:${target.name}'\n");
        for at in 0..10 {
            let _ = write!(text, "[[step]]\nid = 'smoke{at}'\nuses = 'smoke'\nargv = ['true']\n");
        }
        let plan = plan_of(&text);
        assert_eq!(plan.graph.node_count(), 1 + 60 * 11);
        assert_eq!(before(&plan, "smoke3@t7", |_| true), ["image@t7"]);
    }
}
