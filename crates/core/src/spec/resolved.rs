//! A recipe with everything resolved: files merged, targets and nodes with what they extend, steps with their defaults, and
//! values from outside in their places. Each value with the place that it came from.

use std::fmt::Write;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::values::{Origin, Values};
use super::{Recipe, Str};
use crate::source::Span;

/// A table and its values.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name as a path, such as `["targets", "arm64"]`; `["step", ID]` for a step, nothing for the top.
    pub path: Vec<String>,
    /// Its values, in the order of the files.
    pub values: Vec<Resolved>,
}

/// One value.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Its keys within the section.
    pub keys: Vec<String>,
    /// The value in TOML, on one line.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Every section of the recipe, in the order in which recipes have them.
pub fn resolved(values: &Values<'_>) -> Vec<Section> {
    let recipe = values.recipe;
    let mut sections = vec![top(&recipe.root)];
    let mut add = |path: &[&str], table: &DeTable<'_>, but: &dyn Fn(&[String]) -> bool| {
        let mut section = section(path, table);
        section.values.retain(|value| !but(&value.keys));
        sections.push(section);
    };
    let table = |key: &str| recipe.root.get(key).and_then(|value| value.get_ref().as_table());
    let nothing = |_: &[String]| false;
    if let Some(header) = table("pipeline") {
        add(&["pipeline"], header, &nothing);
    }
    if let Some(vars) = table("vars") {
        add(&["vars"], vars, &nothing);
    }
    if let Some(matrix) = table("matrix") {
        add(&["matrix"], matrix, &nothing);
    }
    // What is given from outside counts for every target.
    let given =
        |keys: &[String]| keys[0] == "vars" && keys.get(1).is_some_and(|var| values.given(var).is_some());
    for (name, table) in &recipe.resolved.targets {
        add(&["targets", &name.value], table, &given);
    }
    for (name, table) in &recipe.resolved.nodes {
        add(&["nodes", &name.value], table, &nothing);
    }
    if let Some(groups) = table("groups") {
        add(&["groups"], groups, &nothing);
    }
    if let Some(builders) = table("builders") {
        add(&["builders"], builders, &nothing);
    }
    if let Some(env) = table("env") {
        add(&["env"], env, &nothing);
    }
    if let Some(ci) = table("ci") {
        add(&["ci"], ci, &nothing);
    }
    if let Some(pools) = table("pools") {
        add(&["pools"], pools, &nothing);
    }
    for step in &recipe.steps {
        add(&["step", &step.id.value], &step.table, &nothing);
    }
    if let Some(vars) = sections.iter_mut().find(|section| section.path == ["vars"]) {
        put_given(values, vars);
    }
    sections
}

/// Values from outside become defaults.
fn put_given(values: &Values<'_>, vars: &mut Section) {
    for (name, _) in &values.recipe.vars {
        let Some((value, origin)) = values.given(&name.value) else { continue };
        vars.values.retain(|value| {
            value.keys != [&name.value, "default"] && value.keys != [&name.value, "required"]
        });
        let keys = vec![name.value.clone(), "default".into()];
        // Taken as it is, while a default is taken apart.
        vars.values.push(Resolved { keys, value: string(&value.replace("${", "$${")), origin });
    }
}

fn top(root: &DeTable<'_>) -> Section {
    let mut top = Section { path: Vec::new(), values: Vec::new() };
    if let Some((key, value)) = root.get_key_value("version") {
        leaves(&mut vec![key.get_ref().to_string()], value, &mut top.values);
    }
    top
}

fn section(path: &[&str], table: &DeTable<'_>) -> Section {
    let mut values = Vec::new();
    for (key, value) in table {
        leaves(&mut vec![key.get_ref().to_string()], value, &mut values);
    }
    values.sort_by_key(|value| match &value.origin {
        Origin::File(span) => span.start,
        Origin::Set | Origin::Environment(_) => usize::MAX,
    });
    Section { path: path.iter().map(|name| (*name).to_owned()).collect(), values }
}

/// Everything in a value that is no table.
fn leaves(keys: &mut Vec<String>, value: &Spanned<DeValue<'_>>, found: &mut Vec<Resolved>) {
    match value.get_ref() {
        DeValue::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                keys.push(key.get_ref().to_string());
                leaves(keys, value, found);
                keys.pop();
            }
        }
        other => found.push(Resolved {
            keys: keys.clone(),
            value: inline(other),
            origin: Origin::File(value.span()),
        }),
    }
}

