//! What runs when, and what a failure stops.

use std::path::Path;

use super::kit::{go, instance, options, plan, sh};
use crate::event::Status;
use crate::exec::Options;
use crate::plan::{Action, Plan};

fn does(script: &str) -> Vec<Action> {
    vec![sh(script).into()]
}

/// `source` once, then for two targets `build`, `smoke`, `ship`; `smoke@a` fails.
fn two_targets() -> Plan {
    plan(
        vec![
            instance("source", does("true")),
            instance("unrelated", does("true")),
            instance("build@a", does("true")),
            instance("smoke@a", does("exit 3")),
            instance("ship@a@n1", does("true")),
            instance("extra@a", does("sleep 0.1")),
            instance("later@a", does("true")),
            instance("build@b", does("sleep 0.4")),
            instance("smoke@b", does("true")),
            instance("ship@b@n1", does("true")),
            instance("verify@b@n1", does("true")),
        ],
        &[
            ("source", "build@a"),
            ("source", "build@b"),
            ("build@a", "smoke@a"),
            ("build@a", "extra@a"),
            ("extra@a", "later@a"),
            ("smoke@a", "ship@a@n1"),
            ("build@b", "smoke@b"),
            ("smoke@b", "ship@b@n1"),
            ("ship@b@n1", "verify@b@n1"),
        ],
    )
}

#[test]
fn the_two_targets_overlap_and_each_keeps_its_order() {
    let all = ["sleep 0.3"; 2].map(does);
    let [one, two] = all;
    let plan = plan(
        vec![instance("build@a", one), instance("build@b", two), instance("ship@a", does("true"))],
        &[("build@a", "ship@a")],
    );
    let ran = go(&plan, Path::new("/"), &options(2));
    assert!(
        ran.started("build@b") < ran.finished("build@a") && ran.started("build@a") < ran.finished("build@b")
    );
    assert!(ran.finished("build@a") < ran.started("ship@a"));
    assert_eq!(ran.summary.counts.done, 3);
    let ran = go(&plan, Path::new("/"), &options(1));
    assert!(ran.started("build@b") > ran.finished("build@a"));
}

#[test]
fn a_failure_stops_its_target_and_the_other_arrives() {
    let ran = go(&two_targets(), Path::new("/"), &options(2));
    assert!(matches!(ran.status("smoke@a"), Status::Failed(_)));
    let Status::Skipped { because: Some(because) } = ran.status("ship@a@n1") else { panic!() };
    assert_eq!(because.as_str(), "smoke@a");
    assert!(ran.started("ship@a@n1").is_none());
    assert_eq!(*ran.status("verify@b@n1"), Status::Done);
    // Not downstream, but of the same target, and not yet begun.
    assert_eq!(*ran.status("later@a"), Status::Skipped { because: None });
    assert_eq!(ran.summary.counts.failed, 1);
}

#[test]
fn keep_going_runs_all_that_is_not_downstream() {
    let ran = go(&two_targets(), Path::new("/"), &Options { keep_going: true, ..options(2) });
    for id in ["later@a", "unrelated", "verify@b@n1"] {
        assert_eq!(*ran.status(id), Status::Done, "{id}");
    }
    assert_eq!(ran.summary.counts.skipped, 1);
}
