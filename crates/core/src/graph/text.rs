//! For a terminal: a list of what runs, with lines that lead from each to those that wait for it.
//!
//! ```text
//! ●    image  build  × 2: 2 targets
//! ├─●  smoke         × 2: 2 targets  Image of image
//! ● │  save          × 2: 2 targets  Image of image
//! ●┄╯  scp           × 2: 2 targets  Archive of save, check smoke
//! ```

use std::collections::BTreeMap;

use super::model::{Box, Drawing, Link};
use super::rails::Rails;
use crate::plan::Edge;

/// Between columns.
const GAP: usize = 2;
/// What a box waits for has at least so much room; names before it are cut for that.
const WAITS: usize = 22;
/// So many instances of a step have a phrase and a line each; more have one phrase for all and no lines, as so many lines
/// side by side help nobody.
const FEW: usize = 3;
/// Lines of one box.
const LINES: usize = 4;

/// Rails, id, kind, extent.
type Columns = [usize; 4];

#[derive(Default)]
struct Row {
    rails: String,
    /// The rails in further lines of the box.
    below: String,
    heading: String,
    id: String,
    kind: String,
    extent: String,
    waits: Vec<String>,
}

impl Drawing {
    /// The list, at most `width` columns wide.
    pub fn text(&self, width: usize) -> String {
        let rows = self.rows(width);
        let most = |of: fn(&Row) -> &str| rows.iter().map(|row| length(of(row))).max().unwrap_or_default();
        let columns =
            [most(|row| &row.rails), most(|row| &row.id), most(|row| &row.kind), most(|row| &row.extent)];
        let waits = rows.iter().flat_map(|row| &row.waits).map(|phrase| length(phrase)).max();
        let columns = fit(columns, waits.unwrap_or_default(), width);
        let mut lines = vec![self.title.clone(), String::new()];
        for row in &rows {
            lines.extend(row.lines(columns, width));
        }
        if self.links.iter().any(Link::is_gate) {
            lines.extend([String::new(), "┄ waits for a check".into()]);
        }
        lines.iter().map(|line| cut(line.trim_end(), width) + "\n").collect()
    }

    fn rows(&self, width: usize) -> Vec<Row> {
        let mut incoming: Vec<Vec<&Link>> = vec![Vec::new(); self.boxes.len()];
        let mut outgoing = vec![0; self.boxes.len()];
        for link in &self.links {
            incoming[link.to].push(link);
        }
        let drawn: Vec<Vec<&Link>> = incoming.iter().map(|links| self.drawn(links)).collect();
        for link in drawn.iter().flatten() {
            outgoing[link.from] += 1;
        }
        let mut rails = Rails::default();
        let mut rows: Vec<Row> = Vec::new();
        let mut group = None;
        for (index, one) in self.boxes.iter().enumerate() {
            if one.group != group {
                group = one.group;
                let heading = group.and_then(|group| self.groups.get(group));
                let heading = heading.map(|group| format!("{} ({})", group.target, group.platform));
                if !rows.is_empty() {
                    rows.push(Row { rails: rails.between(), ..Row::default() });
                }
                if let Some(heading) = heading {
                    rows.push(Row { rails: rails.between(), heading, ..Row::default() });
                }
            }
            let arriving: Vec<(usize, bool)> =
                drawn[index].iter().map(|link| (link.from, link.is_gate())).collect();
            rows.push(Row {
                rails: rails.row(index, &arriving, outgoing[index]),
                below: rails.below(),
                heading: String::new(),
                id: one.id.clone(),
                kind: if one.kind == one.step { String::new() } else { one.kind.clone() },
                extent: one.extent.clone(),
                waits: self.waits(one, &incoming[index]),
            });
        }
        // Where there is no room for lines, words must do.
        if rows.iter().any(|row| length(&row.rails) > width / 3) {
            for row in &mut rows {
                row.rails = if row.id.is_empty() { String::new() } else { "●".into() };
                row.below.clear();
            }
        }
        rows
    }

