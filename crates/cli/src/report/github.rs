//! `check --format github`: workflow commands, one a line, which GitHub Actions shows at the lines they are about.

use super::{Report, level, place, words};
use crate::terminal::ci::{data, property};

/// The commands.
pub(crate) fn github(report: &Report<'_>) -> String {
    let mut text = String::new();
    for diagnostic in report.diagnostics.iter() {
        let mut properties = Vec::new();
        let place = diagnostic.labels.first().and_then(|(span, _)| place(diagnostic, span));
        match (place, report.file()) {
            (Some(place), _) => {
                properties.push(format!("file={}", property(&place.file)));
                properties.push(format!("line={},endLine={}", place.start.0, place.end.0));
                // The runner takes columns of a single line only.
                if place.start.0 == place.end.0 {
                    properties.push(format!("col={},endColumn={}", place.start.1, place.end.1));
                }
            }
            (None, Some(file)) => properties.push(format!("file={}", property(&file))),
            (None, None) => {}
        }
        properties.push(format!("title={}", property(diagnostic.code)));
        let level = level(diagnostic, "notice");
        text += &format!("::{level} {}::{}\n", properties.join(","), data(&words(diagnostic)));
    }
    text
}
