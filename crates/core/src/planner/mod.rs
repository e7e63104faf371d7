//! From a recipe to its plan: a pure function of the recipe, the selection, the variables and the chosen engine.
//!
//! Steps become instances by their scope ([`expand`]); each input finds its one producer by type ([`producers`]);
//! instances are linked ([`link`]) and lowered in order ([`lower`]). Runs nothing, reads no file.

mod expand;
mod link;
mod lower;
mod nodes;
mod producers;
#[cfg(test)]
mod testing;

use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::{Engine, Plan};
use crate::platform::Platform;
use crate::spec::{Given, Recipe, Values, View};
use crate::steps::configure;

/// What of a recipe is planned. Patterns are globs; an empty list takes everything.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Targets.
    pub targets: Vec<String>,
    /// Nodes.
    pub nodes: Vec<String>,
    /// Steps that are left out.
    pub skip: Vec<String>,
}

/// What the plan takes from this machine.
pub struct Machine<'m> {
    /// Its platform: the one of a recipe without targets.
    pub platform: Platform,
    /// The folder's name: the name of a recipe without one.
    pub folder: String,
    /// Chooses an engine for `engine = "auto"` and says why; asked only then.
    pub choose_engine: &'m dyn Fn() -> Result<(Engine, String), Diagnostic>,
}

/// Plans a recipe.
///
/// The diagnostics beside a plan are warnings; without one they hold every error found, sorted by place. A pattern that
/// matches nothing has the code `select::nothing`.
pub fn plan(
    recipe: &Recipe<'_>,
    given: &Given,
    selection: &Selection,
    machine: &Machine<'_>,
) -> (Option<Plan>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let plan = build(recipe, given, selection, machine, &mut diagnostics);
    let failed = diagnostics.has_errors();
    (plan.filter(|_| !failed), diagnostics.finish(&recipe.source))
}

fn build(
    recipe: &Recipe<'_>,
    given: &Given,
    selection: &Selection,
    machine: &Machine<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Plan> {
    let values = Values { recipe, given };
    for name in given.set.keys() {
        let known = recipe.vars.iter().map(|(name, _)| name.value.as_str());
        if !known.clone().any(|known| known == name) {
            diagnostics.push(
                Diagnostic::error(
                    "select::unknown-variable",
                    format!("`--set {name}=…`: no variable `{name}` is declared"),
                )
                .maybe_help(crate::diag::did_you_mean(name, known)),
            );
        }
    }
    let configured = configure(recipe, diagnostics);
    let all_steps = configured.len() == recipe.steps.len();
    let targets = expand::targets(&values, selection, machine, diagnostics);
    let nodes = nodes::nodes(&values, diagnostics);
    // What is wrong so far would only be repeated by what follows.
    let (Some(targets), true) = (targets, all_steps) else { return None };
    let members = expand::instances(&configured, &targets, selection, diagnostics)?;
    let links = producers::resolve(&configured, &members, diagnostics)?;
    let graph = link::link(&configured, &members, &links, diagnostics)?;
    if diagnostics.has_errors() {
        return None;
    }
    let mut remarks = Vec::new();
    let engine = engine(&values, machine, &mut remarks, diagnostics)?;
    let name = recipe.header.name.as_ref().map_or_else(|| slug(&machine.folder), |name| name.value.clone());
    let (graph, used) = lower::lower(
        &lower::Context {
            values,
            name: &name,
            configured: &configured,
            members: &members,
            nodes: &nodes,
            engine,
        },
        &graph,
        diagnostics,
    )?;
    Some(Plan { recipe: name, graph, nodes: used, notes: remarks })
}

/// A folder's name as the name of a recipe: it becomes part of tags, labels and file names.
fn slug(folder: &str) -> String {
    let safe = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-') { c } else { '-' }
    };
    let edge = |c: char| !c.is_ascii_alphanumeric();
    let name: String = folder.chars().map(safe).collect();
    let name: String = name.trim_matches(edge).chars().take(64).collect();
    let name = name.trim_end_matches(edge);
    if name.is_empty() { "recipe".into() } else { name.into() }
}

fn engine(
    values: &Values<'_>,
    machine: &Machine<'_>,
    notes: &mut Vec<String>,
    diagnostics: &mut Diagnostics,
) -> Option<Engine> {
    let key = values.recipe.header.engine.as_ref();
    let word = match key.map(|key| values.word(key, View::outside())).transpose() {
        Ok(word) => word.unwrap_or_else(|| "auto".into()),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return None;
        }
    };
    if let Some(engine) = Engine::ALL.into_iter().find(|engine| engine.name() == word) {
        return Some(engine);
    }
    if word != "auto" {
        let span = key.map_or(0..0, |key| key.span.clone());
        diagnostics.push(
            Diagnostic::error("spec::bad-value", format!("no engine is called `{}`", word.escape_debug()))
                .at(&span, "this engine")
                .maybe_help(crate::diag::did_you_mean(
                    &word,
                    Engine::ALL.iter().map(|engine| engine.name()).chain(["auto"]),
                ))
                .maybe_help(None),
        );
        return None;
    }
    let needs_engine =
        values.recipe.steps.iter().any(|step| matches!(step.uses.value.as_str(), "build" | "smoke" | "save"));
    if !needs_engine {
        return Some(Engine::Buildah);
    }
    match (machine.choose_engine)() {
        Ok((engine, why)) => {
            notes.push(format!("engine {}: {why}", engine.name()));
            Some(engine)
        }
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::slug;
    use crate::ident::name_problem;

    #[test]
    fn folders_become_names() {
        for (folder, name) in [
            ("registry", "registry"),
            ("My Recipe", "my-recipe"),
            ("evil\ntouch $(x)", "evil-touch---x"),
            ("..", "recipe"),
            ("", "recipe"),
            ("-x_", "x"),
            ("größe", "gr--e"),
        ] {
            assert_eq!(slug(folder), name);
        }
        let long = slug(&format!("{}-{}", "a".repeat(63), "b".repeat(63)));
        assert_eq!(long, "a".repeat(63));
        assert_eq!(name_problem(&long), None);
    }
}
