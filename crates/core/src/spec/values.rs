//! What `${…}` stands for.
//!
//! The value of a variable, strongest first: `--set`, `--var-file` (the last one first), `PIPELINE_VAR_*`, the target's
//! `vars`, `[vars]`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use super::{Recipe, Str, TargetSpec, Variable};
use crate::diag::Diagnostic;
use crate::interp::{Name, Piece, TargetField, Template};
use crate::plan::{Part, Text};
use crate::platform::Platform;
use crate::source::Span;

/// Values that come from outside of the recipe.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--set NAME=VALUE`
    pub set: BTreeMap<String, String>,
    /// `PIPELINE_VAR_NAME=VALUE`, by what follows the prefix.
    pub env_vars: BTreeMap<String, String>,
    /// The values of the variables in `[env] pass`.
    pub env: BTreeMap<String, String>,
    /// The commit of the repository that holds the recipe.
    pub recipe_commit: Option<String>,
}

/// Where the value of a variable comes from, when it is not from the recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `--set`
    Set,
    /// A file with values, at this place.
    File(Span),
    /// The environment variable of this name.
    Environment(String),
}

/// The name of a variable as part of an environment variable's: `app-tag` is `APP_TAG`.
pub(super) fn in_environment(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// A target in one cell of the matrix.
#[derive(Clone, Copy)]
pub struct Member<'v> {
    /// Its name, with the values of the matrix in it.
    pub name: &'v str,
    /// Its platform; none while that is being found out.
    pub platform: Option<&'v Platform>,
    /// What the recipe says of the target; nothing of the implicit one.
    pub spec: Option<&'v TargetSpec>,
    /// The values of the axes, in their order.
    pub cell: &'v [String],
}

/// For which target and node a value is asked, and where outputs of steps are found.
#[derive(Clone, Copy)]
pub struct View<'v> {
    /// The target.
    pub target: Option<Member<'v>>,
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
#[derive(Debug)]
pub struct Values<'r> {
    /// The recipe.
    pub recipe: &'r Recipe<'r>,
    /// The rest.
    pub given: &'r Given,
    /// How many bytes of text were made so far.
    made: Cell<usize>,
    /// The variables that are made of others, as far as they were asked for.
    done: RefCell<Done>,
}

/// Variables are made of variables at most so deep.
const MAX_DEPTH: usize = 64;

/// A value is not longer than this, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// All values together are not longer than this, in bytes: a plan has each of them once for every instance.
const MAX_TOTAL: usize = 64 * 1024 * 1024;

/// So many bytes of values are kept to be used again.
const MAX_KEPT: usize = MAX_TOTAL / 4;

/// The way down to a variable.
#[derive(Default)]
struct Walk {
    within: Vec<String>,
    /// How deep the walk went.
    reached: usize,
}

/// The variables that are made of others, by the name of the target (empty outside of targets): each is made once.
///
/// So one string costs at most [`MAX_DEPTH`] × [`MAX_LENGTH`] bytes: what a variable yields stands in one of those that
/// it was used by, hence all variables of one depth together are not longer than those above them.
#[derive(Debug, Default)]
struct Done {
    by_target: HashMap<String, HashMap<String, Result<Made, Diagnostic>>>,
    bytes: usize,
}

/// What a variable stands for, and how deep what it is made of goes.
#[derive(Debug, Clone)]
struct Made {
    text: Text,
    depth: usize,
}

impl Done {
    fn get(&self, target: &str, var: &str) -> Option<Result<Made, Diagnostic>> {
        self.by_target.get(target)?.get(var).cloned()
    }

    fn put(&mut self, target: &str, var: &str, made: Result<Made, Diagnostic>) {
        self.bytes += var.len() + made.as_ref().map_or(0, |made| length(&made.text)) + 64;
        self.by_target.entry(target.to_owned()).or_default().insert(var.to_owned(), made);
    }
}

