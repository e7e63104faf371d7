//! `check --format json`: everything that the text says, with stable keys.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Report, from_here, level, place};

/// One document.
pub(crate) fn json(report: &Report<'_>) -> String {
    let read = report.files.iter().map(|file| from_here(file));
    let mut files: BTreeSet<String> = report.file().into_iter().chain(read).collect();
    let mut diagnostics = Vec::new();
    for diagnostic in report.diagnostics.iter() {
        let mut labels = Vec::new();
        for (index, (span, text)) in diagnostic.labels.iter().enumerate() {
            let Some(place) = place(diagnostic, span) else { continue };
            let point = |(line, column): (usize, usize), offset: usize| json!({ "line": line, "column": column, "offset": offset });
            labels.push(json!({
                "file": place.file,
                "start": point(place.start, place.bytes.start),
                "end": point(place.end, place.bytes.end),
                "text": text,
                "primary": index == 0,
            }));
            files.insert(place.file);
        }
        diagnostics.push(json!({
            "code": diagnostic.code,
            "severity": level(diagnostic, "note"),
            "message": diagnostic.message,
            "help": diagnostic.help,
            "labels": labels,
        }));
    }
    let document: Value = json!({
        "version": 1,
        "valid": report.valid(),
        "files": files,
        "diagnostics": diagnostics,
    });
    format!("{document:#}\n")
}
