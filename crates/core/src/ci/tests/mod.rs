//! Whatever names and values are like: readers of YAML find what was meant, and a shell gets what was given.

mod hostile;
mod shells;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use pipeline_testkit::{require, skip};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use rayon::prelude::*;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml as Read};
use serde_json::{Value, json};

use super::{Jobs, Refused, Shape, generic_json, github, gitlab, pipeline, workflow};
use crate::frozen::Frozen;
use hostile::{Case, cases};

/// The issue asks for so many.
const CASES: usize = 10_000;

/// Values reach shells in the job that plans; of so many cases one has the other jobs executed as well.
const SHELL_OF_ALL: usize = 10;

/// Python's reader takes a second for so many.
const READ_AGAIN: usize = 500;

#[test]
fn names_and_values_arrive_as_they_are_or_are_refused() {
    let mut runner = TestRunner::deterministic();
    let strategy = cases();
    let all: Vec<Case> = (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let each = |(at, case): (usize, &Case)| write(case, at % SHELL_OF_ALL == 0);
    let written: Vec<Written> = all.par_iter().enumerate().flat_map_iter(each).collect();
    // Most cases are taken, and many are not: otherwise this would show nothing.
    let files = written.iter().filter(|written| matches!(written, Written::File(..))).count();
    let refused = written.iter().filter(|written| matches!(written, Written::Refused)).count();
    assert!(files > CASES && refused > CASES / 5, "{files} files, {refused} refused");
    read_by_python(&written);
}

enum Written {
    File(String, Value),
    Refused,
}

/// Both files of a case, compared and executed.
fn write(case: &Case, all: bool) -> Vec<Written> {
    let jobs = match Jobs::of(&case.frozen, &case.place) {
        Ok(jobs) => jobs,
        Err(refused) => {
            assert!(case.is_no_name || case.says("\0"), "{refused}: {case:?}");
            return vec![Written::Refused];
        }
    };
    assert!(!case.is_no_name && !case.says("\0"), "taken: {case:?}");
    let mut written = Vec::new();
    match workflow(&jobs) {
        Ok(text) => {
            assert!(!case.has("${{"), "taken: {case:?}");
            let meant = Value::from(&github::root(&jobs));
            let found = read(&text);
            same(&found, &meant, &text);
            shells::github(case, &found, all);
            written.push(Written::File(text, meant));
        }
        Err(refused) => {
            assert!(matches!(refused, Refused::Replaced { .. }) && case.has("${{"), "{refused}: {case:?}");
            written.push(Written::Refused);
        }
    }
    match pipeline(&jobs, Shape::Whole) {
        Ok(text) => {
            assert!(!case.environment().contains('$'), "taken: {case:?}");
            let meant = Value::from(&gitlab::whole(&jobs, Shape::Whole).unwrap());
            let found = read(&text);
            same(&found, &meant, &text);
            shells::gitlab(case, &found, all);
            written.push(Written::File(text, meant));
        }
        Err(refused) => {
            assert!(case.environment().contains('$'), "{refused}: {case:?}");
            written.push(Written::Refused);
        }
    }
    if all {
        shells::generic(case, &generic_json(&jobs));
    }
    written
}

/// Fails with the first value that is another.
fn same(found: &Value, meant: &Value, text: &str) {
    match (found, meant) {
        (Value::Object(found), Value::Object(meant)) if found.keys().eq(meant.keys()) => {
            found.values().zip(meant.values()).for_each(|(found, meant)| same(found, meant, text));
        }
        (Value::Array(found), Value::Array(meant)) if found.len() == meant.len() => {
            found.iter().zip(meant).for_each(|(found, meant)| same(found, meant, text));
        }
        _ => assert_eq!(found, meant, "{text}"),
    }
}

/// A text as the reader of another project finds it.
fn read(text: &str) -> Value {
    let documents = Read::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let [document] = documents.as_slice() else { panic!("{} documents\n{text}", documents.len()) };
    value(document)
}

fn value(yaml: &Read<'_>) -> Value {
    match yaml {
        Read::Value(Scalar::Null) => Value::Null,
        Read::Value(Scalar::Boolean(is)) => json!(is),
        Read::Value(Scalar::Integer(number)) => json!(number),
        Read::Value(Scalar::String(text)) => json!(text),
        Read::Sequence(items) => items.iter().map(value).collect(),
        Read::Mapping(map) => {
            Value::Object(map.iter().map(|(key, of)| (key.as_str().unwrap().to_owned(), value(of))).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// The same by a reader of YAML 1.1, to which `on` and `no` are no words.
fn read_by_python(written: &[Written]) {
    let Some(python) = require("python3") else { return };
    let has = Command::new(&python).args(["-c", "import yaml"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        return skip("needs PyYAML (apt-get install python3-yaml)");
    }
    let program = "import json, sys, yaml\n\
                   loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)\n\
                   for line in sys.stdin:\n    text, meant = json.loads(line)\n    \
                   found = yaml.load(text, loader)\n    assert found == meant, (text, found)\n";
    let files = written.iter().filter_map(|written| match written {
        Written::File(text, meant) => Some(json!([text, meant]).to_string()),
        Written::Refused => None,
    });
    let lines: Vec<String> = files.take(READ_AGAIN).collect();
    let mut child = Command::new(python).args(["-c", program]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Texts alone, of any characters that there are.
#[test]
fn every_text_is_read_back() {
    use super::yaml::{Map, Yaml, document};
    let config = Config { cases: 10_000, failure_persistence: None, ..Config::default() };
    let texts = prop_oneof![
        any::<String>(),
        hostile::text(),
        "[a-zA-Z0-9:# .~<>=!&*%@|{}\\[\\],'\"$/-]{0,12}",
        "(?s).{0,8}\n"
    ];
    let strategy = proptest::collection::btree_map(texts.clone(), texts, 1..4);
    let together = |texts: &BTreeMap<String, String>| {
        let mut map = Map::default();
        for (key, text) in texts {
            let list = vec![
                Yaml::free(text),
                Map::default().with("below", Yaml::free(text)).into(),
                vec![Yaml::free(text)].into(),
            ];
            map = map.with(key, list);
        }
        map
    };
    TestRunner::new(config)
        .run(&strategy, |texts| {
            let map = together(&texts);
            let text = document(&["a comment\nthat goes on".to_owned()], &map, &[]);
            prop_assert!(text.is_ascii());
            prop_assert_eq!(read(&text), Value::from(&map), "{}", text);
            Ok(())
        })
        .unwrap();
}

#[test]
fn names_with_a_meaning_in_yaml_are_quoted() {
    for name in
        ["on", "no", "Yes", "1e3", "0x10", "012", "1_0", "1.5", "null", "true", "y", "2026-01-01", "12:30:00"]
    {
        let (frozen, place) = hostile::with_target(name);
        let taken = Jobs::of(&frozen, &place).and_then(|jobs| workflow(&jobs));
        if name.contains(':') {
            assert!(matches!(taken, Err(Refused::Name { .. })), "{name}");
        } else {
            assert!(taken.unwrap().contains(&format!("- \"{name}\"\n")), "{name}");
        }
    }
}

#[test]
fn a_matrix_over_the_limit_is_refused() {
    let (mut frozen, place) = hostile::with_target("t");
    let (target, step) = (frozen.targets[0].clone(), frozen.instances[0].clone());
    let many = |frozen: &mut Frozen, most: usize| {
        let names = (0..most).map(|at| format!("t{at}"));
        frozen.targets = names.clone().map(|name| crate::frozen::Target { name, ..target.clone() }).collect();
        frozen.instances =
            names.map(|name| crate::frozen::Step { target: Some(name), ..step.clone() }).collect();
    };
    many(&mut frozen, 200);
    let jobs = Jobs::of(&frozen, &place).unwrap();
    assert!(workflow(&jobs).is_ok() && pipeline(&jobs, Shape::Whole).is_ok());
    many(&mut frozen, 256);
    let jobs = Jobs::of(&frozen, &place).unwrap();
    assert!(workflow(&jobs).is_ok());
    assert_eq!(pipeline(&jobs, Shape::Whole), Err(Refused::Jobs { forge: "GitLab", there: 256, most: 200 }));
    many(&mut frozen, 257);
    let jobs = Jobs::of(&frozen, &place).unwrap();
    assert_eq!(workflow(&jobs), Err(Refused::Jobs { forge: "GitHub", there: 257, most: 256 }));
}
