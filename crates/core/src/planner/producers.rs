//! Which step makes what another consumes.
//!
//! An input that names no step must have exactly one candidate among the steps visible to it. A candidate that itself
//! consumes another candidate supersedes it (patch over source, scp over save over build); of the rest, the type that
//! the kind prefers wins; several of one type are an error that lists them.

use std::collections::BTreeMap;

use super::expand::Members;
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names, one_of_names};
use crate::plan::Artifact;
use crate::steps::{Configured, Input, KINDS};

/// The producer of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) step: usize,
    pub(super) artifact: Artifact,
}

/// By consumer and its target: the inputs in order, with what was found.
pub(super) type Links = BTreeMap<(usize, Option<usize>), Vec<Option<Producer>>>;

enum Progress {
    Working,
    Done(Vec<Option<Producer>>),
}

struct Resolver<'c> {
    configured: &'c [Configured<'c>],
    members: &'c Members,
    found: BTreeMap<(usize, Option<usize>), Progress>,
    diagnostics: &'c mut Diagnostics,
}

/// Finds every producer; `None` stands for one that an optional input does without, or whose lack was reported.
pub(super) fn resolve(
    configured: &[Configured<'_>],
    members: &Members,
    diagnostics: &mut Diagnostics,
) -> Links {
    let mut resolver = Resolver { configured, members, found: BTreeMap::new(), diagnostics };
    for member in &members.list {
        resolver.step(member.step, member.target);
    }
    resolver
        .found
        .into_iter()
        .filter_map(|(key, progress)| match progress {
            Progress::Done(producers) => Some((key, producers)),
            Progress::Working => None,
        })
        .collect()
}

impl Resolver<'_> {
    /// The producers of a step's inputs in the view of a target; `None` while they are being looked for.
    fn step(&mut self, step: usize, target: Option<usize>) -> Option<Vec<Option<Producer>>> {
        match self.found.get(&(step, target)) {
            Some(Progress::Done(producers)) => return Some(producers.clone()),
            Some(Progress::Working) => return None,
            None => {}
        }
        self.found.insert((step, target), Progress::Working);
        let body = &self.configured[step].body;
        let producers: Vec<_> = body.inputs().iter().map(|input| self.input(step, target, input)).collect();
        self.found.insert((step, target), Progress::Done(producers.clone()));
        Some(producers)
    }

    fn makes(&self, step: usize, input: &Input<'_>) -> Option<Artifact> {
        let made = self.configured[step].body.produces();
        input.accepts.iter().copied().find(|artifact| made.contains(artifact))
    }

    fn input(&mut self, step: usize, target: Option<usize>, input: &Input<'_>) -> Option<Producer> {
        if let Some(named) = input.named {
            return self.named(step, target, input, named);
        }
        let candidates: Vec<Producer> = (0..self.configured.len())
            .filter(|&other| other != step && self.members.visible(other, target))
            .filter_map(|other| Some(Producer { step: other, artifact: self.makes(other, input)? }))
            .collect();
        let mut kept: Vec<Producer> = Vec::new();
        for candidate in &candidates {
            // What is made from this step cannot be what it is made from.
            if self.consumes(candidate.step, step, target, &mut vec![step]) {
                continue;
            }
            let superseded = candidates.iter().any(|other| {
                other.step != candidate.step
                    && self.consumes(other.step, candidate.step, target, &mut Vec::new())
                    && !self.consumes(other.step, step, target, &mut vec![step])
            });
            if !superseded {
                kept.push(*candidate);
            }
        }
        let best =
            input.accepts.iter().find(|artifact| kept.iter().any(|producer| producer.artifact == **artifact));
        kept.retain(|producer| Some(&producer.artifact) == best);
        match kept.as_slice() {
            [one] => Some(*one),
            [] => {
                if input.required {
                    self.none(step, target, input);
                }
                None
            }
            several => {
                let ids: Vec<&str> = several
                    .iter()
                    .map(|producer| self.configured[producer.step].step.id.value.as_str())
                    .collect();
                let first = ids[0].to_owned();
                let mut diagnostic = Diagnostic::error(
                    "plan::several-producers",
                    format!(
                        "step `{}` could take its `{}` from {}",
                        self.configured[step].step.id,
                        several[0].artifact,
                        one_of_names(&ids)
                    ),
                )
                .at(&self.configured[step].step.span, "which one?")
                .help(format!("name one: `{} = \"{first}\"`", key(input)));
                for producer in several {
                    diagnostic = diagnostic.at(&self.configured[producer.step].step.span, "this one?");
                }
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    fn named(
        &mut self,
        step: usize,
        target: Option<usize>,
        input: &Input<'_>,
        named: &crate::spec::Str,
    ) -> Option<Producer> {
        let ids = self.configured.iter().map(|other| other.step.id.value.as_str());
        let Some(other) = self.configured.iter().position(|other| other.step.id.value == named.value) else {
            let all: Vec<&str> = ids.collect();
            self.diagnostics.push(
                Diagnostic::error("spec::unknown-step", format!("no step has the id `{named}`"))
                    .at(&named.span, "no such step")
                    .help(
                        did_you_mean(&named.value, all.iter().copied())
                            .unwrap_or_else(|| format!("the steps are {}", list_names(&all))),
                    ),
            );
            return None;
        };
        let Some(artifact) = self.makes(other, input) else {
            let made = self.configured[other].body.produces();
            let makes = if made.is_empty() { "nothing".to_owned() } else { list_names(&made) };
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
                .at(&self.configured[other].step.span, format!("makes {makes}")),
            );
            return None;
        };
        if !self.members.visible(other, target) {
            self.diagnostics.push(
                Diagnostic::error(
                    "plan::not-visible",
                    format!(
                        "step `{named}` does not run for every target of step `{}`",
                        self.configured[step].step.id
                    ),
                )
                .at(&named.span, "left out there")
                .at(&self.configured[other].step.span, "runs only for some targets")
                .help("give both the same `targets`"),
            );
            return None;
        }
        Some(Producer { step: other, artifact })
    }

    /// `step` is made from what `from` makes, directly or not.
    fn consumes(&mut self, step: usize, from: usize, target: Option<usize>, seen: &mut Vec<usize>) -> bool {
        if seen.contains(&step) {
            return false;
        }
        seen.push(step);
        // Only inputs that are settled count: named ones, and those found already or to be found without this one.
        let inputs = match self.step(step, target) {
            Some(producers) => {
                producers.into_iter().flatten().map(|producer| producer.step).collect::<Vec<_>>()
            }
            None => self.configured[step]
                .body
                .inputs()
                .iter()
                .filter_map(|input| input.named)
                .filter_map(|named| {
                    self.configured.iter().position(|other| other.step.id.value == named.value)
                })
                .collect(),
        };
        inputs.iter().any(|&producer| producer == from || self.consumes(producer, from, target, seen))
    }

    fn none(&mut self, step: usize, target: Option<usize>, input: &Input<'_>) {
        let kinds: Vec<&str> = KINDS
            .iter()
            .filter(|kind| input.accepts.iter().any(|artifact| makes_by_name(kind.flow(), *artifact)))
            .map(|kind| kind.name())
            .collect();
        let elsewhere: Vec<usize> = (0..self.configured.len())
            .filter(|&other| other != step && self.makes(other, input).is_some())
            .filter(|&other| !self.members.visible(other, target))
            .collect();
        let id = &self.configured[step].step.id;
        let mut message = format!("no step makes the {} that step `{id}` needs", one_of(input.accepts));
        if let (Some(target), [_, ..]) = (target, elsewhere.as_slice()) {
            message += &format!(" for target `{}`", self.members.targets[target].name);
        }
        let mut diagnostic = Diagnostic::error("plan::no-producer", message)
            .at(&self.configured[step].step.span, format!("needs {}", one_of(input.accepts)));
        for other in &elsewhere {
            diagnostic =
                diagnostic.at(&self.configured[*other].step.span, "left out, or only for other targets");
        }
        self.diagnostics.push(diagnostic.help(if elsewhere.is_empty() {
            format!("add a step of the kind {}", one_of_names(&kinds))
        } else {
            "give both the same `targets`".into()
        }));
    }
}

/// What the user writes to name an input.
fn key(input: &Input<'_>) -> &'static str {
    input.key
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
