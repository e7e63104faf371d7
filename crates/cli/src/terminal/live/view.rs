//! The lines at the bottom of the terminal: the run, its targets, and the steps of each that run.

use std::time::Duration;

use pipeline_core::output::seconds;

use super::model::{Block, Model, Running};
use super::row::{Layout, bar};
use super::text::{end_of, padded, start_of, width};
use super::time::{rest, so_far};
use crate::terminal::Style;

/// What is drawn on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) style: Style,
}

impl Screen {
    /// A character in the last column would begin another line.
    fn room(self) -> usize {
        self.columns.saturating_sub(1)
    }

    /// What has been done is to be seen as well.
    fn lines(self) -> usize {
        (self.rows * 2 / 3).min(self.rows.saturating_sub(2)).max(1)
    }

    /// How far a step stands behind its target.
    fn indent(self) -> usize {
        if self.columns < 40 { 1 } else { 4 }
    }
}

/// Of each block that there is room for, how many of its running steps.
type Shown = Vec<Option<usize>>;

/// All lines, no wider than there is room.
pub(super) fn lines(model: &mut Model, now: Duration, screen: Screen) -> Vec<String> {
    let left = model.left(now);
    let (shown, hidden) = choose(&model.blocks, screen.lines() - 1);
    let mut lines = vec![head(model, now, left, screen)];
    let visible: Vec<(&Block, usize)> =
        model.blocks.iter().zip(&shown).filter_map(|(block, rows)| Some((block, (*rows)?))).collect();
    let rows: Vec<&Running> =
        visible.iter().flat_map(|(block, rows)| block.running.iter().take(*rows)).collect();
    let layout = Layout::fitting(&rows, now, screen.room().saturating_sub(screen.indent()));
    let names = visible.iter().map(|(block, _)| width(&block.name)).max().unwrap_or_default();
    for (block, rows) in visible {
        lines.push(target(block, rows, names, screen));
        for running in block.running.iter().take(rows) {
            let indent = " ".repeat(screen.indent());
            lines.push(format!("{indent}{}", layout.line(running, now, screen.style)));
        }
    }
    if hidden && lines.len() < screen.lines() {
        let others =
            model.blocks.iter().zip(&shown).filter(|(_, rows)| rows.is_none()).map(|(block, _)| block);
        lines.push(start_of(&more(others), screen.room()));
    }
    lines
}

/// Which blocks there are lines for, and whether one is left out. Those with running steps come first, then what failed,
/// what waits, what is done.
fn choose(blocks: &[Block], room: usize) -> (Shown, bool) {
    let wanted = blocks.len() + blocks.iter().map(|block| block.running.len()).sum::<usize>();
    if wanted <= room {
        return (blocks.iter().map(|block| Some(block.running.len())).collect(), false);
    }
    let mut shown: Shown = vec![None; blocks.len()];
    let all = blocks.iter().filter(|block| !block.running.is_empty()).count() == blocks.len();
    // One line counts the others.
    let mut left = if all && blocks.len() * 2 <= room { room } else { room.saturating_sub(1) };
    let running = || (0..blocks.len()).filter(|at| !blocks[*at].running.is_empty());
    for at in running() {
        if left < 2 {
            break;
        }
        shown[at] = Some(1);
        left -= 2;
    }
    // Line by line, to those that have more.
    for wanted in 2.. {
        let more: Vec<usize> =
            running().filter(|at| shown[*at].is_some() && blocks[*at].running.len() >= wanted).collect();
        if left == 0 || more.is_empty() {
            break;
        }
        for at in more.into_iter().take(left) {
            shown[at] = Some(wanted);
            left -= 1;
        }
    }
    let mut others: Vec<usize> = (0..blocks.len()).filter(|at| blocks[*at].running.is_empty()).collect();
    others.sort_by_key(|at| (blocks[*at].failed == 0, blocks[*at].over() == blocks[*at].total));
    for at in others.into_iter().take(left) {
        shown[at] = Some(0);
    }
    let hidden = shown.contains(&None);
    (shown, hidden)
}

