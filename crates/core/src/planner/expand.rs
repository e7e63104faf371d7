//! Steps × targets × nodes: which instances there are.

use std::ops::Range;

use super::Selection;
use super::targets::{Selected, Target, globs};
use crate::diag::{Diagnostic, Diagnostics, list_names};
use crate::plan::InstanceId;
use crate::source::Span;
use crate::spec::{Scope, Selector, Values};
use crate::steps::Configured;

/// A plan has at most so many instances: more are no recipe that a person wrote on purpose.
const MAX_INSTANCES: usize = 100_000;

/// All instances to be, in the order of the recipe.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) targets: Vec<Target>,
    pub(super) list: Vec<Member>,
    /// The scope of each step.
    pub(super) scopes: Vec<Scope>,
    /// The targets of each step, by index; all of them for a step that runs once.
    pub(super) applies: Vec<Vec<usize>>,
    /// The steps that the selection leaves out.
    pub(super) skipped: Vec<bool>,
    /// The steps that are for targets that the selection leaves out, too.
    pub(super) partial: Vec<bool>,
    /// Where the instances of each step are in the list.
    pub(super) ranges: Vec<Range<usize>>,
}

/// One instance to be.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) step: usize,
    /// The target, unless the step runs once.
    pub(super) target: Option<usize>,
    pub(super) node: Option<String>,
    pub(super) id: InstanceId,
}

