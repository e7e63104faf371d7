//! From a recipe to its plan: a pure function of the recipe, the selection, the variables, the lock and the chosen engine.
//!
//! Steps become instances by their scope ([`expand`]); each input finds its one producer by type ([`producers`]);
//! instances are linked ([`link`]) and lowered in order ([`lower`]). Runs nothing, reads no file.

mod builders;
mod chain;
mod expand;
mod given;
mod limits;
mod link;
mod lower;
mod names;
mod nodes;
mod part;
mod producers;
mod provenance;
mod repro;
mod rollout;
mod stage;
mod targets;
#[cfg(test)]
pub(crate) mod testing;

pub use chain::{chain, chains};
pub use names::{Names, missing, names, unused};
pub use part::{Part, Wanted};
pub use provenance::require_provenance;
pub use repro::{Archive, Origin, Repro, repro};
pub use stage::{Stage, stages};

use crate::diag::{Diagnostic, Diagnostics};
use crate::lock::Lock;
use crate::plan::{Engine, Plan};
use crate::platform::Platform;
use crate::spec::{Given, Recipe, Values, View};
use crate::steps::{Configured, configure};

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

/// Plans a recipe. Of one with errors there is no plan, but more errors are found.
///
/// The diagnostics beside a plan are warnings; without one they hold every error found, sorted by place. A pattern that
/// matches nothing has the code `select::nothing`.
pub fn plan(
    recipe: &Recipe<'_>,
    given: &Given,
    lock: &Lock,
    selection: &Selection,
    machine: &Machine<'_>,
) -> (Option<Plan>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let plan = build(recipe, given, selection, machine, &mut diagnostics);
    let plan = plan.map(|plan| Plan { lock: lock.clone(), ..plan });
    let failed = diagnostics.has_errors();
    if plan.is_none() && !failed && recipe.sound {
        diagnostics.push(
            Diagnostic::error("plan::internal", "the recipe cannot be planned, and nothing said why")
                .help("this is a defect of `pipeline`: please report it with the recipe"),
        );
    }
    (plan.filter(|_| !failed && recipe.sound), diagnostics.finish(&recipe.files.sources))
}

fn build(
    recipe: &Recipe<'_>,
    given: &Given,
    selection: &Selection,
    machine: &Machine<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Plan> {
    let values = Values::new(recipe, given);
    given::check(&values, diagnostics);
    let configured = configure(recipe, diagnostics);
    let all_steps = configured.len() == recipe.steps.len() && recipe.lost.nothing() && unique(recipe);
    let (targets, all_targets) = targets::targets(&values, selection, machine, diagnostics);
    let nodes = nodes::nodes(&values, diagnostics);
    let builders = builders::builders(&values, diagnostics);
    let engine = engine(&values, diagnostics);
    let name = recipe.header.name.as_ref().map_or_else(|| slug(&machine.folder), |name| name.value.clone());
    // Without all steps and targets, links that are missing mean nothing; what steps say is wrong all the same.
    let all = all_steps && all_targets;
    let mut found = Diagnostics::default();
    let linked = linked(&values, &configured, targets, selection, &mut found);
    let context = |members, engine| lower::Context {
        values: &values,
        name: &name,
        configured: &configured,
        members,
        nodes: &nodes,
        builders: &builders,
        engine,
    };
    // Any engine will do to find what else is wrong.
    let assumed = engine.flatten().unwrap_or(Engine::Buildah);
    let lowered = linked
        .as_ref()
        .and_then(|(members, graph)| lower::lower(&context(members, assumed), graph, &mut found));
    found.retain(|one| all || one.code.starts_with("spec::"));
    diagnostics.extend(found);
    let ((members, graph), lowered) = (linked.as_ref()?, lowered?);
    if !all || diagnostics.has_errors() || !recipe.sound {
        return None;
    }
    let mut remarks = Vec::new();
    // Only now is the machine asked: whoever corrects a recipe needs no engine for it.
    let chosen = match engine? {
        Some(engine) => engine,
        None => choose(&configured, members, machine, &mut remarks, diagnostics)?,
    };
    let lower::Finished { graph, nodes: used, builders: building, places, notes } = if chosen == assumed {
        lowered
    } else {
        lower::lower(&context(members, chosen), graph, diagnostics)?
    };
    remarks.extend(notes);
    remarks.extend(builders::remarks(&building, &graph, &machine.platform));
    Some(Plan {
        recipe: name,
        graph,
        nodes: used,
        builders: building,
        notes: remarks,
        places,
        ..Plan::default()
    })
}

/// All instances, and what each waits for.
fn linked(
    values: &Values<'_>,
    configured: &[Configured<'_>],
    targets: targets::Selected,
    selection: &Selection,
    diagnostics: &mut Diagnostics,
) -> Option<(expand::Members, link::Graph)> {
    let members = expand::instances(values, configured, targets, selection, diagnostics)?;
    let links = producers::resolve(configured, &members, diagnostics);
    let graph = link::link(configured, &members, &links, diagnostics)?;
    Some((members, graph))
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

/// No two steps have one id: else nobody knows which of them is meant.
fn unique(recipe: &Recipe<'_>) -> bool {
    let ids: std::collections::BTreeSet<&str> = recipe.step_ids().collect();
    ids.len() == recipe.steps.len()
}

/// The engine that the recipe names; `Some(None)` for `auto`.
#[expect(clippy::option_option, reason = "wrong, `auto`, or an engine")]
fn engine(values: &Values<'_>, diagnostics: &mut Diagnostics) -> Option<Option<Engine>> {
    let Some(key) = &values.recipe.header.engine else { return Some(None) };
    let word = match values.word(key, View::outside()) {
        Ok(word) => word,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return None;
        }
    };
    if word == "auto" {
        return Some(None);
    }
    let engine = Engine::ALL.into_iter().find(|engine| engine.name() == word);
    if engine.is_none() {
        let names = Engine::ALL.iter().map(|engine| engine.name()).chain(["auto"]);
        diagnostics.push(
            Diagnostic::error("spec::bad-value", format!("no engine is called `{}`", word.escape_debug()))
                .at(&key.span, "this engine")
                .help(
                    crate::diag::did_you_mean(&word, names)
                        .unwrap_or_else(|| "`docker`, `buildx`, `podman`, `buildah` or `auto`".into()),
                ),
        );
    }
    engine.map(Some)
}

/// What `auto` means on this machine.
fn choose(
    configured: &[Configured<'_>],
    members: &expand::Members,
    machine: &Machine<'_>,
    notes: &mut Vec<String>,
    diagnostics: &mut Diagnostics,
) -> Option<Engine> {
    // Whatever else works with an image takes the engine of the build that it comes from.
    let asks = |step: &Configured<'_>| step.kind == "build" && !step.step.table.contains_key("engine");
    if !members.list.iter().any(|member| configured.get(member.step).is_some_and(asks)) {
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
