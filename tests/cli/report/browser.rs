//! The report in a real browser: `tests/report/browser.js` has the checks.

use std::fs;
use std::path::Path;
use std::process::Command;

use pipeline_testkit::{TestSpace, require, skip};
use serde_json::{Value, json};

use super::made::fleet;
use crate::evidence::{NODE, lab};
use crate::repository;

/// Where screenshots and the print are kept, for people: a folder.
const SHOTS: &str = "PIPELINE_TEST_SHOTS";

/// Opens the report and holds it against what is expected; says why not where the browser cannot be had.
fn check(report: &Path, name: &str, expected: &Value) {
    let (Some(node), Some(chromium)) = (require("node"), require("chromium")) else { return };
    let has =
        Command::new(&node).args(["-e", "require('puppeteer-core'), require('axe-core')"]).output().unwrap();
    if !has.status.success() {
        return skip(
            "needs puppeteer-core and axe-core (npm install puppeteer-core axe-core; NODE_PATH=…/node_modules)",
        );
    }
    let shots = std::env::var_os(SHOTS).map(|folder| Path::new(&folder).join(name));
    if let Some(shots) = &shots {
        fs::create_dir_all(shots).unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(node)
        .arg(repository().join("tests/report/browser.js"))
        .args([chromium.as_path(), report])
        .arg(expected.to_string())
        .args(shots)
        .env("HOME", home.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("\nthere after "), "{told}");
}

#[test]
fn a_whole_chain_in_a_browser() {
    let lab = lab(NODE);
    lab.output(&["run", "-j", "1", "--report", "report.html"]).must(0);
    check(
        &lab.space.path("report.html"),
        "chain",
        &json!({
            "widths": [1280, 390], "steps": 7, "ran": 7, "graphs": 1, "longest": longest(&lab.space.read("report.html")),
            "search": { "words": "crictl-verify", "rows": 1 },
            "log": { "words": "# done after", "rows": 7 },
            "filters": [["Kind", "save", 1], ["Kind", "build", 1]],
            "details": { "id": "image@native", "words": ["Executed", "docker build", "sha256:", "Needed by", "save@native"], "find": "DOCKER" },
            "words": ["app", "Done", "crictl-verify@native@edge", "verified"],
        }),
    );
}

#[test]
fn a_thousand_instances_in_a_browser() {
    let space = TestSpace::new();
    fleet(&space.path("."), "r1", 50, 8);
    super::report(&space, &["-o", "report.html"]).must(0);
    check(
        &space.path("report.html"),
        "fleet",
        &json!({
            "widths": [1280], "steps": 1002, "ran": 783, "graphs": 51, "longest": longest(&space.read("report.html")),
            "search": { "words": "deliver@t07@", "rows": 8 },
            "log": { "words": "line 59 of what", "rows": 40 },
            "filters": [["Status", "failed", 1], ["Status", "up-to-date", 200], ["Target", "t03", 20], ["Node", "edge-07-01", 2], ["Kind", "smoke", 50]],
            "target": { "name": "t07", "ran": 20 },
            "details": { "id": "image@t03", "words": ["`buildah` exited with code 2", "What to do: ", "Attempts", "native", "Copy", "Waits for", "source", "smoke@t03"], "find": "Line 11" },
            "words": ["fleet", "1 step failed", "edge-49-07", "19 steps did not run because of it"],
        }),
    );
}

/// The instance that took the longest, by the report's own data.
fn longest(report: &str) -> Value {
    let data = report.split_once("id=\"run\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    let instances = data["instances"].as_array().unwrap();
    let took = |one: &&Value| one["took"].as_i64().unwrap_or(-1);
    let most = instances.iter().map(|one| took(&one)).max().unwrap();
    instances.iter().find(|one| took(one) == most).unwrap()["id"].clone()
}
