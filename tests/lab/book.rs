//! Pages of the book whose commands need an engine; tests/docs has the others.

use std::path::Path;

use pipeline_testkit::{Page, TestSpace, find, skip};

use crate::kit::repository;
use crate::require_lab;

fn follow(page: &str) {
    let lab = require_lab!("nodes");
    let page = Page::read(&repository().join("docs").join(page));
    if let Some(missing) = page.tools.iter().find(|tool| find(tool).is_none()) {
        return skip(&format!("needs {missing}"));
    }
    let env = [("CONTAINERS_CONF".to_owned(), lab.path("containers.conf").display().to_string())];
    page.run(
        &TestSpace::with_real_tools(),
        Path::new(env!("CARGO_BIN_EXE_pipeline")).parent().unwrap(),
        &env,
    );
}

#[test]
fn a_site_without_a_network_gets_what_was_built() {
    follow("how-to/air-gapped.md");
}
