//! `pipeline.toml` as it was written: tables, keys and values with their places. Knows no step kind and plans nothing.

mod check;
mod document;
mod read;
mod shape;
mod step;
mod text;
mod values;

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

pub(crate) use check::check_env_name;
pub use document::{EnvSpec, Header, NodeSpec, Scalar, StorageSpec, TargetSpec};
pub(crate) use read::read;
pub use step::{Common, RetrySpec, Scope};
pub use text::{Str, Whole};
pub use values::{Given, NoOutput, Values, View};

use crate::diag::{Diagnostic, Diagnostics, did_you_mean, nearest};
use crate::interp::{Name, Template};
use crate::source::{SourceFile, Span};

/// A recipe file, read.
#[derive(Debug)]
pub struct Recipe<'s> {
    /// The file.
    pub source: SourceFile,
    /// `[pipeline]`
    pub header: Header,
    /// `[vars]`, in the order of the file.
    pub vars: Vec<(Str, Scalar)>,
    /// `[targets.*]`, in the order of the file.
    pub targets: Vec<(Str, TargetSpec)>,
    /// `[nodes.*]`, in the order of the file.
    pub nodes: Vec<(Str, NodeSpec)>,
    /// `[env]`
    pub env: EnvSpec,
    /// `[[step]]`, in the order of the file.
    pub steps: Vec<Step<'s>>,
    /// No error was found in it. Only then can it be planned.
    pub sound: bool,
    /// What could not be read; its names are known all the same.
    pub(crate) lost: Lost,
}

/// Names of entries that stand in the file and could not be read. References to them are no errors of their own.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    targets: Vec<String>,
    nodes: Vec<String>,
    vars: Vec<String>,
    steps: Vec<String>,
    /// Something without a name.
    more: bool,
}

impl Lost {
    /// Everything in the file was read.
    pub(crate) fn nothing(&self) -> bool {
        !self.more
            && [&self.targets, &self.nodes, &self.vars, &self.steps].iter().all(|names| names.is_empty())
    }
}

/// One `[[step]]`: the common keys read, the kind's own keys still as a table.
#[derive(Debug)]
pub struct Step<'s> {
    /// Its id: `id`, else its kind.
    pub id: Str,
    /// The name of its kind.
    pub uses: Str,
    /// Common keys.
    pub common: Common,
    /// All its keys.
    pub table: DeTable<'s>,
    /// The place of the whole step.
    pub span: Span,
    /// Every `${…}` in it.
    pub names: Vec<(Name, Span)>,
}

/// The keys of a step that its kind does not read.
pub const COMMON_KEYS: [&str; 12] = [
    "id",
    "uses",
    "needs",
    "scope",
    "targets",
    "timeout",
    "retry",
    "env",
    "mutex",
    "always",
    "allow-failure",
    "gate",
];

const TABLES: [&str; 7] = ["version", "pipeline", "vars", "targets", "nodes", "env", "step"];

/// More of them help nobody.
const MAX_SYNTAX_ERRORS: usize = 10;

/// A recipe is not larger than this, in bytes.
const MAX_SIZE: usize = 4 * 1024 * 1024;

/// Reads a recipe. The diagnostics may hold warnings also when there is a recipe; without one they hold errors.
pub fn parse(source: &SourceFile) -> (Option<Recipe<'_>>, Diagnostics) {
    let (recipe, diagnostics) = examine(source);
    (recipe.filter(|recipe| recipe.sound), diagnostics)
}

/// The same, and as much of the recipe as could be read also where it has errors: planning it finds those that are left.
pub fn examine(source: &SourceFile) -> (Option<Recipe<'_>>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut recipe = parse_document(source, &mut diagnostics);
    if let Some(recipe) = &mut recipe {
        check::check(recipe, &mut diagnostics);
        recipe.sound = !diagnostics.has_errors();
    }
    (recipe, diagnostics.finish(source))
}

