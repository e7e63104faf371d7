//! Snapshots hold what is the same on each machine and run; filters replace the rest.

use regex::Regex;

/// Durations such as `1.2s`, `350ms`, `2m 5s`.
pub const DURATIONS: (&str, &str) = (r"\b\d+(\.\d+)?(ns|µs|ms|s|m|h)\b( \d+(\.\d+)?(ms|s|m)\b)*", "[TIME]");

/// Points in time, as RFC 3339 writes them.
pub const TIMES: (&str, &str) =
    (r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?", "[WHEN]");

/// Whole digests.
pub const DIGESTS: (&str, &str) = (r"\bsha256:[0-9a-f]{64}\b", "[DIGEST]");

/// `text` with each replacement made, in order: a regular expression, and what to put there (`$1` for its
/// first group). A run's id, once known, is a [`literal`].
///
/// The pairs are those that insta's `add_filter` takes.
///
/// ```
/// use pipeline_testkit::{DURATIONS, literal, normalise};
/// let run = literal("7f3a", "[RUN]");
/// let filters = [(run.0.as_str(), run.1.as_str()), DURATIONS];
/// assert_eq!(normalise("run 7f3a: done in 1.25s", &filters), "run [RUN]: done in [TIME]");
/// ```
pub fn normalise<P: AsRef<str>, R: AsRef<str>>(text: &str, replacements: &[(P, R)]) -> String {
    let replace = |text: String, (pattern, replacement): &(P, R)| {
        let pattern = Regex::new(pattern.as_ref()).unwrap();
        pattern.replace_all(&text, replacement.as_ref()).into_owned()
    };
    replacements.iter().fold(text.to_owned(), replace)
}

/// A replacement for exactly this text.
pub fn literal(text: &str, replacement: &str) -> (String, String) {
    (regex::escape(text), replacement.replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_made_filters() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, expected) in [
            ("took 1.2s", "took [TIME]"),
            ("2m 5s, then 350ms", "[TIME], then [TIME]"),
            ("build-2 of app:1.2 at v3s4", "build-2 of app:1.2 at v3s4"),
            ("at 2026-01-02T03:04:05Z", "at [WHEN]"),
            (digest.as_str(), "[DIGEST]"),
            ("sha256:short", "sha256:short"),
        ] {
            assert_eq!(normalise(text, &[TIMES, DURATIONS, DIGESTS]), expected);
        }
    }

    #[test]
    fn literals_are_literal() {
        assert_eq!(normalise("a.b axb", &[literal("a.b", "$1")]), "$1 axb");
    }
}
