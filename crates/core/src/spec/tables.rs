//! The merged table, read: each of its tables by the type that describes it, each string taken apart.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::document::{Scalars, exact, scalar};
use super::files::{RecipeFiles, Role};
use super::groups;
use super::inherit::{self, Entry, Is, KEYS};
use super::layers::{self, TABLES};
use super::matrix::{self, Matrix};
use super::merge::lay;
use super::pools;
use super::read::{read, read_part};
use super::resolved::ResolvedTables;
use super::text::Str;
use super::variable::Variable;
use super::{COMMON_KEYS, Common, Defaults, Lost, Recipe, Step, shape};
use super::{builders, check};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names, nearest};
use crate::interp::{Name, Template};
use crate::source::Span;

/// The recipe in a merged table.
pub(super) fn recipe<'s>(
    files: &'s RecipeFiles,
    mut root: DeTable<'s>,
    diagnostics: &mut Diagnostics,
) -> Recipe<'s> {
    let reader = Reader { files };
    let mut lost = Lost { more: !files.diagnostics.is_empty(), ..Lost::default() };
    let header = reader.one(&root, "pipeline", &mut lost, diagnostics).unwrap_or_default();
    let env = reader.one(&root, "env", &mut lost, diagnostics).unwrap_or_default();
    let ci = reader.one(&root, "ci", &mut lost, diagnostics).unwrap_or_default();
    let vars = reader.vars(&root, &mut lost, diagnostics);
    let var_index = vars.iter().enumerate().map(|(at, (name, _))| (name.value.clone(), at)).collect();
    let var_files = reader.var_files(diagnostics);
    let matrix = reader.matrix(&root, diagnostics);
    let mut resolved = ResolvedTables::default();
    let kept = &mut resolved.targets;
    let targets = reader.named(&root, "targets", "target", kept, &mut lost.targets, diagnostics);
    let nodes = reader.named(&root, "nodes", "node", &mut resolved.nodes, &mut lost.nodes, diagnostics);
    let groups = Reader::table(&root, "groups", diagnostics)
        .map(|(table, _)| groups::read(table, diagnostics))
        .unwrap_or_default();
    let pools = Reader::table(&root, "pools", diagnostics)
        .map(|(table, _)| pools::read(table, diagnostics))
        .unwrap_or_default();
    let builders = match Reader::table(&root, "builders", diagnostics) {
        Some((table, _)) => {
            let _ = reader.templates(table, diagnostics);
            let (builders, whole) = builders::read(table, diagnostics);
            lost.more |= !whole;
            builders
        }
        None => builders::Builders::default(),
    };
    let defaults = reader.defaults(&root, diagnostics);
    let steps = reader.steps(&mut root, &defaults, &mut lost, diagnostics);
    lost.more |= ["vars", "matrix", "targets", "nodes", "groups", "builders", "pools", "defaults"]
        .iter()
        .any(|key| root.get(*key).is_some_and(|value| !value.get_ref().is_table()));
    Recipe {
        files,
        header,
        vars,
        var_index,
        var_files,
        matrix,
        targets,
        nodes,
        groups,
        env,
        ci,
        builders,
        pools,
        defaults,
        steps,
        root,
        resolved,
        sound: false,
        lost,
    }
}

