//! Rules about the whole file: names, duplicates, references.

use std::collections::{BTreeMap, BTreeSet};

use super::{Recipe, Str};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names};
use crate::ident::{NAME_HELP, name_problem};
use crate::interp::{Name, Template};
use crate::platform::Platform;
use crate::source::Span;

pub(super) fn check(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    names(recipe, diagnostics);
    duplicates(recipe, diagnostics);
    targets(recipe, diagnostics);
    steps(recipe, diagnostics);
    interpolated(recipe, diagnostics);
    unused(recipe, diagnostics);
}

fn names(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let header = recipe.header.name.iter().map(|name| ("recipe", name));
    let targets = recipe.targets.iter().map(|(name, _)| ("target", name));
    let nodes = recipe.nodes.iter().map(|(name, _)| ("node", name));
    let vars = recipe.vars.iter().map(|(name, _)| ("variable", name));
    let steps = recipe.steps.iter().filter_map(|step| step.common.id.as_ref()).map(|name| ("step", name));
    let mutexes =
        recipe.steps.iter().filter_map(|step| step.common.mutex.as_ref()).map(|name| ("mutex", name));
    for name in recipe.env.pass.iter().filter(|name| env_name_problem(&name.value).is_some()) {
        diagnostics.push(bad_env_name(&name.value, &name.span, "this name"));
    }
    for (what, name) in header.chain(targets).chain(nodes).chain(vars).chain(steps).chain(mutexes) {
        if let Some(problem) = name_problem(&name.value) {
            diagnostics.push(
                Diagnostic::error("spec::bad-name", format!("bad name of a {what}: {problem}"))
                    .at(&name.span, "this name")
                    .help(NAME_HELP),
            );
        }
    }
}

/// Why a text cannot name an environment variable, or `None` when it can.
fn env_name_problem(name: &str) -> Option<()> {
    let fits = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (!fits).then_some(())
}

fn bad_env_name(name: &str, span: &Span, label: &str) -> Diagnostic {
    Diagnostic::error(
        "spec::bad-name",
        format!("`{}` is no name of an environment variable", name.escape_debug()),
    )
    .at(span, label)
    .help("use letters, digits and `_`, and no digit first")
}

/// The name of an environment variable that a step sets, or what is wrong with it.
pub(crate) fn check_env_name(name: &str, value: &Span) -> Result<(), Diagnostic> {
    match env_name_problem(name) {
        None => Ok(()),
        Some(()) => Err(bad_env_name(name, value, "its value")),
    }
}

fn duplicates(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let steps = recipe.steps.iter().map(|step| (&step.id, step.common.id.is_none()));
    let targets = recipe.targets.iter().map(|(name, _)| (name, false));
    let nodes = recipe.nodes.iter().map(|(name, _)| (name, false));
    same_names("step", "id", steps, diagnostics);
    same_names("target", "name", targets, diagnostics);
    same_names("node", "name", nodes, diagnostics);
}

fn same_names<'r>(
    what: &str,
    key: &str,
    names: impl Iterator<Item = (&'r Str, bool)>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: BTreeMap<String, &Str> = BTreeMap::new();
    for (name, implicit) in names {
        // They become file names, and some file systems fold case.
        let Some(first) = seen.insert(name.value.to_lowercase(), name) else { continue };
        let message = if first.value == name.value {
            format!("two {what}s have the {key} `{name}`")
        } else {
            format!("two {what}s have the {key}s `{first}` and `{name}`, which differ only in case")
        };
        let help = if implicit {
            format!("give one of them an `id`; without one it is the kind, `{name}`")
        } else {
            format!("give one of them another {key}")
        };
        diagnostics.push(
            Diagnostic::error("spec::duplicate-id", message)
                .at(&name.span, "the second")
                .at(&first.span, "the first")
                .help(help),
        );
    }
}

