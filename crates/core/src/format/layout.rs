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
    let wide = flat_cell(cell).is_some_and(|text| indent + width(&text) + comma > WIDTH);
    let Value::Group(group) = &mut cell.value else { return };
    if wide && group.kind == Kind::Array && !group.rows.is_empty() {
        group.tall = true;
    }
    break_group(group, indent);
}

fn break_group(group: &mut Group<'_>, indent: usize) {
    if group.tall {
        break_rows(group, indent + INDENT);
        return;
    }
    // A group that stays on its line may hold one that its author broke.
    for cell in group.rows.iter_mut().flat_map(|row| &mut row.cells) {
        if let Value::Group(inner) = &mut cell.value {
            break_group(inner, indent);
        }
    }
}

fn break_rows(group: &mut Group<'_>, indent: usize) {
    for row in std::mem::take(&mut group.rows) {
        let flat: Option<Vec<String>> = row.cells.iter().map(flat_cell).collect();
        // A comma after each item, and a space between two.
        let wide = flat.is_some_and(|cells| {
            indent + cells.iter().map(|cell| width(cell) + 2).sum::<usize>() > WIDTH + 1
        });
        if wide && row.cells.len() > 1 {
            let comment = row.comment;
            group.rows.extend(row.cells.into_iter().map(|cell| Row { cells: vec![cell], comment: None }));
            if let Some(last) = group.rows.last_mut() {
                last.comment = comment;
            }
        } else {
            group.rows.push(row);
        }
    }
    for cell in group.rows.iter_mut().flat_map(|row| &mut row.cells) {
        break_cell(cell, indent, 1);
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The cell on one line, if it can be.
fn flat_cell(cell: &Cell<'_>) -> Option<String> {
    let value = flat(&cell.value)?;
    Some(match &cell.key {
        Some(key) => format!("{key} = {value}"),
        None => value,
    })
}

fn flat(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Scalar(text) => (!text.contains('\n')).then(|| (*text).to_owned()),
        Value::Group(group) if group.tall => None,
        Value::Group(group) => {
            let cells = group.rows.iter().flat_map(|row| &row.cells);
            let cells: Vec<String> = cells.map(flat_cell).collect::<Option<_>>()?;
            Some(match group.kind {
                Kind::Array => format!("[{}]", cells.join(", ")),
                Kind::Table if cells.is_empty() => "{}".into(),
                Kind::Table => format!("{{ {} }}", cells.join(", ")),
            })
        }
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
                    let pad = " ".repeat(column - width(key));
                    format!("{key}{pad} = {}{comma}", flat(value).unwrap_or_default())
                }
                cells => {
                    let cells: Vec<String> =
                        cells.iter().filter_map(flat_cell).map(|cell| cell + comma).collect();
                    cells.join(" ")
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
        let (open, close) = match group.kind {
            Kind::Array => ("[", "]"),
            Kind::Table => ("{", "}"),
        };
        if group.tall {
            self.line(open, group.comment);
            let rows: Vec<_> = group.rows.iter().map(|row| (row.cells.as_slice(), row.comment)).collect();
            // Comments and blank lines end a block here as they do outside.
            for rows in rows.chunk_by(|(before, _), (after, _)| !before.is_empty() && !after.is_empty()) {
                self.block(rows, indent + INDENT, ",");
            }
            self.out += &format!("{}{close}", " ".repeat(indent));
            return;
        }
        let space = if group.kind == Kind::Table && !group.rows.is_empty() { " " } else { "" };
        self.out += &format!("{open}{space}");
        for (index, cell) in group.rows.iter().flat_map(|row| &row.cells).enumerate() {
            self.out += if index == 0 { "" } else { ", " };
            self.cell(cell, indent);
        }
        self.out += &format!("{space}{close}");
    }
}

fn is_flat(cells: &[Cell<'_>]) -> bool {
    cells.iter().all(|cell| flat(&cell.value).is_some())
}
