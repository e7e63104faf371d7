//! What people see: diagnostics, progress, tables. The only place that prints.

mod excerpt;
mod plain;
mod style;

use std::io::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme};
use pipeline_core::diag::{Diagnostic, Diagnostics};

pub(crate) use plain::Plain;
pub(crate) use style::{Style, clean, seconds};

/// Data, on stdout. A reader that went away (`| head`) wants no more of it, and what runs goes on.
pub(crate) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Everything else, on stderr. Nobody can be told when that fails.
pub(crate) fn note(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// An error that is about no place in a file.
pub(crate) fn error(message: &str, help: Option<&str>) {
    let style = Style::stderr();
    let mut text = format!("{} {}\n", style.bad("error:"), clean(message));
    if let Some(help) = help {
        text += &format!("{} {}\n", style.dim("help:"), clean(help));
    }
    note(&text);
}

/// Something that the user should know, and what to do about it.
pub(crate) fn warning(message: &str, help: &str) {
    let style = Style::stderr();
    note(&format!("{} {}\n{} {}\n", style.warn("warning:"), clean(message), style.dim("help:"), clean(help)));
}

/// The columns of the terminal that stdout is, or a usual number.
pub(crate) fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(100)
}

/// All errors and warnings of one reading.
pub(crate) fn diagnostics(diagnostics: &Diagnostics) {
    diagnostics.iter().for_each(diagnostic);
}

/// One of them, with the text it is about.
pub(crate) fn diagnostic(diagnostic: &Diagnostic) {
    let theme =
        if Style::stderr().colours() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
    let mut text = String::new();
    let diagnostic = excerpt::printable(diagnostic);
    if handler.render_report(&mut text, &diagnostic).is_err() {
        text = format!("{diagnostic}\n");
    }
    note(&format!("{text}\n"));
}
