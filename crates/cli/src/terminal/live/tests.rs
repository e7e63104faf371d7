//! What is to be seen of recorded runs of the demo.

use super::replay::replay;

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

/// Golden files of a run at both sizes.
fn golden(plan: &str, run: &str, before: Option<&str>, moments: &[u64]) {
    for (columns, rows) in SIZES {
        let name = format!("{run}_{columns}x{rows}");
        insta::assert_snapshot!(name, replay(plan, run, before, (columns, rows), moments));
    }
}

#[test]
fn a_first_run_of_the_demo() {
    golden("demo", "success", None, &[500, 10_000, 17_000, 21_000, 27_000, 29_000]);
}

#[test]
fn a_failure() {
    golden("demo", "failure", Some("success"), &[1000, 3000, 4200]);
}

#[test]
fn ctrl_c() {
    golden("demo", "interrupted", Some("success"), &[1000, 2500, 2700]);
}

#[test]
fn images_on_their_way_to_nodes() {
    golden("deliver", "deliver", Some("deliver"), &[3000, 5000, 7000, 9000, 11_000]);
}
