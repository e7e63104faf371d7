//! Strings with `${…}` as text and as literals of TOML, and what selects targets.
#![no_main]

mod slowest;

use libfuzzer_sys::fuzz_target;
use pipeline_core::interp::{Piece, Template};
use pipeline_core::source::Sources;
use pipeline_core::spec::{Selector, Str, takes};
use serde::Deserialize;

fuzz_target!(|data: &[u8]| {
    slowest::timed(data, |data| {
        if let Ok(text) = std::str::from_utf8(data) {
            template(text);
            literal(text);
            selectors(text);
        }
    });
});

/// What is parsed and shown is parsed again as the same, and every place is one.
fn template(text: &str) {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(text.get(error.at.clone()).is_some_and(|at| at.starts_with("${")), "{error:?}");
            }
            return;
        }
    };
    for (name, at) in template.names() {
        assert_eq!(text[at.clone()], format!("${{{name}}}"));
    }
    let shown = template.to_string();
    assert_eq!(shown, text, "written otherwise");
    let again = Template::parse(&shown).unwrap();
    assert_eq!(again, template);
    assert!(!template.pieces.windows(2).any(|two| matches!(two, [Piece::Literal(_), Piece::Literal(_)])));
}

#[derive(Deserialize)]
struct Table {
    a: Str,
}

/// Every character of the value has its place in the literal, one after the other.
fn literal(text: &str) {
    let written = format!("a = {text}");
    let Ok(Table { a: string }) = toml::from_str(&written) else { return };
    let sources = Sources::one("a.toml", written);
    let whole = string.span.clone();
    let mut before = whole.start;
    for (at, c) in string.value.char_indices() {
        let place = string.place(&sources, &(at..at + c.len_utf8()));
        assert!(
            before <= place.start && place.start < place.end && place.end < whole.end,
            "{c:?} at {place:?}"
        );
        before = place.end;
        let piece = sources.slice(&place);
        assert!(!piece.is_empty(), "{c:?} at {place:?} cuts a character");
        let same = piece.starts_with(c) || piece.starts_with('\\') || (c == '\n' && piece.starts_with('\r'));
        assert!(same, "{c:?} is written {piece:?}");
    }
    let end = string.value.len();
    string.place(&sources, &(end..end));
    assert_eq!(string.place(&sources, &(end..end + 1)), whole, "there is nothing");
    if let Ok(template) = Template::parse(&string.value) {
        for (_, at) in template.names() {
            let place = string.place(&sources, at);
            assert!(whole.start < place.start && place.end < whole.end);
        }
    }
}

/// The first line is a name of a target, the second a value of the axis `a`; the others select.
fn selectors(text: &str) {
    let mut lines = text.lines();
    let (Some(name), Some(value)) = (lines.next(), lines.next()) else { return };
    let axis = |axis: &str| (axis == "a").then_some(value);
    let selectors: Vec<Selector> = lines.filter_map(|term| Selector::parse(term).ok()).take(8).collect();
    let all = takes(&selectors, &[name], axis);
    if let [one] = selectors.as_slice() {
        assert_eq!(all, one.takes(&[name], axis));
        assert_eq!(one.takes_name(name), one.axis().is_none() && all);
    }
    assert!(all || selectors.iter().any(|one| !one.takes(&[name], axis)));
}
