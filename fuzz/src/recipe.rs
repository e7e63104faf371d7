//! Text → recipe → plan, and what `plan --format toml` makes of it → the same plan.
//!
//! An input is one file or several: a line `#% NAME` begins another. `overlay` and `vars` are given on the command line,
//! `given` holds the rest of it (`set NAME=VALUE`, `var NAME=VALUE`, `env NAME=VALUE`, `target`, `node`, `skip PATTERN`)
//! and what there is not (`no commit`, `no engine`); whatever has another name can be included.
#![no_main]

mod slowest;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use miette::SourceCode;
use pipeline_core::diag::{Diagnostic, Diagnostics};
use pipeline_core::lock::Lock;
use pipeline_core::plan::{Action, Engine};
use pipeline_core::planner::{Machine, Selection, plan};
use pipeline_core::platform::Platform;
use pipeline_core::show;
use pipeline_core::source::Sources;
use pipeline_core::spec::{File, Given, Recipe, RecipeFiles, Role, Values, examine, resolved, to_toml};

fuzz_target!(|data: &[u8]| {
    slowest::timed(data, |data| {
        if let Ok(text) = std::str::from_utf8(data) {
            recipe(text);
        }
    });
});

fn recipe(text: &str) {
    let input = Input::of(text);
    let included =
        |path: &str| input.included.get(path).map(|text| (*text).to_owned()).ok_or_else(|| "none".into());
    let files = RecipeFiles::gather(&input.files, &included);
    let (recipe, found) = examine(&files);
    places(&found, &files.sources);
    let Some(recipe) = recipe else {
        assert!(found.has_errors(), "no recipe, and nothing said why");
        return;
    };
    if many(&recipe) {
        return;
    }
    let choose_engine = || input.engine.clone();
    let machine =
        Machine { platform: Platform::first(), folder: "recipe".into(), choose_engine: &choose_engine };
    let (planned, more) = plan(&recipe, &input.given, &Lock::default(), &input.selection, &machine);
    places(&more, &files.sources);
    let Some(planned) = planned else {
        assert!(found.has_errors() || more.has_errors(), "no plan, and nothing said why");
        return;
    };
    assert!(!found.has_errors() && !more.has_errors(), "a plan of a wrong recipe");
    let actions = planned.graph.node_weights().flat_map(|instance| &instance.actions);
    if actions.flat_map(Action::texts).map(|text| text.to_string().len()).sum::<usize>() > 100_000 {
        return;
    }
    let mut ids = BTreeSet::new();
    for instance in planned.graph.node_weights() {
        assert!(ids.insert(instance.id.as_str()), "two instances are `{}`", instance.id);
    }
    let sections = resolved(&Values::new(&recipe, &input.given));
    for value in sections.iter().flat_map(|section| &section.values) {
        recipe.told(&value.origin);
    }
    let resolved = to_toml(&sections);
    let files = RecipeFiles::one("resolved.toml", resolved.clone());
    let (recipe, found) = examine(&files);
    assert!(!found.has_errors(), "the resolved recipe is wrong: {}\n{resolved}", told(&found));
    let Some(recipe) = recipe else { panic!("the resolved recipe is none\n{resolved}") };
    let given = Given { set: BTreeMap::new(), env_vars: BTreeMap::new(), ..input.given.clone() };
    tell(&resolved);
    let (again, more) = plan(&recipe, &given, &Lock::default(), &input.selection, &machine);
    let Some(again) = again else { panic!("the resolved recipe has no plan: {}\n{resolved}", told(&more)) };
    let (one, other) = (show::json(&planned), show::json(&again));
    assert!(
        one == other,
        "the resolved recipe has another plan\n{resolved}\n{}\n{}",
        show::text(&planned),
        show::text(&again)
    );
    show::text(&planned);
    let passed: Vec<String> = recipe.passed_env().into_iter().map(str::to_owned).collect();
    let secret: Vec<String> = recipe.secret_env().into_iter().map(str::to_owned).collect();
    show::sh(&planned, ".", &passed, &secret);
}

