//! The report in a real browser: of a chain of every kind of step, and of a thousand instances.

use pipeline_testkit::{TestSpace, in_browser, longest};
use serde_json::json;

use super::made::fleet;
use crate::evidence::{NODE, lab};

#[test]
fn a_whole_chain_in_a_browser() {
    let lab = lab(NODE);
    lab.output(&["run", "-j", "1", "--report", "report.html"]).must(0);
    in_browser(
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
    in_browser(
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
