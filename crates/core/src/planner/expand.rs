//! Steps × targets × nodes: which instances there are.

use std::ops::Range;

use globset::{Glob, GlobMatcher};

use super::{Machine, Selection};
use crate::diag::{Diagnostic, Diagnostics, list_names};
use crate::plan::InstanceId;
use crate::platform::Platform;
use crate::source::Span;
use crate::spec::{Scope, Str, Values, View};
use crate::steps::Configured;

/// The name of the node that is this machine, for targets without nodes.
pub(super) const HERE: &str = "here";

/// A selected target with its selected nodes.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) platform: Platform,
    pub(super) nodes: Vec<String>,
}

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

fn globs(patterns: &[String], what: &str, diagnostics: &mut Diagnostics) -> Vec<GlobMatcher> {
    let mut matchers = Vec::new();
    for pattern in patterns {
        match Glob::new(pattern) {
            Ok(glob) => matchers.push(glob.compile_matcher()),
            Err(error) => diagnostics.push(Diagnostic::error(
                "select::bad-pattern",
                format!("`{pattern}` is no pattern for {what}: {}", error.kind()),
            )),
        }
    }
    matchers
}

/// Keeps what the patterns select; a pattern that selects nothing is an error that lists what there is.
fn select<T>(
    items: Vec<T>,
    name: impl Fn(&T) -> &str,
    patterns: &[String],
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Vec<T> {
    if patterns.is_empty() {
        return items;
    }
    let matchers = globs(patterns, what, diagnostics);
    for matcher in &matchers {
        if !items.iter().any(|item| matcher.is_match(name(item))) {
            diagnostics.push(
                Diagnostic::error("select::nothing", format!("no {what} matches `{}`", matcher.glob()))
                    .help(format!("the recipe has {}", list_names(items.iter().map(&name)))),
            );
        }
    }
    items.into_iter().filter(|item| matchers.iter().any(|matcher| matcher.is_match(name(item)))).collect()
}

/// The selected targets; one for this machine where the recipe has none.
pub(super) fn targets(
    values: &Values<'_>,
    selection: &Selection,
    machine: &Machine<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Target>> {
    let mut targets = Vec::new();
    let mut failed = false;
    for (name, spec) in &values.recipe.targets {
        if spec.nodes.as_ref().is_some_and(Vec::is_empty) {
            diagnostics.push(
                Diagnostic::error("plan::no-nodes", format!("target `{name}` has an empty list of nodes"))
                    .at(&name.span, "no step would reach a node")
                    .help("name its nodes, or leave `nodes` out for this machine"),
            );
            failed = true;
        }
        match platform(values, &spec.platform) {
            Ok(platform) => targets.push(Target {
                name: name.value.clone(),
                platform,
                nodes: match &spec.nodes {
                    Some(nodes) => nodes.iter().map(|node| node.value.clone()).collect(),
                    None => vec![HERE.into()],
                },
            }),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                failed = true;
            }
        }
    }
    if values.recipe.targets.is_empty() {
        targets.push(Target {
            name: "host".into(),
            platform: machine.platform.clone(),
            nodes: vec![HERE.into()],
        });
    }
    let before = diagnostics.len();
    let mut targets = select(targets, |target| &target.name, &selection.targets, "target", diagnostics);
    if !selection.nodes.is_empty() {
        let mut all: Vec<String> = targets.iter().flat_map(|target| target.nodes.clone()).collect();
        all.sort();
        all.dedup();
        let kept = select(all, String::as_str, &selection.nodes, "node", diagnostics);
        for target in &mut targets {
            target.nodes.retain(|node| kept.contains(node));
        }
        targets.retain(|target| !target.nodes.is_empty());
    }
    (!failed && diagnostics.len() == before).then_some(targets)
}

pub(super) fn platform(values: &Values<'_>, text: &Str) -> Result<Platform, Diagnostic> {
    let word = values.word(text, View::outside())?;
    Platform::parse(&word).map_err(|error| {
        Diagnostic::error("spec::unknown-platform", error.to_string())
            .at(&text.span, "this platform")
            .maybe_help(error.suggestion.map(|near| format!("did you mean `{near}`?")))
    })
}

/// Every instance of every step.
pub(super) fn instances(
    configured: &[Configured<'_>],
    targets: &[Target],
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
    let mut members = Members {
        targets: Vec::new(),
        list: Vec::new(),
        scopes: Vec::new(),
        applies: Vec::new(),
        skipped: Vec::new(),
        ranges: Vec::new(),
    };
    for (step, configured) in configured.iter().enumerate() {
        let common = &configured.step.common;
        let scope = common.scope.unwrap_or_else(|| configured.body.scope());
        let id = configured.step.id.value.as_str();
        let applies: Vec<usize> = targets
            .iter()
            .enumerate()
            .filter(|(_, target)| {
                common.targets.as_ref().is_none_or(|only| only.iter().any(|name| name.value == target.name))
            })
            .map(|(index, _)| index)
            .collect();
        let start = members.list.len();
        let skipped = skip.iter().any(|matcher| matcher.is_match(id));
        members.scopes.push(scope);
        members.skipped.push(skipped);
        if skipped || applies.is_empty() {
            members.applies.push(Vec::new());
            members.ranges.push(start..start);
            continue;
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
    members.targets = targets
        .iter()
        .map(|target| Target {
            name: target.name.clone(),
            platform: target.platform.clone(),
            nodes: target.nodes.clone(),
        })
        .collect();
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