fn parse_document<'s>(source: &'s SourceFile, diagnostics: &mut Diagnostics) -> Option<Recipe<'s>> {
    if source.text().len() > MAX_SIZE {
        diagnostics.push(Diagnostic::error(
            "spec::too-large",
            format!("`{}` has {} bytes; a recipe has at most {MAX_SIZE}", source.name(), source.text().len()),
        ));
        return None;
    }
    let (root, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        syntax(source, &errors, diagnostics);
        return None;
    }
    let root = root.into_inner();
    for (key, _) in &root {
        if !TABLES.contains(&key.get_ref().as_ref()) {
            let help = if read::schema_of::<Header>()["properties"].get(key.get_ref().as_ref()).is_some() {
                format!("write `{}` below `[pipeline]`", key.get_ref())
            } else {
                did_you_mean(key.get_ref(), TABLES)
                    .unwrap_or_else(|| format!("known at the top level: {}", TABLES.join(", ")))
            };
            diagnostics.push(
                Diagnostic::error(
                    "spec::unknown-key",
                    format!("unknown key `{}` at the top level", key.get_ref()),
                )
                .at(&key.span(), "nobody reads this")
                .help(help),
            );
        }
    }
    version(&root, diagnostics);
    let reader = Reader { source };
    let mut lost = Lost::default();
    let header = reader.one(&root, "pipeline", &mut lost, diagnostics).unwrap_or_default();
    let env = reader.one(&root, "env", &mut lost, diagnostics).unwrap_or_default();
    let vars = reader.vars(&root, &mut lost, diagnostics);
    let targets = reader.named(&root, "targets", "target", &mut lost.targets, diagnostics);
    let nodes = reader.named(&root, "nodes", "node", &mut lost.nodes, diagnostics);
    let steps = reader.steps(&root, &mut lost, diagnostics);
    lost.more |= ["vars", "targets", "nodes"]
        .iter()
        .any(|key| root.get(*key).is_some_and(|value| !value.get_ref().is_table()));
    Some(Recipe { source: source.clone(), header, vars, targets, nodes, env, steps, sound: false, lost })
}

/// What is no TOML. After a slip the rest of the line makes no sense to the parser either, so one is told for each line.
fn syntax(source: &SourceFile, errors: &[toml::de::Error], diagnostics: &mut Diagnostics) {
    let mut lines = BTreeSet::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let (line, _) = source.line_column(span.start);
        if lines.len() == MAX_SYNTAX_ERRORS || !lines.insert(line) {
            continue;
        }
        let rest = source.text().get(span.start..).and_then(|text| text.lines().next()).unwrap_or_default();
        let before = source.text().get(..span.start).unwrap_or_default().trim_end_matches([' ', '\t']);
        // The parser takes the missing value for a string without quotes.
        let message = if rest.trim().is_empty() && before.ends_with('=') {
            "a value is missing after `=`".to_owned()
        } else {
            format!("not TOML: {}", error.message())
        };
        diagnostics.push(Diagnostic::error("spec::syntax", message).at(&span, "here"));
    }
}

fn version(root: &DeTable<'_>, diagnostics: &mut Diagnostics) {
    match root.get("version") {
        None => diagnostics.push(
            Diagnostic::error(
                "spec::version",
                "the recipe does not say which version of the language it is in",
            )
            .at(&(0..0), "the first line")
            .help("add `version = 1` at the top"),
        ),
        Some(value) => {
            if value.get_ref().as_integer().is_none_or(|number| number.as_str() != "1") {
                diagnostics.push(
                    Diagnostic::error("spec::version", "this version of the language is not known")
                        .at(&value.span(), "only version 1 is")
                        .help("write `version = 1`, or use a newer `pipeline`"),
                );
            }
        }
    }
}

struct Reader<'s> {
    source: &'s SourceFile,
}

