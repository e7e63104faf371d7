//! The sets leave no key of the language out.
//!
//! The keys come from the schema. In `valid` each stands somewhere; in `invalid` each is what a message points at.

use std::collections::BTreeSet;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::{PIPELINE, Sample, folder, samples};

/// A key by the way to it: `targets.*.platform`, `step.build.tag`, `step.retry.delay`.
type Keys = BTreeSet<String>;

fn schema() -> Value {
    let output = std::process::Command::new(PIPELINE).arg("schema").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn alternatives(schema: &Value) -> Vec<&Value> {
    let nested = ["oneOf", "anyOf"].iter().filter_map(|key| schema[key].as_array()).flatten();
    let all: Vec<&Value> = nested.flat_map(alternatives).collect();
    // Alternatives that only say what is required describe no value.
    if all.iter().all(|one| one["type"].is_null()) { vec![schema] } else { all }
}

/// Everything that a schema lets stand at `path`, and below.
fn collect(schema: &Value, path: &str, keys: &mut Keys) {
    for schema in alternatives(schema) {
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            let path = join(path, &kind_of(schema, path), key);
            keys.insert(path.clone());
            collect(inner, &path, keys);
        }
        let free = &schema["additionalProperties"];
        if free.is_object() {
            let path = format!("{path}.*");
            keys.insert(path.clone());
            collect(free, &path, keys);
        }
        if schema["items"].is_object() {
            collect(&schema["items"], path, keys);
        }
    }
}

/// The kind that a step's schema is for.
fn kind_of(schema: &Value, path: &str) -> String {
    if path != "step" {
        return String::new();
    }
    let uses = &schema["properties"]["uses"];
    let name = uses["const"].as_str().or_else(|| uses["enum"][0].as_str()).unwrap();
    name.to_owned()
}

fn join(path: &str, kind: &str, key: &str) -> String {
    [path, kind, key].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

/// The keys of every step are told without a kind.
fn without_kinds(keys: &Keys) -> Keys {
    let common =
        ["id", "uses", "description", "needs", "scope", "targets", "timeout", "retry", "env", "mutex"];
    let more = ["always", "allow-failure", "gate", "silent-timeout", "max-log", "pool"];
    let common: Vec<&str> = common.into_iter().chain(more).collect();
    keys.iter()
        .map(|key| key.replace(".patch-from", ".patch-FROM"))
        .map(|key| match key.split('.').collect::<Vec<_>>().as_slice() {
            [table @ ("step" | "defaults"), _, name, rest @ ..] if common.contains(name) => {
                [&[*table, *name], rest].concat().join(".")
            }
            _ => key,
        })
        .collect()
}

fn all() -> Keys {
    let mut keys = Keys::new();
    collect(&schema(), "", &mut keys);
    let keys = without_kinds(&keys);
    for known in
        ["targets.*.extends", "step.build.tag", "step.retry.delay", "matrix.exclude.*", "vars.*.allowed"]
    {
        assert!(keys.contains(known), "{known} is missing: {keys:?}");
    }
    keys
}

/// A key in a file: the way to it, and the bytes that it and its value take.
struct Written {
    path: String,
    places: [std::ops::Range<usize>; 2],
}

/// Every key of a file by the same names.
fn written(text: &str) -> Vec<Written> {
    let mut found = Vec::new();
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        walk(table.get_ref(), "", &mut found);
    }
    found
}

fn walk(table: &DeTable<'_>, path: &str, found: &mut Vec<Written>) {
    let free = [
        "vars",
        "targets",
        "nodes",
        "groups",
        "builders",
        "matrix",
        "pools",
        "targets.*.vars",
        "matrix.include",
        "matrix.exclude",
    ];
    let kind = match path {
        "step" => table.get("uses").and_then(|uses| uses.get_ref().as_str()).unwrap_or_default(),
        _ => "",
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let last = path.rsplit('.').next().unwrap_or_default();
        let is_free = free.contains(&path)
            || matches!(last, "args" | "labels" | "annotations" | "bases" | "env" | "outputs" | "replace")
            || matches!(last, "secrets" | "contexts" | "ulimits" | "runners");
        let name = if is_free && !(path == "env" || path == "matrix" && matches!(name, "include" | "exclude"))
        {
            "*"
        } else {
            name
        };
        let kind = if kind.eq_ignore_ascii_case("patch-from") { "patch-FROM" } else { kind };
        let name =
            if path == "defaults" && name.eq_ignore_ascii_case("patch-from") { "patch-FROM" } else { name };
        let path = join(path, kind, name);
        found.push(Written { path: path.clone(), places: [key.span(), value.span()] });
        match value.get_ref() {
            DeValue::Table(inner) => walk(inner, &path, found),
            DeValue::Array(items) => {
                items
                    .iter()
                    .filter_map(|item| item.get_ref().as_table())
                    .for_each(|item| walk(item, &path, found));
            }
            _ => {}
        }
    }
}

fn texts(sample: &Sample) -> impl Iterator<Item = (&String, &str)> {
    sample.files.iter().filter_map(|(name, text)| Some((name, std::str::from_utf8(text).ok()?)))
}

#[test]
fn every_key_is_used_rightly() {
    let mut used = Keys::new();
    for sample in samples("valid") {
        used.extend(texts(&sample).flat_map(|(_, text)| written(text)).map(|key| key.path));
    }
    let used = without_kinds(&used);
    let missing: Vec<String> = all().difference(&used).cloned().collect();
    assert!(missing.is_empty(), "no recipe in tests/spec/valid has {missing:#?}");
}

#[test]
fn every_key_is_what_a_message_is_about() {
    let mut told = Keys::new();
    for sample in samples("invalid") {
        let snap = std::fs::read_to_string(folder("invalid").join(format!("{}.snap", sample.name))).unwrap();
        for (name, text) in texts(&sample) {
            let keys = written(text);
            for at in places(&snap, name, text) {
                let holds = |key: &&Written| key.places.iter().any(|place| place.contains(&at));
                // The shortest is the innermost.
                let length = |key: &&Written| {
                    key.places.iter().filter(|place| place.contains(&at)).map(ExactSizeIterator::len).min()
                };
                told.extend(keys.iter().filter(holds).min_by_key(length).map(|key| key.path.clone()));
            }
        }
    }
    let told = without_kinds(&told);
    // Of a table of keys one is wrong, not the table.
    let missing: Vec<String> = all()
        .difference(&told)
        .filter(|key| !told.iter().any(|other| other.starts_with(&format!("{key}."))))
        .cloned()
        .collect();
    assert!(missing.is_empty(), "no message in tests/spec/invalid is about {missing:#?}");
}

/// The offsets into a file that messages point at.
fn places(snap: &str, file: &str, text: &str) -> Vec<usize> {
    let headers = snap.lines().filter_map(|line| line.split_once("╭─[")?.1.strip_suffix(']'));
    headers
        .filter_map(|place| {
            let (place, column) = place.rsplit_once(':')?;
            let (name, line) = place.rsplit_once(':')?;
            let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
            let start = text.lines().take(line - 1).map(|line| line.len() + 1).sum::<usize>();
            let before: usize = text.get(start..)?.chars().take(column - 1).map(char::len_utf8).sum();
            (name == file).then_some(start + before)
        })
        .collect()
}
