//! Rules about the whole file: names, duplicates, references.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use toml::de::DeTable;

use super::files::Role;
use super::matrix::MAX_MEMBERS;
use super::selector::Selector;
use super::values::in_environment;
use super::variable::Variable;
use super::{Recipe, Step, Str};
use super::{ci, groups};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names};
use crate::ident::{name_help, name_problem};
use crate::interp::{Name, Template};
use crate::platform::Platform;
use crate::source::Span;

pub(super) fn check(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    names(recipe, diagnostics);
    duplicates(recipe, diagnostics);
    variables(recipe, diagnostics);
    matrix(recipe, diagnostics);
    targets(recipe, diagnostics);
    steps(recipe, diagnostics);
    interpolated(recipe, diagnostics);
    unused(recipe, diagnostics);
}

fn names(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let header = recipe.header.name.iter().map(|name| ("recipe", name));
    let targets = recipe.targets.iter().map(|(name, _)| ("target", name));
    let nodes = recipe.nodes.iter().map(|(name, _)| ("node", name));
    let groups = recipe.groups.names().map(|name| ("group", name));
    let vars = recipe.vars.iter().map(|(name, _)| ("variable", name));
    let steps = recipe.steps.iter().filter_map(|step| step.common.id.as_ref()).map(|name| ("step", name));
    let axes = recipe.matrix.axes.iter().map(|axis| ("axis", &axis.name));
    let mutexes =
        recipe.steps.iter().filter_map(|step| step.common.mutex.as_ref()).map(|name| ("mutex", name));
    let pools = recipe.pools.names().map(|name| ("pool", name));
    let env = recipe.env.pass.iter().chain(&recipe.env.secret);
    for name in env.filter(|name| env_name_problem(&name.value).is_some()) {
        diagnostics.push(bad_env_name(&name.value, &name.span, "this name"));
    }
    let secret = recipe.secret_env();
    for name in recipe.env.pass.iter().filter(|name| secret.contains(name.value.as_str())) {
        diagnostics.push(
            Diagnostic::error("spec::bad-value", format!("`{name}` is passed openly and as a secret"))
                .at(&name.span, "this name")
                .help("take it out of `pass`, or out of `secret` when everybody may see it"),
        );
    }
    let named = header.chain(targets).chain(nodes).chain(groups).chain(vars).chain(axes).chain(steps);
    for (what, name) in named.chain(mutexes).chain(pools) {
        if let Some(problem) = name_problem(&name.value) {
            diagnostics.push(
                Diagnostic::error(
                    "spec::bad-name",
                    format!("bad name of {} {what}: {problem}", article(what)),
                )
                .at(&name.span, "this name")
                .help(name_help(&name.value)),
            );
        }
    }
}

fn article(what: &str) -> &'static str {
    if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
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

/// The place of a key in a table that stands in another.
fn key_of(table: Option<&DeTable<'_>>, outer: &str, key: &str) -> Option<Span> {
    let inner = table?.get(outer)?.get_ref().as_table()?;
    inner.get_key_value(key).map(|(key, _)| key.span())
}

