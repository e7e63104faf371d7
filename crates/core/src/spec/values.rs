//! What `${…}` stands for.
//!
//! The value of a variable, strongest first: `--set`, `PIPELINE_VAR_*`, the target's `vars`, `[vars]`.

use std::collections::BTreeMap;

use super::{Recipe, Str};
use crate::diag::Diagnostic;
use crate::interp::{Name, Piece, TargetField, Template};
use crate::plan::Text;
use crate::platform::Platform;
use crate::source::Span;

/// Values that come from outside of the recipe.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--set NAME=VALUE`
    pub set: BTreeMap<String, String>,
    /// `PIPELINE_VAR_NAME=VALUE`
    pub env_vars: BTreeMap<String, String>,
    /// The values of the variables in `[env] pass`.
    pub env: BTreeMap<String, String>,
    /// The commit of the repository that holds the recipe.
    pub recipe_commit: Option<String>,
}

/// For which target and node a value is asked, and where outputs of steps are found.
#[derive(Clone, Copy)]
pub struct View<'v> {
    /// The target's name and platform.
    pub target: Option<(&'v str, &'v Platform)>,
    /// The node's name.
    pub node: Option<&'v str>,
    /// The value of `steps.ID.OUTPUT`, or why there is none and perhaps what to write instead.
    pub output: &'v dyn Fn(&str, &str) -> Result<Text, NoOutput>,
}

/// Why there is no value of `steps.ID.OUTPUT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOutput {
    /// What is wrong and perhaps what to write instead.
    Because(String, Option<String>),
    /// The reason has been reported where it lies.
    Reported,
}

/// A recipe with the values given from outside.
#[derive(Debug, Clone, Copy)]
pub struct Values<'r> {
    /// The recipe.
    pub recipe: &'r Recipe<'r>,
    /// The rest.
    pub given: &'r Given,
}

impl View<'static> {
    /// Outside of all steps and targets.
    pub fn outside() -> Self {
        Self {
            target: None,
            node: None,
            output: &|id, _| {
                Err(NoOutput::Because(format!("the outputs of `{id}` are not known here"), None))
            },
        }
    }
}

