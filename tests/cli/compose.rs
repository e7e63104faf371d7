//! Recipes of several files, and where each value comes from.

use std::collections::BTreeMap;

use pipeline_testkit::TestSpace;
use serde_json::Value;

use crate::PIPELINE;

const RECIPE: &str = r#"version = 1
include = ["../common.toml"]

[pipeline]
name = "app"

[vars]
tag = "recipe"

[targets.arm64]
extends  = "arm"
platform = "linux/arm64"

[targets.armv7]
extends  = "arm"
platform = "linux/arm/v7"
vars     = { mode = "slow" }

[[step]]
id   = "say"
uses = "run"
argv = ["say", "${vars.tag}", "${vars.mode}", "${target.name}"]

[[step]]
id   = "quick"
uses = "run"
argv = ["quick"]
timeout = "1m"
"#;

const COMMON: &str = r#"[vars.tag]
description = "What it is called"
default = "common"

[vars.mode]
allowed = ["fast", "slow"]
default = "fast"

[targets.arm]
abstract = true
vars = { tag = "of-arm" }

[defaults.run]
timeout = "5m"
env = { LEVEL = "1", OTHER = "x" }
"#;

fn space() -> TestSpace {
    let space = TestSpace::new();
    space.write("app/pipeline.toml", RECIPE);
    space.write("common.toml", COMMON);
    space
}

