//! Transfers under way, as lines at the bottom of the terminal that are gone when these have ended.
//!
//! The cursor waits at the beginning of the first of them. So erasing is one sequence, whatever has become of the lines: a
//! terminal that was made narrower has folded them, and Ctrl-C has written `^C` over one. What is printed meanwhile goes
//! above, in the same write.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline_core::event::{Event, EventKind, Part, Stream};
use pipeline_core::output::bytes;
use pipeline_core::plan::InstanceId;

use super::{Style, clean, hidden};

/// Of how long a rate tells.
const RECENT: Duration = Duration::from_secs(5);

/// Less time tells of no rate: ssh takes the first megabytes at once.
const SOON: Duration = Duration::from_secs(1);

/// More of them are counted only.
const MOST: usize = 10;

/// To the beginning of the line, and nothing from there to the end of the screen.
const ERASE: &str = "\r\x1b[J";

/// None where there are to be no bars.
static BARS: Mutex<Option<Bars>> = Mutex::new(None);

fn bars() -> MutexGuard<'static, Option<Bars>> {
    BARS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on transfers are shown, if stderr is a terminal that can.
pub(crate) fn with_bars() {
    let can = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    if can && io::stderr().is_terminal() {
        *bars() = Some(Bars::default());
    }
}

/// Takes what another process of this run has left at the bottom of the terminal, if anything, away.
pub(crate) fn wipe() {
    if bars().is_some() {
        write(ERASE);
    }
}

/// Prints above the bars.
pub(super) fn above(text: &str) {
    match bars().as_mut() {
        Some(bars) => write(&bars.print(text, Screen::now())),
        None => write(text),
    }
}

/// Takes notice of what has happened.
pub(super) fn on(event: &Event) {
    if let Some(bars) = bars().as_mut()
        && bars.on(event)
    {
        write(&bars.print("", Screen::now()));
    }
}

/// Nobody can be told when that fails.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What is drawn on.
#[derive(Debug, Clone, Copy)]
struct Screen {
    columns: usize,
    rows: usize,
    style: Style,
}

impl Screen {
    fn now() -> Self {
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
        let or = |count: Option<u16>, usual| count.filter(|count| *count > 0).map_or(usual, usize::from);
        Self {
            columns: or(size.map(|size| size.ws_col), 80),
            rows: or(size.map(|size| size.ws_row), 24),
            style: Style::stderr(),
        }
    }
}

/// All that are under way.
#[derive(Debug, Default)]
struct Bars {
    bars: BTreeMap<InstanceId, Bar>,
    /// There are lines on the screen.
    drawn: bool,
}

impl Bars {
    /// Whether anything looks otherwise now.
    fn on(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Transfer { instance, sent, total, part } => {
                let bar = self.bars.entry(instance.clone()).or_insert_with(|| Bar::new(instance));
                bar.move_to(event.elapsed, *sent, *total, *part);
                true
            }
            // The next blob is told of before its command: this one does something else.
            EventKind::Command { instance, .. }
                if self.bars.get(instance).is_some_and(|bar| bar.sent == bar.total) =>
            {
                self.bars.remove(instance).is_some()
            }
            // Such as that it waits.
            EventKind::Line { instance, stream: Stream::Engine, .. }
            | EventKind::Delivered { instance, .. }
            | EventKind::Finished { instance, .. } => self.bars.remove(instance).is_some(),
            EventKind::RunFinished { .. } => !std::mem::take(&mut self.bars).is_empty(),
            _ => false,
        }
    }

    /// What makes the screen have the text, and the bars below it.
    fn print(&mut self, text: &str, screen: Screen) -> String {
        let mut out = String::new();
        if self.drawn {
            out += ERASE;
        }
        out += text;
        let lines = self.lines(screen);
        self.drawn = !lines.is_empty();
        if self.drawn {
            out += &lines.join("\r\n");
            out.push('\r');
            if lines.len() > 1 {
                out += &format!("\x1b[{}A", lines.len() - 1);
            }
        }
        out
    }

    /// The lines, each shorter than the terminal is wide: a character in its last column would begin another line.
    fn lines(&self, screen: Screen) -> Vec<String> {
        let room = screen.columns.saturating_sub(1);
        let most = screen.rows.saturating_sub(2).clamp(1, MOST);
        let shown = if self.bars.len() > most { most - 1 } else { self.bars.len() };
        let bars = || self.bars.values().take(shown);
        let names = bars().map(|bar| bar.name.chars().count()).max().unwrap_or_default();
        let parts = bars().map(|bar| bar.part().len()).max().unwrap_or_default();
        let layout = Layout::fitting(names, parts, room);
        let mut lines: Vec<String> = bars().map(|bar| layout.line(bar, screen.style)).collect();
        if shown < self.bars.len() {
            let more = format!("… and {} more", self.bars.len() - shown);
            lines.push(more.chars().take(room).collect());
        }
        lines
    }
}

