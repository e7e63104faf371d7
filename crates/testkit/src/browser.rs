//! An HTML report of a run in a real browser: `tests/report/browser.js` has the checks.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{require, skip};

/// Where screenshots and the print are kept, for people: a folder.
const SHOTS: &str = "PIPELINE_TEST_SHOTS";

/// Opens the report and holds it against what is expected, which is what the script reads of `expected`; says why not where the
/// browser cannot be had. `name` is the folder of its screenshots.
pub fn in_browser(report: &Path, name: &str, expected: &Value) {
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
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/report/browser.js"))
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

/// The id of the instance that took the longest, by the data in the report itself.
pub fn longest(report: &str) -> Value {
    let data = report.split_once("id=\"run\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    let instances = data["instances"].as_array().unwrap();
    let took = |one: &&Value| one["took"].as_i64().unwrap_or(-1);
    let most = instances.iter().map(|one| took(&one)).max().unwrap();
    instances.iter().find(|one| took(one) == most).unwrap()["id"].clone()
}
