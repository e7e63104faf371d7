//! Writes the lines of a document: where a value breaks, and what stands in columns.

use super::tree::{Cell, Group, Kind, Line, Row, Value};

/// Arrays that would be wider are broken.
const WIDTH: usize = 120;

const INDENT: usize = 4;

/// The document in our layout, with this line end.
pub(super) fn document(mut lines: Vec<Line<'_>>, newline: &str) -> String {
    lines.dedup_by(|line, before| matches!((line, before), (Line::Blank, Line::Blank)));
    if matches!(lines.first(), Some(Line::Blank)) {
        lines.remove(0);
    }
    lines.pop_if(|line| matches!(line, Line::Blank));
    let mut writer = Writer { out: String::new(), newline };
    let mut rest = lines.as_mut_slice();
    while let Some(first) = rest.first_mut() {
        let taken = match first {
            Line::Blank => writer.end(),
            Line::Comment(comment) => writer.line(comment, None),
            Line::Header { name, comment } => writer.line(name, *comment),
            Line::Entry { .. } => {
                let mut entries: Vec<(&mut Cell<'_>, Option<&str>)> = rest
                    .iter_mut()
                    .map_while(|line| match line {
                        Line::Entry { cell, comment } => Some((cell, *comment)),
                        _ => None,
                    })
                    .collect();
                for (cell, _) in &mut entries {
                    break_cell(cell, 0, 0);
                }
                let entries: Vec<_> =
                    entries.iter().map(|(cell, comment)| (std::slice::from_ref(&**cell), *comment)).collect();
                writer.block(&entries, 0, "");
                entries.len()
            }
        };
        rest = &mut rest[taken..];
    }
    writer.out
}

/// Breaks arrays that leave the line. What was broken is as wide the next time, so the layout stays as it is.
fn break_cell(cell: &mut Cell<'_>, indent: usize, comma: usize) {
    let wide = cell.value.is_flat() && !fits(std::slice::from_ref(cell), indent + comma);
    let Value::Group(group) = &mut cell.value else { return };
    if wide && group.kind == Kind::Array && !group.rows.is_empty() {
        group.tall = true;
    }
    break_group(group, indent);
}

fn break_group(group: &mut Group<'_>, indent: usize) {
    if group.tall {
        break_rows(group, indent + INDENT);
    } else {
        // A group that stays on its line may hold one that its author broke.
        for cell in group.cells_mut() {
            if let Value::Group(inner) = &mut cell.value {
                break_group(inner, indent);
            }
        }
    }
    group.settle();
}

fn break_rows(group: &mut Group<'_>, indent: usize) {
    for row in std::mem::take(&mut group.rows) {
        let flat = row.cells.iter().all(|cell| cell.value.is_flat());
        // The comma at the end belongs to the line.
        if flat && row.cells.len() > 1 && !fits(&row.cells, indent + 1) {
            let comment = row.comment;
            group.rows.extend(row.cells.into_iter().map(|cell| Row { cells: vec![cell], comment: None }));
            if let Some(last) = group.rows.last_mut() {
                last.comment = comment;
            }
        } else {
            group.rows.push(row);
        }
    }
    for cell in group.cells_mut() {
        break_cell(cell, indent, 1);
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The cells end before the line does, when so much of it is taken. Looks no further than that.
fn fits(cells: &[Cell<'_>], mut taken: usize) -> bool {
    measure(cells.iter(), &mut taken);
    taken <= WIDTH
}

fn measure<'c>(cells: impl Iterator<Item = &'c Cell<'c>>, taken: &mut usize) {
    for (index, cell) in cells.enumerate() {
        *taken += if index == 0 { 0 } else { 2 };
        *taken += cell.key.as_ref().map_or(0, |key| width(key) + 3);
        match &cell.value {
            Value::Scalar(text) => *taken += width(text),
            Value::Group(group) => {
                let (open, close) = brackets(group);
                *taken += open.len() + close.len();
                measure(group.cells(), taken);
            }
        }
        if *taken > WIDTH {
            return;
        }
    }
}

/// Writes a cell that can stand on one line.
fn flat_cell(out: &mut String, cell: &Cell<'_>) {
    if let Some(key) = &cell.key {
        out.push_str(key);
        out.push_str(" = ");
    }
    flat(out, &cell.value);
}

fn flat(out: &mut String, value: &Value<'_>) {
    let group = match value {
        Value::Scalar(text) => return out.push_str(text),
        Value::Group(group) => group,
    };
    let (open, close) = brackets(group);
    out.push_str(open);
    for (index, cell) in group.cells().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        flat_cell(out, cell);
    }
    out.push_str(close);
}

/// What stands around a group on its line.
fn brackets(group: &Group<'_>) -> (&'static str, &'static str) {
    match group.kind {
        Kind::Array => ("[", "]"),
        Kind::Table if group.rows.is_empty() => ("{", "}"),
        Kind::Table => ("{ ", " }"),
    }
}

struct Writer<'n> {
    out: String,
    newline: &'n str,
}

impl Writer<'_> {
    /// Ends a line of the document.
    fn end(&mut self) -> usize {
        self.out += self.newline;
        1
    }

    fn line(&mut self, text: &str, comment: Option<&str>) -> usize {
        self.out += text;
        if let Some(comment) = comment {
            self.out += &format!(" {comment}");
        }
        self.end()
    }

    /// Lines that follow each other. In each run of such as are really one line, keys and comments stand in columns.
    fn block(&mut self, lines: &[(&[Cell<'_>], Option<&str>)], indent: usize, comma: &str) {
        let mut rest = lines;
        while let Some((first, _)) = rest.first() {
            let run = rest.iter().take_while(|(cells, _)| is_flat(cells)).count();
            if run == 0 {
                let (cells, comment) = (*first, rest[0].1);
                self.out += &" ".repeat(indent);
                for (index, cell) in cells.iter().enumerate() {
                    self.out += if index == 0 { "" } else { " " };
                    self.cell(cell, indent);
                    self.out += comma;
                }
                self.line("", comment);
                rest = &rest[1..];
            } else {
                self.columns(&rest[..run], indent, comma);
                rest = &rest[run..];
            }
        }
    }

    fn columns(&mut self, lines: &[(&[Cell<'_>], Option<&str>)], indent: usize, comma: &str) {
        let keys = |cells: &[Cell<'_>]| match cells {
            [Cell { key: Some(key), .. }] => Some(width(key)),
            _ => None,
        };
        let column = lines.iter().filter_map(|(cells, _)| keys(cells)).max().unwrap_or(0);
        let texts: Vec<String> = lines
            .iter()
            .map(|(cells, _)| match cells {
                [Cell { key: Some(key), value }] => {
                    let mut text = format!("{key}{} = ", " ".repeat(column - width(key)));
                    flat(&mut text, value);
                    text + comma
                }
                cells => {
                    let mut text = String::new();
                    for (index, cell) in cells.iter().enumerate() {
                        text.push_str(if index == 0 { "" } else { " " });
                        flat_cell(&mut text, cell);
                        text.push_str(comma);
                    }
                    text
                }
            })
            .collect();
        let commented = texts.iter().zip(lines).filter(|(_, (cells, comment))| {
            // A comment on a line of its own stands at the margin.
            comment.is_some() && !cells.is_empty()
        });
        let column = commented.map(|(text, _)| width(text)).max().unwrap_or(0);
        for (text, (cells, comment)) in texts.iter().zip(lines) {
            if !text.is_empty() || comment.is_some() {
                self.out += &" ".repeat(indent);
            }
            match comment {
                Some(comment) if cells.is_empty() => self.line(comment, None),
                Some(_) => self.line(&format!("{text}{}", " ".repeat(column - width(text))), *comment),
                None => self.line(text, None),
            };
        }
    }

    fn cell(&mut self, cell: &Cell<'_>, indent: usize) {
        if let Some(key) = &cell.key {
            self.out += &format!("{key} = ");
        }
        match &cell.value {
            Value::Scalar(text) => self.out += text,
            Value::Group(group) => self.group(group, indent),
        }
    }

    fn group(&mut self, group: &Group<'_>, indent: usize) {
        if group.tall {
            let (open, close) = brackets(group);
            self.line(open.trim_end(), group.comment);
            let rows: Vec<_> = group.rows.iter().map(|row| (row.cells.as_slice(), row.comment)).collect();
            // Comments and blank lines end a block here as they do outside.
            for rows in rows.chunk_by(|(before, _), (after, _)| !before.is_empty() && !after.is_empty()) {
                self.block(rows, indent + INDENT, ",");
            }
            self.out += &format!("{}{}", " ".repeat(indent), close.trim_start());
            return;
        }
        let (open, close) = brackets(group);
        self.out += open;
        for (index, cell) in group.cells().enumerate() {
            self.out += if index == 0 { "" } else { ", " };
            self.cell(cell, indent);
        }
        self.out += close;
    }
}

fn is_flat(cells: &[Cell<'_>]) -> bool {
    cells.iter().all(|cell| cell.value.is_flat())
}