fn pipeline(space: &TestSpace, args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let output = space.command(PIPELINE).args(args).envs(env.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The commands of `say`, by target.
fn said(space: &TestSpace, args: &[&str], env: &[(&str, &str)]) -> BTreeMap<String, String> {
    let args = [&["plan", "--format", "json", "app"], args].concat();
    let (code, stdout, stderr) = pipeline(space, &args, env);
    assert_eq!(code, 0, "{stderr}");
    let plan: Value = serde_json::from_str(&stdout).unwrap();
    let instances = plan["instances"].as_array().unwrap();
    let says = instances.iter().filter(|instance| instance["step"] == "say");
    says.map(|say| {
        let argv = say["actions"][0]["command"]["argv"].as_array().unwrap();
        let words: Vec<&str> = argv.iter().map(|word| word.as_str().unwrap()).collect();
        (say["target"].as_str().unwrap().to_owned(), words[1..].join(" "))
    })
    .collect()
}

#[test]
fn the_strongest_value_wins() {
    let space = space();
    let tag = |args: &[&str], env: &[(&str, &str)]| said(&space, args, env)["arm64"].clone();
    // A target's own value is stronger than any `[vars]`.
    assert_eq!(tag(&[], &[]), "of-arm fast arm64");
    assert_eq!(said(&space, &[], &[])["armv7"], "of-arm slow armv7");
    space.write("app/pipeline.local.toml", "[targets.arm.vars]\ntag = 'local'\n");
    assert_eq!(tag(&[], &[]), "local fast arm64");
    assert_eq!(tag(&["--no-local"], &[]), "of-arm fast arm64");
    space.write("over.toml", "targets.arm64.vars.tag = 'over'");
    assert_eq!(tag(&["-f", "over.toml"], &[]), "over fast arm64");
    space.write("more.toml", "targets.arm64.vars.tag = 'more'");
    assert_eq!(tag(&["-f", "over.toml", "-f", "more.toml"], &[]), "more fast arm64");
    assert_eq!(tag(&["-f", "more.toml", "-f", "over.toml"], &[]), "over fast arm64");
    let env = [("PIPELINE_VAR_TAG", "env")];
    assert_eq!(tag(&["-f", "over.toml"], &env), "env fast arm64");
    space.write("vars.toml", "tag = 'file'\nmode = 'slow'\n");
    assert_eq!(tag(&["--var-file", "vars.toml"], &env), "file slow arm64");
    space.write("vars2.toml", "tag = 'file2'\n");
    assert_eq!(tag(&["--var-file", "vars.toml", "--var-file", "vars2.toml"], &env), "file2 slow arm64");
    assert_eq!(tag(&["--var-file", "vars.toml", "--set", "tag=set"], &env), "set slow arm64");
    assert_eq!(tag(&[], &[("PIPELINE_VAR_tag", "exact"), ("PIPELINE_VAR_TAG", "upper")]), "exact fast arm64");
    assert_eq!(tag(&[], &[("PIPELINE_VAR_FILE", "vars.toml")]), "file slow arm64");
}

#[test]
fn the_first_file_is_the_recipe_and_the_others_lie_over_it() {
    let space = space();
    space.write("prod.toml", "pipeline.name = 'prod'\n[[step]]\nid = 'quick'\nmutex = 'm'\n");
    let args = ["plan", "--format", "json", "-f", "app/pipeline.toml", "-f", "prod.toml"];
    let env = ("PIPELINE_FILE", "app/pipeline.toml:prod.toml");
    let (_, by_options, _) = pipeline(&space, &args, &[]);
    let (_, by_environment, _) = pipeline(&space, &args[..3], &[env]);
    let (_, beside_a_name, _) =
        pipeline(&space, &["plan", "--format", "json", "app", "-f", "prod.toml"], &[]);
    assert!(by_options.contains("\"mutex\": \"m\"") && by_options.contains("\"prod\""), "{by_options}");
    assert_eq!(by_options, by_environment);
    assert_eq!(by_options, beside_a_name);
    let (code, _, stderr) = pipeline(&space, &["plan", "app", "-f", "gone.toml"], &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("cannot read `gone.toml`"), "{stderr}");
}

#[test]
fn every_value_tells_its_file_and_line() {
    let space = space();
    space.write("app/pipeline.local.toml", "# mine\nvars.mode = 'slow'\n");
    space.write("vars.toml", "\n\ntag = '9'\n");
    let args = ["plan", "app", "--show-origin", "--var-file", "vars.toml"];
    let (code, stdout, stderr) = pipeline(&space, &args, &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: BTreeMap<&str, &str> = stdout
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(from, rest)| (rest.trim(), from))
        .collect();
    for (value, from) in [
        ("pipeline.name = \"app\"", "app/pipeline.toml:5"),
        ("vars.tag.default = \"9\"", "vars.toml:3"),
        ("vars.tag.description = \"What it is called\"", "common.toml:2"),
        ("vars.mode.default = \"slow\"", "app/pipeline.local.toml:2"),
        ("targets.armv7.vars.mode = \"slow\"", "app/pipeline.toml:17"),
        ("step.say.timeout = \"5m\"", "common.toml:14"),
        ("step.say.env.LEVEL = \"1\"", "common.toml:15"),
        ("step.quick.timeout = \"1m\"", "app/pipeline.toml:28"),
    ] {
        assert_eq!(lines.get(value), Some(&from), "{value}\n{stdout}");
    }
    assert!(!stdout.contains("of-arm"), "a target's value that `--var-file` beats is gone:\n{stdout}");
    let (_, json, _) =
        pipeline(&space, &["plan", "app", "--show-origin", "--format", "json", "--set", "tag=1"], &[]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let tag =
        json["values"].as_array().unwrap().iter().find(|value| value["key"] == "vars.tag.default").unwrap();
    assert_eq!((tag["from"].as_str(), tag["value"].as_str()), (Some("--set"), Some("\"1\"")));
}

#[test]
fn the_resolved_recipe_stands_on_its_own() {
    let space = space();
    let args = ["plan", "app", "--set", "mode=slow", "--format"];
    let (code, toml, stderr) = pipeline(&space, &[&args[..], &["toml"]].concat(), &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    space.write("alone/pipeline.toml", &toml);
    let (_, before, _) = pipeline(&space, &[&args[..], &["json"]].concat(), &[]);
    let (code, after, stderr) = pipeline(&space, &["plan", "alone", "--format", "json"], &[]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{toml}");
    assert_eq!(before, after, "{toml}");
}

#[test]
fn errors_name_the_file_that_they_are_in() {
    let space = space();
    space.write("common.toml", COMMON.replace("timeout = \"5m\"", "timeuot = \"5m\""));
    space.write("app/pipeline.local.toml", "[targets.arm64]\nplatfrom = 'x'\n");
    let (code, _, stderr) = pipeline(&space, &["check", "app"], &[]);
    assert_eq!(code, 3);
    assert!(stderr.contains("[common.toml:14:1]") && stderr.contains("did you mean `timeout`?"), "{stderr}");
    assert!(stderr.contains("[app/pipeline.local.toml:2:1]"), "{stderr}");
    assert_eq!(stderr.matches("timeuot").count(), 2, "once, though two steps have the default:\n{stderr}");
    let (_, json, _) = pipeline(&space, &["check", "app", "--format", "json"], &[]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let files = ["app/pipeline.local.toml", "app/pipeline.toml", "common.toml"];
    assert_eq!(json["files"], serde_json::json!(files));
    for found in json["diagnostics"].as_array().unwrap() {
        let label = &found["labels"][0];
        let at = |end: &str| usize::try_from(label[end]["offset"].as_u64().unwrap()).unwrap();
        let text = space.read(label["file"].as_str().unwrap());
        let named = &text[at("start")..at("end")];
        assert!(found["message"].as_str().unwrap().contains(named), "{found}");
    }
}

#[test]
fn a_variable_that_is_misspelt_in_the_environment_is_told() {
    let space = space();
    let (code, _, stderr) = pipeline(&space, &["check", "app"], &[("PIPELINE_VAR_MDOE", "slow")]);
    assert_eq!(code, 0);
    assert!(stderr.contains("did you mean `PIPELINE_VAR_MODE`?"), "{stderr}");
    let (_, _, stderr) = pipeline(&space, &["check", "app"], &[("PIPELINE_VAR_OF_ANOTHER_RECIPE", "slow")]);
    assert!(!stderr.contains("PIPELINE_VAR"), "{stderr}");
}

#[test]
fn list_tells_types_values_and_where_they_are_from() {
    let space = space();
    let (code, stdout, stderr) = pipeline(&space, &["list", "app", "--vars", "--set", "mode=slow"], &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "TYPE", "VALUE", "FROM", "DESCRIPTION"]);
    assert!(rows.contains(&vec!["mode", "fast|slow", "slow", "--set"]), "{stdout}");
    assert!(stdout.contains("app/pipeline.toml:8") && stdout.contains("What it is called"), "{stdout}");
    let (_, json, _) = pipeline(&space, &["list", "app", "--format", "json"], &[]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["files"], serde_json::json!(["app/pipeline.toml", "common.toml"]));
    assert_eq!(json["targets"].as_array().unwrap().len(), 2, "what is only extended is no target");
}

#[test]
fn an_overlay_that_changes_what_is_not_there_is_told_what_was_meant() {
    let space = space();
    for (id, help) in [("qiuck", "did you mean `quick`?"), ("other", "the steps are `say` and `quick`")] {
        space.write("over.toml", format!("[[step]]\nid = \"{id}\"\ntimeout = \"2m\"\n"));
        let (code, _, stderr) = pipeline(&space, &["check", "app", "-f", "over.toml"], &[]);
        assert_eq!(code, 3, "{stderr}");
        assert!(stderr.contains(&format!("no step has the id `{id}`, so this one is new")), "{stderr}");
        assert!(stderr.contains(help), "{stderr}");
    }
}