impl Reader<'_> {
    fn table<'t, 'i>(
        root: &'t DeTable<'i>,
        key: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<(&'t DeTable<'i>, Span)> {
        let value = root.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some((table, value.span())),
            other => {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!("`{key}` must be a table, not {}", shape::what(other)),
                    )
                    .at(&value.span(), "this value")
                    .help(format!("write `[{key}]`")),
                );
                None
            }
        }
    }

    fn one<T>(
        &self,
        root: &DeTable<'_>,
        key: &str,
        lost: &mut Lost,
        diagnostics: &mut Diagnostics,
    ) -> Option<T>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        let table = Self::table(root, key, diagnostics);
        let read = table.and_then(|(table, span)| {
            let _ = self.templates(&DeValue::Table(table.clone()), &span, diagnostics);
            read(table, &span, &format!("`[{key}]`"), &[], diagnostics)
        });
        lost.more |= read.is_none() && root.get(key).is_some();
        read
    }

    fn vars(&self, root: &DeTable<'_>, lost: &mut Lost, diagnostics: &mut Diagnostics) -> Vec<(Str, Scalar)> {
        let Some((table, _)) = Self::table(root, "vars", diagnostics) else { return Vec::new() };
        let mut vars = Vec::new();
        for (key, value) in table {
            let name = Str { value: key.get_ref().to_string(), span: key.span() };
            let _ = self.templates(value.get_ref(), &value.span(), diagnostics);
            match <Scalar as serde::Deserialize>::deserialize(toml::de::ValueDeserializer::from(
                value.clone(),
            )) {
                Ok(scalar) => vars.push((name, scalar)),
                Err(_) => {
                    diagnostics.push(
                        Diagnostic::error(
                            "spec::wrong-type",
                            format!(
                                "`vars.{name}` must be a string, a number or `true` or `false`, not {}",
                                shape::what(value.get_ref())
                            ),
                        )
                        .at(&value.span(), "this value"),
                    );
                    lost.vars.push(name.value);
                }
            }
        }
        vars.sort_by_key(|(name, _)| name.span.start);
        vars
    }

    /// `[targets.*]` and `[nodes.*]`.
    fn named<T>(
        &self,
        root: &DeTable<'_>,
        key: &str,
        what: &str,
        lost: &mut Vec<String>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<(Str, T)>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        let Some((table, _)) = Self::table(root, key, diagnostics) else { return Vec::new() };
        let mut entries = Vec::new();
        for (name, value) in table {
            let name_str = Str { value: name.get_ref().to_string(), span: name.span() };
            let DeValue::Table(inner) = value.get_ref() else {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!("{what} `{name_str}` must be a table, not {}", shape::what(value.get_ref())),
                    )
                    .at(&value.span(), "this value")
                    .help(format!("write `[{key}.{name_str}]`")),
                );
                lost.push(name_str.value);
                continue;
            };
            let _ = self.templates(value.get_ref(), &value.span(), diagnostics);
            match read(inner, &name.span(), &format!("{what} `{name_str}`"), &[], diagnostics) {
                Some(spec) => entries.push((name_str, spec)),
                None => lost.push(name_str.value),
            }
        }
        entries.sort_by_key(|(name, _)| name.span.start);
        entries
    }

    fn steps<'i>(&self, root: &DeTable<'i>, lost: &mut Lost, diagnostics: &mut Diagnostics) -> Vec<Step<'i>> {
        let Some(value) = root.get("step") else {
            lost.more = true;
            let misspelt = root.iter().any(|(key, _)| {
                !TABLES.contains(&key.get_ref().as_ref()) && nearest(key.get_ref(), TABLES) == Some("step")
            });
            if !misspelt {
                let end = self.source.text().trim_end().len();
                diagnostics.push(
                    Diagnostic::error("spec::no-steps", "the recipe has no steps")
                        .at(&(end..end), "the end")
                        .help("add a `[[step]]` with `uses = \"…\"`; `pipeline steps` lists the kinds"),
                );
            }
            return Vec::new();
        };
        let DeValue::Array(array) = value.get_ref() else {
            lost.more = true;
            diagnostics.push(
                Diagnostic::error("spec::wrong-type", "`step` must be an array of tables")
                    .at(&value.span(), "this value")
                    .help("write `[[step]]`, with two brackets, before each step"),
            );
            return Vec::new();
        };
        let mut steps = Vec::new();
        for element in array {
            let span = element.span();
            let DeValue::Table(table) = element.get_ref() else {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!("a step must be a table, not {}", shape::what(element.get_ref())),
                    )
                    .at(&span, "this value")
                    .help("write `[[step]]` and its keys below it"),
                );
                lost.more = true;
                continue;
            };
            let names = self.templates(element.get_ref(), &span, diagnostics);
            let kind_keys: Vec<String> = table
                .keys()
                .map(|key| key.get_ref().to_string())
                .filter(|key| !COMMON_KEYS.contains(&key.as_str()))
                .collect();
            let kind_keys: Vec<&str> = kind_keys.iter().map(String::as_str).chain(["uses"]).collect();
            let id = table
                .get("id")
                .and_then(|id| Some(Str { value: id.get_ref().as_str()?.to_owned(), span: id.span() }));
            let Some(uses) = Self::uses(table, &span, diagnostics) else {
                lost.steps.extend(id.map(|id| id.value));
                lost.more = true;
                continue;
            };
            let what = format!("step `{}`", id.as_ref().unwrap_or(&uses));
            // An unknown key is reported by the kind, which knows the names that were meant.
            let common = read::<Common>(table, &span, &what, &kind_keys, diagnostics).unwrap_or_else(|| {
                lost.more = true;
                Common { id: id.clone(), ..Common::default() }
            });
            let id = id.unwrap_or_else(|| uses.clone());
            steps.push(Step { id, uses, common, table: table.clone(), span, names });
        }
        steps
    }

    fn uses(table: &DeTable<'_>, span: &Span, diagnostics: &mut Diagnostics) -> Option<Str> {
        match table.get("uses") {
            Some(value) if value.get_ref().is_str() => {
                Some(Str { value: value.get_ref().as_str()?.to_owned(), span: value.span() })
            }
            Some(value) => {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!("`uses` must be a string, not {}", shape::what(value.get_ref())),
                    )
                    .at(&value.span(), "this value")
                    .help("name a kind: `pipeline steps` lists them"),
                );
                None
            }
            None => {
                diagnostics.push(
                    Diagnostic::error("spec::missing-key", "a step needs the key `uses`")
                        .at(span, "no `uses` here")
                        .help("name a kind: `pipeline steps` lists them"),
                );
                None
            }
        }
    }

    /// Takes every string below a value apart: reports what cannot be, returns the names with their places.
    fn templates(
        &self,
        value: &DeValue<'_>,
        span: &Span,
        diagnostics: &mut Diagnostics,
    ) -> Vec<(Name, Span)> {
        let mut names = Vec::new();
        self.walk(value, span, &mut names, diagnostics);
        names
    }

    fn walk(
        &self,
        value: &DeValue<'_>,
        span: &Span,
        names: &mut Vec<(Name, Span)>,
        diagnostics: &mut Diagnostics,
    ) {
        match value {
            DeValue::String(text) if text.contains("${") => {
                let place = Str { value: text.to_string(), span: span.clone() };
                match Template::parse(text) {
                    Ok(template) => names.extend(
                        template
                            .names()
                            .map(|(name, at)| (name.clone(), place.place(self.source.text(), at))),
                    ),
                    Err(errors) => {
                        for error in errors {
                            diagnostics.push(
                                Diagnostic::error("spec::interpolation", error.message)
                                    .at(&place.place(self.source.text(), &error.at), "here")
                                    .maybe_help(error.help),
                            );
                        }
                    }
                }
            }
            DeValue::Array(array) => {
                array.iter().for_each(|item| self.walk(item.get_ref(), &item.span(), names, diagnostics));
            }
            DeValue::Table(table) => {
                table.values().for_each(|item| self.walk(item.get_ref(), &item.span(), names, diagnostics));
            }
            _ => {}
        }
    }
}