impl View<'static> {
    /// Outside of all steps and targets.
    pub fn outside() -> Self {
        Self {
            target: None,
            node: None,
            output: &|id, _| {
                let help = "only steps can use what another leaves behind";
                Err(NoOutput::Because(format!("the outputs of `{id}` are not known here"), Some(help.into())))
            },
        }
    }
}

impl<'r> Values<'r> {
    /// The values of a recipe.
    pub fn new(recipe: &'r Recipe<'r>, given: &'r Given) -> Self {
        Self { recipe, given, made: Cell::new(0), done: RefCell::default() }
    }

    /// The string with every name replaced.
    pub fn text(&self, string: &Str, view: View<'_>) -> Result<Text, Diagnostic> {
        self.counted(&string.span, || self.evaluate(string, view, &mut Walk::default()))
    }

    /// Makes a text, unless too much was made already.
    fn counted(
        &self,
        place: &Span,
        make: impl FnOnce() -> Result<Text, Diagnostic>,
    ) -> Result<Text, Diagnostic> {
        let before = self.made.get();
        if before > MAX_TOTAL {
            return Err(Diagnostic::reported());
        }
        // Never within a walk, whose length depends on it.
        if self.done.borrow().bytes > MAX_KEPT {
            self.done.take();
        }
        let text = make()?;
        self.made.set(before + length(&text));
        if self.made.get() > MAX_TOTAL {
            return Err(Diagnostic::error(
                "spec::too-long",
                format!("all values of a plan together have at most {MAX_TOTAL} bytes, and there are more"),
            )
            .at(place, "too long from here on")
            .help("put long text into a file, or take targets or values of `[matrix]` out"));
        }
        Ok(text)
    }

    /// The string with every name replaced, where nothing may be left open until the run.
    pub fn word(&self, string: &Str, view: View<'_>) -> Result<String, Diagnostic> {
        let text = self.text(string, view)?;
        if let Some(word) = text.as_literal() {
            return Ok(word.to_owned());
        }
        let (name, place) =
            self.late(string, view).unwrap_or_else(|| (text.to_string(), string.span.clone()));
        Err(Diagnostic::error("spec::late-value", format!("`{name}` is known only when the step has run"))
            .at(&place, "must be known before")
            .help("names, paths of outputs, `scope`, `targets` and `needs` cannot depend on the run"))
    }

    /// The first name in the string that is not known now, with its place.
    fn late(&self, string: &Str, view: View<'_>) -> Option<(String, Span)> {
        let template = Template::parse(&string.value).ok()?;
        template.names().find_map(|(name, at)| {
            let place = string.place(&self.recipe.files.sources, at);
            let text = self.name(name, &place, view).ok()?;
            text.as_literal().is_none().then(|| (name.to_string(), place))
        })
    }

    fn evaluate(&self, string: &Str, view: View<'_>, walk: &mut Walk) -> Result<Text, Diagnostic> {
        if string.value.len() <= MAX_LENGTH && !string.value.contains("${") {
            return Ok(string.value.as_str().into());
        }
        // Every string was taken apart when the recipe was read.
        let template = Template::parse(&string.value).map_err(|_| Diagnostic::reported())?;
        let mut places =
            string.places(&self.recipe.files.sources, template.names().map(|(_, at)| at)).into_iter();
        let mut text = Text::new();
        let mut length = 0;
        for piece in &template.pieces {
            let (next, place) = match piece {
                Piece::Literal(literal) => (Text::from(literal.as_str()), string.span.clone()),
                Piece::Name(name, _) => {
                    let place = places.next().unwrap_or_else(|| string.span.clone());
                    (self.evaluate_name(name, &place, view, walk)?, place)
                }
            };
            length += self::length(&next);
            if length > MAX_LENGTH {
                return Err(Diagnostic::error(
                    "spec::too-long",
                    format!("a value has at most {MAX_LENGTH} bytes, and this one has more"),
                )
                .at(&place, "too long from here on")
                .help("put long text into a file"));
            }
            text = text.then(&next);
        }
        Ok(text)
    }

