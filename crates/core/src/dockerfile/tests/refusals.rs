//! What cannot be meant is refused, and says what, where and what to do.

use std::fmt::Write as _;

use super::{error, from, replace, stage};
use crate::dockerfile::{Rules, bases, rewrite};

/// The message and the help, in one text.
fn said(text: &str, rules: &Rules) -> String {
    let error = error(text, rules);
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    format!("{error} | {help}")
}

#[test]
fn several_images_are_listed() {
    let text = "FROM golang:1 AS build\nFROM build\nARG X\nFROM alpine:3.4\n";
    assert_eq!(
        said(text, &from("x:1")),
        "`from` could mean 2 images: `golang:1` (line 1, stage `build`), `alpine:3.4` (line 4, stage `2`) | say which: \
         `stage = \"build\"` beside `from`, `all = true` beside it, or `replace = { \"golang:1\" = \"x:1\" }` instead of it"
    );
    let text = "ARG G=golang\nFROM --platform=$BUILDPLATFORM $G AS build\nFROM golang\n";
    let said = said(text, &from("x:1"));
    assert!(said.contains("`$G` = `golang` for `$BUILDPLATFORM` (line 2, stage `build`)"), "{said}");
}

#[test]
fn nothing_to_replace_is_an_error() {
    assert!(said("FROM scratch\nFROM scratch AS x\nFROM x\n", &from("x:1")).contains("no external image"));
    assert_eq!(
        said("FROM alpine:3.4 AS a\nCOPY --from=busybox a b\nFROM a\n", &replace(&[("alpin:3.4", "x")])),
        "the Dockerfile does not use the image `alpin:3.4` | it uses: `alpine:3.4` (line 1, stage `a`), `busybox` (line 2, \
         stage `a`); did you mean `alpine:3.4`?"
    );
    for key in ["a", "scratch", "0", "Alpine", ""] {
        let said = said(
            "FROM alpine AS a\nFROM scratch\nCOPY --from=a --from=0 x y\nFROM a",
            &replace(&[(key, "x")]),
        );
        assert!(said.contains("does not use"), "{said}");
    }
}

#[test]
fn stages_exist_once_and_start_from_an_image() {
    let text = "FROM a AS one\nFROM b\nFROM one AS three\nFROM c AS ONE\n";
    assert!(said(text, &stage("two", "x")).ends_with("its stages are: one, 1, three, ONE"));
    assert!(said(text, &stage("4", "x")).contains("no stage `4`"));
    assert!(said(text, &stage("", "x")).contains("no stage"));
    assert!(said(text, &stage("three", "x")).contains("line 3 builds on the stage `one`"));
    assert!(said(text, &stage("one", "x")).contains("stages `one` in lines 1 and 4"));
    assert!(rewrite(text.as_bytes(), &stage("3", "x")).is_ok());
}

#[test]
fn only_an_image_is_written() {
    for new in [
        "",
        " ",
        "a b",
        "a\nRUN x",
        "a\r",
        "a\tb",
        "-x",
        "--platform=x",
        "a\u{0}",
        "$BASE",
        "${BASE}",
        "\"a\"",
        "'a'",
        "a\\",
        "`a",
        "#a",
        "a,b",
        "A/b",
        "é",
        "<<EOF",
        "a:",
        "a@sha256:1",
    ] {
        for rules in [from(new), stage("0", new), replace(&[("a", new)])] {
            let said = said("FROM a\n", &rules);
            assert!(
                said.contains("is not an image") || said.contains("cannot be an image"),
                "{new:?}: {said}"
            );
        }
    }
    let id = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for new in ["scratch", "localhost:5000/a:1", &format!("a@sha256:{id}"), id, &format!("sha256:{id}")] {
        assert!(rewrite(b"FROM a\n", &from(new)).is_ok(), "{new}");
    }
}

#[test]
fn a_stage_does_not_shadow_the_new_image() {
    let said = said("FROM a AS Golang\nFROM b AS x\n", &stage("x", "golang"));
    assert!(said.contains("`golang` in line 2 would be the stage"), "{said}");
    assert!(rewrite(b"FROM a AS golang\nFROM b AS x\n", &stage("0", "golang")).is_ok());
    for new in ["x", "7"] {
        let rules = replace(&[("img", new)]);
        assert!(
            super::error("FROM a\nCOPY --from=img a b\nFROM c AS x\n", &rules)
                .to_string()
                .contains("would be the stage")
        );
    }
}

#[test]
fn what_is_no_dockerfile_is_refused_with_its_line() {
    for (text, reason) in [
        ("", "no `FROM`"),
        ("# only a comment\n", "no `FROM`"),
        ("ARG A=1\n", "no `FROM`"),
        ("RUN x\nFROM a\n", "(line 1): `run` before the first `FROM`"),
        ("FROM\n", "(line 1): `FROM` takes an image"),
        ("FROM a b\n", "(line 1)"),
        ("FROM a # the base\n", "(line 1)"),
        ("\n\nFROM \\\n a x b\n", "(line 3)"),
        ("FROM a\n\nNONSENSE x\n", "(line 3): unknown instruction `NONSENSE`"),
        ("FROM a\nRUN <<EOF\nnever ended\n", "(line 2): the here-document `EOF` does not end"),
        ("# escape=x\nFROM a\n", "(line 1): invalid escape character `x`"),
        (
            "# syntax=a\r\n# escape=`\r\n#escape=`\r\nFROM a\n",
            "(line 3): the directive `escape` is there twice",
        ),
        ("FROM a\n\u{1b}[2J\n", "(line 2): unknown instruction"),
        ("\u{feff}\u{feff}FROM a\n", "(line 1): unknown instruction"),
        ("F\0R\0O\0M\0", "unknown instruction"),
    ] {
        let said = said(text, &from("x"));
        assert!(said.contains(reason), "{text:?}: {said}");
    }
    let said = bases(b"\xff\xfeF\0R\0O\0M\0").unwrap_err().to_string();
    assert!(said.contains("it is UTF-16"), "{said}");
    let mut many = String::new();
    for index in 0..10_001 {
        let _ = writeln!(many, "FROM a AS s{index}");
    }
    assert!(bases(many.as_bytes()).unwrap_err().to_string().contains("more than 10000"));
}
