//! What people see: diagnostics, progress, tables. The only place that prints.

pub(crate) mod ci;
mod excerpt;
mod live;
mod plain;
mod sections;
mod style;
mod summary;
mod table;

use std::borrow::Cow;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use miette::{GraphicalReportHandler, GraphicalTheme};
use pipeline_core::diag::{Diagnostic, Diagnostics};
use pipeline_core::output::Redactor;

use crate::exit_code;
use excerpt::Excerpts;
pub(crate) use live::{Live, Scene, Unechoed, enable as show_live, possible as can_be_live, wipe};
pub(crate) use plain::Plain;
pub(crate) use style::{Style, clean};
pub(crate) use summary::summary;
pub(crate) use table::table;

/// Why data did not get to stdout.
static CUT: OnceLock<io::Error> = OnceLock::new();

/// Data, on stdout. A reader that went away (`| head`) wants no more of it, and what runs goes on; of anything else
/// [`ended`] tells.
pub(crate) fn out(text: &str) {
    if let Err(error) = out_whole(text)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        CUT.get_or_init(|| error);
    }
}

/// The same for people: a CI system that reads it finds no commands.
pub(crate) fn out_text(text: &str) {
    out(&ci::no_commands(text));
}

/// The exit code of a command that has come to this one: data of which a part is missing must not pass for the whole.
pub(crate) fn ended(code: u8) -> u8 {
    let Some(cut) = CUT.get() else { return code };
    error("place::unprinted", &format!("not all could be written to stdout: {cut}"), None);
    if code == exit_code::DONE { exit_code::STEP_FAILED } else { code }
}

/// Data that somebody keeps: what could not be written must not pass for the whole.
pub(crate) fn out_whole(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The same, written bit by bit.
pub(crate) fn out_by(contents: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    contents(&mut stdout)?;
    stdout.flush()
}

/// What nobody may see.
static SECRETS: Mutex<Option<Redactor>> = Mutex::new(None);

/// From now on, these are not printed.
pub(crate) fn hide(secrets: Redactor) {
    *SECRETS.lock().unwrap_or_else(PoisonError::into_inner) = Some(secrets);
}

/// Everything else, on stderr. Nobody can be told when that fails.
pub(crate) fn note(text: &str) {
    live::above(&ci::no_commands(&hidden(text)));
}

/// A command of ours to the CI system.
fn command(text: &str) {
    live::above(&hidden(text));
}

fn hidden(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.as_ref().map_or(Cow::Borrowed(text), |secrets| secrets.redact(text))
}

/// A line of JSON, on stdout.
pub(crate) fn json(line: &str) {
    out(&format!("{}\n", ci::no_commands_in_json(line)));
}

/// Asks a question on the terminal; no where there is none to ask on.
pub(crate) fn confirm(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    note(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// An error that is about no place in a file. `pipeline explain-error` has a page on each code.
pub(crate) fn error(code: &str, message: &str, help: Option<&str>) {
    let style = Style::stderr();
    let mut text = format!("{} {}\n", style.bad(&format!("error[{code}]:")), clean(message));
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

/// More errors than this are not read by anybody.
const MAX_SHOWN: usize = 100;

/// All errors and warnings of one reading.
pub(crate) fn diagnostics(diagnostics: &Diagnostics) {
    let mut excerpts = Excerpts::default();
    diagnostics.iter().take(MAX_SHOWN).for_each(|diagnostic| show(diagnostic, &mut excerpts));
    if let Some(more) = diagnostics.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        note(&format!("… and {more} more: correct these first\n"));
    }
}

/// One of them, with the text it is about.
pub(crate) fn diagnostic(diagnostic: &Diagnostic) {
    show(diagnostic, &mut Excerpts::default());
}

fn show(diagnostic: &Diagnostic, excerpts: &mut Excerpts) {
    let theme =
        if Style::stderr().colours() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
    let mut text = String::new();
    let diagnostic = excerpts.printable(diagnostic);
    if handler.render_report(&mut text, &diagnostic).is_err() {
        text = format!("{diagnostic}\n");
    }
    note(&format!("{text}\n"));
}
