//! A run that is watched: what is under way stands at the bottom of the terminal, what has been done scrolls away above it.
//!
//! Events and text only change what is kept here. A thread of its own draws, some times a second at most and once a second
//! when nothing happens, so that neither many events nor a slow terminal keep the run from its work.
//! `docs/design/0038-live-terminal.md` says why it looks as it does.

mod echo;
mod frame;
#[cfg(test)]
mod hard;
mod model;
mod remaining;
#[cfg(test)]
mod replay;
mod row;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod transfer;
mod view;

use std::io::{self, IsTerminal, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pipeline_core::event::{Event, EventKind};

use super::Style;
pub(crate) use echo::Unechoed;
use frame::Frame;
use model::Model;
pub(crate) use model::Scene;
use view::Screen;

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(100);

/// So often times are to be seen to go on.
const TICK: Duration = Duration::from_secs(1);

/// More text than this is not kept until the next frame.
const MUCH: usize = 64 * 1024;

/// None where nothing is to be drawn.
static STATE: Mutex<Option<State>> = Mutex::new(None);

/// Something is to be drawn, or the end has come.
static NEWS: Condvar = Condvar::new();

/// Whoever writes frames holds it. It is taken before [`STATE`], which nobody holds while a terminal is slow.
static SCREEN: Mutex<Frame> = Mutex::new(Frame::EMPTY);

/// What is to be seen.
#[derive(Debug, Default)]
struct State {
    /// While a run goes on.
    model: Option<Model>,
    /// What is to be printed above.
    text: String,
    /// Something is other than on the screen.
    changed: bool,
    /// The time of the run when the last event came, and when that was.
    clock: Option<(Duration, Instant)>,
}

impl State {
    fn now(&self) -> Duration {
        self.clock.map(|(elapsed, at)| elapsed + at.elapsed()).unwrap_or_default()
    }

    /// All that the screen is to have, and the text above it.
    fn take(&mut self, screen: Screen) -> (String, Vec<String>) {
        self.changed = false;
        let now = self.now();
        let lines = self.model.as_mut().map(|model| view::lines(model, now, screen));
        (std::mem::take(&mut self.text), lines.unwrap_or_default())
    }
}

fn state() -> MutexGuard<'static, Option<State>> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn screen() -> MutexGuard<'static, Frame> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether stderr is a terminal on which lines can be replaced, and in which nobody else types meanwhile.
pub(crate) fn possible(insist: bool) -> bool {
    let known = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    io::stderr().is_terminal() && (known && !echo::in_background() || insist)
}

/// From now on runs are shown live: here, or by a process that this one becomes.
pub(crate) fn enable() {
    *state() = Some(State::default());
}

pub(super) fn is_enabled() -> bool {
    state().is_some()
}

/// Takes what another process of this run has left at the bottom of the terminal, if anything, away.
pub(crate) fn wipe() {
    if state().is_some() {
        write(frame::WIPE);
    }
}

/// A run that is shown, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Live(Option<JoinHandle<()>>);

impl Live {
    /// Begins to show a run, where that is enabled.
    pub(crate) fn begin<'s>(scene: impl FnOnce() -> Scene<'s>) -> Self {
        if state().is_none() {
            return Self(None);
        }
        let model = Model::new(scene());
        if let Some(state) = state().as_mut() {
            state.model = Some(model);
        }
        let thread = std::thread::Builder::new().name("terminal".into()).spawn(draw_on);
        if thread.is_err() {
            end();
        }
        Self(thread.ok())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            end();
            let _ = thread.join();
        }
    }
}

/// Draws until the end.
fn draw_on() {
    let over = |state: &Option<State>| state.as_ref().is_none_or(|state| state.model.is_none());
    let wait = |time, done: &dyn Fn(&Option<State>) -> bool| {
        let waited = NEWS.wait_timeout_while(state(), time, |state| !over(state) && !done(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !over(&state)
    };
    while wait(TICK, &|state| state.as_ref().is_some_and(|state| state.changed)) {
        draw();
        if !wait(FRAME, &|_| false) {
            break;
        }
    }
}

fn draw() {
    let mut frame = screen();
    let size = size();
    let (text, lines) = match state().as_mut() {
        Some(state) if state.model.is_some() => state.take(size),
        _ => return,
    };
    if let Some(bytes) = frame.next(&text, lines, size.columns) {
        write(&bytes);
    }
}

/// Prints what is still to be printed, and takes the lines away.
fn end() {
    let mut frame = screen();
    let text = match state().as_mut() {
        Some(state) => {
            state.model = None;
            std::mem::take(&mut state.text)
        }
        None => return,
    };
    if let Some(bytes) = frame.next(&text, Vec::new(), size().columns) {
        write(&bytes);
    }
    NEWS.notify_all();
}

/// Prints above what is under way.
pub(super) fn above(text: &str) {
    let mut guard = state();
    let Some(state) = guard.as_mut().filter(|state| state.model.is_some()) else {
        drop(guard);
        return write(text);
    };
    state.text += text;
    let much = state.text.len() > MUCH;
    changed(state);
    drop(guard);
    if much {
        draw();
    }
}

/// Takes notice of what has happened.
pub(super) fn on(event: &Event) {
    if let Some(state) = state().as_mut()
        && let Some(model) = &mut state.model
    {
        state.clock = Some((event.elapsed, Instant::now()));
        if model.on(event) {
            changed(state);
        }
    }
    if matches!(event.kind, EventKind::RunFinished { .. }) {
        end();
    }
}

fn changed(state: &mut State) {
    if !std::mem::replace(&mut state.changed, true) {
        NEWS.notify_all();
    }
}

/// Nobody can be told when that fails.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What is drawn on now.
fn size() -> Screen {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let or = |count: Option<u16>, usual| count.filter(|count| *count > 0).map_or(usual, usize::from);
    Screen {
        columns: or(size.map(|size| size.ws_col), 80),
        rows: or(size.map(|size| size.ws_row), 24),
        style: Style::stderr(),
    }
}