fn targets(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let nodes = recipe.node_names();
    let known = recipe.var_names();
    for (name, target) in &recipe.targets {
        if !target.platform.value.contains("${") {
            platform(&target.platform, diagnostics);
        }
        let mut seen = BTreeSet::new();
        for node in target.nodes.iter().flatten() {
            if !nodes.contains(&node.value.as_str()) {
                let known = if nodes.is_empty() {
                    "the recipe has no `[nodes]`".into()
                } else {
                    format!("known nodes: {}", list_names(&nodes))
                };
                diagnostics.push(
                    Diagnostic::error(
                        "spec::unknown-node",
                        format!("target `{name}` names the unknown node `{node}`"),
                    )
                    .at(&node.span, "no such node")
                    .help(did_you_mean(&node.value, nodes.iter().copied()).unwrap_or(known)),
                );
            }
            if !seen.insert(&node.value) {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::duplicate-node",
                        format!("target `{name}` names the node `{node}` twice"),
                    )
                    .at(&node.span, "again")
                    .help("name it once"),
                );
            }
        }
        for var in target.vars.keys() {
            if !known.contains(&var.as_str()) {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::unknown-variable",
                        format!("target `{name}` sets the unknown variable `{var}`"),
                    )
                    .at(&target.vars[var].0.span, "this value")
                    .help(
                        did_you_mean(var, known.iter().copied())
                            .unwrap_or_else(|| format!("declare it: `{var} = \"…\"` in `[vars]`")),
                    ),
                );
            }
        }
    }
    for (_, node) in &recipe.nodes {
        for text in node.emulates.iter().chain(&node.platform).filter(|text| !text.value.contains("${")) {
            platform(text, diagnostics);
        }
    }
}

fn platform(text: &Str, diagnostics: &mut Diagnostics) {
    if let Err(error) = Platform::parse(&text.value) {
        diagnostics.push(
            Diagnostic::error("spec::unknown-platform", error.to_string())
                .at(&text.span, "this platform")
                .maybe_help(error.suggestion.map(|near| format!("did you mean `{near}`?"))),
        );
    }
}

fn steps(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let ids = recipe.known_ids();
    let targets = recipe.target_names();
    for step in &recipe.steps {
        for need in &step.common.needs {
            if !ids.contains(&need.value.as_str()) {
                diagnostics.push(unknown_step(&need.value, &need.span, &ids));
            }
        }
        for target in step.common.targets.iter().flatten() {
            if !targets.contains(&target.value.as_str()) {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::unknown-target",
                        format!("step `{}` names the unknown target `{target}`", step.id),
                    )
                    .at(&target.span, "no such target")
                    .help(
                        did_you_mean(&target.value, targets.iter().copied()).unwrap_or_else(|| {
                            if targets.is_empty() {
                                "the recipe has no `[targets]`".into()
                            } else {
                                format!("known targets: {}", list_names(&targets))
                            }
                        }),
                    ),
                );
            }
        }
        if let Some(retry) = &step.common.retry
            && !(1..=100).contains(&retry.attempts.value)
        {
            diagnostics.push(
                Diagnostic::error("spec::bad-value", "`retry.attempts` must be from 1 to 100")
                    .at(&retry.attempts.span, "this value")
                    .help("1 means that it is not tried again"),
            );
        }
    }
}

/// A reference to a step that does not exist.
pub(crate) fn unknown_step(id: &str, span: &Span, ids: &[&str]) -> Diagnostic {
    Diagnostic::error("spec::unknown-step", format!("no step has the id `{id}`"))
        .at(span, "no such step")
        .help(
            did_you_mean(id, ids.iter().copied())
                .unwrap_or_else(|| format!("the steps are {}", list_names(ids))),
        )
}

/// Every `${…}` in the values of variables, with its place.
fn names_in_vars(recipe: &Recipe<'_>) -> Vec<(Name, Span)> {
    let vars = recipe.vars.iter().map(|(_, value)| &value.0);
    let target_vars =
        recipe.targets.iter().flat_map(|(_, target)| target.vars.values().map(|value| &value.0));
    names_in(recipe, vars.chain(target_vars))
}