fn duplicates(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let steps = recipe.steps.iter().map(|step| (&step.id, step.common.id.is_none()));
    let targets = recipe.targets.iter().map(|(name, _)| (name, false));
    // One name takes a node or a group.
    let groups = recipe.groups.names().map(|name| (name, false));
    let nodes = recipe.nodes.iter().map(|(name, _)| (name, false)).chain(groups);
    same_names("step", "id", steps, diagnostics);
    same_names("target", "name", targets, diagnostics);
    let what = if recipe.groups.list.is_empty() { "node" } else { "nodes or group" };
    same_names(what, "name", nodes, diagnostics);
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

fn variables(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let mut seen: BTreeMap<String, &Str> = BTreeMap::new();
    for (name, variable) in &recipe.vars {
        if let Some(first) = seen.insert(in_environment(&name.value), name) {
            let variable = format!("PIPELINE_VAR_{}", in_environment(&name.value));
            diagnostics.push(
                Diagnostic::error(
                    "spec::duplicate-id",
                    format!("the variables `{first}` and `{name}` would both be set by `{variable}`"),
                )
                .at(&name.span, "the second")
                .at(&first.span, "the first")
                .help("give one of them another name"),
            );
        }
        if variable.required && variable.default.is_some() {
            diagnostics.push(
                Diagnostic::error("spec::bad-value", format!("`vars.{name}` is required and has a default"))
                    .at(
                        &variable.default.as_ref().map_or(name.span.clone(), |value| value.0.span.clone()),
                        "never used",
                    )
                    .help("take out `required` or `default`"),
            );
        }
        for value in variable.values() {
            value_of(variable, &name.value, value, diagnostics);
        }
    }
    for (name, (place, value)) in &recipe.var_files {
        match recipe.var(name) {
            Some(variable) => value_of(variable, name, value, diagnostics),
            None if recipe.var_names().has(name) => {}
            None => diagnostics.push(unknown_variable(
                format!("no variable `{}` is declared", name.escape_debug()),
                name,
                place,
                "no such variable",
                &recipe.var_names().list,
            )),
        }
    }
}

/// A value as it is written must fit its variable; one that is made of others is looked at when they are known.
fn value_of(variable: &Variable, name: &str, value: &Str, diagnostics: &mut Diagnostics) {
    if value.value.contains("${") {
        return;
    }
    if let Some((message, help)) = variable.problem(name, &value.value) {
        diagnostics.push(
            Diagnostic::error("spec::bad-value", message).at(&value.span, "this value").maybe_help(help),
        );
    }
}

fn unknown_variable(message: String, name: &str, at: &Span, label: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error("spec::unknown-variable", message)
        .at(at, label)
        .help(did_you_mean(name, known.iter().copied()).unwrap_or_else(|| declare(name, "\"…\"", "[vars]")))
}

/// How a name comes to be known, unless it is none.
fn declare(name: &str, value: &str, table: &str) -> String {
    match name_problem(name) {
        None => format!("declare it: `{name} = {value}` in `{table}`"),
        Some(problem) => format!("nothing can be called so: {problem}"),
    }
}

fn matrix(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let names = recipe.target_names();
    for target in recipe.matrix.targets() {
        if !names.has(&target.value) {
            diagnostics.push(
                Diagnostic::error(
                    "spec::unknown-target",
                    format!("`[matrix]` names the unknown target `{target}`"),
                )
                .at(&target.span, "no such target")
                .help(known_targets(&target.value, &names.list)),
            );
        }
    }
    if let Some(axis) = recipe.matrix.axes.first()
        && recipe.matrix.too_large(names.list.len())
    {
        let members = recipe.matrix.members(names.list.len());
        let counted =
            members.map_or_else(|| "more than can be counted".to_owned(), |members| members.to_string());
        let mut diagnostic = Diagnostic::error(
            "spec::matrix-too-large",
            format!("`[matrix]` makes {counted} targets, and {MAX_MEMBERS} is the most"),
        );
        for axis in &recipe.matrix.axes {
            diagnostic = diagnostic.at(&axis.name.span, format!("{} values", axis.values.len()));
        }
        diagnostics.push(
            diagnostic.help(format!("take values or axes such as `{}` out, or split the recipe", axis.name)),
        );
    }
}

fn known_targets(name: &str, known: &[&str]) -> String {
    did_you_mean(name, known.iter().copied()).unwrap_or_else(|| {
        if known.is_empty() {
            "the recipe has no `[targets]`".into()
        } else {
            format!("known targets: {}", list_names(known))
        }
    })
}

fn targets(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let nodes = recipe.node_names();
    let groups: Vec<&str> = recipe.groups.names().map(|group| group.value.as_str()).collect();
    let takes_nodes = [nodes.list.as_slice(), &groups].concat();
    let known = recipe.var_names();
    for (name, target) in &recipe.targets {
        platform(&target.platform, diagnostics);
        let mut seen = BTreeSet::new();
        for node in target.nodes.iter().flatten() {
            if !nodes.has(&node.value) && !groups.contains(&node.value.as_str()) {
                groups::term(recipe, &format!("target `{name}`"), node, &takes_nodes, diagnostics);
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
        for (var, value) in &target.vars {
            match recipe.var(var) {
                Some(variable) => value_of(variable, var, &value.0, diagnostics),
                None if known.has(var) => {}
                None => diagnostics.push(unknown_variable(
                    format!("target `{name}` sets the unknown variable `{}`", var.escape_debug()),
                    var,
                    &key_of(recipe.resolved.target(&name.value), "vars", var)
                        .unwrap_or_else(|| value.0.span.clone()),
                    "no such variable",
                    &known.list,
                )),
            }
        }
    }
    for (_, node) in &recipe.nodes {
        for text in node.emulates.iter().chain(&node.platform) {
            platform(text, diagnostics);
        }
    }
    groups::check(recipe, diagnostics);
    ci::check(&recipe.ci, diagnostics);
}

/// A platform as it is written; one that is made of values is looked at when they are known.
pub(super) fn platform(text: &Str, diagnostics: &mut Diagnostics) {
    if text.value.contains("${") {
        return;
    }
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
        for name in step.common.env.keys().filter(|name| env_name_problem(name).is_some()) {
            let place = key_of(Some(&step.table), "env", name).unwrap_or_else(|| step.span.clone());
            diagnostics.push(bad_env_name(name, &place, "this name"));
        }
        for need in &step.common.needs {
            if !ids.has(&need.value) {
                diagnostics.push(unknown_step(&need.value, &need.span, &ids.list));
            }
        }
        if let Some(pool) = &step.common.pool
            && !recipe.pools.has(&pool.value)
        {
            diagnostics.push(
                Diagnostic::error(
                    "spec::unknown-pool",
                    format!("no pool `{}` is declared", pool.value.escape_debug()),
                )
                .at(&pool.span, "no such pool")
                .help(
                    did_you_mean(&pool.value, recipe.pools.names().map(|name| name.value.as_str()))
                        .unwrap_or_else(|| declare(&pool.value, "2", "[pools]")),
                ),
            );
        }
        for target in step.common.targets.iter().flatten() {
            selector(recipe, step, target, &targets.list, diagnostics);
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

/// An entry of a step's `targets`: a name, a pattern of names, or `AXIS=VALUE`.
fn selector(
    recipe: &Recipe<'_>,
    step: &Step<'_>,
    entry: &Str,
    targets: &[&str],
    diagnostics: &mut Diagnostics,
) {
    let selector = match Selector::parse(&entry.value) {
        Ok(selector) => selector,
        Err(problem) => {
            diagnostics.push(
                Diagnostic::error("spec::bad-value", format!("`{entry}` selects no target: {problem}"))
                    .at(&entry.span, "this entry"),
            );
            return;
        }
    };
    let unknown = |code, message: String, help: String| {
        Diagnostic::error(code, message).at(&entry.span, "selects nothing").help(help)
    };
    let (id, shown) = (&step.id, entry.value.escape_debug());
    let Some((axis, value)) = selector.axis() else {
        if !targets.iter().any(|name| selector.takes_name(name)) {
            let message = if entry.value.contains(['*', '?', '[', '{']) {
                format!("no target has a name like `{shown}`, which step `{id}` runs for")
            } else {
                format!("step `{id}` names the unknown target `{shown}`")
            };
            diagnostics.push(unknown("spec::unknown-target", message, known_targets(&entry.value, targets)));
        }
        return;
    };
    let axes = recipe.axis_names();
    if !axes.contains(&axis) {
        let help = did_you_mean(axis, axes.iter().copied()).unwrap_or_else(|| match axes.as_slice() {
            [] => "the recipe has no `[matrix]`".into(),
            axes => format!("the axes are {}", list_names(axes)),
        });
        let message = format!("step `{id}` selects targets by the unknown axis `{}`", axis.escape_debug());
        diagnostics.push(unknown("spec::unknown-axis", message, help));
        return;
    }
    // One that could not be read was reported.
    let Some(known) = recipe.matrix.axes.iter().find(|known| known.name.value == axis) else { return };
    // `include` may add other values.
    if !known.values.iter().any(|known| value.is_match(&known.value)) && !recipe.matrix.includes(axis, value)
    {
        let message = format!("no target has `{shown}`, which step `{id}` runs for");
        let help = format!("`{axis}` has {}", list_names(known.values.iter().map(|value| &value.value)));
        diagnostics.push(unknown("spec::unknown-target", message, help));
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
    let vars = recipe.vars.iter().flat_map(|(_, variable)| variable.values());
    let target_vars =
        recipe.targets.iter().flat_map(|(_, target)| target.vars.values().map(|value| &value.0));
    names_in(recipe, vars.chain(target_vars))
}

/// Every `${…}` outside of steps, with its place.
fn names_outside_steps(recipe: &Recipe<'_>) -> Vec<(Name, Span)> {
    let platforms = recipe.targets.iter().map(|(_, target)| &target.platform);
    let nodes = recipe.nodes.iter().flat_map(|(_, node)| node.strings());
    let builders = recipe.builders.list.iter().flat_map(|(.., builder)| builder.strings());
    let mut names = names_in(recipe, platforms.chain(nodes).chain(builders).chain(&recipe.header.engine));
    names.extend(names_in_vars(recipe));
    names
}

fn names_in<'r>(recipe: &Recipe<'_>, texts: impl Iterator<Item = &'r Str>) -> Vec<(Name, Span)> {
    texts
        .filter_map(|text| Some((text, Template::parse(&text.value).ok()?)))
        .flat_map(|(text, template)| {
            let places = text.places(&recipe.files.sources, template.names().map(|(_, at)| at));
            template.names().map(|(name, _)| name.clone()).zip(places).collect::<Vec<_>>()
        })
        .collect()
}

fn interpolated(recipe: &Recipe<'_>, diagnostics: &mut Diagnostics) {
    let vars = recipe.var_names();
    let ids = recipe.known_ids();
    let (passed, secret) = (recipe.passed_env(), recipe.secret_env());
    let axes = recipe.axis_names();
    let outside = names_outside_steps(recipe);
    // Elsewhere they are found when the value is asked for; a variable may never be.
    let vars_only = names_in_vars(recipe);
    for (name, span) in &vars_only {
        if matches!(name, Name::Step { .. } | Name::NodeName) {
            diagnostics.push(
                Diagnostic::error("spec::late-value", format!("`{name}` is not known here"))
                    .at(span, "only steps can use it")
                    .help("use it in the step itself"),
            );
        }
    }
    for (name, span) in recipe.steps.iter().flat_map(|step| &step.names).chain(&outside) {
        match name {
            Name::Var(var) if !vars.has(var) => diagnostics.push(unknown_variable(
                format!("no variable `{}` is declared", var.escape_debug()),
                var,
                span,
                "no such variable",
                &vars.list,
            )),
            Name::Matrix(axis) if !axes.contains(&axis.as_str()) => diagnostics.push(
                Diagnostic::error("spec::unknown-axis", format!("no axis `{axis}` is declared"))
                    .at(span, "no such axis")
                    .help(
                        did_you_mean(axis, axes.iter().copied())
                            .unwrap_or_else(|| declare(axis, "[\"…\"]", "[matrix]")),
                    ),
            ),
            Name::Env(var) if secret.contains(var.as_str()) => diagnostics.push(
                Diagnostic::error(
                    "spec::secret-value",
                    format!("`env.{var}` is a secret, which nothing may hold"),
                )
                .at(span, "it would be seen here")
                .help(format!(
                    "tools find `{var}` in their environment: let the tool, or a shell, read it there"
                )),
            ),
            Name::Env(var) if !passed.contains(var.as_str()) => diagnostics.push(
                Diagnostic::error(
                    "spec::env-not-passed",
                    format!("`env.{var}` is not listed in `[env] pass`"),
                )
                .at(span, "not passed")
                .help(format!("add `[env]` with `pass = [\"{var}\"]`")),
            ),
            Name::Step { id, .. } if !ids.has(id) => {
                diagnostics.push(unknown_step(id, span, &ids.list));
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
    let used: HashSet<&Name> =
        recipe.steps.iter().flat_map(|step| &step.names).chain(&outside).map(|(name, _)| name).collect();
    // What a file declares that others include too is there for them.
    let ours = |span: &Span| recipe.files.role(span) != Role::Included;
    // A name that nobody knows may be a misspelt one that seems unused, and what was told of a place is enough.
    let told: BTreeSet<&str> = diagnostics.iter().map(|one| one.code).collect();
    let places: BTreeSet<usize> =
        diagnostics.iter().flat_map(|one| one.labels.iter().map(|(span, _)| span.start)).collect();
    let hidden = |code: &str| match code {
        _ if told.contains("spec::interpolation") => true,
        "spec::unused-variable" => told.contains("spec::unknown-variable"),
        "spec::unused-axis" => told.contains("spec::unknown-axis"),
        "spec::unused-pool" => told.contains("spec::unknown-pool"),
        _ => told.contains("spec::unknown-node"),
    };
    let codes = ["spec::unused-variable", "spec::unused-axis", "spec::unused-node", "spec::unused-pool"];
    let hidden: BTreeSet<&str> = codes.into_iter().filter(|code| hidden(code)).collect();
    let mut warn = |code, span: &Span, message: String, label: &str| {
        if ours(span) && !hidden.contains(code) && !places.contains(&span.start) {
            diagnostics.push(Diagnostic::warning(code, message).at(span, label));
        }
    };
    for (name, _) in &recipe.vars {
        if !used.contains(&Name::Var(name.value.clone())) {
            let message = format!("the variable `{name}` is never used");
            warn("spec::unused-variable", &name.span, message, "nobody reads it");
        }
    }
    for axis in &recipe.matrix.axes {
        let name = &axis.name;
        if axis.values.len() > 1 && !used.contains(&Name::Matrix(name.value.clone())) {
            let message =
                format!("the axis `{name}` is never used, so the same is built for each of its values");
            warn("spec::unused-axis", &name.span, message, "nobody reads it");
        }
    }
    let nodes = recipe.nodes_of(recipe.targets.iter().flat_map(|(_, target)| target.nodes.iter().flatten()));
    let nodes: HashSet<&str> = nodes.iter().map(String::as_str).collect();
    for (name, _) in &recipe.nodes {
        if !nodes.contains(name.value.as_str()) {
            let message = format!("no target names the node `{name}`");
            warn("spec::unused-node", &name.span, message, "nothing goes there");
        }
    }
    let pools = recipe.steps.iter().filter_map(|step| step.common.pool.as_ref());
    let pools: HashSet<&str> = pools.map(|pool| pool.value.as_str()).collect();
    for name in recipe.pools.names().filter(|name| !pools.contains(name.value.as_str())) {
        warn(
            "spec::unused-pool",
            &name.span,
            format!("no step is of the pool `{name}`"),
            "it bounds nothing",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::RecipeFiles;

    #[test]
    fn names_that_differ_only_in_case_are_duplicates() {
        let text = "version = 1\n[targets.x]\nplatform = 'linux/amd64'\nnodes = ['n', 'N']\n\
            [targets.X]\nplatform = 'linux/arm64'\n[nodes.n]\n[nodes.N]\n\
            [[step]]\nuses = 'run'\nargv = ['true']\n";
        let files = RecipeFiles::one("pipeline.toml", text.into());
        let (recipe, errors) = crate::spec::parse(&files);
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
