//! What the program tells about itself: kinds, schema, recipes, completions.

use serde_json::Value;

use crate::lab::Lab;

#[test]
fn recipes_are_listed_and_so_is_what_is_in_one() {
    let lab = Lab::new();
    lab.output(&["list"]).must(2);
    let recipe = r#"version = 1
[pipeline]
name = "one"
description = "the first"
[vars]
tag = "2"
[targets.arm64]
platform = "linux/arm64"
nodes = ["edge"]
[nodes.edge]
host = "root@edge"
[[step]]
id = "say"
uses = "run"
argv = ["docker", "${vars.tag}"]
targets = ["arm64"]
"#;
    lab.space.write("pipelines/one/pipeline.toml", recipe);
    lab.space.write("pipelines/two/pipeline.toml", "version = 1\n[[step]]\nuses = \"run\"\nargv = [\"a\"]\n");
    lab.space.write("pipelines/broken/pipeline.toml", "[");
    lab.space.write("pipelines/none/README", "");
    assert_eq!(
        lab.output(&["list"]).must(0).stdout,
        "broken  (has errors: `pipeline check broken`)\none     the first\ntwo\n"
    );
    let text = lab.output(&["list", "one"]).must(0).stdout;
    for part in ["the first", "arm64  linux/arm64  edge", "edge  root@edge", "tag  2", "say  run  only arm64"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json: Value =
        serde_json::from_str(&lab.output(&["list", "--format", "json"]).must(0).stdout).unwrap();
    let one = serde_json::json!({
        "name": "one", "description": "the first", "path": "pipelines/one/pipeline.toml", "valid": true,
    });
    assert_eq!(json["recipes"][1], one);
    let json: Value =
        serde_json::from_str(&lab.output(&["list", "one", "--format", "json"]).must(0).stdout).unwrap();
    assert_eq!(json["targets"][0]["nodes"][0], "edge");
    let say = serde_json::json!({ "id": "say", "uses": "run", "targets": ["arm64"], "description": null });
    assert_eq!(json["steps"][0], say);
    lab.output(&["list", "broken"]).must(3);
}

const KINDS: [&str; 11] = [
    "binfmt-register",
    "git-checkout",
    "patch-FROM",
    "build",
    "smoke",
    "save",
    "scp",
    "load",
    "skopeo-copy",
    "crictl-verify",
    "run",
];

#[test]
fn every_kind_is_in_the_reference() {
    let lab = Lab::new();
    let all = lab.output(&["steps"]).must(0).stdout;
    let markdown = lab.output(&["steps", "--format", "markdown"]).must(0).stdout;
    for kind in KINDS {
        assert!(all.contains(kind) && markdown.contains(&format!("\n## {kind}\n")), "{kind}");
        let one = lab.output(&["steps", kind]).must(0).stdout;
        assert!(one.starts_with(&format!("{kind}: ")) && one.contains("Keys of every step:"), "{one}");
        for word in ["null", "anyOf", "uint", "Option", "$ref"] {
            assert!(!one.contains(word), "{kind} says `{word}`:\n{one}");
        }
        // Every key says what its value is.
        let empty = one
            .lines()
            .find(|line| line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(": "));
        assert_eq!(empty, None, "{kind}");
    }
    assert!(lab.output(&["steps", "patch-from"]).must(0).stdout.starts_with("patch-FROM"));
    let ran = lab.output(&["steps", "biuld"]).must(2);
    assert!(ran.stderr.contains("did you mean `build`?"), "{}", ran.stderr);
}

#[test]
fn completions_know_the_commands() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = lab.output(&["completions", shell]).must(0).stdout;
        for word in ["run", "plan", "doctor", "repro", "keep-going"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let version = lab.output(&["--version"]).must(0).stdout;
    assert_eq!(version, format!("pipeline {}\n", env!("CARGO_PKG_VERSION")));
    let help = lab.output(&["run", "--help"]).must(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for code in [
        "0 done",
        "1 a step failed",
        "2 usage",
        "3 recipe invalid",
        "4 lock stale",
        "5 preflight",
        "6 verification",
        "130",
    ] {
        assert!(help.contains(code), "{code}: {help}");
    }
}

#[test]
fn the_doctor_speaks_json() {
    let lab = Lab::new();
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"zstd\"]\n");
    let ran = lab.output(&["doctor", "--format", "json"]).must(5);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["version"], 1);
    let findings = report["findings"].as_array().unwrap();
    for finding in findings {
        for key in ["area", "name", "level", "detail"] {
            assert!(finding[key].is_string(), "{key}: {finding}");
        }
        assert!(["ok", "warning", "missing"].contains(&finding["level"].as_str().unwrap()), "{finding}");
    }
    let zstd = findings.iter().find(|finding| finding["name"] == "zstd").expect("a finding about zstd");
    assert_eq!(zstd["level"], "missing");
    assert!(zstd["remedy"].as_str().unwrap().contains("apt-get install zstd"), "{zstd}");
    lab.recipe("version = 1\n[[step]]\nuses = \"run\"\nargv = [\"cat\", \"/dev/null\"]\n");
    lab.output(&["doctor"]).must(0);
}
