//! `Check`: a value against what it should be.

use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::{Check, Expect, Text};

/// How much of a value a message shows.
const SHOWN: usize = 5;

pub(crate) fn perform(wanted: &Check, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let resolve = |text: &Text| cx.resolve(text).map(|text| text.to_string_lossy().into_owned());
    check(wanted, &resolve, &|text| cx.hide(text))
}

/// `resolve` puts late values in, `hide` takes secrets out of what is shown.
fn check(
    check: &Check,
    resolve: &dyn Fn(&Text) -> Result<String, Failure>,
    hide: &dyn Fn(&str) -> String,
) -> Result<(), Failure> {
    let head = |text: &str| head(&hide(text));
    let what = &check.what;
    let value = resolve(&check.value)?;
    match &check.expect {
        Expect::Text(expected) => {
            let expected = resolve(expected)?;
            // A kept output has lost its trailing newlines.
            if value.trim_end_matches('\n') == expected.trim_end_matches('\n') {
                return Ok(());
            }
            Err(Failure::new(
                FailureKind::Mismatch,
                format!(
                    "{what} is not what the recipe expects\nexpected: {}\nit is: {}",
                    head(&expected),
                    head(&value)
                ),
            ))
        }
        Expect::Regex(pattern) => {
            let regex = regex::Regex::new(pattern).map_err(|error| {
                Failure::new(FailureKind::Input, format!("`{pattern}` is no regular expression: {error}"))
            })?;
            if regex.is_match(&value) {
                return Ok(());
            }
            Err(Failure::new(
                FailureKind::Mismatch,
                format!("{what} does not match the recipe's `{pattern}`\nit is: {}", head(&value)),
            ))
        }
        Expect::ManifestConfig(expected) => {
            let expected = resolve(expected)?;
            let found = config_digest(&value).map_err(|problem| {
                Failure::new(FailureKind::Mismatch, format!("{what} {problem}\nit is: {}", head(&value)))
            })?;
            if found == expected {
                return Ok(());
            }
            Err(Failure::new(
                FailureKind::Mismatch,
                format!("{what} is not of the image that was built\nbuilt: {expected}\nfound: {found}"),
            )
            .help("the image was replaced after it was written, or converted on the way: its config digest has changed"))
        }
    }
}

/// The config digest of an image manifest: docker schema 2 or OCI.
fn config_digest(manifest: &str) -> Result<String, &'static str> {
    let manifest: serde_json::Value = serde_json::from_str(manifest).map_err(|_| "is no JSON")?;
    match manifest.pointer("/config/digest").and_then(serde_json::Value::as_str) {
        Some(digest) => Ok(digest.to_owned()),
        None if manifest.get("manifests").is_some() => {
            Err("is an index of several images, not one image's manifest")
        }
        None => Err("is no image manifest: it names no config"),
    }
}

/// The first lines, for a message.
fn head(text: &str) -> String {
    let mut head: Vec<String> =
        text.lines().take(SHOWN).map(|line| line.chars().take(200).collect()).collect();
    if text.lines().nth(SHOWN).is_some() {
        head.push("…".into());
    }
    if head.len() > 1 {
        head.insert(0, String::new());
    }
    if text.is_empty() { "(nothing)".into() } else { head.join("\n  ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: &str, expect: Expect) -> Result<(), Failure> {
        let resolve = |text: &Text| Ok(text.as_literal().unwrap().to_owned());
        check(
            &Check { what: "the output of `x`".into(), value: value.into(), expect },
            &resolve,
            &str::to_owned,
        )
    }

    #[test]
    fn texts_and_patterns() {
        run("a\nb", Expect::Text("a\nb\n".into())).unwrap();
        run("registry 2.8", Expect::Regex("^registry [0-9.]+$".into())).unwrap();
        let failure = run("1\n2\n3\n4\n5\n6", Expect::Text("x".into())).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Mismatch);
        assert!(
            failure.message.contains("expected: x") && failure.message.contains("5\n  …"),
            "{}",
            failure.message
        );
        assert!(!failure.message.contains('6'));
        let failure = run("", Expect::Regex("x".into())).unwrap_err();
        assert!(failure.message.contains("(nothing)"), "{}", failure.message);
        assert_eq!(failure.kind, FailureKind::Mismatch);
    }

    #[test]
    fn a_manifest_must_name_the_built_config() {
        let digest = |byte: &str| format!("sha256:{}", byte.repeat(64));
        let manifest = format!(r#"{{"schemaVersion":2,"config":{{"digest":"{}"}}}}"#, digest("a"));
        run(&manifest, Expect::ManifestConfig(digest("a").into())).unwrap();
        let failure = run(&manifest, Expect::ManifestConfig(digest("b").into())).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Mismatch);
        assert!(failure.message.contains(&digest("a")) && failure.message.contains(&digest("b")));
        for other in ["", "[]", "{\"manifests\":[]}", "{\"config\":3}"] {
            let failure = run(other, Expect::ManifestConfig(digest("a").into())).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Mismatch, "{other}");
        }
    }
}
