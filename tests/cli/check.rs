//! `pipeline check --format`: the same for programs as for people, and nothing else on stdout.

use std::collections::BTreeSet;
use std::path::Path;

use pipeline_testkit::TestSpace;
use serde_json::Value;

use crate::PIPELINE;
use crate::lab::Ran;

/// Errors with one place, with two and on more than one line, a warning, and text that means something to the formats.
const WRONG: &str = r#"version = 1

[vars]
unused = "x"

[[step]]
id   = "tüt"
uses = "run"
argv = ["größe: 100%, ok", "${vars.nope}"]

[[step]]
id     = "tüt"
uses   = "run"
argv   = ["x"]
stdin  = [
    1,
]
"#;

const VALID: &str = "version = 1\n[[step]]\nuses = \"run\"\nargv = [\"true\"]\n";

fn check(space: &TestSpace, format: &str, args: &[&str]) -> Ran {
    Ran::of(space.command(PIPELINE).args(["check", "--format", format]).args(args))
}

/// The document; nothing is on stderr.
#[track_caller]
fn document(space: &TestSpace, format: &str, args: &[&str], code: i32) -> Value {
    let ran = check(space, format, args).must(code);
    assert_eq!(ran.stderr, "", "{format} {args:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

fn text_at<'t>(text: &'t str, start: &Value, end: &Value) -> &'t str {
    let offset = |point: &Value| usize::try_from(point["offset"].as_u64().unwrap()).unwrap();
    &text[offset(start)..offset(end)]
}

