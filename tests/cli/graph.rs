//! `graph`: every format, with no tool on the PATH.

use std::fs;
use std::process::{Command, Stdio};

use pipeline_testkit::{TestSpace, require};

use crate::lab::Ran;
use crate::{PIPELINE, repository};

const FORMATS: [&str; 4] = ["text", "dot", "mermaid", "svg"];

/// The demo, without its tools.
fn demo() -> TestSpace {
    let space = TestSpace::new();
    let recipe = fs::read(repository().join("pipelines/demo/pipeline.toml")).unwrap();
    space.write("pipeline.toml", recipe);
    space
}

fn graph(space: &TestSpace, args: &[&str]) -> Ran {
    Ran::of(space.command(PIPELINE).arg("graph").args(args))
}

#[test]
fn the_demo_in_every_format() {
    let space = demo();
    for format in FORMATS {
        let ran = graph(&space, &["--format", format]).must(0);
        assert_eq!(ran.stderr, "");
        insta::assert_snapshot!(format!("demo_{format}"), ran.stdout);
        let by_variable = Ran::of(space.command(PIPELINE).arg("graph").env("PIPELINE_GRAPH_FORMAT", format));
        assert_eq!(by_variable.must(0).stdout, ran.stdout);
    }
    insta::assert_snapshot!("demo_expanded_text", graph(&space, &["--expanded"]).must(0).stdout);
    for format in FORMATS {
        let shown = graph(&space, &["--expanded", "--format", format]).must(0).stdout;
        assert!(shown.contains("armv7"), "{shown}");
        let selected = graph(&space, &["--expanded", "--format", format, "-t", "arm64"]).must(0).stdout;
        assert!(!selected.contains("armv7") && selected.contains("arm64"), "{selected}");
    }
    let skipped = graph(&space, &["--skip", "verify-*"]).must(0).stdout;
    assert!(!skipped.contains("verify-crio"), "{skipped}");
}

#[test]
fn a_machine_without_an_engine_can_draw() {
    let space = TestSpace::new();
    space.write("pipeline.toml", "version = 1\n[[step]]\nid = 'context'\nuses = 'run'\nargv = ['make']\noutputs.context = 'd'\n[[step]]\nuses = 'build'\ntag = 'x:1'\n");
    let ran = graph(&space, &[]).must(0);
    assert!(ran.stdout.contains("BuildContext of context"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let space = demo();
    let ran = graph(&space, &["--format", "png"]).must(2);
    assert_eq!(ran.stdout, "");
    assert!(FORMATS.iter().all(|format| ran.stderr.contains(format)), "{}", ran.stderr);
    let ran = graph(&space, &["-t", "riscv"]).must(2);
    assert_eq!(ran.stdout, "");
    space.write("pipeline.toml", "version = 1\n[[step]]\nuses = 'biuld'\n");
    let ran = graph(&space, &["--format", "svg"]).must(3);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("build"), "{}", ran.stderr);
}

#[test]
fn a_chart_too_large_for_viewers_says_so_beside_the_data() {
    let space = TestSpace::new();
    let mut recipe = String::from(
        "version = 1\n[pipeline]\nengine = 'docker'\n[[step]]\nuses = 'run'\nscope = 'once'\nid = 'all'\nargv = ['true']\nneeds = ['one']\n",
    );
    recipe += "[[step]]\nuses = 'run'\nid = 'one'\nargv = ['true']\n";
    for target in 0..501 {
        recipe += &format!("[targets.t{target}]\nplatform = 'linux/amd64'\n");
    }
    space.write("pipeline.toml", recipe);
    let ran = graph(&space, &["--expanded", "--format", "mermaid"]).must(0);
    assert!(ran.stdout.starts_with("flowchart TD\n"), "{}", ran.stdout);
    assert!(ran.stderr.contains("501 edges") && ran.stderr.contains("maxEdges"), "{}", ran.stderr);
    let ran = graph(&space, &["--format", "mermaid"]).must(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn the_text_is_as_wide_as_its_terminal() {
    let Some(script) = require("script") else { return };
    let space = demo();
    let drawn = |columns: u16| {
        let line = format!("stty cols {columns}; exec {PIPELINE} graph");
        let mut command = Command::new(&script);
        let output = command
            .args(["-qec", &line, "/dev/null"])
            .current_dir(space.path("."))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for columns in [60, 80] {
        let text = drawn(columns);
        assert!(text.contains("● │    save"), "{text}");
        let widest = text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0);
        assert!((usize::from(columns) - 20..=usize::from(columns)).contains(&widest), "{widest}: {text}");
    }
}

#[test]
fn graphviz_reads_it() {
    let Some(dot) = require("dot") else { return };
    let space = demo();
    for args in [&["--format", "dot"][..], &["--format", "dot", "--expanded"]] {
        let text = graph(&space, args).must(0).stdout;
        let file = space.write("graph.dot", text);
        let output = Command::new(&dot).arg("-Tplain").arg(file).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let plain = String::from_utf8(output.stdout).unwrap();
        let nodes = plain.lines().filter(|line| line.starts_with("node ")).count();
        assert_eq!(nodes, if args.len() > 2 { 21 } else { 14 }, "{plain}");
    }
}
