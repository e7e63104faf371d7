//! YAML as it is written, never read: a tree with comments, in the order in which it was made.
//!
//! Only ASCII comes out, and a text is written without quotes only where no reader of YAML 1.1 or 1.2 could take it for
//! anything else. docs/design/0048 says why no library does it.

use std::fmt::Write as _;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Yaml {
    Map(Map),
    List(Vec<Yaml>),
    /// Text of our own, in which the CI system shall replace what it replaces.
    Own(String),
    /// Text from elsewhere: it must come out as it went in.
    Free(String),
    Number(u16),
    Bool(bool),
    Null,
    /// Text of our own, with a comment behind it.
    Noted(&'static str, &'static str),
}

/// Keys with their values, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Map(Vec<(String, Yaml)>);

impl Map {
    pub(super) fn with(mut self, key: impl Into<String>, value: impl Into<Yaml>) -> Self {
        self.0.push((key.into(), value.into()));
        self
    }

    /// The key as well, where there is a value.
    pub(super) fn with_some(self, key: &str, value: Option<Yaml>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

impl Map {
    /// Every text below that is not ours.
    pub(super) fn strangers(&self) -> Vec<&str> {
        self.0.iter().flat_map(|(_, value)| value.strangers()).collect()
    }
}

impl From<Map> for Yaml {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

/// What stands in the source is ours.
impl From<&'static str> for Yaml {
    fn from(text: &'static str) -> Self {
        Self::Own(text.into())
    }
}

impl From<Vec<Yaml>> for Yaml {
    fn from(items: Vec<Yaml>) -> Self {
        Self::List(items)
    }
}

impl Yaml {
    pub(super) fn own(text: impl Into<String>) -> Self {
        Self::Own(text.into())
    }

    pub(super) fn free(text: impl Into<String>) -> Self {
        Self::Free(text.into())
    }

    /// Every text that is not ours.
    pub(super) fn strangers(&self) -> Vec<&str> {
        match self {
            Self::Map(map) => map.strangers(),
            Self::List(items) => items.iter().flat_map(Self::strangers).collect(),
            Self::Free(text) => vec![text],
            _ => Vec::new(),
        }
    }
}

/// A document. An empty line stands between the entries of the outermost map, and below each key of `apart`.
pub(super) fn document(comment: &[String], root: &Map, apart: &[&str]) -> String {
    let mut text: String = comment.iter().map(|line| format!("# {}\n", visible(line))).collect();
    for (key, value) in &root.0 {
        text.push('\n');
        entry(&mut text, 0, key, value, apart.contains(&key.as_str()));
    }
    text
}

fn entry(text: &mut String, indent: usize, key: &str, value: &Yaml, apart: bool) {
    let _ = write!(text, "{:indent$}{}:", "", scalar(key));
    match value {
        Yaml::Map(Map(entries)) if !entries.is_empty() => {
            text.push('\n');
            for (at, (key, value)) in entries.iter().enumerate() {
                if apart && at > 0 {
                    text.push('\n');
                }
                entry(text, indent + 2, key, value, false);
            }
        }
        Yaml::List(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                self::item(text, indent + 2, item);
            }
        }
        Yaml::Null => text.push('\n'),
        leaf => self::leaf(text, indent, leaf),
    }
}

/// An item of a list, whose first key stands in the line of its dash.
fn item(text: &mut String, indent: usize, value: &Yaml) {
    let mut own = String::new();
    match value {
        Yaml::Map(Map(entries)) if !entries.is_empty() => {
            for (key, value) in entries {
                entry(&mut own, indent + 2, key, value, false);
            }
            let _ = write!(text, "{:indent$}- {}", "", own.trim_start_matches(' '));
        }
        // A list in a list is nothing that we write, so it may look as it likes.
        leaf => {
            let _ = write!(text, "{:indent$}-", "");
            self::leaf(text, indent, leaf);
        }
    }
}

/// What stands behind a key or a dash, with the end of the line.
fn leaf(text: &mut String, indent: usize, value: &Yaml) {
    let _ = match value {
        Yaml::Own(lines) | Yaml::Free(lines) if is_block(lines) => {
            let indent = indent + 2;
            let lines: String = lines.lines().map(|line| format!("{:indent$}{line}\n", "")).collect();
            write!(text, " |\n{lines}")
        }
        Yaml::Own(word) | Yaml::Free(word) => writeln!(text, " {}", scalar(word)),
        Yaml::Number(number) => writeln!(text, " {number}"),
        Yaml::Bool(is) => writeln!(text, " {is}"),
        Yaml::Null => writeln!(text, " null"),
        Yaml::Noted(word, note) => writeln!(text, " {} # {note}", scalar(word)),
        Yaml::List(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            writeln!(text, " [{}]", items.join(", "))
        }
        Yaml::Map(_) => writeln!(text, " {{}}"),
    };
}

/// In a line with others, where commas and brackets have a meaning.
fn flow(value: &Yaml) -> String {
    match value {
        Yaml::Own(word) | Yaml::Free(word) => quoted(word),
        Yaml::Noted(word, _) => quoted(word),
        Yaml::Number(number) => number.to_string(),
        Yaml::Bool(is) => is.to_string(),
        Yaml::Null | Yaml::Map(_) => "null".into(),
        Yaml::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
    }
}

/// Lines that nothing must be added to or taken from: each ends, shows all that it has, and the first is neither empty nor
/// indented.
fn is_block(text: &str) -> bool {
    let lines = text.strip_suffix('\n').is_some_and(|lines| {
        !lines.is_empty()
            && !lines.starts_with([' ', '\n'])
            && lines.split('\n').all(|line| !line.ends_with(' '))
    });
    lines && !text.ends_with("\n\n") && text.bytes().all(|byte| byte == b'\n' || is_shown(byte))
}

fn is_shown(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// A text in one line.
fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Words that mean something else to one of the readers, whatever their case.
const TAKEN: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", ".inf", ".nan"];

fn is_plain(text: &str) -> bool {
    let word = text.strip_prefix('.').filter(|rest| !rest.starts_with(['/', '$'])).unwrap_or(text);
    word.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '$' | '/'))
        && text.bytes().all(is_shown)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !TAKEN.iter().any(|taken| text.eq_ignore_ascii_case(taken))
}

/// As in JSON, with what is not ASCII as YAML escapes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\n' => write!(quoted, "\\n"),
            ' '..='~' => write!(quoted, "{c}"),
            c if u32::from(c) > 0xffff => write!(quoted, "\\U{:08x}", u32::from(c)),
            c => write!(quoted, "\\u{:04x}", u32::from(c)),
        };
    }
    quoted.push('"');
    quoted
}

/// For a comment, which ends with its line.
fn visible(line: &str) -> String {
    line.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// What a reader of YAML must find.
#[cfg(test)]
impl From<&Yaml> for serde_json::Value {
    fn from(yaml: &Yaml) -> Self {
        match yaml {
            Yaml::Map(map) => Self::from(map),
            Yaml::List(items) => items.iter().map(Self::from).collect(),
            Yaml::Own(text) | Yaml::Free(text) => Self::from(text.as_str()),
            Yaml::Number(number) => Self::from(*number),
            Yaml::Bool(is) => Self::from(*is),
            Yaml::Null => Self::Null,
            Yaml::Noted(text, _) => Self::from(*text),
        }
    }
}

#[cfg(test)]
impl From<&Map> for serde_json::Value {
    fn from(Map(entries): &Map) -> Self {
        Self::Object(entries.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
    }
}