/// A value in TOML on one line.
fn inline(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => string(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) => {
            let entries: Vec<String> = table
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name.get_ref()), inline(value.get_ref())))
                .collect();
            if entries.is_empty() { "{}".into() } else { format!("{{ {} }}", entries.join(", ")) }
        }
    }
}

/// Turns the text around it on a terminal.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A basic string.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || turns(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A key, with quotes where it needs them.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { string(name) }
}

/// Keys with dots between them.
pub fn dotted<'k>(keys: impl IntoIterator<Item = &'k String>) -> String {
    keys.into_iter().map(|name| key(name)).collect::<Vec<_>>().join(".")
}

/// The resolved recipe as a recipe in one file, which makes the same plan.
pub fn to_toml(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        match section.path.as_slice() {
            [] => {}
            [step, _] if step == "step" => text.push_str("\n[[step]]\n"),
            path => {
                let _ = writeln!(text, "\n[{}]", dotted(path));
            }
        }
        for value in &section.values {
            let _ = writeln!(text, "{} = {}", dotted(&value.keys), value.value);
        }
    }
    text
}

/// The tables of targets and nodes with what they extend.
#[derive(Debug, Default)]
pub(crate) struct ResolvedTables<'s> {
    pub(super) targets: Vec<(Str, DeTable<'s>)>,
    pub(super) nodes: Vec<(Str, DeTable<'s>)>,
}

impl<'s> ResolvedTables<'s> {
    /// The table of the target of that name.
    pub(super) fn target(&self, name: &str) -> Option<&DeTable<'s>> {
        self.targets.iter().find(|(known, _)| known.value == name).map(|(_, table)| table)
    }
}

impl Recipe<'_> {
    /// The place of a value, for people: `FILE:LINE`, or what gave it from outside.
    pub fn told(&self, origin: &Origin) -> String {
        let place = |span: &Span| {
            let position = self.files.sources.position(span.start);
            format!("{}:{}", position.file, position.line)
        };
        match origin {
            Origin::Set => "--set".into(),
            Origin::File(span) => place(span),
            Origin::Environment(name) => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Given, RecipeFiles, View, parse};

    /// The recipe with `[vars] a`, resolved with what is given, and the value of `a` in what comes of it.
    fn again(text: &str, given: &Given) -> (String, String) {
        let rest = "[[step]]\nuses = 'run'\nargv = ['${vars.a}']\n";
        let files = RecipeFiles::one("a.toml", format!("version = 1\n{text}\n{rest}"));
        let recipe = parse(&files).0.unwrap();
        let resolved = to_toml(&resolved(&Values::new(&recipe, given)));
        let files = RecipeFiles::one("b.toml", resolved.clone());
        let recipe = parse(&files).0.unwrap();
        let string = Str { value: "${vars.a}".into(), span: 0..0 };
        let given = Given::default();
        let values = Values::new(&recipe, &given);
        (values.word(&string, View::outside()).unwrap(), resolved)
    }

    #[test]
    fn what_is_given_is_not_taken_apart_when_it_has_become_a_default() {
        for value in ["${vars.b}", "$${x}", "$", "${", "a$b"] {
            let given = Given { set: [("a".to_owned(), value.to_owned())].into(), ..Given::default() };
            let (found, resolved) = again("[vars]\na = '1'\nb = '2'", &given);
            assert_eq!(found, value, "{resolved}");
        }
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        for (written, value) in [
            ("1.50", "1.50"),
            ("1_0.50", "10.50"),
            ("+1.50", "+1.50"),
            ("-0.0", "-0.0"),
            ("1e3", "1000"),
            ("1.5e3", "1.5e3"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("nan", "NaN"),
        ] {
            let (found, resolved) = again(&format!("[vars]\na = {written}"), &Given::default());
            assert_eq!(found, value, "{written}: {resolved}");
        }
    }

    #[test]
    fn nothing_in_it_acts_on_a_terminal() {
        let text =
            "[vars]\na = \"\\u001b\\u009b\\u202e\\u2066\\u200f\"\n[pipeline]\ndescription = '\u{202e}'";
        let (found, resolved) = again(text, &Given::default());
        assert_eq!(found, "\u{1b}\u{9b}\u{202e}\u{2066}\u{200f}");
        assert!(!resolved.chars().any(|c| (c.is_control() && c != '\n') || turns(c)), "{resolved:?}");
    }
}