/// One of them.
#[derive(Debug)]
struct Bar {
    /// As it may be printed.
    name: String,
    sent: u64,
    total: u64,
    part: Part,
    /// Bytes of all its blobs, as far as they were told of.
    moved: u64,
    /// What had been moved when, of recent times.
    recent: VecDeque<(Duration, u64)>,
}

impl Bar {
    fn new(instance: &InstanceId) -> Self {
        let name = hidden(&clean(instance.as_str())).replace(['\n', '\t'], " ");
        let part = Part { blob: 0, blobs: 0 };
        Self { name, sent: 0, total: 0, part, moved: 0, recent: VecDeque::new() }
    }

    fn move_to(&mut self, at: Duration, sent: u64, total: u64, part: Part) {
        // Where a blob begins, what is there of it has not been moved now.
        if part == self.part {
            self.moved += sent.saturating_sub(self.sent);
        }
        (self.sent, self.total, self.part) = (sent, total, part);
        self.recent.push_back((at, self.moved));
        while self.recent.len() > 2 && self.recent[0].0 + RECENT < at {
            self.recent.pop_front();
        }
    }

    /// Bytes a second.
    fn rate(&self) -> Option<u64> {
        let ((from, before), (to, after)) = (self.recent.front()?, self.recent.back()?);
        let time = to.saturating_sub(*from);
        if time < SOON {
            return None;
        }
        u64::try_from(u128::from(after - before) * 1000 / time.as_millis().max(1)).ok()
    }

    /// Of `width` characters.
    fn filled(&self, width: usize) -> usize {
        let width = u128::try_from(width).unwrap_or_default();
        let filled = width * u128::from(self.sent.min(self.total)) / u128::from(self.total.max(1));
        usize::try_from(filled).unwrap_or_default()
    }

    /// `2/4`
    fn part(&self) -> String {
        match self.part {
            Part { blobs: 0 | 1, .. } => String::new(),
            Part { blob, blobs } => format!(" {blob}/{blobs}"),
        }
    }

    /// `42 s`, `3 min`, `2 h`: how long the rest of this blob takes.
    fn rest(&self) -> String {
        let left = self.total.saturating_sub(self.sent);
        let Some(rate) = self.rate().filter(|rate| *rate > 0 && left > 0) else { return String::new() };
        match left.div_ceil(rate) {
            time @ ..60 => format!("{time} s"),
            time @ ..3600 => format!("{} min", time.div_ceil(60)),
            time @ ..360_000 => format!("{} h", time.div_ceil(3600)),
            _ => String::new(),
        }
    }
}

/// How much of a line there is room for.
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
struct Layout {
    form: Form,
    name: usize,
    part: usize,
    /// All of them.
    room: usize,
}

impl Layout {
    /// For names and parts of these lengths, in so many columns.
    fn fitting(names: usize, part: usize, room: usize) -> Self {
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
        let form = match form {
            Form::Bar(shortest) => Form::Bar(LONGEST.min(shortest + room - rest - name)),
            other => other,
        };
        Self { form, name, part, room }
    }