impl<'s> Recipe<'s> {
    /// Names of all steps, in order.
    pub fn step_ids(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.id.value.as_str())
    }

    /// The step of that id.
    pub fn step(&self, id: &str) -> Option<&Step<'s>> {
        self.steps.iter().find(|step| step.id.value == id)
    }

    fn known_ids(&self) -> Vec<&str> {
        self.step_ids().chain(self.lost.steps.iter().map(String::as_str)).collect()
    }

    fn target_names(&self) -> Vec<&str> {
        let lost = self.lost.targets.iter().map(String::as_str);
        self.targets.iter().map(|(name, _)| name.value.as_str()).chain(lost).collect()
    }

    fn node_names(&self) -> Vec<&str> {
        let lost = self.lost.nodes.iter().map(String::as_str);
        self.nodes.iter().map(|(name, _)| name.value.as_str()).chain(lost).collect()
    }

    fn var_names(&self) -> Vec<&str> {
        let lost = self.lost.vars.iter().map(String::as_str);
        self.vars.iter().map(|(name, _)| name.value.as_str()).chain(lost).collect()
    }

    /// Names listed in `[env] pass`.
    pub fn passed_env(&self) -> BTreeSet<&str> {
        self.env.pass.iter().map(|name| name.value.as_str()).collect()
    }
}