/// So many instances that planning them takes long without being slow.
fn many(recipe: &Recipe<'_>) -> bool {
    let cells = recipe.matrix.axes.iter().map(|axis| axis.values.len());
    let nodes = recipe.targets.iter().filter_map(|(_, target)| target.nodes.as_ref()).map(Vec::len);
    let targets = cells.fold(recipe.targets.len().max(1), usize::saturating_mul);
    let instances = targets.saturating_mul(recipe.steps.len().saturating_mul(nodes.max().unwrap_or(1)));
    // More targets than a matrix may make are refused, which takes no time.
    instances > 1_000 && targets <= 10_000
}

/// To look into one input: `FUZZ_TELL=1 target/fuzz/release/recipe FILE`.
fn tell(what: &str) {
    static TELL: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_TELL").is_some());
    if *TELL {
        eprintln!("{what}");
    }
}

fn told(diagnostics: &Diagnostics) -> String {
    let errors = diagnostics.iter().filter(|one| one.is_error());
    errors.map(|one| format!("{} {}", one.code, one.message)).collect::<Vec<_>>().join("; ")
}

/// Every place can be shown.
fn places(diagnostics: &Diagnostics, sources: &Sources) {
    for one in diagnostics.iter() {
        tell(&format!("{}: {}", one.code, one.message));
        assert_ne!(one.code, "plan::internal", "{}", one.message);
        assert!(!one.message.is_empty(), "{} without a word", one.code);
        for (span, _) in &one.labels {
            let shown = sources.read_span(&(span.start, span.end - span.start).into(), 1, 1);
            assert!(shown.is_ok(), "{}: {} at {span:?}, which is nowhere", one.code, one.message);
            let file = sources.file(span.start).map_or("", |file| file.text());
            let base = sources.file(span.start).map_or(0, |file| file.base());
            assert!(
                file.get(span.start - base..span.end - base).is_some(),
                "{}: {span:?} cuts a character",
                one.code
            );
            sources.position(span.start);
        }
    }
}

/// An input taken apart.
struct Input<'t> {
    files: Vec<File>,
    included: BTreeMap<&'t str, &'t str>,
    given: Given,
    selection: Selection,
    engine: Result<(Engine, String), Diagnostic>,
}

impl<'t> Input<'t> {
    fn of(text: &'t str) -> Self {
        let mut parts = text.split("\n#% ");
        let recipe = parts.next().unwrap_or_default();
        let mut input = Self {
            files: vec![File { role: Role::Recipe, name: "pipeline.toml".into(), text: recipe.into() }],
            included: BTreeMap::new(),
            given: Given {
                recipe_commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
                ..Given::default()
            },
            selection: Selection::default(),
            engine: Ok((Engine::Buildah, "there is no other".into())),
        };
        for part in parts {
            let (name, text) = part.split_once('\n').unwrap_or((part, ""));
            let file = |role| File { role, name: format!("{name}.toml"), text: text.into() };
            match name {
                "overlay" => input.files.push(file(Role::Overlay)),
                "vars" => input.files.push(file(Role::Variables)),
                "given" => text.lines().for_each(|line| input.argument(line)),
                name => {
                    input.included.insert(name, text);
                }
            }
        }
        input
    }

    fn argument(&mut self, line: &str) {
        let Some((what, value)) = line.split_once(' ') else { return };
        let selection = &mut self.selection;
        match what {
            "target" => selection.targets.push(value.into()),
            "node" => selection.nodes.push(value.into()),
            "skip" => selection.skip.push(value.into()),
            "no" if value == "commit" => self.given.recipe_commit = None,
            "no" if value == "engine" => self.engine = Err(Diagnostic::error("engine::none", "none works")),
            _ => {
                let Some((name, value)) = value.split_once('=') else { return };
                let values = match what {
                    "set" => &mut self.given.set,
                    "var" => &mut self.given.env_vars,
                    _ => &mut self.given.env,
                };
                values.insert(name.into(), value.into());
            }
        }
    }
}