/// `demo [######..............] 7/21  12 s, about 20 s left  1 FAILED`, or as much of it as there is room for.
fn head(model: &Model, now: Duration, left: Option<Duration>, screen: Screen) -> String {
    const BAR: usize = 20;
    // A name is told from others by so many characters.
    const NAME: usize = 6;
    let Screen { style, .. } = screen;
    let counts = format!("{}/{}", model.ended, model.total);
    let time = so_far(now);
    let left = left.filter(|left| left.as_secs() > 0).and_then(|left| rest(left.as_secs()));
    let more = match left {
        _ if model.stopping => ", stopping".into(),
        Some(left) => format!(", about {left} left"),
        None => String::new(),
    };
    let failed = if model.failed > 0 { format!("{} FAILED", model.failed) } else { String::new() };
    let failed_width = if failed.is_empty() { 0 } else { width(&failed) + 2 };
    let least = width(&counts) + 2 + width(&time) + failed_width;
    let name = width(&model.recipe).min(NAME) + 1;
    let room = screen.room();
    let with_more = least + name + width(&more) <= room;
    let with_bar = with_more && least + name + width(&more) + BAR + 3 <= room;
    let rest = least + if with_more { width(&more) } else { 0 } + if with_bar { BAR + 3 } else { 0 };
    if rest + name > room {
        return start_of(&format!("{counts}  {time}  {failed}"), room).trim_end().to_owned();
    }
    let filled = (BAR * model.ended).checked_div(model.total).unwrap_or(BAR);
    let name = style.bold(&end_of(&model.recipe, room - rest - 1));
    let bar = if with_bar { format!("{} ", bar(filled, BAR, style)) } else { String::new() };
    let more = if with_more { more } else { String::new() };
    let failed = if failed.is_empty() { failed } else { format!("  {}", style.bad(&failed)) };
    format!("{name} {bar}{counts}  {time}{more}{failed}")
}

/// `arm64  5/9  linux/arm64, emulated by QEMU 7.2.22; 2 unchanged, 3 more running`
fn target(block: &Block, rows: usize, names: usize, screen: Screen) -> String {
    let Screen { style, .. } = screen;
    let indent = if screen.columns < 40 { "" } else { "  " };
    let counts = format!("{}/{}", block.over(), block.total);
    let room = screen.room().saturating_sub(indent.len() + width(&counts) + 2);
    let name = end_of(&padded(&block.name, names.min(room)), room);
    let start = format!("{indent}{name}  {counts}");
    let (mark, facts) = facts(block, rows);
    let left = screen.room().saturating_sub(width(&start) + 2);
    if left < 6 {
        return start_of(&start, screen.room());
    }
    let start = format!("{indent}{}  {counts}", style.bold(&name));
    let mark = start_of(&mark, left);
    let left = left.saturating_sub(width(&mark) + 2);
    let facts = if left < 6 || facts.is_empty() { String::new() } else { start_of(&facts, left) };
    let mark = if block.failed > 0 { style.bad(&mark) } else { mark };
    let parts = [start, mark, style.dim(&facts)];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join("  ").trim_end().to_owned()
}

/// What stands out of a block, and what else there is to know of it.
fn facts(block: &Block, rows: usize) -> (String, String) {
    let mut marks = Vec::new();
    if block.failed > 0 {
        marks.push(format!("{} FAILED", block.failed));
    }
    if block.running.is_empty() && block.over() == block.total {
        match block.began {
            Some(began) if block.failed + block.left_out == 0 => {
                marks.push(format!("done in {}", seconds(block.ended.saturating_sub(began))));
            }
            None if block.unchanged == block.total => {
                marks.push("unchanged: nothing that it depends on has".into());
            }
            _ => {}
        }
    } else if block.running.is_empty() {
        marks.push("waiting".into());
    }
    let mut facts = Vec::new();
    if block.unchanged > 0 && block.unchanged < block.total {
        facts.push(format!("{} unchanged", block.unchanged));
    }
    if block.left_out > 0 {
        facts.push(format!("{} not done", block.left_out));
    }
    if block.running.len() > rows {
        facts.push(format!("{} more running", block.running.len() - rows));
    }
    if let Some(platform) = &block.platform {
        facts.push(match &block.emulator {
            Some(version) if version.is_empty() => format!("{platform}, emulated"),
            Some(version) => format!("{platform}, emulated by QEMU {version}"),
            None if block.builder.is_some() => {
                format!("{platform}, native on {}", block.builder.as_deref().unwrap_or_default())
            }
            None if block.native => format!("{platform}, native"),
            None => platform.to_string(),
        });
    }
    (marks.join(", "), facts.join(", "))
}

/// `… and 190 more: 12 running, 175 waiting, 3 over, 1 FAILED`
fn more<'a>(others: impl Iterator<Item = &'a Block>) -> String {
    let (mut all, mut running, mut waiting, mut over, mut failed) = (0, 0, 0, 0, 0);
    for block in others {
        all += 1;
        failed += usize::from(block.failed > 0);
        match block {
            block if !block.running.is_empty() => running += 1,
            block if block.over() == block.total => over += 1,
            _ => waiting += 1,
        }
    }
    let parts = [(running, "running"), (waiting, "waiting"), (over, "over"), (failed, "FAILED")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("… and {all} more: {}", parts.collect::<Vec<_>>().join(", "))
}