impl Values<'_> {
    /// The string with every name replaced.
    pub fn text(&self, string: &Str, view: View<'_>) -> Result<Text, Diagnostic> {
        self.evaluate(string, view, &mut Vec::new())
    }

    /// The string with every name replaced, where nothing may be left open until the run.
    pub fn word(&self, string: &Str, view: View<'_>) -> Result<String, Diagnostic> {
        let text = self.text(string, view)?;
        match text.as_literal() {
            Some(word) => Ok(word.to_owned()),
            None => Err(Diagnostic::error(
                "spec::late-value",
                format!("`{text}` is known only when the step has run"),
            )
            .at(&string.span, "must be known before")
            .help("names, paths of outputs, `scope`, `targets` and `needs` cannot depend on the run")),
        }
    }

    fn evaluate(&self, string: &Str, view: View<'_>, within: &mut Vec<String>) -> Result<Text, Diagnostic> {
        // Every string was taken apart when the recipe was read.
        let template = Template::parse(&string.value).map_err(|_| Diagnostic::reported())?;
        let mut text = Text::new();
        for piece in &template.pieces {
            text = match piece {
                Piece::Literal(literal) => text.lit(literal),
                Piece::Name(name, at) => {
                    let place = string.place(self.recipe.source.text(), at);
                    text.then(&self.evaluate_name(name, &place, view, within)?)
                }
            };
        }
        Ok(text)
    }

    /// The value of one name that stands at `place`.
    pub fn name(&self, name: &Name, place: &Span, view: View<'_>) -> Result<Text, Diagnostic> {
        self.evaluate_name(name, place, view, &mut Vec::new())
    }

    fn evaluate_name(
        &self,
        name: &Name,
        place: &Span,
        view: View<'_>,
        within: &mut Vec<String>,
    ) -> Result<Text, Diagnostic> {
        let refuse =
            |message: String, label: &str| Diagnostic::error("spec::no-value", message).at(place, label);
        match name {
            Name::Var(var) => self.variable(var, place, view, within),
            Name::Target(field) => {
                let Some((target, platform)) = view.target else {
                    return Err(refuse(format!("`{name}` has no value here"), "there is no one target")
                        .help("a step that runs once has no target; set `scope = \"target\"` if it should run for each"));
                };
                Ok(match field {
                    TargetField::Name => target.into(),
                    TargetField::Platform => platform.to_string().into(),
                    TargetField::Os => platform.os().into(),
                    TargetField::Arch => platform.arch().into(),
                    TargetField::Variant => platform.variant().unwrap_or_default().into(),
                })
            }
            // A variable that holds one of these was reported when the recipe was read.
            Name::NodeName | Name::Step { .. } if !within.is_empty() => Err(Diagnostic::reported()),
            Name::NodeName => view.node.map(Text::from).ok_or_else(|| {
                refuse("`node.name` has no value here".into(), "there is no one node")
                    .help("only steps with the scope `node` have one")
            }),
            Name::RecipeCommit => self.given.recipe_commit.as_deref().map(Text::from).ok_or_else(|| {
                refuse("`recipe.commit` has no value".into(), "the recipe is in no git repository")
                    .help("commit the recipe, or use a variable in its place")
            }),
            // Reported when the recipe was read.
            Name::Env(var) if !self.recipe.passed_env().contains(var.as_str()) => Err(Diagnostic::reported()),
            Name::Env(var) => {
                self.given.env.get(var).map(|value| Text::from(value.as_str())).ok_or_else(|| {
                    refuse(format!("the environment variable `{var}` is not set"), "needed here")
                        .help(format!("set it: `{var}=… pipeline …`"))
                })
            }
            Name::Step { id, output } => (view.output)(id, output).map_err(|why| match why {
                NoOutput::Because(why, help) => refuse(why, "no such value").maybe_help(help),
                NoOutput::Reported => Diagnostic::reported(),
            }),
        }
    }

    fn variable(
        &self,
        var: &str,
        place: &Span,
        view: View<'_>,
        within: &mut Vec<String>,
    ) -> Result<Text, Diagnostic> {
        if let Some(value) = self.given.set.get(var).or_else(|| self.given.env_vars.get(var)) {
            return Ok(value.as_str().into());
        }
        if within.iter().any(|outer| outer == var) {
            within.push(var.to_owned());
            return Err(Diagnostic::error(
                "spec::variable-cycle",
                format!("the variable `{var}` is made of itself: {}", within.join(" -> ")),
            )
            .at(place, "used here"));
        }
        let by_target = |target: &str| {
            let (_, spec) = self.recipe.targets.iter().find(|(name, _)| name.value == target)?;
            spec.vars.get(var)
        };
        let value = match view.target {
            Some((target, _)) => by_target(target),
            None => {
                let overridden = self.recipe.targets.iter().find(|(_, spec)| spec.vars.contains_key(var));
                if let Some((target, spec)) = overridden {
                    return Err(Diagnostic::error(
                        "spec::target-variable",
                        format!(
                            "`vars.{var}` differs from target to target, and this does not belong to one"
                        ),
                    )
                    .at(place, "which target's?")
                    .at(&spec.vars[var].0.span, format!("set by target `{target}`"))
                    .help("set `scope = \"target\"` on the step, or use another variable"));
                }
                None
            }
        };
        let default = || self.recipe.vars.iter().find(|(name, _)| name.value == var).map(|(_, value)| value);
        // An unknown one was reported when the recipe was read.
        let Some(value) = value.or_else(default) else { return Err(Diagnostic::reported()) };
        within.push(var.to_owned());
        let text = self.evaluate(&value.0, view, within);
        within.pop();
        text
    }
}
