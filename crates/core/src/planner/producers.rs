//! Which step makes what another consumes.
//!
//! An input that names no step must have exactly one candidate among the steps visible to it. A candidate that itself
//! consumes another candidate supersedes it (patch over source, scp over save over build); of the rest, the type that
//! the kind prefers wins; several of one type are an error that lists them. The order of the lines decides nothing: two
//! steps that could each take theirs from the other are an error too, until one of them names its own.
//!
//! What a step is made from must be known before it can supersede. So the named inputs are linked first; then, round
//! after round, each input whose candidates are settled all the way up. Where that stops, an input with one candidate
//! takes it, and otherwise the steps wait for each other. Each look at an input goes once over what is linked so far.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use petgraph::graph::{DiGraph, NodeIndex};

use super::expand::Members;
use crate::diag::{Diagnostic, Diagnostics, list_names, one_of_names};
use crate::plan::Artifact;
use crate::spec::Scope;
use crate::steps::{Configured, Input, KINDS};

/// The producer of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) step: usize,
    pub(super) artifact: Artifact,
}

/// By consumer and its target: the inputs in order, with what was found.
pub(super) type Links = BTreeMap<(usize, Option<usize>), Vec<Option<Producer>>>;

/// At most so many steps are shown in one message.
const SHOWN: usize = 8;

/// A step in the view of one target; of none, where it runs once.
struct View {
    step: usize,
    target: Option<usize>,
    found: Vec<Option<Producer>>,
    /// How many of its inputs are still to be found.
    open: usize,
    /// An error was reported about it, so that what follows from it is not worth another.
    failed: bool,
    producers: Vec<usize>,
    consumers: Vec<usize>,
}

/// An input that names no step: an index of a view, and of the step's inputs.
type Pending = (usize, usize);

enum Attempt {
    Wait,
    Found(Option<Producer>),
    Several(Vec<Producer>),
}

struct Resolver<'c> {
    configured: &'c [Configured<'c>],
    members: &'c Members,
    ids: HashMap<&'c str, usize>,
    inputs: Vec<Vec<Input<'c>>>,
    produces: Vec<Vec<Artifact>>,
    views: Vec<View>,
    /// The views of each step, in the order of its targets.
    of_step: Vec<Range<usize>>,
    marks: Marks,
    diagnostics: &'c mut Diagnostics,
}

/// A set of views that is emptied in no time.
struct Marks {
    round: usize,
    of: Vec<usize>,
}

impl Marks {
    fn clear(&mut self) {
        self.round += 1;
    }

    /// It was not marked before.
    fn mark(&mut self, view: usize) -> bool {
        std::mem::replace(&mut self.of[view], self.round) != self.round
    }

    fn any(&self, views: Range<usize>) -> bool {
        self.of[views].contains(&self.round)
    }
}

