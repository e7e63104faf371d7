//! Targets × matrix: which targets there are, and which of them are selected.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobMatcher;

use super::{Machine, Selection};
use crate::diag::{Diagnostic, Diagnostics, list_names, nearest};
use crate::platform::Platform;
use crate::spec::{Matrix, Member, Recipe, Selector, Str, Values, View, glob, takes};

/// The name of the node that is this machine, for targets without nodes.
pub(super) const HERE: &str = "here";

/// The target of a recipe without targets.
const HOST: &str = "host";

/// The longest name of a target with the values of the matrix in it: it becomes part of tags and file names.
const MAX_NAME: usize = 100;

/// A selected target, in one cell of the matrix, with its selected nodes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) platform: Platform,
    pub(super) nodes: Vec<String>,
    /// The values of the axes, in their order.
    cell: Vec<String>,
    /// Its index in the recipe; none for the implicit target.
    spec: Option<usize>,
    /// Its name in the recipe.
    declared: String,
}

/// Targets, and those of the recipe that the selection leaves out.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) targets: Vec<Target>,
    pub(super) left_out: Vec<Target>,
}

impl Target {
    /// The target in the view of values.
    pub(super) fn member<'v>(&'v self, recipe: &'v Recipe<'_>) -> Member<'v> {
        Member {
            name: &self.name,
            platform: Some(&self.platform),
            spec: self.spec.map(|at| &recipe.targets[at].1),
            cell: &self.cell,
        }
    }

    /// Selected by these terms.
    pub(super) fn taken_by(&self, selectors: &[Selector], matrix: &Matrix) -> bool {
        takes(selectors, &[self.name.as_str(), self.declared.as_str()], |axis| self.value(axis, matrix))
    }

    fn value(&self, axis: &str, matrix: &Matrix) -> Option<&str> {
        let at = matrix.axes.iter().position(|known| known.name.value == axis)?;
        self.cell.get(at).map(String::as_str)
    }
}

pub(super) fn globs(patterns: &[String], what: &str, diagnostics: &mut Diagnostics) -> Vec<GlobMatcher> {
    let mut matchers = Vec::new();
    for pattern in patterns {
        match glob(pattern) {
            Ok(matcher) => matchers.push(matcher),
            Err(problem) => diagnostics.push(bad_pattern(pattern, what, &problem)),
        }
    }
    matchers
}

fn bad_pattern(pattern: &str, what: &str, problem: &str) -> Diagnostic {
    Diagnostic::error("select::bad-pattern", format!("`{pattern}` is no pattern for {what}: {problem}"))
}

fn nothing(what: &str, pattern: &str, help: String) -> Diagnostic {
    Diagnostic::error("select::nothing", format!("no {what} matches `{pattern}`")).help(help)
}

/// The selected targets, as far as they could be made, and whether that is all of them; one for this machine where the recipe
/// has none.
pub(super) fn targets(
    values: &Values<'_>,
    selection: &Selection,
    machine: &Machine<'_>,
    diagnostics: &mut Diagnostics,
) -> (Selected, bool) {
    // Not even to find what else is wrong.
    if values.recipe.matrix.too_large(values.recipe.targets.len()) {
        return (Selected::default(), false);
    }
    let before = diagnostics.len();
    let all = all(values, machine, diagnostics);
    if diagnostics.len() > before {
        return (Selected { targets: all, left_out: Vec::new() }, false);
    }
    let narrows = !selection.targets.is_empty() || !selection.nodes.is_empty();
    let mut left_out = if narrows { all.clone() } else { Vec::new() };
    let mut targets = by_terms(all, &selection.targets, &values.recipe.matrix, diagnostics);
    by_nodes(&mut targets, &selection.nodes, values.recipe, diagnostics);
    let kept: BTreeSet<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    left_out.retain(|target| !kept.contains(target.name.as_str()));
    (Selected { targets, left_out }, diagnostics.len() == before)
}