/// What stands between two points that count lines and characters from 1.
fn text_between(text: &str, start: (u64, u64), end: (u64, u64)) -> String {
    let mut found = String::new();
    let (mut line, mut column) = (1, 1);
    for c in text.chars() {
        if (line, column) >= start && (line, column) < end {
            found.push(c);
        }
        (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    found
}

#[test]
fn json_tells_every_place_by_offset_and_by_line() {
    let space = TestSpace::new();
    space.write("pipelines/app/pipeline.toml", WRONG);
    let document = document(&space, "json", &["app"], 3);
    assert_eq!(document["version"], 1);
    assert_eq!(document["valid"], false);
    assert_eq!(document["files"], serde_json::json!(["pipelines/app/pipeline.toml"]));
    let found = document["diagnostics"].as_array().unwrap();
    let codes: BTreeSet<&str> = found.iter().map(|one| one["code"].as_str().unwrap()).collect();
    for code in ["spec::bad-name", "spec::unknown-key", "spec::unknown-variable", "spec::duplicate-id"] {
        assert!(codes.contains(code), "{codes:?}");
    }
    for one in found {
        assert!(["error", "warning"].contains(&one["severity"].as_str().unwrap()), "{one}");
        for (index, label) in one["labels"].as_array().unwrap().iter().enumerate() {
            assert_eq!(label["file"], "pipelines/app/pipeline.toml");
            assert_eq!(label["primary"], index == 0);
            let (start, end) = (&label["start"], &label["end"]);
            let point = |at: &Value| (at["line"].as_u64().unwrap(), at["column"].as_u64().unwrap());
            let text = text_at(WRONG, start, end);
            assert_eq!(text, text_between(WRONG, point(start), point(end)), "{one}");
            if one["code"] == "spec::unknown-variable" {
                assert_eq!(text, "${vars.nope}");
                assert_eq!(point(start), (9, 29));
            }
        }
    }
    let twice = found.iter().find(|one| one["code"] == "spec::duplicate-id").unwrap();
    let texts: Vec<&str> =
        twice["labels"].as_array().unwrap().iter().map(|label| label["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["the second", "the first"]);
}

#[test]
fn sarif_has_a_rule_and_a_place_for_each_result() {
    let space = TestSpace::new();
    space.write("pipelines/a b/pipeline.toml", WRONG);
    let log = document(&space, "sarif", &["a b"], 3);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert_eq!(run["tool"]["driver"]["name"], "pipeline");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run["invocations"][0]["exitCode"], 3);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 4, "{log:#}");
    for result in results {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[rule]["id"], result["ruleId"]);
        assert!(rules[rule]["shortDescription"]["text"].is_string());
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        let related = result["relatedLocations"].as_array().unwrap();
        for location in result["locations"].as_array().unwrap().iter().chain(related) {
            let physical = &location["physicalLocation"];
            assert_eq!(physical["artifactLocation"]["uri"], "pipelines/a%20b/pipeline.toml");
            assert!(physical["region"]["startLine"].as_u64().unwrap() >= 1);
        }
        if result["ruleId"] == "spec::duplicate-id" {
            assert_eq!(related[0]["id"], 1);
            assert_eq!(related[0]["message"]["text"], "the first");
            assert_eq!(related[0]["physicalLocation"]["region"]["startLine"], 7);
        }
        if result["ruleId"] == "spec::unknown-variable" {
            let region = &result["locations"][0]["physicalLocation"]["region"];
            assert_eq!(
                *region,
                serde_json::json!({ "startLine": 9, "startColumn": 29, "endLine": 9, "endColumn": 41 })
            );
            assert!(result["message"]["text"].as_str().unwrap().contains("\nhelp: "), "{result}");
        }
    }
    let used: BTreeSet<&str> = results.iter().map(|result| result["ruleId"].as_str().unwrap()).collect();
    assert_eq!(used.len(), rules.len());
}

#[test]
fn github_gets_one_command_a_line() {
    let space = TestSpace::new();
    space.write("pipelines/a,b:c%/pipeline.toml", WRONG);
    let ran = check(&space, "github", &["a,b:c%"]).must(3);
    assert_eq!(ran.stderr, "");
    let file = "file=pipelines/a%2Cb%3Ac%25/pipeline.toml,";
    for line in ran.stdout.lines() {
        let level = ["::error ", "::warning "].into_iter().find_map(|level| line.strip_prefix(level));
        let (properties, _) =
            level.and_then(|rest| rest.split_once("::")).unwrap_or_else(|| panic!("{line}"));
        assert!(properties.starts_with(file), "{line}");
        assert!(properties.contains(",title=spec%3A%3A"), "{line}");
    }
    assert!(
        ran.stdout.contains(&format!(
            "::error {file}line=9,endLine=9,col=29,endColumn=41,title=spec%3A%3Aunknown-variable::no variable `nope` is declared%0Ahelp: "
        )),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_valid_recipe_says_so_and_nothing_else() {
    let space = TestSpace::new();
    space.write("pipeline.toml", VALID);
    let found = document(&space, "json", &[], 0);
    assert_eq!(
        found,
        serde_json::json!({ "version": 1, "valid": true, "files": ["pipeline.toml"], "diagnostics": [] })
    );
    assert_eq!(document(&space, "sarif", &[], 0)["runs"][0]["results"], serde_json::json!([]));
    let ran = check(&space, "github", &[]).must(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = check(&space, "text", &[]).must(0);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.ends_with("pipeline.toml: the recipe is valid (1 instance)\n"), "{}", ran.stderr);
    // A build, and no engine on this machine: that is no business of a program.
    space.write(
        "pipeline.toml",
        "version = 1\n[[step]]\nuses = \"run\"\nargv = [\"true\"]\noutputs = { context = \"out\" }\n[[step]]\nuses = \"build\"\ntag = \"app:1\"\n",
    );
    assert_eq!(document(&space, "json", &[], 0)["valid"], true);
    let ran = check(&space, "text", &[]).must(0);
    assert!(ran.stderr.starts_with("note: no build engine works"), "{}", ran.stderr);
}

#[test]
fn paths_start_where_the_command_is() {
    let space = TestSpace::new();
    let recipe = space.write("deep/er/pipeline.toml", WRONG);
    let here = space.path(".").canonicalize().unwrap();
    let absolute = here.join("deep/er/pipeline.toml");
    assert_eq!(absolute, recipe.canonicalize().unwrap());
    for args in [&["-f", absolute.to_str().unwrap()][..], &["deep/er"], &["-f", "./deep/er/pipeline.toml"]] {
        let files = document(&space, "json", args, 3)["files"].clone();
        assert_eq!(files, serde_json::json!(["deep/er/pipeline.toml"]), "{args:?}");
    }
    let in_folder = |folder: &Path| {
        let ran = Ran::of(space.command(PIPELINE).current_dir(folder).args(["check", "--format=json"]));
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["files"][0].clone()
    };
    assert_eq!(in_folder(&space.path("deep/er")), "pipeline.toml");
    std::fs::create_dir(space.path("deep/er/below")).unwrap();
    assert_eq!(in_folder(&space.path("deep/er/below")), "../pipeline.toml");
}

#[test]
fn what_comes_before_a_recipe_has_the_same_form() {
    let space = TestSpace::new();
    space.write("bytes.toml", b"version = \"\xff\"\n");
    space.write("syntax.toml", "version = 1\nx = [1,\ny = 2\n");
    space.write("ok.toml", VALID);
    let key = vec!["a"; 79].join(".");
    let deep = format!("[vars]\n{}1{}\n", format!("{key} = {{ ").repeat(79), "}".repeat(79));
    space.write("deep.toml", deep);
    for (args, code, error) in [
        (&["-f", "nowhere.toml"][..], 2, "select::unreadable"),
        (&["nowhere"], 2, "select::no-recipe"),
        (&[], 2, "select::no-recipe"),
        (&["-f", "."], 2, "select::unreadable"),
        (&["-f", "ok.toml", "--set", "x"], 2, "select::bad-variable"),
        (&["-f", "ok.toml", "--set", "x=1"], 2, "select::unknown-variable"),
        (&["-f", "bytes.toml"], 3, "spec::not-utf8"),
        (&["-f", "syntax.toml"], 3, "spec::syntax"),
        (&["-f", "deep.toml"], 3, "spec::too-nested"),
    ] {
        let json = document(&space, "json", args, code);
        assert_eq!(
            (&json["valid"], &json["diagnostics"][0]["code"]),
            (&false.into(), &error.into()),
            "{args:?}"
        );
        let run = document(&space, "sarif", args, code)["runs"][0].clone();
        let about_a_file = error.starts_with("spec::");
        let told = &run["invocations"][0];
        assert_eq!(told["executionSuccessful"], about_a_file, "{args:?}");
        if about_a_file {
            let place = &run["results"][0]["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], args[1]);
            assert!(place["region"]["startLine"].is_u64());
        } else {
            assert_eq!(told["toolConfigurationNotifications"][0]["descriptor"]["id"], error);
            assert_eq!(run["results"], serde_json::json!([]));
        }
        let ran = check(&space, "github", args).must(code);
        assert!(ran.stdout.starts_with("::error "), "{}", ran.stdout);
        assert!(ran.stdout.contains(&format!("title={}::", error.replace(':', "%3A"))), "{}", ran.stdout);
        assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
        let ran = check(&space, "text", args).must(code);
        assert!(ran.stderr.contains(error), "{}", ran.stderr);
    }
}