/// Finds every producer; `None` stands for one that an optional input does without, or whose lack was reported.
pub(super) fn resolve(
    configured: &[Configured<'_>],
    members: &Members,
    diagnostics: &mut Diagnostics,
) -> Links {
    let inputs: Vec<_> = configured.iter().map(|configured| configured.body.inputs()).collect();
    let mut views = Vec::new();
    let mut of_step = Vec::new();
    for (step, inputs) in inputs.iter().enumerate() {
        let start = views.len();
        let targets: Vec<Option<usize>> = match members.scopes[step] {
            Scope::Once => members.applies[step].first().map(|_| None).into_iter().collect(),
            Scope::Target | Scope::Node => members.applies[step].iter().copied().map(Some).collect(),
        };
        views.extend(targets.into_iter().map(|target| View {
            step,
            target,
            found: vec![None; inputs.len()],
            open: 0,
            failed: false,
            producers: Vec::new(),
            consumers: Vec::new(),
        }));
        of_step.push(start..views.len());
    }
    let mut resolver = Resolver {
        configured,
        members,
        ids: configured.iter().enumerate().map(|(at, other)| (other.step.id.value.as_str(), at)).collect(),
        inputs,
        produces: configured.iter().map(|configured| configured.body.produces()).collect(),
        marks: Marks { round: 0, of: vec![0; views.len()] },
        views,
        of_step,
        diagnostics,
    };
    resolver.all();
    resolver.views.into_iter().map(|view| ((view.step, view.target), view.found)).collect()
}

impl Resolver<'_> {
    fn all(&mut self) {
        let mut pending: Vec<Pending> = Vec::new();
        for view in 0..self.views.len() {
            for input in 0..self.found_len(view) {
                if self.inputs[self.views[view].step][input].named.is_some() {
                    let found = self.named(view, input);
                    self.views[view].failed |= found.is_none();
                    self.link(view, input, found);
                } else {
                    self.views[view].open += 1;
                    pending.push((view, input));
                }
            }
        }
        while !pending.is_empty() {
            let mut waiting = Vec::new();
            for &(view, input) in &pending {
                match self.attempt(view, input) {
                    Attempt::Wait => waiting.push((view, input)),
                    Attempt::Found(found) => self.settle(view, input, found),
                    Attempt::Several(several) => {
                        let known = several.iter().any(|one| {
                            self.views[self.seen_from(one.step, view)].iter().any(|view| view.failed)
                        });
                        if !known {
                            self.several(view, input, &several);
                        }
                        self.views[view].failed = true;
                        self.settle(view, input, None);
                    }
                }
            }
            if waiting.len() == pending.len() {
                self.unlock(&mut waiting);
            }
            pending = waiting;
        }
    }

    fn found_len(&self, view: usize) -> usize {
        self.views[view].found.len()
    }

    /// The views of a step that a view meets.
    fn seen_from(&self, step: usize, view: usize) -> Range<usize> {
        let all = self.of_step[step].clone();
        match (self.members.scopes[step], self.views[view].target) {
            (Scope::Once, _) | (_, None) => all,
            (_, Some(target)) => match self.members.applies[step].binary_search(&target) {
                Ok(at) => all.start + at..all.start + at + 1,
                Err(_) => 0..0,
            },
        }
    }

    fn link(&mut self, view: usize, input: usize, found: Option<Producer>) {
        self.views[view].found[input] = found;
        for producer in found.map(|found| self.seen_from(found.step, view)).into_iter().flatten() {
            self.views[view].producers.push(producer);
            self.views[producer].consumers.push(view);
        }
    }

    fn settle(&mut self, view: usize, input: usize, found: Option<Producer>) {
        self.link(view, input, found);
        self.views[view].open -= 1;
    }

    /// The steps that could be named.
    fn makers(&self, input: &Input<'_>, but: usize) -> Option<String> {
        let ids: Vec<&str> = (0..self.configured.len())
            .filter(|&step| step != but && self.makes(step, input).is_some())
            .map(|step| self.configured[step].step.id.value.as_str())
            .collect();
        (!ids.is_empty()).then(|| format!("name a step that makes it: {}", one_of_names(ids)))
    }

    fn makes(&self, step: usize, input: &Input<'_>) -> Option<Artifact> {
        input.accepts.iter().copied().find(|artifact| self.produces[step].contains(artifact))
    }

    /// All that could be the input; what is made from this step cannot be what it is made from.
    fn candidates(&mut self, view: usize, input: usize) -> Vec<Producer> {
        self.marks.clear();
        let mut open = vec![view];
        while let Some(at) = open.pop() {
            for &consumer in &self.views[at].consumers {
                if self.marks.mark(consumer) {
                    open.push(consumer);
                }
            }
        }
        let step = self.views[view].step;
        let input = &self.inputs[step][input];
        (0..self.configured.len())
            .filter(|&other| other != step)
            .filter_map(|other| Some(Producer { step: other, artifact: self.makes(other, input)? }))
            .filter(|other| {
                let views = self.seen_from(other.step, view);
                !views.is_empty() && !self.marks.any(views)
            })
            .collect()
    }

    fn attempt(&mut self, view: usize, input: usize) -> Attempt {
        let mut kept = self.candidates(view, input);
        // Up from all candidates at once: what is reached is superseded.
        self.marks.clear();
        let mut open: Vec<usize> = kept.iter().flat_map(|one| self.seen_from(one.step, view)).collect();
        while let Some(at) = open.pop() {
            if self.views[at].open > 0 {
                return Attempt::Wait;
            }
            for &producer in &self.views[at].producers {
                if self.marks.mark(producer) {
                    open.push(producer);
                }
            }
        }
        kept.retain(|one| !self.marks.any(self.seen_from(one.step, view)));
        let step = self.views[view].step;
        let input = &self.inputs[step][input];
        let best =
            input.accepts.iter().find(|artifact| kept.iter().any(|producer| producer.artifact == **artifact));
        kept.retain(|producer| Some(&producer.artifact) == best);
        match kept.as_slice() {
            [] => {
                if input.required {
                    let input = input.clone();
                    self.none(step, self.views[view].target, &input);
                }
                Attempt::Found(None)
            }
            [one] => Attempt::Found(Some(*one)),
            _ => Attempt::Several(kept),
        }
    }

    /// Every pending input waits for another: takes the only candidates there are, else reports who waits for whom.
    fn unlock(&mut self, pending: &mut Vec<Pending>) {
        let candidates: Vec<_> = pending.iter().map(|&(view, input)| self.candidates(view, input)).collect();
        let only: Vec<(Pending, Producer)> = pending
            .iter()
            .zip(&candidates)
            .filter_map(|(pending, candidates)| match candidates.as_slice() {
                [one] => Some((*pending, *one)),
                _ => None,
            })
            .collect();
        if !only.is_empty() {
            for ((view, input), one) in &only {
                self.settle(*view, *input, Some(*one));
            }
            pending.retain(|at| !only.iter().any(|(settled, _)| settled == at));
            return;
        }
        // From each view to the open ones that it waits for.
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(self.views.len(), pending.len() * 2);
        self.views.iter().for_each(|_| {
            graph.add_node(());
        });
        for (&(view, _), candidates) in pending.iter().zip(&candidates) {
            self.marks.clear();
            let mut open: Vec<usize> =
                candidates.iter().flat_map(|one| self.seen_from(one.step, view)).collect();
            while let Some(at) = open.pop() {
                if !self.marks.mark(at) {
                    continue;
                }
                if self.views[at].open > 0 {
                    graph.add_edge(NodeIndex::new(view), NodeIndex::new(at), ());
                } else {
                    open.extend(&self.views[at].producers);
                }
            }
        }
        for group in petgraph::algo::kosaraju_scc(&graph) {
            if group.len() > 1 {
                let first = group.iter().map(|node| node.index()).min();
                let at = pending.iter().position(|(view, _)| Some(*view) == first);
                if let Some(at) = at {
                    self.several(pending[at].0, pending[at].1, &candidates[at]);
                }
                for node in group {
                    self.views[node.index()].failed = true;
                }
            }
        }
        for &(view, input) in &*pending {
            if self.views[view].failed {
                self.settle(view, input, None);
            }
        }
        let left = pending.len();
        pending.retain(|(view, _)| !self.views[*view].failed);
        if pending.len() == left {
            // Cannot be: who waits, waits for one that waits. But this must end.
            for (view, input) in std::mem::take(pending) {
                self.none(
                    self.views[view].step,
                    self.views[view].target,
                    &self.inputs[self.views[view].step][input].clone(),
                );
                self.settle(view, input, None);
            }
        }
    }

    fn several(&mut self, view: usize, input: usize, several: &[Producer]) {
        let step = self.views[view].step;
        let input = &self.inputs[step][input];
        let ids: Vec<&str> =
            several.iter().map(|producer| self.configured[producer.step].step.id.value.as_str()).collect();
        let mut diagnostic = Diagnostic::error(
            "plan::several-producers",
            format!(
                "step `{}` could take its `{}` from {}{}",
                self.configured[step].step.id,
                several[0].artifact,
                one_of_names(&ids[..ids.len().min(SHOWN)]),
                more(ids.len())
            ),
        )
        .at(&self.configured[step].step.span, "which one?")
        .maybe_help(ids.first().map(|first| format!("name one: `{} = \"{first}\"`", input.key)));
        for producer in several.iter().take(SHOWN) {
            diagnostic = diagnostic.at(&self.configured[producer.step].step.span, "this one?");
        }
        self.diagnostics.push(diagnostic);
    }

    fn named(&mut self, view: usize, input: usize) -> Option<Producer> {
        let (step, target) = (self.views[view].step, self.views[view].target);
        let input = &self.inputs[step][input];
        let named = input.named?;
        // An unknown one was reported when the steps were read.
        let &other = self.ids.get(named.value.as_str())?;
        let Some(artifact) = self.makes(other, input) else {
            let made = &self.produces[other];
            let makes = if made.is_empty() { "nothing".to_owned() } else { list_names(made) };
            self.diagnostics.push(
                Diagnostic::error(
                    "plan::type-mismatch",
                    format!(
                        "step `{}` needs {} and `{named}` makes {makes}",
                        self.configured[step].step.id,
                        one_of(input.accepts)
                    ),
                )
                .at(&named.span, format!("must make {}", one_of(input.accepts)))
                .at(&self.configured[other].step.span, format!("makes {makes}"))
                .maybe_help(self.makers(input, step)),
            );
            return None;
        };
        if self.seen_from(other, view).is_empty() {
            self.diagnostics.push(self.members.left_out(self.configured, other, step, target, &named.span));
            return None;
        }
        Some(Producer { step: other, artifact })
    }

    fn none(&mut self, step: usize, target: Option<usize>, input: &Input<'_>) {
        let kinds: Vec<&str> = KINDS
            .iter()
            .filter(|kind| input.accepts.iter().any(|artifact| makes_by_name(kind.flow(), *artifact)))
            .map(|kind| kind.name())
            .collect();
        let left_out = (0..self.configured.len())
            .filter(|&other| other != step && self.makes(other, input).is_some())
            .find(|&other| !self.members.visible(other, target));
        if let Some(other) = left_out {
            let span = &self.configured[step].step.span;
            self.diagnostics.push(self.members.left_out(self.configured, other, step, target, span));
            return;
        }
        self.diagnostics.push(
            Diagnostic::error(
                "plan::no-producer",
                format!(
                    "no step makes the {} that step `{}` needs",
                    one_of(input.accepts),
                    self.configured[step].step.id
                ),
            )
            .at(&self.configured[step].step.span, format!("needs {}", one_of(input.accepts)))
            .help(format!("add a step of the kind {}", one_of_names(&kinds))),
        );
    }
}

