//! `check --format github`: workflow commands, one a line, which GitHub Actions shows at the lines they are about.

use super::{Report, level, place, words};
use crate::terminal;

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

/// Escaped as the runner reads it. What it would show raw is left out.
fn data(text: &str) -> String {
    terminal::clean(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(data("a%b\n::error::x, y"), "a%25b%0A::error::x, y");
        assert_eq!(property("a:b,c%0A\r\n"), "a%3Ab%2Cc%250A%0A");
        assert_eq!(data("x\u{1b}[31my"), "xy");
    }
}
