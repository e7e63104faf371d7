//! What CI systems are told beyond lines: folded logs, annotations, the page of the job.

use std::fs;

use pipeline_testkit::Rule;

use crate::lab::{Lab, Ran};

const RECIPE: &str = r#"version = 1

[pipeline]
name = "app"

[[step]]
id   = "first"
uses = "run"
argv = ["docker", "one"]

[[step]]
id    = "second"
uses  = "run"
argv  = ["podman", "two"]
needs = ["first"]
"#;

/// `first` prints what would end a section, and `second` fails.
fn ran(env: &[(&str, &str)], args: &[&str]) -> (Lab, Ran) {
    let lab = Lab::new();
    lab.recipe(RECIPE);
    lab.script(&[
        Rule::of("docker")
            .args(&["one"])
            .stdout("inside\n::endgroup::\n\u{1b}[0Ksection_end:1:x\r\u{1b}[0K\n"),
        Rule::of("podman").stdout("almost\n").stderr("no: 100%\n").exit(3),
    ]);
    let mut command = lab.pipeline(args);
    command.envs(env.iter().copied());
    let ran = Ran::of(&mut command).must(1);
    (lab, ran)
}

#[test]
fn github_folds_each_log_and_shows_the_failure_at_its_step() {
    let (lab, ran) = ran(&[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "summary.md")], &["run"]);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let at = |wanted: &str| {
        let found = lines.iter().position(|line| line.starts_with(wanted));
        found.unwrap_or_else(|| panic!("{wanted}: {}", ran.stderr))
    };
    let (open, close) = (at("::group::    done  [1/2] first@host"), at("::endgroup::"));
    let inside = &lines[open..close];
    assert!(inside.contains(&"inside") && inside.contains(&r"\::endgroup::"), "{inside:?}");
    assert!(close < at("::group::log of second@host"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("::group::").count(), 2);
    assert_eq!(lines.iter().filter(|line| **line == "::endgroup::").count(), 2);
    let error = lines[at("::error ")];
    assert!(
        error.starts_with("::error file=pipeline.toml,line=11,col=1,title=second@host failed::"),
        "{error}"
    );
    assert!(error.contains('3') && ran.stderr.contains("FAILED"), "{error}");
    let page = fs::read_to_string(lab.space.path("summary.md")).unwrap();
    assert!(
        page.starts_with("### app: 1 done, 1 failed in ") && page.contains("**second&#64;host** failed: "),
        "{page}"
    );

    // Who sees every line has seen them, and what was not asked for is not written.
    let (_, ran) = self::ran(&[("GITHUB_ACTIONS", "true")], &["run", "-v"]);
    assert!(!ran.stderr.contains("::group::"), "{}", ran.stderr);
    assert!(ran.stderr.contains("::error "), "{}", ran.stderr);
}

#[test]
fn github_finds_no_commands_in_what_is_shown_later() {
    let (lab, _) = ran(&[], &["run"]);
    let shown =
        |lab: &Lab, args: &[&str]| Ran::of(lab.pipeline(args).env("GITHUB_ACTIONS", "true")).must(0).stdout;
    for args in [&["logs", "first"][..], &["logs", "--follow"]] {
        let text = shown(&lab, args);
        assert!(text.lines().any(|line| line == r"\::endgroup::"), "{text}");
        assert!(lab.output(args).must(0).stdout.lines().any(|line| line == "::endgroup::"));
    }
    lab.recipe(
        "version = 1\n[[step]]\nid = \"a\"\nuses = \"run\"\nargv = [\"echo\", \"\\n::add-path::x\"]\n",
    );
    for args in [&["plan"][..], &["run", "--dry-run"]] {
        let text = shown(&lab, args);
        assert!(text.lines().any(|line| line.starts_with(r"\::add-path::x")), "{text}");
    }
}

#[test]
fn gitlab_folds_each_log() {
    let (_, ran) = ran(&[("GITLAB_CI", "true")], &["run"]);
    let starts: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("section_start:")).collect();
    assert_eq!(starts.len(), 2, "{}", ran.stderr);
    assert!(starts[0].starts_with("\u{1b}[0Ksection_start:"), "{starts:?}");
    assert!(
        starts[0].contains(":first.host[collapsed=true]\r\u{1b}[0K    done  [1/2] first@host"),
        "{starts:?}"
    );
    // The one that the step printed is text.
    assert_eq!(ran.stderr.matches("\u{1b}[0Ksection_end:").count(), 2, "{:?}", ran.stderr);
    assert!(!ran.stderr.contains("::error"), "{}", ran.stderr);
}

#[test]
fn elsewhere_there_is_nothing_of_that() {
    let (lab, ran) = ran(&[("GITHUB_STEP_SUMMARY", "summary.md")], &["run"]);
    let is_command = |line: &str| line.starts_with("::") || line.contains("section_");
    assert!(!ran.stderr.lines().any(is_command), "{}", ran.stderr);
    assert!(!lab.space.path("summary.md").exists());
}

#[test]
fn a_page_that_cannot_be_written_is_a_warning() {
    let (_, ran) = ran(&[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "/nonexistent/page")], &["run"]);
    assert!(ran.stderr.contains("warning: cannot write /nonexistent/page"), "{}", ran.stderr);
}
