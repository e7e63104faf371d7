//! A string as it is written in TOML: which of its bytes stand where, also where escapes move things.

/// A string literal, quotes included.
pub(super) struct Literal<'t> {
    text: &'t str,
    quote: &'static str,
    escapes: bool,
}

impl<'t> Literal<'t> {
    /// What kind of string the text is; `None` where it is none.
    pub(super) fn of(text: &'t str) -> Option<Self> {
        ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| text.len() >= 2 * quote.len() && text.starts_with(quote) && text.ends_with(quote))
            .map(|quote| Self { text, quote, escapes: quote.starts_with('"') })
    }

    /// Where bytes of the value are written.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        let end = self.text.len() - self.quote.len();
        let mut at = self.quote.len();
        if self.quote.len() == 3 {
            // A line break right after the quotes is no part of the value.
            let rest = &self.text[at..end];
            at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
        }
        Cursor { literal: self, at, value: 0 }
    }
}

/// Goes once over a literal, so that many places cost no more than the last one.
pub(super) struct Cursor<'l> {
    literal: &'l Literal<'l>,
    at: usize,
    value: usize,
}

impl Cursor<'_> {
    /// Where a byte of the value is written, not before the last one that was asked; the end of the value is where the
    /// closing quotes begin.
    pub(super) fn offset(&mut self, wanted: usize) -> Option<usize> {
        let Literal { text, quote, escapes } = *self.literal;
        let end = text.len() - quote.len();
        loop {
            while escapes && quote.len() == 3 && line_ending(&text[self.at..end]) > 0 {
                self.at += line_ending(&text[self.at..end]);
            }
            if self.value >= wanted {
                return (self.value == wanted).then_some(self.at);
            }
            let c = text[self.at..end].chars().next()?;
            if c == '\\' && escapes {
                let (written, length) = escape(&text[self.at + 1..end])?;
                self.at += 1 + written;
                self.value += length;
            } else {
                self.at += c.len_utf8();
                self.value += c.len_utf8();
            }
        }
    }
}

/// How long a backslash at the end of a line is, with all the space that it swallows.
fn line_ending(text: &str) -> usize {
    let Some(rest) = text.strip_prefix('\\') else { return 0 };
    let line = rest.trim_start_matches([' ', '\t']);
    if !line.starts_with(['\n', '\r']) {
        return 0;
    }
    text.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len()
}

/// How many bytes an escape takes after its backslash, and how many the character that it stands for.
fn escape(text: &str) -> Option<(usize, usize)> {
    let digits = match text.bytes().next()? {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        _ => return Some((1, 1)),
    };
    let code = u32::from_str_radix(text.get(1..=digits)?, 16).ok()?;
    Some((1 + digits, char::from_u32(code)?.len_utf8()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text from the place of `${x}` on, in as many bytes.
    fn found(literal: &str) -> &str {
        let table: toml::Table = format!("a = {literal}").parse().unwrap();
        let at = table["a"].as_str().unwrap().find("${x}").unwrap();
        let written = Literal::of(literal).unwrap();
        let mut cursor = written.cursor();
        &literal[cursor.offset(at).unwrap()..cursor.offset(at + 4).unwrap()]
    }

    #[test]
    fn escapes_move_nothing() {
        for literal in [
            r#""${x}""#,
            r"'${x}'",
            r"'\u00fc${x}'",
            r#""\u00fc\t\"\\${x}""#,
            r#""\U0001f600ü${x}\n""#,
            "\"\"\"\n  ${x}\"\"\"",
            "\"\"\"\r\n${x}\"\"\"",
            "\"\"\"a \\\n   \\\n  b${x}\"\"\"",
            "\"\"\"\\\n   ${x}\"\"\"",
            "'''\na\n\\${x}'''",
        ] {
            assert_eq!(found(literal), "${x}", "{literal}");
        }
        assert_eq!(found(r#""\u0024{x}""#), r"\u0024{x}", "an escaped dollar is a dollar");
        assert!(Literal::of("12").is_none());
    }

    proptest! {
        #[test]
        fn every_offset_of_the_value_has_a_place(value in "([a-zü$]|[{]|\"|\\\\|\n|\t|\u{1f600}){0,12}") {
            let literal = toml::Value::String(value.clone()).to_string();
            let written = Literal::of(&literal).unwrap();
            let mut before = 0;
            let mut cursor = written.cursor();
            for (at, _) in value.char_indices() {
                let place = cursor.offset(at).unwrap();
                prop_assert!(literal.is_char_boundary(place) && place > before);
                before = place;
            }
            prop_assert!(cursor.offset(value.len()).unwrap() >= before);
            prop_assert_eq!(cursor.offset(value.len() + 1), None);
        }
    }
}
