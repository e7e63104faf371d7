//! Runs that were recorded, shown again at other sizes: by their events' own times, through a terminal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_core::event::{Event, EventKind};
use pipeline_core::plan::Plan;
use pipeline_core::platform::Platform;
use pipeline_core::show;

use super::FRAME;
use super::frame::Frame;
use super::model::{Model, Scene};
use super::view::{self, Screen};
use crate::terminal::Style;
use crate::terminal::plain::{Manner, Plain};

/// A terminal, and what is shown on it.
pub(super) struct Replay {
    pub(super) terminal: vt100::Parser,
    pub(super) model: Option<Model>,
    plain: Plain,
    text: String,
    frame: Frame,
    pub(super) colours: bool,
}

impl Replay {
    pub(super) fn new(scene: Scene<'_>, columns: u16, rows: u16) -> Self {
        let logs = PathBuf::from("./.pipeline/runs/20261130T212447.630Z-6d1d0f46/logs");
        Self {
            terminal: vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 1000),
            model: Some(Model::new(scene)),
            plain: Plain::of(Manner::Live, Style(false), Some(logs), false),
            text: String::new(),
            frame: Frame::EMPTY,
            colours: false,
        }
    }

    pub(super) fn screen(&self) -> Screen {
        let (rows, columns) = self.terminal.screen().size();
        Screen { columns: columns.get().into(), rows: rows.get().into(), style: Style(self.colours) }
    }

    /// As `State` takes it.
    pub(super) fn on(&mut self, event: &Event) {
        if let Some(model) = &mut self.model {
            model.on(event);
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.model = None;
            self.draw(event.elapsed);
        }
        self.text += &self.plain.told(event);
        if self.model.is_none() {
            self.draw(event.elapsed);
        }
    }

    pub(super) fn print(&mut self, text: &str) {
        self.text += text;
    }

    pub(super) fn draw(&mut self, now: Duration) {
        let screen = self.screen();
        let lines = self.model.as_mut().map(|model| view::lines(model, now, screen)).unwrap_or_default();
        for line in &lines {
            let bare = pipeline_core::output::plain(line);
            assert!(super::text::width(&bare) < screen.columns.max(2), "{line:?}");
            assert_eq!(self.colours && line.contains('\x1b'), line.contains('\x1b'), "{line:?}");
        }
        // As the terminal's driver does.
        let text = std::mem::take(&mut self.text).replace('\n', "\r\n");
        if let Some(bytes) = self.frame.next(&text, lines, screen.columns) {
            self.terminal.process(bytes.as_bytes());
        }
    }

    /// What there is to be seen, without spaces at the ends of lines.
    pub(super) fn shown(&self) -> String {
        let lines: Vec<String> =
            self.terminal.screen().contents().lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }
}

/// A file of `tests/live`.
fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/live").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn plan(name: &str) -> Plan {
    show::read(&file(&format!("{name}.plan.json"))).unwrap()
}

pub(super) fn events(name: &str) -> Vec<Event> {
    let text = String::from_utf8(file(&format!("{name}.events.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What each instance of the plan took in that run.
pub(super) fn took(plan: &Plan, run: &str) -> Vec<Option<Duration>> {
    let events = events(run);
    let took = |id| {
        events.iter().find_map(|event| match &event.kind {
            EventKind::Finished { instance, took, .. } if instance == id => Some(*took),
            _ => None,
        })
    };
    plan.graph.node_weights().map(|instance| took(&instance.id)).collect()
}

/// The screens at these moments, in milliseconds, and at the end.
pub(super) fn replay(
    plan_name: &str,
    run: &str,
    before: Option<&str>,
    (columns, rows): (u16, u16),
    moments: &[u64],
) -> String {
    let plan = plan(plan_name);
    let usual = before.map_or_else(|| vec![None; plan.graph.node_count()], |before| took(&plan, before));
    let here = Platform::parse("linux/amd64").unwrap();
    let mut replay = Replay::new(Scene { plan: &plan, usual, here }, columns, rows);
    let mut out = String::new();
    let mut show = |replay: &Replay, when: &str| {
        let rule = "-".repeat(usize::from(columns) - when.len() - 1);
        out += &format!("{when} {rule}\n{}\n", replay.shown());
    };
    let mut moments = moments.iter().map(|millis| Duration::from_millis(*millis)).peekable();
    let mut now = Duration::ZERO;
    for event in events(run) {
        while now < event.elapsed {
            replay.draw(now);
            if let Some(moment) = moments.next_if(|moment| *moment <= now) {
                show(&replay, &format!("{} ms", moment.as_millis()));
            }
            now += FRAME;
        }
        replay.on(&event);
    }
    assert_eq!(moments.next(), None, "the run has ended before");
    show(&replay, "end");
    out
}