    fn line(self, bar: &Bar, style: Style) -> String {
        let (name, part) = (end_of(&bar.name, self.name), bar.part());
        let name = format!("{name:<width$}", width = self.name);
        let rate = bar.rate().map(|rate| format!("{}/s", bytes(rate))).unwrap_or_default();
        let (rate, rest) = (format!(" {rate:>10}"), format!("  {}", bar.rest()));
        let part = format!("{part:>width$}", width = self.part);
        let amount = format!(" {:>8} of {:<8}", bytes(bar.sent), bytes(bar.total));
        let percent = format!(" {:>3} %", bar.filled(100));
        let line = match self.form {
            Form::Bar(width) => {
                let filled = bar.filled(width);
                let (full, empty) = ("#".repeat(filled), ".".repeat(width - filled));
                format!("{name}{part} [{}{}]{amount}{rate}{rest}", style.good(&full), style.dim(&empty))
            }
            Form::Bytes => format!("{name}{part}{amount}{rate}{rest}"),
            Form::Percent => format!("{name}{percent}{rate}{rest}"),
            Form::Rate => format!("{name}{percent}{rate}"),
            Form::Name => format!("{name}{percent}").chars().take(self.room).collect(),
        };
        line.trim_end().to_owned()
    }
}

/// The end of a name, where the node is; all of it where that has so many characters at most.
fn end_of(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        return name.to_owned();
    }
    let end = name.chars().skip(length + 1 - most.max(1));
    std::iter::once('…').chain(end).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style(false);

    fn screen(columns: usize) -> Screen {
        Screen { columns, rows: 24, style: PLAIN }
    }

    fn event(millis: u64, kind: EventKind) -> Event {
        Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_millis(millis), kind }
    }

    fn id(name: &str) -> InstanceId {
        InstanceId::new(name, None, None)
    }

    fn moved(millis: u64, name: &str, sent: u64, (blob, blobs): (usize, usize)) -> Event {
        let part = Part { blob, blobs };
        event(millis, EventKind::Transfer { instance: id(name), sent, total: 200_000_000, part })
    }

    fn command(name: &str) -> Event {
        event(0, EventKind::Command { instance: id(name), argv: vec!["ssh".into()] })
    }

    fn line(name: &str, stream: Stream) -> Event {
        event(0, EventKind::Line { instance: id(name), stream, text: "x".into(), painted: None })
    }

    /// Two nodes, of which one began in the middle.
    fn two() -> Bars {
        let mut bars = Bars::default();
        for (millis, sent) in [(0, 0), (1000, 4_500_000), (2000, 9_000_000)] {
            bars.on(&moved(millis, "deliver@cri@10.23.15.1", sent, (2, 4)));
            bars.on(&moved(millis, "deliver@cri@edge", 150_000_000 + sent / 1000, (1, 1)));
        }
        bars
    }

    #[test]
    fn lines_at_every_width() {
        let bars = two();
        for (columns, lines) in [
            (
                120,
                "deliver@cri@10.23.15.1 2/4 [#.............................]   9.0 MB of 200.0 MB   4.5 MB/s  43 s\n\
                 deliver@cri@edge           [######################........] 150.0 MB of 200.0 MB   4.5 kB/s  4 h",
            ),
            (
                80,
                "deliver@cri@10.23.15.1 2/4 [..........]   9.0 MB of 200.0 MB   4.5 MB/s  43 s\n\
                 deliver@cri@edge           [#######...] 150.0 MB of 200.0 MB   4.5 kB/s  4 h",
            ),
            (
                70,
                "deliver@cri@10.23.15.1 2/4   9.0 MB of 200.0 MB   4.5 MB/s  43 s\n\
                 deliver@cri@edge           150.0 MB of 200.0 MB   4.5 kB/s  4 h",
            ),
            (
                40,
                "…ri@10.23.15.1   4 %   4.5 MB/s  43 s\n\
                 …iver@cri@edge  75 %   4.5 kB/s  4 h",
            ),
            (31, "…i@10.23.15.1   4 %   4.5 MB/s\n…ver@cri@edge  75 %   4.5 kB/s"),
            (20, "…i@10.23.15.1   4 %\n…ver@cri@edge  75 %"),
        ] {
            let shown = bars.lines(screen(columns)).join("\n");
            assert_eq!(shown, lines, "{columns}");
        }
        for columns in 1..200 {
            for line in bars.lines(screen(columns)) {
                assert!(line.chars().count() < columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn the_rate_is_of_recent_seconds_and_of_what_was_sent_now() {
        let mut bars = Bars::default();
        // What had arrived before is not sent now.
        bars.on(&moved(0, "d", 100_000_000, (1, 2)));
        let rate = |bars: &Bars| bars.bars[&id("d")].rate();
        assert_eq!(rate(&bars), None);
        for second in 1..=10 {
            bars.on(&moved(second * 1000, "d", 100_000_000 + second * 1_000_000, (1, 2)));
        }
        assert_eq!(rate(&bars), Some(1_000_000));
        // The next blob, of which a part is there, goes on at another pace.
        bars.on(&moved(11_000, "d", 50_000_000, (2, 2)));
        for second in 1..=5 {
            bars.on(&moved(11_000 + second * 1000, "d", 50_000_000 + second * 3_000_000, (2, 2)));
        }
        assert_eq!(rate(&bars), Some(3_000_000));
        assert_eq!(bars.bars[&id("d")].rest(), "45 s");
        // A line that stands still, and a clock that did.
        for second in 6..=12 {
            bars.on(&moved(11_000 + second * 1000, "d", 65_000_000, (2, 2)));
        }
        assert_eq!((rate(&bars), bars.bars[&id("d")].rest()), (Some(0), String::new()));
        bars.on(&moved(3_600_000, "d", 65_000_000, (2, 2)));
        bars.on(&moved(3_601_000, "d", 69_000_000, (2, 2)));
        bars.on(&moved(3_602_000, "d", 73_000_000, (2, 2)));
        assert_eq!(rate(&bars), Some(4_000_000));
    }

    #[test]
    fn the_rest_of_the_time_in_few_characters() {
        let mut bar = Bar::new(&id("d"));
        for (per_second, rest) in [
            (200_000_000, "1 s"),
            (5_000_000, "40 s"),
            (3_000_000, "2 min"),
            (60_000, "56 min"),
            (50_000, "2 h"),
            (1_000, "56 h"),
            (100, ""),
        ] {
            bar.recent.clear();
            let part = Part { blob: per_second, blobs: 0 };
            bar.move_to(Duration::from_secs(0), 0, 200_000_000, part);
            bar.recent.push_back((Duration::from_secs(1), bar.moved + per_second as u64));
            assert_eq!(bar.rest(), rest, "{per_second}");
        }
    }

    #[test]
    fn a_bar_goes_when_its_transfer_does() {
        let mut bars = Bars::default();
        let count = |bars: &Bars| bars.bars.len();
        bars.on(&moved(0, "a", 0, (1, 2)));
        // Its own command, what a tool prints meanwhile, and what others do.
        bars.on(&command("a"));
        bars.on(&line("a", Stream::Output));
        bars.on(&command("b"));
        assert_eq!(count(&bars), 1);
        // The next blob is told of before its command, so the line stays between two.
        bars.on(&moved(1000, "a", 200_000_000, (1, 2)));
        bars.on(&moved(1000, "a", 0, (2, 2)));
        assert!(!bars.on(&command("a")));
        assert_eq!(count(&bars), 1);
        // The import.
        bars.on(&moved(2000, "a", 200_000_000, (2, 2)));
        assert!(bars.on(&command("a")));
        assert_eq!(count(&bars), 0);
        let finished = EventKind::Finished {
            instance: id("a"),
            status: pipeline_core::event::Status::Cancelled,
            took: Duration::ZERO,
            attempts: 1,
        };
        let over = EventKind::RunFinished { counts: pipeline_core::event::Counts::default() };
        for end in [line("a", Stream::Engine), event(0, finished), event(0, over)] {
            bars.on(&moved(0, "a", 1, (1, 1)));
            assert!(bars.on(&end) && count(&bars) == 0, "{end:?}");
        }
    }

    /// A terminal, and all that is written to it.
    struct Shown(vt100::Parser);

    impl Shown {
        fn new(rows: u16, columns: u16) -> Self {
            Self(vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 100))
        }

        fn print(&mut self, bars: &mut Bars, text: &str) {
            let (rows, columns) = self.0.screen().size();
            let screen =
                Screen { columns: columns.get().into(), rows: rows.get().into(), style: Style(true) };
            // As the terminal's driver does.
            self.0.process(bars.print(&text.replace('\n', "\r\n"), screen).as_bytes());
        }

        fn lines(&self) -> Vec<String> {
            self.0.screen().contents().lines().map(|line| line.trim_end().to_owned()).collect()
        }
    }

    #[test]
    fn lines_go_above_and_nothing_is_left() {
        for columns in [20, 40, 80, 200] {
            let (mut bars, mut shown) = (two(), Shown::new(24, columns));
            shown.print(&mut Bars::default(), "before\n");
            for number in 0..5 {
                shown.print(&mut bars, "");
                // Somebody presses Ctrl-C.
                shown.0.process(b"^C");
                shown.print(&mut bars, &format!("line {number}\n"));
                let lines = shown.lines();
                assert_eq!(lines[..2], ["before", "line 0"], "{columns}");
                assert_eq!(lines.len(), 2 + number + 2, "{columns}: {lines:?}");
                assert!(lines[number + 2].contains("@10.23.15.1"), "{columns}: {lines:?}");
                assert!(lines[number + 3].contains("@edge"), "{columns}: {lines:?}");
            }
            bars.bars.clear();
            shown.print(&mut bars, "after\n");
            let lines: Vec<String> = (0..5).map(|number| format!("line {number}")).collect();
            assert_eq!(shown.lines().join("\n"), format!("before\n{}\nafter", lines.join("\n")));
            assert_eq!(shown.0.screen().cursor_position(), (7, 0));
        }
    }

    #[test]
    fn at_the_bottom_of_the_terminal_nothing_scrolls_away_twice() {
        let (mut bars, mut shown) = (two(), Shown::new(5, 80));
        for number in 0..50 {
            shown.print(&mut bars, &format!("line {number}\n"));
            shown.print(&mut bars, "");
        }
        assert_eq!(shown.lines()[..3], ["line 47", "line 48", "line 49"]);
        bars.bars.clear();
        shown.print(&mut bars, "");
        assert_eq!(shown.lines(), ["line 47", "line 48", "line 49"]);
        shown.0.screen_mut().set_scrollback(47);
        assert_eq!(shown.lines()[..3], ["line 0", "line 1", "line 2"]);
    }

    #[test]
    fn a_hundred_nodes_are_counted_where_there_is_no_room() {
        let mut bars = Bars::default();
        for node in 0..100 {
            bars.on(&moved(0, &format!("deliver@edge-{node:02}"), 0, (1, 1)));
        }
        for (rows, drawn) in [(1, 1), (2, 1), (3, 1), (6, 4), (24, 10), (100, 10)] {
            let lines = bars.lines(Screen { rows, ..screen(80) });
            assert_eq!(lines.len(), drawn, "{rows}");
            assert_eq!(lines[drawn - 1], format!("… and {} more", 101 - drawn));
        }
    }

    #[test]
    fn a_name_does_nothing_to_the_terminal_and_colours_are_a_choice() {
        let mut bars = Bars::default();
        bars.on(&moved(0, "a\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}b\nc", 50_000_000, (1, 1)));
        let plain = bars.print("", screen(80));
        assert!(!plain.contains(['\u{1b}', '\u{7}', '\u{202e}', '\n']), "{plain:?}");
        let colours = bars.print("", Screen { style: Style(true), ..screen(80) });
        assert!(colours.contains("\u{1b}[32m#"), "{colours:?}");
    }
}