/// Every `${…}` outside of steps, with its place.
fn names_outside_steps(recipe: &Recipe<'_>) -> Vec<(Name, Span)> {
    let platforms = recipe.targets.iter().map(|(_, target)| &target.platform);
    let nodes = recipe.nodes.iter().flat_map(|(_, node)| node.strings());
    let mut names = names_in(recipe, platforms.chain(nodes).chain(&recipe.header.engine));
    names.extend(names_in_vars(recipe));
    names
}

fn names_in<'r>(recipe: &Recipe<'_>, texts: impl Iterator<Item = &'r Str>) -> Vec<(Name, Span)> {
    texts
        .filter_map(|text| Some((text, Template::parse(&text.value).ok()?)))
        .flat_map(|(text, template)| {
            template
                .names()
                .map(|(name, at)| (name.clone(), text.place(recipe.source.text(), at)))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn interpolated(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let vars = recipe.var_names();
    let ids = recipe.known_ids();
    let passed = recipe.passed_env();
    let outside = names_outside_steps(recipe);
    // Elsewhere they are found when the value is asked for; a variable may never be.
    let vars_only = names_in_vars(recipe);
    for (name, span) in &vars_only {
        if matches!(name, Name::Step { .. } | Name::NodeName) {
            diagnostics.push(
                Diagnostic::error("spec::late-value", format!("`{name}` is not known here"))
                    .at(span, "only steps can use it"),
            );
        }
    }
    for (name, span) in recipe.steps.iter().flat_map(|step| &step.names).chain(&outside) {
        match name {
            Name::Var(var) if !vars.contains(&var.as_str()) => diagnostics.push(
                Diagnostic::error("spec::unknown-variable", format!("no variable `{var}` is declared"))
                    .at(span, "no such variable")
                    .help(
                        did_you_mean(var, vars.iter().copied())
                            .unwrap_or_else(|| format!("declare it: `{var} = \"…\"` in `[vars]`")),
                    ),
            ),
            Name::Env(var) if !passed.contains(var.as_str()) => diagnostics.push(
                Diagnostic::error(
                    "spec::env-not-passed",
                    format!("`env.{var}` is not listed in `[env] pass`"),
                )
                .at(span, "not passed")
                .help(format!("add `[env]` with `pass = [\"{var}\"]`")),
            ),
            Name::Step { id, .. } if !ids.contains(&id.as_str()) => {
                diagnostics.push(unknown_step(id, span, &ids));
            }
            _ => {}
        }
    }
}

fn unused(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    // What could not be read may use them.
    if !recipe.lost.nothing() {
        return;
    }
    let outside = names_outside_steps(recipe);
    let used: BTreeSet<&str> = recipe
        .steps
        .iter()
        .flat_map(|step| &step.names)
        .chain(&outside)
        .filter_map(|(name, _)| match name {
            Name::Var(var) => Some(var.as_str()),
            _ => None,
        })
        .collect();
    for (name, _) in recipe.vars.iter().filter(|(name, _)| !used.contains(name.value.as_str())) {
        diagnostics.push(
            Diagnostic::warning("spec::unused-variable", format!("the variable `{name}` is never used"))
                .at(&name.span, "nobody reads it"),
        );
    }
    for (name, _) in &recipe.nodes {
        let used = recipe
            .targets
            .iter()
            .any(|(_, target)| target.nodes.iter().flatten().any(|node| node.value == name.value));
        if !used {
            diagnostics.push(
                Diagnostic::warning("spec::unused-node", format!("no target names the node `{name}`"))
                    .at(&name.span, "nothing goes there"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::source::SourceFile;

    #[test]
    fn names_that_differ_only_in_case_are_duplicates() {
        let text = "version = 1\n[targets.x]\nplatform = 'linux/amd64'\nnodes = ['n', 'N']\n\
            [targets.X]\nplatform = 'linux/arm64'\n[nodes.n]\n[nodes.N]\n\
            [[step]]\nuses = 'run'\nargv = ['true']\n";
        let source = SourceFile::new("pipeline.toml", text.into());
        let (recipe, errors) = crate::spec::parse(&source);
        assert!(recipe.is_none());
        let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "two targets have the names `x` and `X`, which differ only in case",
                "two nodes have the names `n` and `N`, which differ only in case"
            ]
        );
    }
}