/// Every instance of every step.
pub(super) fn instances(
    values: &Values<'_>,
    configured: &[Configured<'_>],
    Selected { targets: all, left_out }: Selected,
    selection: &Selection,
    diagnostics: &mut Diagnostics,
) -> Option<Members> {
    let before = diagnostics.len();
    let skip = globs(&selection.skip, "a step", diagnostics);
    for (matcher, pattern) in skip.iter().zip(&selection.skip) {
        if !configured.iter().any(|step| matcher.is_match(&step.step.id.value)) {
            diagnostics.push(
                Diagnostic::error("select::nothing", format!("`--skip {pattern}`: no step has this id"))
                    .help(format!(
                        "the steps are {}",
                        list_names(configured.iter().map(|step| &step.step.id))
                    )),
            );
        }
    }
    let targets = &all;
    let mut members = Members {
        targets: Vec::new(),
        list: Vec::new(),
        scopes: Vec::new(),
        applies: Vec::new(),
        skipped: Vec::new(),
        partial: Vec::new(),
        ranges: Vec::new(),
    };
    for (step, configured) in configured.iter().enumerate() {
        let common = &configured.step.common;
        let scope = common.scope.unwrap_or_else(|| configured.body.scope());
        let id = configured.step.id.value.as_str();
        // A term that cannot be read was reported with the recipe.
        let only = common
            .targets
            .as_ref()
            .map(|only| only.iter().filter_map(|term| Selector::parse(&term.value).ok()).collect::<Vec<_>>());
        let is_for =
            |target: &Target| only.as_ref().is_none_or(|only| target.taken_by(only, &values.recipe.matrix));
        members.partial.push(left_out.iter().any(is_for));
        let applies: Vec<usize> =
            targets.iter().enumerate().filter(|(_, target)| is_for(target)).map(|(index, _)| index).collect();
        let start = members.list.len();
        let skipped = skip.iter().any(|matcher| matcher.is_match(id));
        members.scopes.push(scope);
        members.skipped.push(skipped);
        if skipped || applies.is_empty() {
            members.applies.push(Vec::new());
            members.ranges.push(start..start);
            continue;
        }
        let more = match scope {
            Scope::Once => 1,
            Scope::Target => applies.len(),
            Scope::Node => applies.iter().map(|&target| targets[target].nodes.len()).sum(),
        };
        if start + more > MAX_INSTANCES {
            diagnostics.push(
                Diagnostic::error(
                    "plan::too-many",
                    format!("the recipe makes more than {MAX_INSTANCES} instances of steps"),
                )
                .at(&configured.step.span, format!("{more} of this step, after {start} of others"))
                .help("take steps, targets or values of `[matrix]` out, or split the recipe"),
            );
            return None;
        }
        match scope {
            Scope::Once => members.list.push(Member {
                step,
                target: None,
                node: None,
                id: InstanceId::new(id, None, None),
            }),
            Scope::Target => members.list.extend(applies.iter().map(|&target| Member {
                step,
                target: Some(target),
                node: None,
                id: InstanceId::new(id, Some(&targets[target].name), None),
            })),
            Scope::Node => members.list.extend(applies.iter().flat_map(|&target| {
                targets[target].nodes.iter().map(move |node| Member {
                    step,
                    target: Some(target),
                    node: Some(node.clone()),
                    id: InstanceId::new(id, Some(&targets[target].name), Some(node)),
                })
            })),
        }
        members.applies.push(applies);
        members.ranges.push(start..members.list.len());
    }
    members.targets = all;
    (diagnostics.len() == before).then_some(members)
}

impl Members {
    /// The step has instances for this target, or is one for all.
    pub(super) fn visible(&self, step: usize, target: Option<usize>) -> bool {
        match (self.scopes[step], target) {
            (_, None) | (Scope::Once, _) => !self.applies[step].is_empty(),
            (_, Some(target)) => self.applies[step].binary_search(&target).is_ok(),
        }
    }

    /// What to say where a step needs another that has no instance for it; `span` is where it asks.
    pub(super) fn left_out(
        &self,
        configured: &[Configured<'_>],
        other: usize,
        step: usize,
        target: Option<usize>,
        span: &Span,
    ) -> Diagnostic {
        let (other_step, step) = (configured[other].step, configured[step].step);
        let error = |message: String| Diagnostic::error("plan::not-visible", message);
        if self.skipped[other] {
            return error(format!(
                "`--skip` left out step `{}`, and step `{}` needs it",
                other_step.id, step.id
            ))
            .at(span, "needs it")
            .at(&other_step.span, "left out")
            .help(format!("keep it, or skip `{}` too", step.id));
        }
        let place = match target {
            Some(target) => format!("for target `{}`", self.targets[target].name),
            None => "for all selected targets".to_owned(),
        };
        let only = other_step.common.targets.as_ref().and_then(|only| only.first());
        error(format!(
            "`targets` leaves out step `{}` {place}, and step `{}` needs it there",
            other_step.id, step.id
        ))
        .at(span, "needs it")
        .at(only.map_or(&other_step.span, |only| &only.span), "runs only for these targets")
        .help(format!("let `{}` run there too, or give `{}` the same `targets`", other_step.id, step.id))
    }
}

#[cfg(test)]
mod tests {
    use crate::planner::Selection;
    use crate::planner::testing::{codes, plan, select};

    const STEPS: &str = "[[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.org/x.git'\n\
        branch = 'b'\n[[step]]\nid = 'image'\nuses = 'build'\ntag = 'x:1'\n\
        [[step]]\nuses = 'save'\nimage = 'image'\npath = 'a.tar'\n\
        [[step]]\nid = 'tell'\nuses = 'run'\nargv = ['echo', '${steps.save.path}']\n";

    fn error(text: &str, skip: &str) -> String {
        let selection = Selection { skip: vec![skip.into()], ..Selection::default() };
        let (planned, errors) = select(text, &selection);
        assert!(planned.is_none());
        assert_eq!(codes(&errors), ["plan::not-visible"]);
        errors.iter().map(|error| error.message.clone()).collect()
    }

    #[test]
    fn what_skip_left_out_is_said_with_who_needs_it() {
        let wanted = |id: &str, by: &str| format!("`--skip` left out step `{id}`, and step `{by}` needs it");
        assert_eq!(error(STEPS, "source"), wanted("source", "image"));
        assert_eq!(error(STEPS, "image"), wanted("image", "save"));
        assert_eq!(error(STEPS, "save"), wanted("save", "tell"));
        assert!(plan(STEPS).0.is_some());
    }

    #[test]
    fn what_targets_left_out_is_said_with_who_needs_it() {
        let targets = "[targets.x]\nplatform = 'linux/amd64'\n[targets.y]\nplatform = 'linux/arm64'\n";
        let steps = STEPS.replacen("tag = 'x:1'", "tag = 'x:1'\ntargets = ['x']", 1);
        let (_, errors) = plan(&format!("{targets}{steps}"));
        assert_eq!(codes(&errors), ["plan::not-visible"]);
        let error = errors.iter().next().unwrap();
        assert_eq!(
            error.message,
            "`targets` leaves out step `image` for target `y`, and step `save` needs it there"
        );
    }

    #[test]
    fn a_target_has_nodes_or_says_nothing() {
        let (_, errors) = plan(&format!("[targets.x]\nplatform = 'linux/amd64'\nnodes = []\n{STEPS}"));
        assert_eq!(codes(&errors), ["plan::no-nodes"]);
    }

    #[test]
    fn no_node_takes_the_name_of_this_machine() {
        let nodes = "[targets.x]\nplatform = 'linux/amd64'\nnodes = ['here']\n[nodes.here]\nhost = 'h'\n";
        let (_, errors) = plan(&format!("{nodes}{STEPS}"));
        assert_eq!(codes(&errors), ["plan::reserved-name"]);
    }
}
