//! What holds for every recipe: the resolved one makes the same plan, the order of tables and steps means nothing, and a
//! message points into its file, at what it is about.

use std::collections::BTreeMap;
use std::fmt::Write;

use pipeline_core::diag::Diagnostics;
use pipeline_core::lock::Lock;
use pipeline_core::plan::{Engine, Plan};
use pipeline_core::planner::{Machine, Selection, plan};
use pipeline_core::platform::Platform;
use pipeline_core::show;
use pipeline_core::source::Sources;
use pipeline_core::spec::{Given, RecipeFiles, Values, examine, resolved, to_toml};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::{Sample, samples};

/// The plan of a recipe, the recipe resolved, and all that was said of it.
fn planned(text: &str) -> (Option<Plan>, String, Sources, Diagnostics) {
    let files = RecipeFiles::one("pipeline.toml", text.to_owned());
    let (recipe, mut diagnostics) = examine(&files);
    let Some(recipe) = recipe else { return (None, String::new(), files.sources.clone(), diagnostics) };
    let machine = Machine {
        platform: Platform::parse("linux/amd64").unwrap(),
        folder: "recipe".into(),
        choose_engine: &|| Ok((Engine::Buildah, "it is a test".into())),
    };
    let given = Given::default();
    let (plan, more) = plan(&recipe, &given, &Lock::default(), &Selection::default(), &machine);
    diagnostics.extend(more);
    let toml = to_toml(&resolved(&Values::new(&recipe, &given)));
    (plan, toml, files.sources.clone(), diagnostics.finish(&files.sources))
}

/// The plan for comparing: what has no order is sorted.
fn canonical(mut plan: Value) -> Value {
    let instances = plan["instances"].as_array_mut().unwrap();
    instances.sort_by_key(|instance| instance["id"].as_str().map(str::to_owned));
    let edges = plan["edges"].as_array_mut().unwrap();
    edges.sort_by_key(ToString::to_string);
    plan.as_object_mut().unwrap().remove("notes");
    plan
}

fn plan_of(text: &str) -> (Value, String) {
    let (plan, toml, _, diagnostics) = planned(text);
    let plan = plan.unwrap_or_else(|| panic!("{text}\n{:?}", diagnostics.iter().next()));
    (canonical(show::json(&plan)), toml)
}

fn name(kind: &str, at: usize) -> String {
    format!("{kind}{at}")
}

