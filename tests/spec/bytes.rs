//! Files that no editor shows as they are: made here, not stored.

use std::time::{Duration, Instant};

use crate::pipeline;

const GOOD: &str = "version = 1\n\n[[step]]\nuses = \"run\"\nargv = [\"true\"]\n";

fn check(name: &str, recipe: impl AsRef<[u8]>) -> (i32, String) {
    let (code, _, stderr) = pipeline(&["check"], name, recipe.as_ref());
    assert!(!stderr.contains("panicked"), "{stderr}");
    (code, stderr)
}

#[test]
fn an_empty_file_lacks_a_version_and_steps() {
    for (name, recipe) in [("empty", ""), ("newline", "\n"), ("comment", "# nothing"), ("spaces", "   ")] {
        let (code, stderr) = check(name, recipe);
        assert_eq!(code, 3, "{name}");
        assert!(stderr.contains("spec::version") && stderr.contains("spec::no-steps"), "{name}: {stderr}");
    }
}

#[test]
fn brackets_by_the_million_end_soon_and_quietly() {
    let begun = Instant::now();
    for (name, recipe) in [
        ("brackets", "[".repeat(1 << 20)),
        ("value", format!("a = {}", "[".repeat(1 << 20))),
        ("table", "{".repeat(1 << 20)),
    ] {
        let (code, stderr) = check(name, recipe);
        assert_eq!(code, 3, "{name}");
        assert!(stderr.contains("spec::syntax"), "{name}");
        assert!(stderr.len() < 10_000, "{name}: a message of {} bytes", stderr.len());
        assert!(stderr.contains(&format!("{name}.toml")), "{name}: {stderr}");
    }
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_file_is_only_so_large() {
    let (code, stderr) = check("large", format!("{GOOD}# {}\n", "x".repeat(32 << 20)));
    assert_eq!(code, 3);
    assert!(stderr.contains("spec::too-large") && stderr.contains("`large.toml` has 3355"), "{stderr}");
}

#[test]
fn long_lines_are_not_printed() {
    let (code, stderr) = check("long", format!("{GOOD}{} = 1\n", "k".repeat(100_000)));
    assert_eq!(code, 3);
    assert!(stderr.contains("spec::unknown-key"), "{stderr}");
    assert!(stderr.len() < 10_000, "a message of {} bytes", stderr.len());
    assert!(stderr.contains("line 6, column 1"), "{stderr}");
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let (code, stderr) = check("latin1", b"version = 1\n# caf\xe9\n");
    assert_eq!(code, 3);
    assert!(stderr.contains("spec::not-utf8") && stderr.contains("offset 17"), "{stderr}");
    assert!(stderr.contains("save it as UTF-8"), "{stderr}");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    for (name, bad) in [
        ("nul", "\0"),
        ("escape", "\u{1b}]0;title\u{7}\u{1b}[31m"),
        ("c1", "\u{9b}31m"),
        ("override", "\u{202e}"),
        ("delete", "\u{7f}"),
    ] {
        for recipe in [
            format!("version = 1\nname = \"a{bad}b\"\n"),
            format!("version = 1\n# {bad}\n"),
            bad.to_owned(),
            format!("version = 1\n\"{bad}\" = 1\n"),
        ] {
            let (code, stderr) = check(name, &recipe);
            assert_eq!(code, 3, "{recipe:?}");
            let raw = stderr.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(raw, None, "{recipe:?}: {stderr:?}");
        }
    }
}

#[test]
fn escapes_in_strings_are_no_way_around() {
    for place in [
        "[pipeline]\nname = \"X\"",
        "[vars]\n\"X\" = \"1\"",
        "[nodes.\"X\"]\nhost = \"h\"",
        "[[step]]\nid = \"X\"\nuses = \"X\"",
        "[[step]]\nuses = \"run\"\nargv = [\"${vars.X}\"]\n\"X\" = 1",
    ] {
        let recipe = format!("version = 1\n{}\n", place.replace('X', "\\u001b]0;t\\u0007\\u202e"));
        let (code, stderr) = check("escaped", &recipe);
        assert_eq!(code, 3, "{recipe}");
        let raw = stderr.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(raw, None, "{recipe}: {stderr:?}");
    }
}

#[test]
fn marks_and_line_ends_of_other_systems_do_no_harm() {
    assert_eq!(check("bom", format!("\u{feff}{GOOD}")).0, 0);
    assert_eq!(check("crlf", GOOD.replace('\n', "\r\n")).0, 0);
    let wrong = "version = 1\r\n\r\n[[step]]\r\nuses = \"rnu\"\r\n";
    let (code, stderr) = check("crlf-wrong", wrong);
    assert_eq!(code, 3);
    assert!(stderr.contains("[crlf-wrong.toml:4:8]") && !stderr.contains('\r'), "{stderr:?}");
    let (code, stderr) = check("bom-wrong", "\u{feff}versoin = 1\n");
    assert_eq!(code, 3);
    assert!(stderr.contains("did you mean `version`?") && stderr.contains("[bom-wrong.toml:1:"), "{stderr}");
}

#[test]
fn deep_nesting_and_huge_numbers_are_errors() {
    let deep = format!("version = 1\n[vars]\na = {}1{}\n", "[".repeat(200), "]".repeat(200));
    assert_eq!(check("deep", deep).0, 3);
    let keys = vec!["a"; 10_000].join(".");
    assert_eq!(check("keys", format!("{keys} = 1\n")).0, 3);
    for number in ["18446744073709551616", "-9223372036854775809", "1e400", "0x1", "+1", "1_0", "nan"] {
        for key in ["version", "step", "[nodes.a]\nport", "[[step]]\nuses = \"run\"\ntimeout"] {
            let (code, stderr) = check("number", format!("{key} = {number}\n"));
            assert_eq!(code, 3, "{key} = {number}: {stderr}");
        }
    }
}

#[test]
fn huge_names_are_refused_and_compared_with_nothing() {
    let long = "k".repeat(10 << 20);
    for (name, recipe) in [
        ("key", format!("{GOOD}{long} = 1\n")),
        ("top", format!("{long} = 1\n{GOOD}")),
        ("table", format!("{GOOD}[{long}]\n")),
        ("variable", format!("{GOOD}[vars]\n{long} = 1\n")),
        ("target", format!("{GOOD}[targets.{long}]\nplatform = \"linux/arm64\"\n")),
        ("kind", format!("{GOOD}[[step]]\nuses = \"{long}\"\n")),
        ("needs", format!("{GOOD}needs = [\"{long}\"]\n")),
        ("value", format!("{GOOD}timeout = \"{long}\"\n")),
        ("scope", format!("{GOOD}scope = \"{long}\"\n")),
        ("reference", format!("{GOOD}env = {{ A = \"${{vars.{long}}}\" }}\n")),
        ("nonsense", format!("{GOOD}env = {{ A = \"${{{long}}}\" }}\n")),
        ("platform", format!("{GOOD}[targets.x]\nplatform = \"linux/{long}\"\n")),
        ("pattern", format!("{GOOD}targets = [\"{long}\"]\n")),
        ("axis", format!("{GOOD}targets = [\"{long}=1\"]\n")),
        ("include", format!("include = [\"{long}\"]\n{GOOD}")),
        ("string", format!("{GOOD}mutex = \"{long}\n")),
    ] {
        let (code, stderr) = check(name, recipe);
        assert_eq!(code, 3, "{name}: {stderr}");
        assert!(stderr.len() < 20_000, "{name}: a message of {} bytes", stderr.len());
        assert!(!stderr.contains("did you mean"), "{name}: {stderr}");
    }
}

#[test]
fn long_names_are_told_once_and_cut() {
    let long = "x".repeat(5_000);
    let recipe = format!("version = 1\n[[step]]\nid = \"{long}\"\nuses = \"run\"\nargv = [\"true\"]\n");
    let (code, stderr) = check("name", recipe);
    assert_eq!(code, 3);
    assert!(
        stderr.contains("a name has at most 64 characters") && stderr.contains("use a shorter one"),
        "{stderr}"
    );
    assert!(stderr.len() < 1_000, "{stderr}");
}

#[test]
fn a_matrix_of_a_thousand_million_is_counted_and_not_made() {
    let axis = |name: &str| {
        let values: Vec<String> = (0..1_000).map(|value| value.to_string()).collect();
        format!("{name} = [{}]\n", values.join(", "))
    };
    let steps = "[[step]]\nuses = \"run\"\nargv = [\"${matrix.a}${matrix.b}${matrix.c}\"]\n";
    let recipe = format!("version = 1\n[matrix]\n{}{}{}{steps}", axis("a"), axis("b"), axis("c"));
    let (code, stderr) = check("matrix", recipe);
    assert_eq!(code, 3);
    assert!(stderr.contains("makes 1000000000 targets, and 10000 is the most"), "{stderr}");
    assert_eq!(stderr.matches("spec::").count(), 1, "{stderr}");
}

#[test]
fn durations_and_numbers_that_fit_nowhere_are_refused() {
    for value in
        ["\"18446744073709551616s\"", "\"-1s\"", "\"0s\"", "\"\"", "\"9999999999999999999999999h\"", "1e999"]
    {
        let (code, stderr) = check("duration", format!("{GOOD}timeout = {value}\n"));
        assert_eq!(code, 3, "{value}: {stderr}");
        assert!(stderr.contains("[duration.toml:6:11]"), "{value}: {stderr}");
    }
}

#[test]
fn every_step_may_name_one_that_is_not_there() {
    let mut recipe = "version = 1\n".to_owned();
    for at in 0..2_000 {
        recipe += &format!(
            "[[step]]\nid = \"s{at}\"\nuses = \"run\"\nargv = [\"true\"]\nneeds = [\"nobody-{at}\"]\n"
        );
    }
    let (code, stderr) = check("dangling", recipe);
    assert_eq!(code, 3);
    assert_eq!(stderr.matches("spec::unknown-step").count(), 100);
    assert!(stderr.ends_with("… and 1900 more: correct these first\n"), "{stderr}");
    assert!(stderr.contains("the steps are `s0`, ") && stderr.contains("… and 1980 more"));
}

#[test]
fn a_long_chain_is_planned() {
    let steps = 3_000;
    let mut recipe = "version = 1\n[[step]]\nid = \"s0\"\nuses = \"run\"\nargv = [\"true\"]\n".to_owned();
    for at in 1..steps {
        recipe += &format!(
            "[[step]]\nid = \"s{at}\"\nuses = \"run\"\nargv = [\"true\"]\nneeds = [\"s{}\"]\n",
            at - 1
        );
    }
    let (code, stderr) = check("chain", &recipe);
    assert_eq!((code, stderr.as_str()), (0, "chain.toml: the recipe is valid (3000 instances)\n"));
    recipe +=
        &format!("[[step]]\nuses = \"run\"\nid = \"last\"\nargv = [\"true\"]\nneeds = [\"s{steps}\"]\n");
    let (code, stderr) = check("chain", recipe);
    assert_eq!(code, 3);
    assert!(stderr.contains(&format!("no step has the id `s{steps}`")), "{stderr}");
}