/// What a message says of the steps that it does not show.
fn more(all: usize) -> String {
    all.checked_sub(SHOWN)
        .filter(|more| *more > 0)
        .map(|more| format!(" … and {more} more"))
        .unwrap_or_default()
}

fn one_of(artifacts: &[Artifact]) -> String {
    one_of_names(artifacts)
}

/// The right-hand side of a kind's flow names the artifact.
fn makes_by_name(flow: &str, artifact: Artifact) -> bool {
    let name = artifact.to_string();
    flow.rsplit('→')
        .next()
        .is_some_and(|made| made.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use crate::planner::testing::{codes, instance, plan, plan_of, sources};

    const SOURCE: &str =
        "[[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.org/x.git'\nbranch = 'b'\n";

    fn patch(id: &str, source: Option<&str>) -> String {
        let source = source.map(|source| format!("source = '{source}'\n")).unwrap_or_default();
        format!("[[step]]\nid = '{id}'\nuses = 'patch-FROM'\nfrom = 'a:1'\n{source}")
    }

    fn build(id: &str, more: &str) -> String {
        format!("[[step]]\nid = '{id}'\nuses = 'build'\ntag = '{id}:1'\n{more}\n")
    }

    #[test]
    fn a_linear_chain_needs_no_names_in_any_order_of_lines() {
        let steps = [
            SOURCE.to_owned(),
            patch("patch", None),
            build("image", ""),
            "[[step]]\nuses = 'smoke'\nargv = ['true']\n".to_owned(),
            "[[step]]\nuses = 'save'\npath = 'a.tar'\n".to_owned(),
            "[[step]]\nuses = 'scp'\n".to_owned(),
            "[[step]]\nuses = 'skopeo-copy'\ndest = 'containers-storage:example.org/x:1'\n".to_owned(),
            "[[step]]\nuses = 'crictl-verify'\nimage = 'example.org/x:1'\n".to_owned(),
        ];
        for order in [steps.iter().collect::<Vec<_>>(), steps.iter().rev().collect()] {
            let plan = plan_of(&order.into_iter().map(String::as_str).collect::<String>());
            assert_eq!(sources(&plan, "patch"), ["source"]);
            assert_eq!(sources(&plan, "image"), ["patch"]);
            assert_eq!(sources(&plan, "smoke"), ["image"]);
            assert_eq!(sources(&plan, "save"), ["image"]);
            assert_eq!(sources(&plan, "scp"), ["save"]);
            assert_eq!(sources(&plan, "skopeo-copy"), ["scp"]);
            assert_eq!(sources(&plan, "crictl-verify"), ["skopeo-copy"]);
        }
    }

    #[test]
    fn names_decide_between_two_builds() {
        let builds = [SOURCE, &build("a", ""), &build("b", "")].concat();
        let ambiguous = format!("{builds}[[step]]\nuses = 'save'\npath = 'a.tar'\n");
        let (planned, errors) = plan(&ambiguous);
        assert!(planned.is_none());
        assert_eq!(codes(&errors), ["plan::several-producers"]);
        let plan = plan_of(&format!("{builds}[[step]]\nuses = 'save'\npath = 'a.tar'\nimage = 'b'\n"));
        assert_eq!(sources(&plan, "save"), ["b"]);
    }

    #[test]
    fn two_patches_without_names_are_an_error_in_any_order() {
        for (first, second) in [("a", "b"), ("b", "a")] {
            let text = [SOURCE, &patch(first, None), &patch(second, None), &build("image", "")].concat();
            let (planned, errors) = plan(&text);
            assert!(planned.is_none());
            assert_eq!(codes(&errors), ["plan::several-producers"], "{errors:?}");
            let error = errors.iter().next().unwrap();
            assert!(error.message.contains("`source`") && error.message.contains(&format!("`{second}`")));
        }
    }

    #[test]
    fn one_name_decides_a_chain_of_patches() {
        for (a, b) in [(None, Some("a")), (Some("source"), None)] {
            for turned in [false, true] {
                let patches = [patch("a", a), patch("b", b)];
                let patches = if turned { [&patches[1], &patches[0]] } else { [&patches[0], &patches[1]] };
                let plan = plan_of(&[SOURCE, patches[0], patches[1], &build("image", "")].concat());
                assert_eq!(sources(&plan, "a"), ["source"]);
                assert_eq!(sources(&plan, "b"), ["a"]);
                assert_eq!(sources(&plan, "image"), ["b"]);
            }
        }
    }

    #[test]
    fn targets_and_scopes_restrict_what_is_seen() {
        let targets = "[targets.x]\nplatform = 'linux/amd64'\n[targets.y]\nplatform = 'linux/amd64'\n";
        let only = format!("{}targets = ['x']\n", patch("patch", None));
        let text = [targets, SOURCE, &only, &build("image", "").replace(":1", ":${target.name}")].concat();
        let plan = plan_of(&text);
        assert_eq!(sources(&plan, "image@x"), ["patch@x"]);
        assert_eq!(sources(&plan, "image@y"), ["source"]);
        assert_eq!(sources(&plan, "patch@x"), ["source"]);
        let named = text + &build("other", "source = 'patch'");
        let (planned, errors) = crate::planner::testing::plan(&named);
        assert!(planned.is_none());
        assert_eq!(codes(&errors), ["plan::not-visible"]);
        assert!(errors.iter().next().unwrap().message.contains("`y`"), "{errors:?}");
    }

    #[test]
    fn a_node_shares_what_its_target_made() {
        let text = [
            "[targets.x]\nplatform = 'linux/amd64'\nnodes = ['m', 'n']\n[nodes.m]\nhost = 'm'\nruntime = 'docker'\n[nodes.n]\nhost = 'n'\nruntime = 'docker'\n",
            SOURCE,
            &build("image", ""),
            "[[step]]\nuses = 'save'\npath = 'a.tar'\n[[step]]\nuses = 'scp'\n[[step]]\nuses = 'load'\n",
        ]
        .concat();
        let plan = plan_of(&text);
        assert_eq!(sources(&plan, "scp@x@n"), ["save@x"]);
        assert_eq!(sources(&plan, "load@x@n"), ["scp@x@n"]);
        assert_eq!(plan.graph[instance(&plan, "load@x@m")].node.as_deref(), Some("m"));
    }

    #[test]
    fn long_chains_are_found() {
        let count = 300;
        let mut text = [&build("image", ""), SOURCE].concat();
        for at in (0..count).rev() {
            let before = if at == 0 { None } else { Some(format!("p{}", at - 1)) };
            text.push_str(&patch(&format!("p{at}"), before.as_deref()));
        }
        let plan = plan_of(&text);
        assert_eq!(sources(&plan, "p0"), ["source"]);
        assert_eq!(sources(&plan, "image"), [format!("p{}", count - 1)]);
    }

    #[test]
    fn many_candidates_are_not_all_shown() {
        let mut text = SOURCE.to_owned();
        for at in 0..100 {
            let _ = write!(text, "{}", build(&format!("b{at}"), ""));
        }
        text.push_str("[[step]]\nuses = 'save'\npath = 'a.tar'\n");
        let (_, errors) = plan(&text);
        let error = errors.iter().next().unwrap();
        assert!(error.message.ends_with("`b7` … and 92 more"), "{}", error.message);
        assert_eq!(error.labels.len(), 9);
    }
}