/// The tables and steps of a right recipe, in an order that means nothing.
fn recipes() -> impl Strategy<Value = Vec<String>> {
    let shape = (1..4_usize, 0..3_usize, 1..4_usize, 1..4_usize, 0..6_usize);
    let choices = prop::collection::vec(any::<u8>(), 60);
    (shape, choices).prop_map(|((vars, axes, targets, nodes, runs), choices)| {
        let mut choices = choices.into_iter().cycle();
        let mut choose = move |of: usize| usize::from(choices.next().unwrap()) % of;
        let mut blocks = Vec::new();
        for at in 0..vars {
            let of = if at > 0 && choose(2) == 0 { format!("a${{vars.{}}}", name("v", at - 1)) } else { "x".into() };
            blocks.push(match if of == "x" { choose(3) } else { choose(2) } {
                0 => format!("[vars.{}]\ndefault = '{of}'\ndescription = 'd'\n", name("v", at)),
                1 => format!("[vars.{}]\ntype = 'string'\ndefault = \"{of}\"\n", name("v", at)),
                _ => format!("[vars.{}]\ndefault = '''{of}'''\nallowed = [\"b\", '{of}']\n", name("v", at)),
            });
        }
        if axes > 0 {
            let mut matrix = "[matrix]\n".to_owned();
            for axis in 0..axes {
                let _ = writeln!(matrix, "a{axis} = [{}]", ["1, 2", "'x'", "true, 2.50, 'z'"][choose(3)]);
            }
            blocks.push(matrix);
        }
        blocks.push("[targets.base]\nabstract = true\nplatform = 'linux/arm64'\nvars = { v0 = 'b' }\n".into());
        blocks.push("[nodes.base]\nabstract = true\nsudo = true\nstorage = { root = '/srv' }\n".into());
        for at in 0..targets {
            let node = name("n", choose(nodes));
            let mut target = format!("[targets.t{at}]\nnodes = ['{node}']\n");
            target += ["extends = 'base'\n", "extends = ['base']\nplatform = 'linux/arm/v7'\n", "platform = 'linux/amd64'\n"]
                [choose(3)];
            blocks.push(target);
        }
        for at in 0..nodes {
            blocks.push(format!("[nodes.n{at}]\nhost = 'h{at}'\n{}", ["extends = 'base'\n", "port = 2222\n"][choose(2)]));
        }
        blocks.push(format!("[defaults.run]\ntimeout = '{}m'\nenv = {{ A = '${{vars.v0}}', B = 'b' }}\n", 1 + choose(9)));
        let mut step = |keys: String| blocks.push(format!("[[step]]\n{keys}"));
        step("id = 'source'\nuses = 'git-checkout'\nurl = 'https://example.org/x.git'\n".into());
        if choose(2) == 0 {
            step("id = 'patched'\nuses = 'patch-FROM'\nfrom = 'alpine:3.20'\n".into());
        }
        step("id = 'image'\nuses = 'build'\ntag = 'x:1'\nlabels = { of = '${vars.v0}' }\n".into());
        if choose(2) == 0 {
            step("uses = 'smoke'\nargv = ['true']\nstdout = { regex = '^\\w\"$' }\n".into());
        }
        step("uses = 'save'\npath = 'out/${target.name}.tar'\n".into());
        if choose(2) == 0 {
            step("uses = 'scp'\ndest = '/tmp/${target.name}.tar'\n".into());
        }
        for at in 0..runs {
            let variable = name("v", choose(vars));
            let axis = if axes > 0 { format!("${{matrix.a{}}}", choose(axes)) } else { "ü \\u00e4".into() };
            let scope = ["target", "node"][choose(2)];
            let mut keys = format!(
                "id = 'r{at}'\nuses = 'run'\nscope = '{scope}'\nargv = ['echo', \"${{vars.{variable}}} {axis}\"]\n"
            );
            if at > 0 && choose(2) == 0 {
                let _ = writeln!(keys, "needs = ['r{}']", choose(at));
            }
            keys += ["", "env = { B = 'c' }\n", "retry = { attempts = 2 }\n"][choose(3)];
            step(keys);
        }
        blocks
    })
}

fn text(blocks: &[String]) -> String {
    format!("version = 1\n{}", blocks.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_resolved_recipe_makes_the_same_plan(blocks in recipes()) {
        let (plan, toml) = plan_of(&text(&blocks));
        prop_assert!(!plan["instances"].as_array().unwrap().is_empty());
        let (again, same) = plan_of(&toml);
        prop_assert_eq!(&again, &plan, "{}", toml);
        prop_assert_eq!(same, toml);
    }

    #[test]
    fn the_order_of_tables_and_steps_means_nothing(
        (blocks, shuffled) in recipes().prop_flat_map(|blocks| (Just(blocks.clone()), Just(blocks).prop_shuffle()))
    ) {
        prop_assert_eq!(plan_of(&text(&blocks)).0, plan_of(&text(&shuffled)).0);
    }
}

#[test]
fn every_right_recipe_is_the_same_when_it_is_resolved() {
    for sample in samples("valid") {
        let name = &sample.name;
        let (code, toml, stderr) = sample.run(&["plan", "--format", "toml"]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{name}");
        // Values from outside stand in it.
        let args = sample
            .args
            .iter()
            .filter(|arg| arg.starts_with("PIPELINE_") && !arg.starts_with("PIPELINE_VAR_"));
        let resolved = Sample {
            name: name.clone(),
            recipe: "resolved.toml".into(),
            files: BTreeMap::from([("resolved.toml".to_owned(), toml.clone().into_bytes())]),
            args: args.cloned().collect(),
        };
        let plan = |sample: &Sample| {
            let (code, json, stderr) = sample.run(&["plan", "--format", "json"]);
            assert_eq!(code, 0, "{name}: {stderr}\n{toml}");
            canonical(serde_json::from_str(&json).unwrap())
        };
        assert_eq!(plan(&resolved), plan(&sample), "{name}:\n{toml}");
    }
}

/// One change of a text.
#[derive(Debug, Clone)]
enum Change {
    Delete(Index),
    Double(Index),
    /// By another one of the same text.
    Replace(Index, Index),
    Insert(Index, String),
    DeleteLine(Index),
    DoubleLine(Index),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        index().prop_map(Change::Delete),
        index().prop_map(Change::Double),
        (index(), index()).prop_map(|(at, by)| Change::Replace(at, by)),
        (index(), "([a-zü{}\\[\\]\"'$.#=\n\u{202e}]|\\$\\{vars\\.|\\\\u00e4){1,3}")
            .prop_map(|(at, text)| Change::Insert(at, text)),
        index().prop_map(Change::DeleteLine),
        index().prop_map(Change::DoubleLine),
        index().prop_map(Change::Cut),
    ]
}

/// Words, and every other character by itself.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let word = |c: char| c.is_alphanumeric() || "-_".contains(c);
    for c in text.chars() {
        match tokens.last_mut() {
            Some(last) if word(c) && last.chars().all(word) => last.push(c),
            _ => tokens.push(c.into()),
        }
    }
    tokens
}

