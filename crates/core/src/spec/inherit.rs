//! `extends`: targets and nodes that take what others say.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use toml::de::{DeTable, DeValue};

use super::merge::lay;
use super::shape;
use super::text::Str;
use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names, nearest};

/// The keys by which targets and nodes take over what others say.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "read by hand, before the tables are merged; described here")]
pub struct Inherits {
    /// Takes the keys of these, the later over the earlier; its own over theirs. Tables are merged key by key,
    /// everything else is replaced.
    extends: Option<Bases>,
    /// Only there to be extended: needs not be complete, and nothing is made of it.
    r#abstract: Option<bool>,
}

/// One name or several.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "see `Inherits`")]
enum Bases {
    One(String),
    Several(Vec<String>),
}

/// Read here, and not by the entry itself.
pub(super) const KEYS: [&str; 2] = ["extends", "abstract"];

/// What an entry does not take over.
const OWN: [&str; 3] = ["extends", "abstract", "description"];

/// The longest way up.
const MAX_DEPTH: usize = 64;

/// An entry with what it takes over.
#[derive(Debug)]
pub(super) struct Entry<'i> {
    pub(super) name: Str,
    pub(super) table: DeTable<'i>,
    pub(super) is: Is,
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// A target or a node.
    Whole,
    /// Only there to be extended.
    Abstract,
    /// What it extends is wrong, or whether it is abstract: something may be missing that is no error of its own.
    Broken,
}

struct Resolver<'t, 'i> {
    table: &'t DeTable<'i>,
    what: &'t str,
    done: BTreeMap<String, DeTable<'i>>,
    order: Vec<String>,
    extended: BTreeSet<String>,
    broken: BTreeSet<String>,
    diagnostics: &'t mut Diagnostics,
}

/// All entries that are tables, those that others extend before those.
pub(super) fn resolve<'i>(table: &DeTable<'i>, what: &str, diagnostics: &mut Diagnostics) -> Vec<Entry<'i>> {
    let mut resolver = Resolver {
        table,
        what,
        done: BTreeMap::new(),
        order: Vec::new(),
        extended: BTreeSet::new(),
        broken: BTreeSet::new(),
        diagnostics,
    };
    let mut names: Vec<_> = table.iter().map(|(key, _)| (key.span().start, key.get_ref().as_ref())).collect();
    names.sort_unstable();
    for (_, name) in names {
        resolver.visit(name, &mut Vec::new());
    }
    let Resolver { mut done, order, extended, broken, diagnostics, .. } = resolver;
    let mut entries = Vec::new();
    for name in order {
        let (Some((key, own)), Some(mut merged)) = (table.get_key_value(name.as_str()), done.remove(&name))
        else {
            continue;
        };
        let is_abstract =
            own.get_ref().as_table().map_or(Some(false), |own| flag(own, what, &name, diagnostics));
        let is = match is_abstract {
            Some(true) => Is::Abstract,
            Some(false) if !broken.contains(&name) => Is::Whole,
            _ => Is::Broken,
        };
        let name = Str { value: name, span: key.span() };
        if is == Is::Abstract && !extended.contains(&name.value) {
            diagnostics.push(
                Diagnostic::warning(
                    "spec::unused-base",
                    format!("no {what} extends the abstract {what} `{name}`"),
                )
                .at(&name.span, "nobody takes this over"),
            );
        }
        for key in KEYS {
            merged.remove(key);
        }
        entries.push(Entry { name, table: merged, is });
    }
    entries
}

/// `abstract = true`; none where it is neither that nor `false`.
fn flag(own: &DeTable<'_>, what: &str, name: &str, diagnostics: &mut Diagnostics) -> Option<bool> {
    let Some(value) = own.get("abstract") else { return Some(false) };
    value.get_ref().as_bool().or_else(|| {
        let is = shape::what(value.get_ref());
        diagnostics.push(
            Diagnostic::error(
                "spec::wrong-type",
                format!("`abstract` of {what} `{name}` must be `true` or `false`, not {is}"),
            )
            .at(&value.span(), "this value"),
        );
        None
    })
}