struct Reader<'s> {
    files: &'s RecipeFiles,
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
            let _ = self.templates(table, diagnostics);
            read(table, &span, &format!("`[{key}]`"), &[], diagnostics)
        });
        lost.more |= read.is_none() && root.get(key).is_some();
        read
    }

    fn vars(
        &self,
        root: &DeTable<'_>,
        lost: &mut Lost,
        diagnostics: &mut Diagnostics,
    ) -> Vec<(Str, Variable)> {
        let Some((table, _)) = Self::table(root, "vars", diagnostics) else { return Vec::new() };
        let mut vars = Vec::new();
        for (key, value) in table {
            let name = Str { value: key.get_ref().to_string(), span: key.span() };
            let DeValue::Table(inner) = value.get_ref() else {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!(
                            "`vars.{name}` must be a string, a number, `true` or `false`, not {}",
                            shape::what(value.get_ref())
                        ),
                    )
                    .at(&value.span(), "this value"),
                );
                lost.vars.push(name.value);
                continue;
            };
            let _ = self.templates(inner, diagnostics);
            let told = diagnostics.len();
            match read::<Variable>(inner, &name.span, &format!("variable `{name}`"), &[], diagnostics) {
                Some(mut variable) => {
                    // A key that nobody knows may have been meant for it.
                    if !variable.required && variable.default.is_none() && diagnostics.len() == told {
                        diagnostics.push(
                            Diagnostic::error("spec::missing-key", format!("`vars.{name}` has no value"))
                                .at(&name.span, "neither `default` nor `required`")
                                .help(
                                    "add `default = \"…\"`, or `required = true` when a value must be given",
                                ),
                        );
                    }
                    let values = variable.default.iter_mut().chain(&mut variable.allowed);
                    values.for_each(|value| exact(value, &self.files.sources));
                    vars.push((name, variable));
                }
                None => lost.vars.push(name.value),
            }
        }
        vars.sort_by_key(|(name, _)| name.span.start);
        vars
    }

    /// `--var-file`: names and values at the top, nothing else.
    fn var_files(&self, diagnostics: &mut Diagnostics) -> BTreeMap<String, (Span, Str)> {
        let sources = &self.files.sources;
        let mut values = BTreeMap::new();
        for index in self.files.variables() {
            let file = sources.files().nth(index);
            let table = file.and_then(|file| layers::parse(sources, file, diagnostics));
            for (name, value) in table.into_iter().flatten() {
                match scalar(&value, sources) {
                    Some(scalar) => {
                        values.insert(name.get_ref().to_string(), (name.span(), scalar));
                    }
                    None => diagnostics.push(
                        Diagnostic::error(
                            "spec::wrong-type",
                            format!(
                                "`{}` must be a string, a number, `true` or `false`, not {}",
                                name.get_ref(),
                                shape::what(value.get_ref())
                            ),
                        )
                        .at(&value.span(), "this value")
                        .help("a file of variables holds lines like `tag = \"2\"`, and no tables"),
                    ),
                }
            }
        }
        values
    }

    fn matrix(&self, root: &DeTable<'_>, diagnostics: &mut Diagnostics) -> Matrix {
        Self::table(root, "matrix", diagnostics)
            .map(|(table, _)| matrix::read(table, &self.files.sources, diagnostics))
            .unwrap_or_default()
    }

    /// `[defaults.*]`: the common keys are looked at here, the rest by the kind.
    fn defaults<'i>(&self, root: &DeTable<'i>, diagnostics: &mut Diagnostics) -> Vec<Defaults<'i>> {
        let Some((table, _)) = Self::table(root, "defaults", diagnostics) else { return Vec::new() };
        let mut all = Vec::new();
        for (kind, value) in table {
            let kind = Str { value: kind.get_ref().to_string(), span: kind.span() };
            let first =
                all.iter().find(|one: &&Defaults<'_>| one.kind.value.eq_ignore_ascii_case(&kind.value));
            if let Some(Defaults { kind: first, .. }) = first {
                let (first, second) =
                    if first.span.start < kind.span.start { (first, &kind) } else { (&kind, first) };
                diagnostics.push(
                    Diagnostic::error("spec::duplicate-id", "two tables of defaults are for one kind")
                        .at(&second.span, "the second")
                        .at(&first.span, "the first")
                        .help("put the keys of both into one"),
                );
                continue;
            }
            let DeValue::Table(inner) = value.get_ref() else {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!("`defaults.{kind}` must be a table, not {}", shape::what(value.get_ref())),
                    )
                    .at(&value.span(), "this value")
                    .help(format!("write `[defaults.{kind}]` and keys of steps below it")),
                );
                continue;
            };
            let _ = self.templates(inner, diagnostics);
            let mut inner = inner.clone();
            for key in ["id", "uses"] {
                if let Some((key, _)) = inner.remove_entry(key) {
                    diagnostics.push(
                        Diagnostic::error(
                            "spec::unknown-key",
                            format!("`{}` cannot be a default", key.get_ref()),
                        )
                        .at(&key.span(), "each step has its own")
                        .help("take it out"),
                    );
                }
            }
            let others: Vec<&str> = other_keys(&inner).collect();
            let _ = read::<Common>(&inner, &kind.span, &format!("`[defaults.{kind}]`"), &others, diagnostics);
            all.push(Defaults { kind, table: inner });
        }
        all.sort_by_key(|defaults| defaults.kind.span.start);
        all
    }

    /// `[targets.*]` and `[nodes.*]`, those that are not only extended.
    fn named<'i, T>(
        &self,
        root: &DeTable<'i>,
        key: &str,
        what: &str,
        kept: &mut Vec<(Str, DeTable<'i>)>,
        lost: &mut Vec<String>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<(Str, T)>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema + Scalars,
    {
        let Some((table, _)) = Self::table(root, key, diagnostics) else { return Vec::new() };
        for (name, value) in table.iter().filter(|(_, value)| !value.get_ref().is_table()) {
            diagnostics.push(
                Diagnostic::error(
                    "spec::wrong-type",
                    format!(
                        "{what} `{}` must be a table, not {}",
                        name.get_ref(),
                        shape::what(value.get_ref())
                    ),
                )
                .at(&value.span(), "this value")
                .help(format!("write `[{key}.{}]`", name.get_ref())),
            );
            lost.push(name.get_ref().to_string());
        }
        let mut entries = Vec::new();
        for Entry { name, table, is } in inherit::resolve(table, what, diagnostics) {
            let _ = self.templates(&table, diagnostics);
            let title = format!("{what} `{name}`");
            if is != Is::Whole {
                read_part::<T>(&table, &name.span, &title, &KEYS, diagnostics);
                let platform = table.get("platform");
                if let Some((platform, at)) =
                    platform.and_then(|one| Some((one.get_ref().as_str()?, one.span())))
                {
                    check::platform(&Str { value: platform.to_owned(), span: at }, diagnostics);
                }
                lost.extend((is == Is::Broken).then_some(name.value));
                continue;
            }
            match read::<T>(&table, &name.span, &title, &KEYS, diagnostics) {
                Some(mut spec) => {
                    spec.scalars().for_each(|value| exact(value, &self.files.sources));
                    kept.push((name.clone(), table));
                    entries.push((name, spec));
                }
                None => lost.push(name.value),
            }
        }
        entries.sort_by_key(|(name, _)| name.span.start);
        kept.sort_by_key(|(name, _)| name.span.start);
        entries
    }

    /// Takes the steps out of the table: there may be very many.
    fn steps<'i>(
        &self,
        root: &mut DeTable<'i>,
        defaults: &[Defaults<'i>],
        lost: &mut Lost,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Step<'i>> {
        let Some(value) = root.remove("step") else {
            lost.more = true;
            let misspelt = root.iter().any(|(key, _)| {
                !TABLES.contains(&key.get_ref().as_ref()) && nearest(key.get_ref(), TABLES) == Some("step")
            });
            if !misspelt {
                let text = self.files.sources.files().next().map_or("", |file| file.text());
                let end = text.trim_end().len();
                diagnostics.push(no_steps(&(end..end), "the end"));
            }
            return Vec::new();
        };
        let place = value.span();
        let array = match value.into_inner() {
            DeValue::Array(array) => array,
            other => {
                lost.more = true;
                let is = shape::what(&other);
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!("`step` must be an array of tables, not {is}"),
                    )
                    .at(&place, "this value")
                    .help("write `[[step]]`, with two brackets, before each step"),
                );
                return Vec::new();
            }
        };
        if array.is_empty() {
            lost.more = true;
            diagnostics.push(no_steps(&place, "nothing in here"));
        }
        let mut steps = Vec::new();
        let mut without_kind = Vec::new();
        for element in array {
            let span = element.span();
            let table = match element.into_inner() {
                DeValue::Table(table) => with_defaults(table, defaults),
                other => {
                    let is = shape::what(&other);
                    diagnostics.push(
                        Diagnostic::error("spec::wrong-type", format!("a step must be a table, not {is}"))
                            .at(&span, "this value")
                            .help("write `[[step]]` and its keys below it"),
                    );
                    lost.more = true;
                    continue;
                }
            };
            let names = self.templates(&table, diagnostics);
            let id = table
                .get("id")
                .and_then(|id| Some(Str { value: id.get_ref().as_str()?.to_owned(), span: id.span() }));
            let Some(uses) = Self::uses(&table, diagnostics) else {
                lost.steps.extend(id.as_ref().map(|id| id.value.clone()));
                lost.more = true;
                if !table.contains_key("uses") {
                    without_kind.push((table, span, id));
                }
                continue;
            };
            let what = format!("step `{}`", id.as_ref().unwrap_or(&uses));
            // An unknown key is reported by the kind, which knows the names that were meant.
            let others: Vec<&str> = other_keys(&table).chain(["uses"]).collect();
            let common = read::<Common>(&table, &span, &what, &others, diagnostics).unwrap_or_else(|| {
                lost.more = true;
                Common { id: id.clone(), ..Common::default() }
            });
            let id = id.unwrap_or_else(|| uses.clone());
            steps.push(Step { id, uses, common, table, span, names });
        }
        for (table, span, id) in without_kind {
            diagnostics.push(self.no_uses(&table, &span, id.as_ref(), &steps));
        }
        steps
    }

    fn uses(table: &DeTable<'_>, diagnostics: &mut Diagnostics) -> Option<Str> {
        let value = table.get("uses")?;
        if let Some(uses) = value.get_ref().as_str() {
            return Some(Str { value: uses.to_owned(), span: value.span() });
        }
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

    /// A step without a kind: of an overlay it was meant to be laid over another, else the key may be misspelt.
    fn no_uses(&self, table: &DeTable<'_>, span: &Span, id: Option<&Str>, steps: &[Step<'_>]) -> Diagnostic {
        if let Some(id) = id.filter(|id| self.files.role(&id.span) == Role::Overlay) {
            let others: Vec<&str> = steps.iter().map(|step| step.id.value.as_str()).collect();
            return Diagnostic::error(
                "spec::unknown-step",
                format!("no step has the id `{id}`, so this one is new and needs the key `uses`"),
            )
            .at(&id.span, "laid over nothing")
            .help(
                did_you_mean(&id.value, others.iter().copied())
                    .unwrap_or_else(|| format!("the steps are {}", list_names(&others))),
            );
        }
        let slip = table.keys().find(|key| {
            !COMMON_KEYS.contains(&key.get_ref().as_ref()) && nearest(key.get_ref(), ["uses"]).is_some()
        });
        match slip {
            Some(key) => {
                Diagnostic::error("spec::unknown-key", format!("unknown key `{}` in a step", key.get_ref()))
                    .at(&key.span(), "nobody reads this")
                    .help("did you mean `uses`?")
            }
            None => Diagnostic::error("spec::missing-key", "a step needs the key `uses`")
                .at(span, "no `uses` here")
                .help("name a kind: `pipeline steps` lists them"),
        }
    }

    /// Takes every string in a table apart: reports what cannot be, returns the names with their places.
    fn templates(&self, table: &DeTable<'_>, diagnostics: &mut Diagnostics) -> Vec<(Name, Span)> {
        let mut names = Vec::new();
        for value in table.values() {
            self.walk(value.get_ref(), &value.span(), &mut names, diagnostics);
        }
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
                    Ok(template) => {
                        let places = place.places(&self.files.sources, template.names().map(|(_, at)| at));
                        names.extend(template.names().map(|(name, _)| name.clone()).zip(places));
                    }
                    Err(errors) => {
                        let places = place.places(&self.files.sources, errors.iter().map(|error| &error.at));
                        for (error, place) in errors.into_iter().zip(places) {
                            diagnostics.push(
                                Diagnostic::error("spec::interpolation", error.message)
                                    .at(&place, "here")
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

fn no_steps(place: &Span, label: &str) -> Diagnostic {
    Diagnostic::error("spec::no-steps", "the recipe has no steps")
        .at(place, label)
        .help("add a `[[step]]` with `uses = \"…\"`; `pipeline steps` lists the kinds")
}

/// The keys of a step that its kind reads.
fn other_keys<'t>(table: &'t DeTable<'_>) -> impl Iterator<Item = &'t str> {
    table.keys().map(|key| key.get_ref().as_ref()).filter(|key| !COMMON_KEYS.contains(key))
}

/// A step over the defaults of its kind. Kinds are told apart without their case, as some are spelt in two ways.
fn with_defaults<'i>(table: DeTable<'i>, defaults: &[Defaults<'i>]) -> DeTable<'i> {
    let uses = table.get("uses").and_then(|uses| uses.get_ref().as_str());
    let found = uses.and_then(|uses| defaults.iter().find(|one| one.kind.value.eq_ignore_ascii_case(uses)));
    match found {
        None => table,
        Some(found) => {
            let mut merged = found.table.clone();
            lay(&mut merged, table);
            merged
        }
    }
}
