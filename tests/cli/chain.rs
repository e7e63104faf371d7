//! Three steps that really make files, of one that a test may change: whatever happens to a run, what is right is known.

use std::fs;
use std::process::Command;

use pipeline_core::event::{EventKind, Status};

use crate::lab::{Lab, Ran};

const RECIPE: &str = r#"version = 1
[[step]]
id      = "one"
uses    = "run"
argv    = ["sh", "-c", "sed s/a/b/ in >one"]
inputs  = ["in"]
outputs = { file = "one" }
[[step]]
id      = "two"
uses    = "run"
argv    = ["sh", "-c", 'cat "$0" "$0" >two', "${steps.one.file}"]
outputs = { file = "two" }
[[step]]
id      = "three"
uses    = "run"
argv    = ["sh", "-c", "echo alone >three"]
outputs = { file = "three" }
"#;

/// The workspace with the recipe; nothing was done yet.
pub(crate) fn chain() -> Lab {
    let lab = Lab::new();
    fill(&lab);
    lab
}

/// Recipe and input, in a workspace that lost them.
pub(crate) fn fill(lab: &Lab) {
    lab.recipe(RECIPE);
    lab.space.write("in", "an apple\n");
}

/// Another content of the input, of the same length.
pub(crate) fn change(lab: &Lab) {
    let text = lab.space.read("in");
    lab.space.write("in", if text.contains("apple") { "an acorn\n" } else { "an apple\n" });
}

/// The steps that the last run ran.
pub(crate) fn steps(lab: &Lab) -> Vec<String> {
    let mut ran: Vec<String> = lab
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Finished { instance, status: Status::Done, .. } => {
                Some(instance.as_str().trim_end_matches("@host").to_owned())
            }
            _ => None,
        })
        .collect();
    ran.sort();
    ran
}

/// What is there is what the input says.
#[track_caller]
pub(crate) fn right(lab: &Lab, case: &str) {
    let one = lab.space.read("in").replacen('a', "b", 1);
    let there = ["one", "two", "three"].map(|name| fs::read_to_string(lab.space.path(name)).ok());
    assert_eq!(there, [Some(one.clone()), Some(one.repeat(2)), Some("alone\n".into())], "{case}");
}

/// A run that succeeds, whatever was before, and one after it that has nothing to do. The steps of the first, and what it said.
#[track_caller]
pub(crate) fn recovers(lab: &Lab, case: &str) -> (Vec<String>, String) {
    let ran = lab.output(&["run"]);
    assert_eq!(ran.code, 0, "{case}: {}", ran.stderr);
    right(lab, case);
    let first = steps(lab);
    let again = lab.output(&["run"]);
    assert_eq!((again.code, steps(lab)), (0, vec![]), "{case}: {}", again.stderr);
    assert!(!again.stderr.contains("warning"), "{case}: {}", again.stderr);
    right(lab, case);
    (first, ran.stderr)
}

/// It ended with an error that says what and where, and what to do.
#[track_caller]
pub(crate) fn refused(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    for part in parts.iter().chain(&["error[", "help: "]) {
        assert!(ran.stderr.contains(part), "`{part}` is not in: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

/// The program as somebody whom permissions bind, which they do not bind root.
pub(crate) fn bound(lab: &Lab, args: &[&str]) -> Command {
    if !rustix::process::geteuid().is_root() {
        return lab.pipeline(args);
    }
    let mut command = lab.space.command(pipeline_testkit::find("setpriv").unwrap());
    command.args(["--bounding-set=-dac_override,-dac_read_search", "--", crate::PIPELINE]).args(args);
    command
}
