//! `check --format sarif`: SARIF 2.1.0, as code scanning takes it.

use pipeline_core::diag::Diagnostic;
use serde_json::{Value, json};

use super::{Place, Report, level, place, words};

/// One log with one run.
pub(crate) fn sarif(report: &Report<'_>) -> String {
    let mut rules: Vec<&str> = report.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    rules.sort_unstable();
    rules.dedup();
    // A result is about a recipe and has a place in it, as code scanning wants. What is about the command line, and not
    // about any file, is about this run of the program.
    let (mut results, mut notifications) = (Vec::new(), Vec::new());
    for diagnostic in report.diagnostics.iter() {
        let rule = rules.binary_search(&diagnostic.code).unwrap_or_default();
        match locations(diagnostic, report) {
            Some((location, related)) => results.push(json!({
                "ruleId": diagnostic.code,
                "ruleIndex": rule,
                "level": level(diagnostic, "note"),
                "message": { "text": words(diagnostic) },
                "locations": [location],
                "relatedLocations": related,
            })),
            None => notifications.push(json!({
                "descriptor": { "id": diagnostic.code },
                "associatedRule": { "id": diagnostic.code, "index": rule },
                "level": level(diagnostic, "note"),
                "message": { "text": words(diagnostic) },
            })),
        }
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pipeline",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| self::rule(code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": notifications.is_empty(),
                "exitCode": report.code,
                "toolConfigurationNotifications": notifications,
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

/// A code says in words what it is for.
fn rule(code: &str) -> Value {
    let (area, what) = code.split_once("::").unwrap_or(("", code));
    let what = what.replace('-', " ");
    json!({
        "id": code,
        "shortDescription": { "text": what },
        "fullDescription": { "text": format!("{area}: {what}") },
        "help": { "text": "The message of each result says what to do." },
    })
}

/// The first place of a diagnostic, and the others; the file where it has none. `None` where it is about no file.
fn locations(diagnostic: &Diagnostic, report: &Report<'_>) -> Option<(Value, Vec<Value>)> {
    if diagnostic.code.starts_with("select::") {
        return None;
    }
    let mut places =
        diagnostic.labels.iter().filter_map(|(span, text)| Some((place(diagnostic, span)?, text.as_str())));
    let Some((first, text)) = places.next() else {
        let file = json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(&report.file()?) },
            "region": { "startLine": 1 },
        } });
        return Some((file, Vec::new()));
    };
    let related =
        places.enumerate().map(|(index, (place, text))| location(&place, text, Some(index + 1))).collect();
    Some((location(&first, text, None), related))
}

fn location(place: &Place, text: &str, id: Option<usize>) -> Value {
    let mut region = json!({ "startLine": place.start.0, "startColumn": place.start.1 });
    // Without an end it goes on to the end of the line: an empty place would be none.
    if place.end != place.start {
        region["endLine"] = place.end.0.into();
        region["endColumn"] = place.end.1.into();
    }
    let mut location = json!({
        "physicalLocation": { "artifactLocation": { "uri": uri(&place.file) }, "region": region },
    });
    if !text.is_empty() {
        location["message"] = json!({ "text": text });
    }
    if let Some(id) = id {
        location["id"] = id.into();
    }
    location
}

/// A path as a URI reference: what is special in one is written in hexadecimal.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let escaped: String = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("pipelines/a b/pipeline.toml"), "pipelines/a%20b/pipeline.toml");
        assert_eq!(uri("../ü:#?%"), "../%C3%BC%3A%23%3F%25");
        assert_eq!(uri("/x/y"), "file:///x/y");
    }
}
