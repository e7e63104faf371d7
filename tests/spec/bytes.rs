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