fn changed(text: &str, change: &Change) -> String {
    let mut parts = match change {
        Change::DeleteLine(_) | Change::DoubleLine(_) => {
            text.split_inclusive('\n').map(str::to_owned).collect()
        }
        _ => tokens(text),
    };
    if parts.is_empty() {
        return text.to_owned();
    }
    let length = parts.len();
    match change {
        Change::Delete(at) | Change::DeleteLine(at) => {
            parts.remove(at.index(length));
        }
        Change::Double(at) | Change::DoubleLine(at) => {
            parts.insert(at.index(length), parts[at.index(length)].clone());
        }
        Change::Replace(at, by) => {
            let by = parts[by.index(length)].clone();
            parts[at.index(length)] = by;
        }
        Change::Insert(at, text) => parts.insert(at.index(length), text.clone()),
        Change::Cut(at) => parts.truncate(at.index(length)),
    }
    parts.concat()
}

/// The names in a message.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let (plan, _, sources, diagnostics) = planned(text);
    let failed = diagnostics.has_errors();
    prop_assert_eq!(plan.is_none(), failed, "{:?}", diagnostics);
    for one in diagnostics.iter() {
        prop_assert!(one.code != "plan::internal", "{}", one.message);
        prop_assert!(!one.labels.is_empty(), "{} says no place", one.message);
        for (span, _) in &one.labels {
            let file = sources.file(span.start).unwrap();
            let (start, end) = (span.start - file.base(), span.end.saturating_sub(file.base()));
            prop_assert!(start <= end && end <= file.text().len(), "{}: {span:?}", one.message);
            let whole = file.text().is_char_boundary(start) && file.text().is_char_boundary(end);
            prop_assert!(whole, "{}: {span:?}", one.message);
        }
        let shown = sources.slice(&one.labels[0].0);
        let plain = !one.message.contains('\\') && !shown.contains('\\');
        let made = one.code == "spec::unknown-platform" && shown.contains("${");
        if one.code.starts_with("spec::unknown-") && plain && !made {
            let named = quoted(&one.message).any(|name| shown.contains(name));
            prop_assert!(named, "{}: it points at `{shown}`", one.message);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, ..ProptestConfig::default() })]

    #[test]
    fn what_is_said_of_a_broken_recipe_points_at_it(which in any::<Index>(), changes in prop::collection::vec(change(), 1..4)) {
        let samples = samples("valid");
        let sample = &samples[which.index(samples.len())];
        let mut text = String::from_utf8(sample.files[&sample.recipe].clone()).unwrap();
        for change in &changes {
            text = changed(&text, change);
        }
        check(&text)?;
    }

    #[test]
    fn what_is_said_of_no_recipe_at_all_points_at_it(text in "([a-z]{1,3}|[\\[\\]{}=\"'\n.,#$ 1é\u{202e}]|version = 1\n|\\[\\[step\\]\\]\n|uses = \"run\"\n){0,40}") {
        check(&text)?;
    }
}