impl<'i> Resolver<'_, 'i> {
    /// Puts an entry below `done`, after all that it extends. `within` are the names on the way to it.
    fn visit(&mut self, name: &str, within: &mut Vec<String>) {
        if self.done.contains_key(name) {
            return;
        }
        let Some(own) = self.table.get(name).and_then(|value| value.get_ref().as_table()) else { return };
        within.push(name.to_owned());
        let mut merged = DeTable::new();
        let told = self.diagnostics.len();
        for base in self.bases(name, own) {
            let known = self.table.get(base.value.as_str());
            if base.value == name {
                let message = format!("{} `{name}` extends itself", self.what);
                self.refuse("spec::extends-cycle", message, &base, "its own name", "take it out");
            } else if let Some(at) = within.iter().position(|outer| *outer == base.value) {
                let round = within[at..].iter().chain([&base.value]);
                let message = format!("{}s extend each other: {}", self.what, list_names(round));
                self.refuse(
                    "spec::extends-cycle",
                    message,
                    &base,
                    "goes round in a circle",
                    "take one of them out",
                );
            } else if known.is_none() {
                let names: Vec<&str> = self.table.keys().map(|key| key.get_ref().as_ref()).collect();
                // A slip is no reason to call what was meant unused.
                self.extended.extend(nearest(&base.value, names.iter().copied()).map(str::to_owned));
                let help = did_you_mean(&base.value, names.iter().copied())
                    .unwrap_or_else(|| format!("known {}s: {}", self.what, list_names(&names)));
                let message = format!("{} `{name}` extends the unknown {} `{base}`", self.what, self.what);
                self.refuse("spec::unknown-base", message, &base, &format!("no such {}", self.what), &help);
            } else if within.len() == MAX_DEPTH {
                let message = format!("{}s extend each other at most {MAX_DEPTH} deep", self.what);
                self.refuse(
                    "spec::too-deep",
                    message,
                    &base,
                    "one too many",
                    "name the common ones directly",
                );
            } else {
                self.visit(&base.value, within);
                self.extended.insert(base.value.clone());
                if self.broken.contains(&base.value) {
                    self.broken.insert(name.to_owned());
                }
                if let Some(taken) = self.done.get(&base.value) {
                    let mut taken = taken.clone();
                    for key in OWN {
                        taken.remove(key);
                    }
                    lay(&mut merged, taken);
                }
            }
        }
        within.pop();
        // Also where one further up was: this one takes its keys from there.
        if self.diagnostics.len() > told {
            self.broken.insert(name.to_owned());
        }
        lay(&mut merged, own.clone());
        self.done.insert(name.to_owned(), merged);
        self.order.push(name.to_owned());
    }

    fn bases(&mut self, name: &str, own: &DeTable<'i>) -> Vec<Str> {
        let Some(value) = own.get("extends") else { return Vec::new() };
        let (values, wanted) = match value.get_ref() {
            DeValue::Array(several) => (several.iter().collect(), "holds names"),
            _ => (vec![value], "must be a name or an array of names"),
        };
        let mut names = Vec::new();
        for value in values {
            match value.get_ref().as_str() {
                Some(one) => names.push(Str { value: one.to_owned(), span: value.span() }),
                None => {
                    let is = shape::what(value.get_ref());
                    let message = format!("`extends` of {} `{name}` {wanted}, not {is}", self.what);
                    self.diagnostics
                        .push(Diagnostic::error("spec::wrong-type", message).at(&value.span(), "this value"));
                }
            }
        }
        names
    }

    fn refuse(&mut self, code: &'static str, message: String, base: &Str, label: &str, help: &str) {
        self.diagnostics.push(Diagnostic::error(code, message).at(&base.span, label).help(help));
    }
}