    /// The value of one name that stands at `place`.
    pub fn name(&self, name: &Name, place: &Span, view: View<'_>) -> Result<Text, Diagnostic> {
        self.counted(place, || self.evaluate_name(name, place, view, &mut Walk::default()))
    }

    fn evaluate_name(
        &self,
        name: &Name,
        place: &Span,
        view: View<'_>,
        walk: &mut Walk,
    ) -> Result<Text, Diagnostic> {
        let refuse =
            |message: String, label: &str| Diagnostic::error("spec::no-value", message).at(place, label);
        match name {
            Name::Var(var) => self.variable(var, place, view, walk),
            Name::Target(_) | Name::Matrix(_) if view.target.is_none() => {
                Err(refuse(format!("`{name}` has no value here"), "there is no one target")
                    .help("only what belongs to one target has it: a step does with `scope = \"target\"`"))
            }
            Name::Target(field) => target(*field, place, view),
            Name::Matrix(axis) => {
                let at = self.recipe.matrix.axes.iter().position(|known| known.name.value == *axis);
                let value = at.and_then(|at| view.target?.cell.get(at));
                // An unknown axis was reported when the recipe was read.
                value.map(|value| value.as_str().into()).ok_or_else(Diagnostic::reported)
            }
            // A variable that holds one of these was reported when the recipe was read.
            Name::NodeName | Name::Step { .. } if !walk.within.is_empty() => Err(Diagnostic::reported()),
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

    /// The value that is given to a variable from outside, and where.
    pub fn given(&self, var: &str) -> Option<(&str, Origin)> {
        if let Some(value) = self.given.set.get(var) {
            return Some((value, Origin::Set));
        }
        if let Some((_, value)) = self.recipe.var_files.get(var) {
            return Some((&value.value, Origin::File(value.span.clone())));
        }
        let folded = in_environment(var);
        [var, &folded].into_iter().find_map(|name| {
            let value = self.given.env_vars.get(name)?;
            Some((value.as_str(), Origin::Environment(format!("PIPELINE_VAR_{name}"))))
        })
    }

    fn variable(&self, var: &str, place: &Span, view: View<'_>, walk: &mut Walk) -> Result<Text, Diagnostic> {
        if let Some((value, _)) = self.given(var) {
            return Ok(value.into());
        }
        if walk.within.iter().any(|outer| outer == var) {
            let way = walk.within.iter().map(String::as_str).chain([var]).collect::<Vec<_>>().join(" -> ");
            return Err(Diagnostic::error(
                "spec::variable-cycle",
                format!("the variable `{var}` is made of itself: {way}"),
            )
            .at(place, "used here")
            .help("give one of them a value of its own"));
        }
        let above = walk.within.len();
        let too_deep = || {
            Diagnostic::error(
                "spec::too-deep",
                format!("variables are made of variables at most {MAX_DEPTH} deep, and `{var}` is deeper"),
            )
            .at(place, "one too many")
            .help("put the value where it is needed, with fewer variables on the way")
        };
        if above == MAX_DEPTH {
            return Err(too_deep());
        }
        let by_target = match view.target {
            Some(target) => target.spec.and_then(|spec| spec.vars.get(var)),
            None => {
                self.same_everywhere(var, place)?;
                None
            }
        };
        // An unknown one was reported when the recipe was read, one without a value when values were looked at.
        let Some(variable) = self.recipe.var(var) else { return Err(Diagnostic::reported()) };
        let Some(value) = by_target.or(variable.default.as_ref()) else { return Err(Diagnostic::reported()) };
        if !value.0.value.contains("${") {
            walk.reached = walk.reached.max(above + 1);
            return self.evaluate(&value.0, view, walk);
        }
        // While the platform is being found out, it has no value yet.
        let target = view.target.map_or("", |target| target.name);
        let kept = view.target.is_none_or(|target| target.platform.is_some());
        if let Some(made) = kept.then(|| self.done.borrow().get(target, var)).flatten() {
            let made = made?;
            if above + made.depth > MAX_DEPTH {
                return Err(too_deep());
            }
            walk.reached = walk.reached.max(above + made.depth);
            return Ok(made.text);
        }
        let before = std::mem::replace(&mut walk.reached, above + 1);
        walk.within.push(var.to_owned());
        let made = self.evaluate(&value.0, view, walk).and_then(|text| {
            check(variable, var, &text, &value.0)?;
            Ok(Made { text, depth: walk.reached - above })
        });
        walk.within.truncate(above);
        walk.reached = walk.reached.max(before);
        // These two depend on the way to here.
        let by_the_way = |error: &Diagnostic| {
            above > 0 && ["spec::too-deep", "spec::variable-cycle"].contains(&error.code)
        };
        if kept && !made.as_ref().is_err_and(by_the_way) {
            self.done.borrow_mut().put(target, var, made.clone());
        }
        made.map(|made| made.text)
    }

    /// A variable that targets set has no one value outside of them.
    fn same_everywhere(&self, var: &str, place: &Span) -> Result<(), Diagnostic> {
        let overridden = self.recipe.targets.iter().find(|(_, spec)| spec.vars.contains_key(var));
        let Some((target, spec)) = overridden else { return Ok(()) };
        Err(Diagnostic::error(
            "spec::target-variable",
            format!("`vars.{var}` differs from target to target, and this does not belong to one"),
        )
        .at(place, "which target's?")
        .at(&spec.vars[var].0.span, format!("set by target `{target}`"))
        .help("set `scope = \"target\"` on the step, or use another variable"))
    }
}

fn target(field: TargetField, place: &Span, view: View<'_>) -> Result<Text, Diagnostic> {
    let Some(target) = view.target else { return Err(Diagnostic::reported()) };
    if field == TargetField::Name {
        return Ok(target.name.into());
    }
    let platform = target.platform.ok_or_else(|| {
        Diagnostic::error("spec::no-value", "the platform is made of itself")
            .at(place, "known only when it is")
            .help("use `${matrix.…}` or a variable")
    })?;
    Ok(match field {
        TargetField::Name => target.name.into(),
        TargetField::Platform => platform.to_string().into(),
        TargetField::Os => platform.os().into(),
        TargetField::Arch => platform.arch().into(),
        TargetField::Variant => platform.variant().unwrap_or_default().into(),
    })
}

/// A value that is made of others must fit its variable too; one that is not was looked at when the recipe was read.
fn check(variable: &Variable, name: &str, made: &Text, written: &Str) -> Result<(), Diagnostic> {
    let problem = made.as_literal().and_then(|value| variable.problem(name, value));
    match problem {
        None => Ok(()),
        Some((message, help)) => Err(Diagnostic::error("spec::bad-value", message)
            .at(&written.span, "this value")
            .maybe_help(help)),
    }
}

fn length(text: &Text) -> usize {
    let literal = |part: &Part| match part {
        Part::Literal(text) => text.len(),
        Part::Late(_) | Part::Here => 0,
    };
    text.parts().iter().map(literal).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::RecipeFiles;

    /// The value of `a<last>` where each variable is made by `next` of the one before.
    fn value(first: &str, next: &str, last: usize) -> Result<String, &'static str> {
        let mut text = format!("version = 1\n[vars]\na0 = '{first}'\n");
        for at in 1..=last {
            text.push_str(&format!("a{at} = '{}'\n", next.replace('@', &format!("${{vars.a{}}}", at - 1))));
        }
        text.push_str("[[step]]\nuses = 'run'\nargv = ['true']\n");
        let files = RecipeFiles::one("pipeline.toml", text);
        let recipe = crate::spec::parse(&files).0.unwrap();
        let given = Given::default();
        let values = Values::new(&recipe, &given);
        let string = Str { value: format!("${{vars.a{last}}}"), span: 0..0 };
        values.word(&string, View::outside()).map_err(|error| {
            assert!(error.labels.len() == 1);
            error.code
        })
    }

    #[test]
    fn variables_of_variables_are_bounded() {
        assert_eq!(value("x", "@", 63).as_deref(), Ok("x"));
        assert_eq!(value("x", "@", 64), Err("spec::too-deep"));
        assert_eq!(value("x", "@", 2_000), Err("spec::too-deep"));
        assert_eq!(value("x", "@@", 16).map(|value| value.len()), Ok(64 * 1024));
        assert_eq!(value("x", "@@", 17), Err("spec::too-long"));
        assert_eq!(value("x", "@@", 63), Err("spec::too-long"));
        // 2^63 look-ups of nothing.
        assert_eq!(value("", "@@", 63).as_deref(), Ok(""));
    }

    #[test]
    fn how_deep_a_variable_goes_does_not_depend_on_what_was_asked_before() {
        let mut text = "version = 1\n[vars]\na0 = 'x'\n".to_owned();
        for at in 1..=64 {
            text.push_str(&format!("a{at} = '${{vars.a{}}}'\n", at - 1));
        }
        text.push_str("[[step]]\nuses = 'run'\nargv = ['true']\n");
        let files = RecipeFiles::one("pipeline.toml", text);
        let recipe = crate::spec::parse(&files).0.unwrap();
        let given = Given::default();
        let values = Values::new(&recipe, &given);
        let value = |at: usize| {
            let string = Str { value: format!("${{vars.a{at}}}"), span: 0..0 };
            values.word(&string, View::outside()).map_err(|error| error.code)
        };
        for _ in 0..2 {
            assert_eq!(value(64), Err("spec::too-deep"));
            for at in 0..64 {
                assert_eq!(value(at).as_deref(), Ok("x"), "a{at}");
            }
        }
    }

    #[test]
    fn each_target_has_its_own_value_of_what_is_made_of_others() {
        let text = "version = 1\n[vars]\nbase = 'app'\nname = '${vars.base}-${target.arch}'\n[targets.a]\nplatform = 'linux/arm64'\n\
                    [targets.b]\nplatform = 'linux/amd64'\nvars = { base = 'other' }\n[[step]]\nuses = 'run'\nargv = ['true']\n";
        let files = RecipeFiles::one("pipeline.toml", text.to_owned());
        let recipe = crate::spec::parse(&files).0.unwrap();
        let given = Given::default();
        let values = Values::new(&recipe, &given);
        let platforms: Vec<Platform> =
            ["linux/arm64", "linux/amd64"].map(|text| Platform::parse(text).unwrap()).into();
        let string = Str { value: "${vars.name}".into(), span: 0..0 };
        // Twice: the second time from what is kept.
        for _ in 0..2 {
            let made = recipe.targets.iter().zip(&platforms).map(|((name, spec), platform)| {
                let target =
                    Member { name: &name.value, platform: Some(platform), spec: Some(spec), cell: &[] };
                values.word(&string, View { target: Some(target), ..View::outside() }).unwrap()
            });
            assert_eq!(made.collect::<Vec<_>>(), ["app-arm64", "other-amd64"]);
        }
    }

    #[test]
    fn values_are_bounded_together() {
        let text = format!(
            "version = 1\n[vars]\na = '{}'\n[[step]]\nuses = 'run'\nargv = ['true']\n",
            "x".repeat(MAX_LENGTH)
        );
        let files = RecipeFiles::one("pipeline.toml", text);
        let recipe = crate::spec::parse(&files).0.unwrap();
        let given = Given::default();
        let values = Values::new(&recipe, &given);
        let string = Str { value: "${vars.a}".into(), span: 0..0 };
        let made = || values.word(&string, View::outside()).map(|value| value.len());
        for _ in 0..MAX_TOTAL / MAX_LENGTH {
            assert_eq!(made().unwrap(), MAX_LENGTH);
        }
        assert_eq!(made().unwrap_err().code, "spec::too-long");
        assert_eq!(made().unwrap_err().code, Diagnostic::reported().code, "it is said once");
    }
}
