//! `patch-FROM` on folders; the Dockerfile grammar itself has its own tests.

use std::fs;
use std::os::unix::fs::symlink;

use crate::kit::Work;

/// A recipe that takes the folder `context` and patches it.
fn work(keys: &str, dockerfile: &str) -> Work {
    let work = Work::new(&format!(
        "[[step]]\nid = \"context\"\nuses = \"run\"\nargv = [\"true\"]\noutputs = {{ context = \"context\" }}\n\
         [[step]]\nid = \"patched\"\nuses = \"patch-FROM\"\n{keys}\n"
    ));
    work.write("context/Dockerfile", dockerfile);
    work
}

const PATCHED: &str = ".pipeline/work/patched@host/context/Dockerfile";

const STAGES: &str = "# syntax=docker/dockerfile:1\nARG V=3.4\nFROM golang:1.9 AS builder\nRUN echo FROM alpine:3.4\n\
    FROM --platform=linux/arm64 alpine:$V   AS final\nCOPY --from=builder /x /x\r\n";

#[test]
fn the_one_base_a_stage_or_by_name() {
    for (keys, dockerfile, expected) in [
        (
            "from = \"localhost/base:arm64\"",
            "FROM alpine:3.4\nRUN true\n",
            "FROM localhost/base:arm64\nRUN true\n".to_owned(),
        ),
        (
            "stage = \"builder\"\nfrom = \"localhost/go:1\"",
            STAGES,
            STAGES.replace("golang:1.9", "localhost/go:1"),
        ),
        (
            "replace = { \"golang:1.9\" = \"localhost/go:1\" }",
            STAGES,
            STAGES.replace("golang:1.9", "localhost/go:1"),
        ),
        (
            "all = true\nfrom = \"localhost/all:1\"",
            STAGES,
            STAGES.replace("golang:1.9", "localhost/all:1").replace("alpine:$V", "localhost/all:1"),
        ),
    ] {
        let work = work(keys, dockerfile);
        let outcome = work.run(&[]).exits(0);
        assert_eq!(work.read(PATCHED), expected, "{keys}");
        // The sources stay what they were, and the log shows the difference.
        assert_eq!(work.read("context/Dockerfile"), dockerfile);
        let log = outcome.lines("patched@host");
        assert!(log.contains("-FROM") && log.contains("+FROM"), "{log}");
        assert!(work.partials().is_empty());
    }
}

#[test]
fn no_from_and_several_candidates_are_refused() {
    for (dockerfile, message) in
        [("RUN true\n", "FROM"), ("FROM a:1\nFROM b:1\n", "a:1"), ("FROM a:1\nFROM b:1\n", "b:1")]
    {
        let work = work("from = \"localhost/base:1\"", dockerfile);
        let outcome = work.run(&[]).exits(1);
        let failure = outcome.failure("patched@host");
        assert!(failure.message.contains(message), "{failure:?}");
        assert!(!work.path(".pipeline/work/patched@host/context").exists());
    }
}

/// What editors and systems make of the same file: an edit that is right, or an error that says where.
#[test]
fn hard_dockerfiles_are_edited_or_refused() {
    let big = format!("FROM «alpine»\n{}", "RUN echo FROM alpine\n".repeat(500_000));
    let too_big = "#".repeat((16 << 20) + 1);
    for (dockerfile, message) in [
        ("\u{feff}ARG V=3.4\r\nFROM «alpine:${V:-3}» AS a\r\nRUN <<E\r\nFROM b\r\nE\r\nfrom A", ""),
        ("# escape=`\nfrom `\n# FROM no\n «alpine» `\n as x\nRUN a\\\n", ""),
        ("FROM --platform=$BUILDPLATFORM «alpine»\nRUN cat <<EOF >/x\nFROM b\nEOF\nONBUILD RUN a\0b", ""),
        (&*big, ""),
        (&*too_big, "more than any Dockerfile"),
        ("ARG A\n# FROM x", "it has no `FROM`"),
        ("FROM alpine\n\nFRM x", "(line 3): unknown instruction `FRM`"),
        ("FROM alpine AS a\nFROM debian AS a\n", "`debian` (line 2, stage `a`)"),
        ("FROM alpine\nRUN <<EOF\n", "(line 2): the here-document `EOF` does not end"),
    ] {
        let plain = dockerfile.replace(['«', '»'], "");
        let work = work("from = \"localhost/base:1\"", &plain);
        if message.is_empty() {
            work.run(&[]).exits(0);
            let (before, rest) = dockerfile.split_once('«').unwrap();
            let after = rest.split_once('»').unwrap().1;
            assert_eq!(work.read(PATCHED), format!("{before}localhost/base:1{after}"));
        } else {
            let outcome = work.run(&[]).exits(1);
            let failure = outcome.failure("patched@host");
            assert!(failure.message.contains(message), "{failure:?}");
            assert!(!work.path(".pipeline/work/patched@host/context").exists());
        }
        assert_eq!(work.read("context/Dockerfile"), plain);
    }
}

#[test]
fn a_linked_dockerfile_does_not_lead_out_of_the_copy() {
    let work = work("from = \"localhost/base:1\"", "");
    fs::remove_file(work.path("context/Dockerfile")).unwrap();
    work.write("outside", "FROM alpine:3.4\n");
    symlink(work.path("outside"), work.path("context/Dockerfile")).unwrap();
    work.run(&[]).exits(1);
    assert_eq!(work.read("outside"), "FROM alpine:3.4\n", "the file outside was changed");
    // Within the sources a link is fine.
    fs::remove_file(work.path("context/Dockerfile")).unwrap();
    work.write("context/Dockerfile.real", "FROM alpine:3.4\n");
    symlink("Dockerfile.real", work.path("context/Dockerfile")).unwrap();
    let outcome = work.run(&[]);
    assert_eq!(work.read("context/Dockerfile.real"), "FROM alpine:3.4\n");
    if outcome.code == Some(0) {
        assert_eq!(work.read(PATCHED), "FROM localhost/base:1\n");
    } else {
        // Refusing is the other right answer, if it says so.
        assert!(outcome.failure("patched@host").message.contains("link"), "{}", outcome.stderr);
    }
}