    /// The links to a box that have lines. One against the order, which closes a circle of steps, is only named.
    fn drawn<'l>(&self, links: &[&'l Link]) -> Vec<&'l Link> {
        let mut of_step: BTreeMap<&str, usize> = BTreeMap::new();
        for link in links {
            *of_step.entry(&self.boxes[link.from].step).or_default() += 1;
        }
        let few = |link: &Link| of_step[self.boxes[link.from].step.as_str()] <= FEW;
        links.iter().copied().filter(|link| link.from < link.to && few(link)).collect()
    }

    /// `Archive of save`, `check smoke`; many instances of one step by its name and their number.
    fn waits(&self, own: &Box, links: &[&Link]) -> Vec<String> {
        let mut phrases: Vec<(String, &str, Vec<&Box>)> = Vec::new();
        for link in links {
            let from = &self.boxes[link.from];
            for reason in &link.reasons {
                let words = words(reason);
                match phrases.iter_mut().find(|(known, step, _)| *known == words && *step == from.step) {
                    Some((_, _, members)) => members.push(from),
                    None => phrases.push((words, &from.step, vec![from])),
                }
            }
        }
        let phrase = |(words, step, members): &(String, &str, Vec<&Box>)| {
            if members.len() > FEW {
                return vec![format!("{words} {step} × {}", members.len())];
            }
            // Below the heading of their own target, only its step and node tell instances apart.
            let name = |one: &&Box| match &one.node {
                _ if one.group != own.group => one.id.clone(),
                Some(node) if own.node.as_ref() != Some(node) => format!("{step} on {node}"),
                _ => (*step).to_owned(),
            };
            members.iter().map(|one| format!("{words} {}", name(one))).collect()
        };
        phrases.iter().flat_map(phrase).collect()
    }
}

fn words(reason: &Edge) -> String {
    match reason {
        Edge::Artifact(artifact) => format!("{artifact} of"),
        Edge::Output(name) => format!("`{name}` of"),
        Edge::Needs => "after".into(),
        Edge::Gate => "check".into(),
    }
}

impl Row {
    fn lines(&self, columns: Columns, width: usize) -> Vec<String> {
        let [rails, id, kind, extent] = columns;
        let gap = " ".repeat(GAP);
        if self.id.is_empty() {
            return vec![format!("{}{gap}{}", pad(&self.rails, rails), self.heading)];
        }
        let mut start = pad(&self.rails, rails);
        for (text, column) in [(&self.id, id), (&self.kind, kind), (&self.extent, extent)] {
            if column > 0 {
                start += &format!("{gap}{}", pad(&cut(text, column), column));
            }
        }
        start += &gap;
        let indent = length(&start);
        let waits = wrap(&self.waits, width.saturating_sub(indent).max(1));
        let below = pad(&self.below, indent);
        let mut lines = waits.into_iter().enumerate();
        let mut written: Vec<String> = lines
            .by_ref()
            .take(LINES)
            .map(|(at, words)| if at == 0 { format!("{start}{words}") } else { format!("{below}{words}") })
            .collect();
        if lines.next().is_some()
            && let Some(last) = written.last_mut()
        {
            *last += " …";
        }
        if written.is_empty() { vec![start] } else { written }
    }
}

/// Makes room for what a box waits for: over what a step runs is cut first, its name last.
fn fit(mut columns: Columns, waits: usize, width: usize) -> Columns {
    for (column, least) in [(3, 10), (2, 8), (1, 12)] {
        let needed = columns.iter().sum::<usize>() + GAP * columns.len() + waits.min(WAITS);
        let over = needed.saturating_sub(width);
        columns[column] = columns[column].saturating_sub(over).max(least.min(columns[column]));
    }
    columns
}

/// Between phrases where that will do, or else at spaces. A word that is too long is cut with its line.
fn wrap(phrases: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let add = |lines: &mut Vec<String>, text: &str| match lines.last_mut() {
        Some(line) if length(line) + 1 + length(text) <= width => *line += &format!(" {text}"),
        _ => lines.push(text.to_owned()),
    };
    for (at, phrase) in phrases.iter().enumerate() {
        let comma = if at + 1 < phrases.len() { "," } else { "" };
        let phrase = format!("{phrase}{comma}");
        if length(&phrase) <= width {
            add(&mut lines, &phrase);
        } else {
            phrase.split(' ').for_each(|word| add(&mut lines, word));
        }
    }
    lines
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$}")
}

fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
