//! Lines of steps that run, in columns below each other, at every width.

use std::time::Duration;

use pipeline_core::output::bytes;

use super::model::Running;
use super::text::{end_of, one_line, padded, start_of, width};
use super::time::{rest, so_far};
use super::transfer::Transfer;
use crate::terminal::Style;

/// A step that is silent for so long is told to be.
const SILENT: Duration = Duration::from_mins(1);

/// Nobody needs to be told how long something takes that takes less.
const SHORT: Duration = Duration::from_secs(2);

/// A name is told from others by so many characters.
const NAME: usize = 12;

/// How much of a transfer's line there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `deliver@edge 2/4 [####......] 12.3 MB of 50.0 MB    4.5 MB/s  42 s`, with a bar of so many characters.
    Bar(usize),
    /// The same without the bar.
    Bytes,
    /// `deliver@edge  24 %   4.5 MB/s  42 s`
    Percent,
    /// `deliver@edge  24 %   4.5 MB/s`
    Rate,
    /// `deliver@edge  24 %`
    Name,
}

/// Columns of lines that stand below each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    form: Form,
    /// Of names of transfers.
    name: usize,
    part: usize,
    /// Of names of other steps.
    step: usize,
    /// Of their times.
    time: usize,
    /// There is room for what is expected.
    expected: bool,
    /// All of them.
    room: usize,
}

impl Layout {
    /// For these, in so many columns.
    pub(super) fn fitting(rows: &[&Running], now: Duration, room: usize) -> Self {
        let longest = |of: &dyn Fn(&&Running) -> usize| rows.iter().map(of).max().unwrap_or_default();
        let names = longest(&|row| width(&row.name));
        let part = longest(&|row| row.transfer.as_ref().map_or(0, |transfer| transfer.part().len()));
        let (form, name) = transfers(names, part, room);
        let step = |row: &&Running, expected| match row.transfer {
            None => time(row, now, expected).len(),
            Some(_) => 0,
        };
        let times = longest(&|row| step(row, true));
        let expected = times + 2 + names.min(NAME) <= room;
        let time = if expected { times } else { longest(&|row| step(row, false)) };
        let step = names.min(room.saturating_sub(time + 2).max(room / 2));
        Self { form, name, part, step, time, expected, room }
    }

    /// The line of a step, of at most as many columns as there are.
    pub(super) fn line(self, row: &Running, now: Duration, style: Style) -> String {
        match &row.transfer {
            Some(transfer) => self.transfer(&row.name, transfer, style),
            None => self.step(row, now, style),
        }
    }

    fn step(self, row: &Running, now: Duration, style: Style) -> String {
        let name = end_of(&row.name, self.step);
        let silent = now.saturating_sub(row.heard);
        let said =
            if silent >= SILENT { format!("no output for {}", so_far(silent)) } else { one_line(&row.line) };
        let head = format!("{}  {}", padded(&name, self.step), time(row, now, self.expected));
        let head_room = self.step + 2 + self.time;
        // Less of a line says nothing.
        let left = self.room.saturating_sub(head_room + 2);
        if said.is_empty() || left < 12 {
            return start_of(&head, self.room);
        }
        format!("{}  {}", padded(&head, head_room), style.dim(&start_of(said.trim(), left)))
    }

    fn transfer(self, name: &str, transfer: &Transfer, style: Style) -> String {
        let name = padded(&end_of(name, self.name), self.name);
        let part = format!("{:>width$}", transfer.part(), width = self.part);
        let rate = transfer.rate().map(|rate| format!("{}/s", bytes(rate))).unwrap_or_default();
        let (rate, rest) = (format!(" {rate:>10}"), format!("  {}", transfer.rest()));
        let amount = format!(" {:>8} of {:<8}", bytes(transfer.sent), bytes(transfer.total));
        let percent = format!(" {:>3} %", transfer.filled(100));
        let line = match self.form {
            Form::Bar(width) => {
                format!("{name}{part} {}{amount}{rate}{rest}", bar(transfer.filled(width), width, style))
            }
            Form::Bytes => format!("{name}{part}{amount}{rate}{rest}"),
            Form::Percent => format!("{name}{percent}{rate}{rest}"),
            Form::Rate => format!("{name}{percent}{rate}"),
            Form::Name => start_of(&format!("{name}{percent}"), self.room),
        };
        line.trim_end().to_owned()
    }
}

/// `[####......]`
pub(super) fn bar(filled: usize, width: usize, style: Style) -> String {
    let empty = width.saturating_sub(filled);
    format!("[{}{}]", style.good(&"#".repeat(filled)), style.dim(&".".repeat(empty)))
}

/// How transfers look, with names and parts of these lengths, in so many columns; and the columns of a name.
fn transfers(names: usize, part: usize, room: usize) -> (Form, usize) {
    const SHORTEST: usize = 8;
    const LONGEST: usize = 30;
    // With the columns that each takes beside the name, and those that the name must have.
    let forms = [
        (Form::Bar(SHORTEST), part + SHORTEST + 43, 16),
        (Form::Bytes, part + 40, 24),
        (Form::Percent, 25, 12),
        (Form::Rate, 17, 12),
    ];
    let fits = |(_, rest, least): &(Form, usize, usize)| rest + names.min(*least) <= room;
    let (form, rest, _) = forms.into_iter().find(fits).unwrap_or((Form::Name, 6, 0));
    let name = names.min(room.saturating_sub(rest));
    match form {
        Form::Bar(shortest) => (Form::Bar(LONGEST.min(shortest + room - rest - name)), name),
        other => (other, name),
    }
}

/// `12 s`, `attempt 2, 3 s`; with what is expected `12 s, about 40 s left`, `1 min 10 s (40 s last time)`.
fn time(row: &Running, now: Duration, expected: bool) -> String {
    let elapsed = now.saturating_sub(row.began);
    let again = if row.attempt > 1 { format!("attempt {}, ", row.attempt) } else { String::new() };
    let usual = row.usual.filter(|usual| expected && *usual >= SHORT);
    let left = usual.map(|usual| (usual, usual.saturating_sub(elapsed).as_secs()));
    let estimate = match left {
        Some((_, left @ 1..)) => rest(left).map(|left| format!(", about {left} left")),
        // A little longer than the last time is as long.
        Some((usual, 0)) if elapsed > usual + usual / 4 => Some(format!(" ({} last time)", so_far(usual))),
        _ => None,
    };
    format!("{again}{}{}", so_far(elapsed), estimate.unwrap_or_default())
}
