//! A part of a plan: up to a step, from a step on, or a step alone.

use std::collections::BTreeSet;

use globset::GlobMatcher;
use petgraph::Direction::{self, Incoming, Outgoing};

use super::targets::globs;
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::{Instance, NodeIndex, Plan};

/// Which part; patterns of step ids.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// These steps, and everything that uses what they make. They run in any case.
    pub from: Vec<String>,
    /// These steps, and everything that they need.
    pub until: Vec<String>,
    /// These steps alone: what they need must be there already.
    pub only: Vec<String>,
    /// Everything runs in any case.
    pub force: bool,
}

/// What a [`Part`] says of the instances that are left.
#[derive(Debug, Default)]
pub struct Wanted {
    only: Vec<GlobMatcher>,
    force: bool,
    after: BTreeSet<String>,
}

impl Wanted {
    /// It runs in any case.
    pub fn force(&self, instance: &Instance) -> bool {
        self.after.contains(instance.id.as_str()) || self.force && !self.hold(instance)
    }

    /// It may not run.
    pub fn hold(&self, instance: &Instance) -> bool {
        !self.only.is_empty() && !matches(&self.only, instance)
    }
}

fn matches(patterns: &[GlobMatcher], instance: &Instance) -> bool {
    patterns.iter().any(|pattern| pattern.is_match(&*instance.step))
}

impl Part {
    /// Takes out of a plan what does not belong to the part.
    pub fn cut(&self, plan: &mut Plan, diagnostics: &mut Diagnostics) -> Wanted {
        let mut read = |patterns: &[String], flag: &str| {
            let matchers = globs(patterns, "a step", diagnostics);
            for (matcher, pattern) in matchers.iter().zip(patterns) {
                if !plan.graph.node_weights().any(|instance| matcher.is_match(&*instance.step)) {
                    diagnostics.push(
                        Diagnostic::error(
                            "select::nothing",
                            format!("`{flag} {pattern}`: no step of the plan has this id"),
                        )
                        .help("`pipeline list` shows the steps"),
                    );
                }
            }
            matchers
        };
        let (from, until, only) =
            (read(&self.from, "--from"), read(&self.until, "--until"), read(&self.only, "--only"));
        if from.is_empty() && until.is_empty() && only.is_empty() {
            return Wanted { only, force: self.force, after: BTreeSet::new() };
        }
        let mut keep = vec![true; plan.graph.node_count()];
        let mut after = vec![false; plan.graph.node_count()];
        if !from.is_empty() {
            after = reach(plan, &from, Outgoing);
            keep = closure(plan, after.clone(), Incoming);
        }
        for patterns in [&until, &only] {
            if !patterns.is_empty() {
                let before = reach(plan, patterns, Incoming);
                keep.iter_mut().zip(before).for_each(|(keep, before)| *keep &= before);
            }
        }
        let forced = plan.graph.node_indices().filter(|node| after[node.index()] && keep[node.index()]);
        let after = forced.map(|node| plan.graph[node].id.to_string()).collect();
        // In the order of the recipe still, which taking out one after the other would not keep.
        plan.graph = plan.graph.filter_map(
            |node, instance| keep[node.index()].then(|| instance.clone()),
            |_, edge| Some(edge.clone()),
        );
        Wanted { only, force: self.force, after }
    }
}

/// What matches, and everything in that direction.
fn reach(plan: &Plan, patterns: &[GlobMatcher], direction: Direction) -> Vec<bool> {
    let begin = plan.graph.node_weights().map(|instance| matches(patterns, instance)).collect();
    closure(plan, begin, direction)
}

pub(super) fn closure(plan: &Plan, mut found: Vec<bool>, direction: Direction) -> Vec<bool> {
    let mut stack: Vec<NodeIndex> = plan.graph.node_indices().filter(|node| found[node.index()]).collect();
    while let Some(node) = stack.pop() {
        for next in plan.graph.neighbors_directed(node, direction) {
            if !std::mem::replace(&mut found[next.index()], true) {
                stack.push(next);
            }
        }
    }
    found
}