/// Every target in every cell of the matrix.
fn all(values: &Values<'_>, machine: &Machine<'_>, diagnostics: &mut Diagnostics) -> Vec<Target> {
    let recipe = values.recipe;
    let mut left_out = true;
    let mut targets = Vec::new();
    let place = recipe.matrix.axes.first().map_or(0..0, |axis| axis.name.span.clone());
    let implicit = Str { value: HOST.into(), span: place };
    let mut seen: BTreeMap<String, &Str> = BTreeMap::new();
    for (index, (name, spec)) in recipe.targets.iter().enumerate() {
        if spec.nodes.as_ref().is_some_and(Vec::is_empty) {
            diagnostics.push(
                Diagnostic::error("plan::no-nodes", format!("target `{name}` has an empty list of nodes"))
                    .at(&name.span, "no step would reach a node")
                    .help("name its nodes, or leave `nodes` out for this machine"),
            );
        }
        let nodes = match &spec.nodes {
            Some(terms) => recipe.nodes_of(terms),
            None => vec![HERE.into()],
        };
        for cell in recipe.matrix.cells(&name.value) {
            left_out = false;
            let cell: Vec<String> = cell.into_iter().map(str::to_owned).collect();
            let full = full_name(&name.value, &cell);
            if let Err(problem) = check_name(&full, name, &mut seen, recipe) {
                diagnostics.push(problem);
            }
            let member = Member { name: &full, platform: None, spec: Some(spec), cell: &cell };
            match platform(values, &spec.platform, View { target: Some(member), ..View::outside() }) {
                Ok(platform) => targets.push(Target {
                    name: full,
                    platform,
                    nodes: Clone::clone(&nodes),
                    cell,
                    spec: Some(index),
                    declared: name.value.clone(),
                }),
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
    }
    if recipe.targets.is_empty() {
        for cell in recipe.matrix.cells(HOST) {
            let cell: Vec<String> = cell.into_iter().map(str::to_owned).collect();
            let full = full_name(HOST, &cell);
            if let Err(problem) = check_name(&full, &implicit, &mut seen, recipe) {
                diagnostics.push(problem);
            }
            targets.push(Target {
                name: full,
                platform: machine.platform.clone(),
                nodes: vec![HERE.into()],
                cell,
                spec: None,
                declared: HOST.into(),
            });
        }
    }
    if let Some(exclude) = &recipe.matrix.exclude_span
        && targets.is_empty()
        && left_out
        && recipe.matrix.lost.is_empty()
    {
        diagnostics.push(
            Diagnostic::error("spec::empty-matrix", "`exclude` leaves nothing of the matrix")
                .at(exclude, "no combination is left")
                .help("take an entry out of `exclude`"),
        );
    }
    targets
}

fn full_name(target: &str, cell: &[String]) -> String {
    std::iter::once(target).chain(cell.iter().map(String::as_str)).collect::<Vec<_>>().join("-")
}

/// Two targets can come to have one name: `a` with `b-c`, and `a-b` with `c`.
fn check_name<'r>(
    full: &str,
    name: &'r Str,
    seen: &mut BTreeMap<String, &'r Str>,
    recipe: &Recipe<'_>,
) -> Result<(), Diagnostic> {
    let Some(axis) = recipe.matrix.axes.last() else { return Ok(()) };
    if full.len() > MAX_NAME {
        return Err(Diagnostic::error(
            "spec::bad-name",
            format!("the target `{full}` of the matrix has a name of more than {MAX_NAME} characters"),
        )
        .at(&name.span, "this target")
        .help("use shorter values or fewer axes"));
    }
    match seen.insert(full.to_lowercase(), name) {
        None => Ok(()),
        // Two targets whose names differ only in case were reported with the recipe.
        Some(first) if first.value != name.value && first.value.eq_ignore_ascii_case(&name.value) => {
            Err(Diagnostic::reported())
        }
        Some(first) if first.value == name.value => Err(Diagnostic::error(
            "spec::duplicate-id",
            format!("two combinations of the matrix would both make the target `{full}`"),
        )
        .at(&name.span, "of this target")
        .help(format!("change the values of `{}`", axis.name))),
        Some(first) => Err(Diagnostic::error(
            "spec::duplicate-id",
            format!("two targets of the matrix would both be called `{full}`"),
        )
        .at(&name.span, "one is of this target")
        .at(&first.span, "the other of this one")
        .help(format!("rename a target, or change the values of `{}`", axis.name))),
    }
}

/// Keeps what the terms of the command line select.
fn by_terms(
    targets: Vec<Target>,
    terms: &[String],
    matrix: &Matrix,
    diagnostics: &mut Diagnostics,
) -> Vec<Target> {
    let mut selectors = Vec::new();
    for term in terms {
        let selector = match Selector::parse(term) {
            Ok(selector) => selector,
            Err(problem) => {
                diagnostics.push(bad_pattern(term, "target", &problem));
                continue;
            }
        };
        if !targets.iter().any(|target| target.taken_by(std::slice::from_ref(&selector), matrix)) {
            let axes: Vec<&str> = matrix.axes.iter().map(|axis| axis.name.value.as_str()).collect();
            let help = match selector.axis() {
                Some((axis, _)) if !axes.contains(&axis) => match nearest(axis, axes.iter().copied()) {
                    Some(near) => format!("did you mean the axis `{near}`?"),
                    None if axes.is_empty() => "the recipe has no `[matrix]`".into(),
                    None => format!("the axes are {}", list_names(&axes)),
                },
                Some((axis, _)) => {
                    let values: BTreeSet<&str> =
                        targets.iter().filter_map(|target| target.value(axis, matrix)).collect();
                    format!("`{axis}` has {}", list_names(values.into_iter()))
                }
                None => format!(
                    "the recipe has {}",
                    list_names(targets.iter().map(|target| target.name.as_str()))
                ),
            };
            diagnostics.push(nothing("target", term, help));
        }
        selectors.push(selector);
    }
    let before = targets.len();
    let shown = list_names(targets.iter().map(|target| target.name.as_str()));
    let kept: Vec<Target> =
        targets.into_iter().filter(|target| target.taken_by(&selectors, matrix)).collect();
    if kept.is_empty() && before > 0 && !diagnostics.has_errors() {
        diagnostics.push(nothing("target", &terms.join(" "), format!("the recipe has {shown}")));
    }
    kept
}

/// Keeps the nodes that the patterns select, and the targets that still have one.
fn by_nodes(
    targets: &mut Vec<Target>,
    patterns: &[String],
    recipe: &Recipe<'_>,
    diagnostics: &mut Diagnostics,
) {
    if patterns.is_empty() {
        return;
    }
    let mut terms = Vec::new();
    for pattern in patterns {
        match recipe.node_term(pattern) {
            Ok(term) => terms.push((pattern, term)),
            Err(problem) => diagnostics.push(bad_pattern(pattern, "node", &problem)),
        }
    }
    let all: BTreeSet<&str> =
        targets.iter().flat_map(|target| target.nodes.iter().map(String::as_str)).collect();
    for (pattern, term) in &terms {
        if !all.iter().any(|node| term.takes(node)) {
            let groups = recipe.groups.names().map(|group| group.value.as_str());
            diagnostics.push(nothing(
                "node",
                pattern,
                format!("the recipe has {}", list_names(all.iter().copied().chain(groups))),
            ));
        }
    }
    for target in &mut *targets {
        target.nodes.retain(|node| terms.iter().any(|(_, term)| term.takes(node)));
    }
    targets.retain(|target| !target.nodes.is_empty());
}

pub(super) fn platform(values: &Values<'_>, text: &Str, view: View<'_>) -> Result<Platform, Diagnostic> {
    let word = values.word(text, view)?;
    Platform::parse(&word).map_err(|error| {
        Diagnostic::error("spec::unknown-platform", error.to_string())
            .at(&text.span, "this platform")
            .maybe_help(error.suggestion.map(|near| format!("did you mean `{near}`?")))
    })
}

#[cfg(test)]
mod tests {
    use crate::lock::Lock;
    use crate::planner::testing::{codes, plan};
    use crate::planner::{Machine, Selection};
    use crate::platform::Platform;
    use crate::spec::{Given, RecipeFiles, examine};

    #[test]
    fn two_combinations_never_make_one_target() {
        let run = "[[step]]\nuses = 'run'\nscope = 'target'\nargv = ['${matrix.a}', '${matrix.b}']\n";
        let matrix = "[matrix]\na = ['b-c', 'b']\nb = ['d', 'c-d']\n";
        for targets in ["", "[targets.x]\nplatform = 'linux/amd64'\n"] {
            let (planned, errors) = plan(&[matrix, targets, run].concat());
            assert!(planned.is_none());
            assert_eq!(codes(&errors), ["spec::duplicate-id"], "{targets}");
        }
        let long = format!("[matrix]\na = ['{0}']\nb = ['{0}']\n", "x".repeat(60));
        let (planned, errors) = plan(&[&long, run].concat());
        assert!(planned.is_none());
        assert_eq!(codes(&errors), ["spec::bad-name"]);
    }

    #[test]
    fn nothing_is_made_of_a_matrix_that_is_too_large() {
        let values: Vec<String> = (0..100).map(|value| value.to_string()).collect();
        let axes: String = (0..6).map(|axis| format!("a{axis} = [{}]\n", values.join(", "))).collect();
        for targets in ["", "[targets.x]\nplatform = 'linux/amd64'\n[targets.y]\nplatform = 1\n"] {
            let text =
                format!("version = 1\n[matrix]\n{axes}{targets}[[step]]\nuses = 'run'\nargv = ['a']\n");
            let files = RecipeFiles::one("pipeline.toml", text);
            let (recipe, errors) = examine(&files);
            assert!(errors.iter().any(|error| error.code == "spec::matrix-too-large"));
            let machine = Machine {
                platform: Platform::first(),
                folder: "recipe".into(),
                choose_engine: &|| panic!("nothing is built"),
            };
            // What is wrong elsewhere is looked for all the same, and would take until the memory is full.
            let (plan, _) = crate::planner::plan(
                &recipe.unwrap(),
                &Given::default(),
                &Lock::default(),
                &Selection::default(),
                &machine,
            );
            assert!(plan.is_none());
        }
    }
}
