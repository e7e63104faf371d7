//! Values of variables that come from outside: each must be of a variable, and fit it; what is required must be there.

use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names, nearest, one_of_names};
use crate::spec::{Origin, Values};

pub(super) fn check(values: &Values<'_>, diagnostics: &mut Diagnostics) {
    let recipe = values.recipe;
    let known = recipe.var_names();
    for name in values.given.set.keys().filter(|name| !known.has(name)) {
        let help =
            did_you_mean(name, known.list.iter().copied()).unwrap_or_else(|| match known.list.as_slice() {
                [] => "the recipe has no `[vars]`".into(),
                known => format!("the variables are {}", list_names(known)),
            });
        let message = format!("`--set {name}=…`: no variable `{name}` is declared");
        diagnostics.push(Diagnostic::error("select::unknown-variable", message).help(help));
    }
    // The environment may be meant for other recipes too, so only what looks like a slip is worth a word.
    let in_environment: Vec<String> =
        known.list.iter().map(|name| name.to_uppercase().replace(['-', '.'], "_")).collect();
    for name in values.given.env_vars.keys() {
        let used = known.has(name) || in_environment.contains(name);
        if let Some(near) = nearest(name, in_environment.iter().map(String::as_str)).filter(|_| !used) {
            diagnostics.push(
                Diagnostic::warning(
                    "select::unknown-variable",
                    format!("`PIPELINE_VAR_{name}` is set, and no variable is called so"),
                )
                .help(format!("did you mean `PIPELINE_VAR_{near}`?")),
            );
        }
    }
    for (name, variable) in &recipe.vars {
        let Some((value, origin)) = values.given(&name.value) else {
            let (with, without): (Vec<_>, Vec<_>) =
                recipe.targets.iter().partition(|(_, target)| target.vars.contains_key(&name.value));
            let place = match (with.as_slice(), without.as_slice()) {
                ([], _) => String::new(),
                (_, without) => {
                    format!(" for the target {}", one_of_names(without.iter().map(|(name, _)| name)))
                }
            };
            // That it is required and has a default was reported with the recipe.
            if variable.required && variable.default.is_none() && (with.is_empty() || !without.is_empty()) {
                diagnostics.push(
                    Diagnostic::error(
                        "select::missing-variable",
                        format!("the variable `{name}` has no value{place}"),
                    )
                    .at(&name.span, "required")
                    .help(format!("give it one: `--set {name}=…`")),
                );
            }
            continue;
        };
        let place = match origin {
            Origin::Set => "--set".to_owned(),
            Origin::Environment(variable) => variable,
            // Looked at with the recipe.
            Origin::File(_) => continue,
        };
        if let Some((message, help)) = variable.problem(&name.value, value) {
            let diagnostic = Diagnostic::error("select::bad-value", format!("`{place}`: {message}"));
            diagnostics.push(diagnostic.at(&name.span, "this variable").maybe_help(help));
        }
    }
}
