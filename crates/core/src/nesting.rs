//! How deep tables lie in a TOML text. Its parser bounds brackets and dotted keys, but not one in the other: such a
//! document it reads, and to look at it or to drop it takes more stack than there is.

use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};
use toml_parser::{ParseError, Source};

/// Brackets in brackets, as the parser of recipes counts them.
const MAX_BRACKETS: u32 = 80;

/// No recipe goes anywhere near it.
pub const MAX_DEPTH: usize = 256;

/// Tables and arrays lie deeper in each other than [`MAX_DEPTH`]. Asks before anything reads the text.
pub fn too_deep(text: &str) -> bool {
    depth(&events(text).0) > MAX_DEPTH
}

/// What the parser sees in a text, in order, and whether it is TOML.
pub(crate) fn events(text: &str) -> (Vec<Event>, bool) {
    let tokens = Source::new(text).lex().into_vec();
    let mut events = Vec::new();
    let mut error: Option<ParseError> = None;
    parse_document(&tokens, &mut RecursionGuard::new(&mut events, MAX_BRACKETS), &mut error);
    (events, error.is_none())
}

/// The deepest place in the document.
pub(crate) fn depth(events: &[Event]) -> usize {
    let (mut header, mut in_header) = (0, false);
    // The parts of the key that each open bracket stands behind; the last is the key that is being read.
    let mut keys = vec![0];
    let (mut depth, mut deepest) = (0, 0);
    for event in events {
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                in_header = true;
                depth -= header;
                header = 0;
            }
            EventKind::StdTableClose | EventKind::ArrayTableClose => in_header = false,
            EventKind::SimpleKey => {
                if in_header {
                    header += 1;
                } else if let Some(parts) = keys.last_mut() {
                    *parts += 1;
                }
                depth += 1;
            }
            EventKind::ValueSep | EventKind::Newline => {
                depth -= keys.last_mut().map_or(0, std::mem::take);
            }
            EventKind::ArrayOpen | EventKind::InlineTableOpen => {
                keys.push(0);
                depth += 1;
            }
            EventKind::ArrayClose | EventKind::InlineTableClose if keys.len() > 1 => {
                depth -= keys.pop().unwrap_or(0) + 1;
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, depth, events, too_deep};

    #[test]
    fn keys_and_brackets_count() {
        for (text, wanted) in [
            ("", 0),
            ("a = 1\nb.c = 1", 2),
            ("[a.b]\nc = 1\n[d]\ne = 1\n", 3),
            ("[[a.b]]\nc.d = [1, [2], { e = 1, f.g.h = 1 }]\n[x]", 9),
            ("a = {\n b = 1,\n c = 1,\n d = { e = 1 } }\nx = 1", 5),
            ("]]]}}} = [[", 0),
        ] {
            assert_eq!(depth(&events(text).0), wanted, "{text}");
        }
    }

    #[test]
    fn a_small_text_can_be_too_deep() {
        let key = vec!["a"; 79].join(".");
        let open = format!("{key} = {{ ").repeat(79);
        assert!(too_deep(&format!("{open}a = 1{}\n", " }".repeat(79))));
        assert!(too_deep(&open));
        assert!(!too_deep(&format!("[{key}]\n{key} = 1\n")));
        assert!(!too_deep(&"[".repeat(MAX_DEPTH * 2)));
    }
}
