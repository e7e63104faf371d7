//! A TOML document as its author laid it out: lines, and in them keys, values and comments. Text is kept as it stands.

use toml_parser::parser::{Event, EventKind};

/// One line of the document, or several where a value takes them.
#[derive(Debug)]
pub(super) enum Line<'t> {
    Blank,
    Comment(&'t str),
    Header { name: String, comment: Option<&'t str> },
    Entry { cell: Cell<'t>, comment: Option<&'t str> },
}

/// A value, with its key where it has one.
#[derive(Debug)]
pub(super) struct Cell<'t> {
    pub(super) key: Option<String>,
    pub(super) value: Value<'t>,
}

#[derive(Debug)]
pub(super) enum Value<'t> {
    Scalar(&'t str),
    Group(Group<'t>),
}

impl Value<'_> {
    /// It can stand on one line.
    pub(super) fn is_flat(&self) -> bool {
        match self {
            Value::Scalar(text) => !text.contains('\n'),
            Value::Group(group) => group.flat,
        }
    }
}

/// An array or an inline table.
#[derive(Debug)]
pub(super) struct Group<'t> {
    pub(super) kind: Kind,
    /// On the line of the bracket that opens it.
    pub(super) comment: Option<&'t str>,
    pub(super) rows: Vec<Row<'t>>,
    /// Its items stand below the bracket that opens it.
    pub(super) tall: bool,
    /// It can stand on one line, with everything in it. Kept, as to look for it each time would take long.
    pub(super) flat: bool,
}

impl<'t> Group<'t> {
    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell<'t>> {
        self.rows.iter().flat_map(|row| &row.cells)
    }

    pub(super) fn cells_mut(&mut self) -> impl Iterator<Item = &mut Cell<'t>> {
        self.rows.iter_mut().flat_map(|row| &mut row.cells)
    }

    /// After something in it has changed.
    pub(super) fn settle(&mut self) {
        self.flat = !self.tall && self.cells().all(|cell| cell.value.is_flat());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Table,
}

/// One line in a group.
#[derive(Debug, Default)]
pub(super) struct Row<'t> {
    pub(super) cells: Vec<Cell<'t>>,
    pub(super) comment: Option<&'t str>,
}

impl Row<'_> {
    pub(super) fn is_blank(&self) -> bool {
        self.cells.is_empty() && self.comment.is_none()
    }
}

/// The event's own text; a comment without the spaces at its end.
pub(super) fn text_of<'t>(text: &'t str, event: &Event) -> &'t str {
    let raw = text.get(event.span().start()..event.span().end()).unwrap_or_default();
    if event.kind() == EventKind::Comment { raw.trim_end() } else { raw }
}

/// Reads the lines of a document; `None` where the events have no sense.
pub(super) fn lines<'t>(text: &'t str, events: &[Event]) -> Option<Vec<Line<'t>>> {
    let mut reader = Reader { text, events: events.iter() };
    let mut lines = Vec::new();
    // The line that goes on.
    let mut open = false;
    while let Some(event) = reader.next() {
        let line = match event.kind() {
            EventKind::Newline => {
                if !std::mem::take(&mut open) {
                    lines.push(Line::Blank);
                }
                continue;
            }
            EventKind::Comment => {
                let words = text_of(text, event);
                match lines.last_mut().filter(|_| open) {
                    Some(Line::Header { comment, .. } | Line::Entry { comment, .. }) => {
                        *comment = Some(words);
                        continue;
                    }
                    _ => Line::Comment(words),
                }
            }
            EventKind::StdTableOpen => {
                let name = format!("[{}]", reader.key(EventKind::StdTableClose, "")?);
                Line::Header { name, comment: None }
            }
            EventKind::ArrayTableOpen => {
                let name = format!("[[{}]]", reader.key(EventKind::ArrayTableClose, "")?);
                Line::Header { name, comment: None }
            }
            EventKind::SimpleKey => {
                let key = Some(reader.key(EventKind::KeyValSep, text_of(text, event))?);
                let value = reader.value()?;
                Line::Entry { cell: Cell { key, value }, comment: None }
            }
            _ => return None,
        };
        open = true;
        lines.push(line);
    }
    Some(lines)
}

struct Reader<'t, 'e> {
    text: &'t str,
    events: std::slice::Iter<'e, Event>,
}

impl<'t, 'e> Reader<'t, 'e> {
    /// The next event that is no space.
    fn next(&mut self) -> Option<&'e Event> {
        self.events.by_ref().find(|event| event.kind() != EventKind::Whitespace)
    }

    /// The rest of a dotted key, up to what ends it.
    fn key(&mut self, end: EventKind, first: &str) -> Option<String> {
        let mut key = first.to_owned();
        loop {
            let event = self.next()?;
            match event.kind() {
                EventKind::SimpleKey | EventKind::KeySep => key += text_of(self.text, event),
                kind if kind == end => return Some(key),
                _ => return None,
            }
        }
    }

    fn value(&mut self) -> Option<Value<'t>> {
        let event = self.next()?;
        self.value_from(event)
    }

    fn value_from(&mut self, event: &Event) -> Option<Value<'t>> {
        match event.kind() {
            EventKind::Scalar => Some(Value::Scalar(text_of(self.text, event))),
            EventKind::ArrayOpen => self.group(Kind::Array, EventKind::ArrayClose),
            EventKind::InlineTableOpen => self.group(Kind::Table, EventKind::InlineTableClose),
            _ => None,
        }
    }

    fn group(&mut self, kind: Kind, close: EventKind) -> Option<Value<'t>> {
        let mut group = Group { kind, comment: None, rows: Vec::new(), tall: false, flat: false };
        let mut row = Row::default();
        loop {
            let event = self.next()?;
            match event.kind() {
                EventKind::Newline => {
                    if group.tall || !row.is_blank() {
                        group.rows.push(std::mem::take(&mut row));
                    }
                    group.tall = true;
                }
                EventKind::Comment if !group.tall && row.cells.is_empty() => {
                    group.comment = Some(text_of(self.text, event));
                }
                EventKind::Comment => row.comment = Some(text_of(self.text, event)),
                EventKind::ValueSep => {}
                EventKind::SimpleKey => {
                    let key = Some(self.key(EventKind::KeyValSep, text_of(self.text, event))?);
                    let value = self.value()?;
                    row.cells.push(Cell { key, value });
                }
                kind if kind == close => break,
                _ => row.cells.push(Cell { key: None, value: self.value_from(event)? }),
            }
        }
        if !row.is_blank() {
            group.rows.push(row);
        }
        group.rows.dedup_by(|row, before| row.is_blank() && before.is_blank());
        if group.rows.first().is_some_and(Row::is_blank) {
            group.rows.remove(0);
        }
        group.rows.pop_if(|row| row.is_blank());
        group.tall &= group.comment.is_some() || !group.rows.is_empty();
        group.settle();
        Some(Value::Group(group))
    }
}
