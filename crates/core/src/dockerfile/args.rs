//! `ARG` defaults, and what they make of a word.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// Nested `${A:-${B:-…}}` deeper than anyone writes.
const DEPTH_MAX: usize = 16;

/// Longer than any image name: doubling arguments (`ARG A=$B$B`) would fill the memory.
const LENGTH_MAX: usize = 4096;

/// What a build is given, and what its engine knows by itself.
#[derive(Debug, Clone, Default)]
pub struct BuildArgs {
    /// Values for `ARG`s that the Dockerfile declares, by name.
    pub given: HashMap<String, String>,
    /// Values of what the build sets by itself, such as `TARGETARCH`.
    pub automatic: HashMap<String, String>,
}

/// What the build sets by itself before the first `ARG`: which platform it is for, and which it runs on.
const OF_THE_BUILD: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

/// The arguments before the first `FROM`. Those without a default are not there; those with a value that only the build
/// knows have none here.
#[derive(Debug)]
pub(super) struct Args {
    values: HashMap<String, Option<String>>,
    /// Values for those that the Dockerfile declares.
    given: HashMap<String, String>,
    /// What takes away the meaning of the character after it: a backslash, or what the directive `escape` says.
    escape: char,
}

/// What a word becomes when no build argument is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expanded {
    /// All of it is known.
    Known(String),
    /// What stands before, between and after parts that only the build knows, such as `$TARGETARCH`.
    Partly(Vec<String>),
}

impl Expanded {
    pub(super) fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Partly(_) => None,
        }
    }

    /// The word could become `name`, whatever the build knows. A word with no text of its own is taken for no name.
    pub(super) fn could_be(&self, name: &str) -> bool {
        match self {
            Self::Known(text) => text.eq_ignore_ascii_case(name),
            Self::Partly(parts) => {
                let name = name.to_ascii_lowercase();
                let parts: Vec<_> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
                let [first, middle @ .., last] = parts.as_slice() else { return false };
                let rest =
                    name.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()));
                let Some(mut rest) = rest else { return false };
                for part in middle {
                    let Some(found) = rest.find(part.as_str()) else { return false };
                    rest = &rest[found + part.len()..];
                }
                parts.iter().any(|part| !part.is_empty())
            }
        }
    }
}

impl Args {
    pub(super) fn new(escape: char) -> Self {
        Self::of(escape, &BuildArgs::default())
    }

    pub(super) fn of(escape: char, args: &BuildArgs) -> Self {
        let automatic = |name: &&str| ((*name).to_owned(), args.automatic.get(*name).cloned());
        Self { values: OF_THE_BUILD.iter().map(automatic).collect(), given: args.given.clone(), escape }
    }

    /// Adds the operands of one `ARG`, such as `A=1 B="$A.2" C`.
    pub(super) fn declare(&mut self, operands: &str) {
        for word in words(operands, self.escape) {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name, Some(default)),
                None => (word.as_str(), None),
            };
            let value = match (self.given.get(name), default.map(|default| self.expand(default))) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(Expanded::Known(default))) => Some(default),
                (None, Some(Expanded::Partly(_))) => None,
                (None, None) => continue,
            };
            self.values.insert(name.to_owned(), value);
        }
    }

    /// What a word becomes: quotes are removed, variables get their defaults.
    pub(super) fn expand(&self, word: &str) -> Expanded {
        let mut reader = Reader { args: self, chars: word.chars().peekable(), parts: vec![String::new()] };
        reader.read(0);
        let mut parts = reader.parts;
        if let [known] = parts.as_mut_slice() {
            return Expanded::Known(std::mem::take(known));
        }
        Expanded::Partly(parts)
    }
}

/// Splits at spaces outside quotes; quotes and escapes stay.
fn words(text: &str, escape: char) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, quote) {
            (_, None | Some('"')) if char == escape => {
                word.push(char);
                word.extend(chars.next());
                continue;
            }
            ('"' | '\'', None) => quote = Some(char),
            (_, Some(open)) if char == open => quote = None,
            (_, None) if char.is_whitespace() => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            _ => {}
        }
        word.push(char);
    }
    words.push(word);
    words
}

struct Reader<'a> {
    args: &'a Args,
    chars: Peekable<Chars<'a>>,
    /// Known text; a variable without a known value lies between two parts.
    parts: Vec<String>,
}

impl Reader<'_> {
    fn push(&mut self, text: &str) {
        if let Some(last) = self.parts.last_mut() {
            if last.len() + text.len() <= LENGTH_MAX {
                last.push_str(text);
            } else {
                self.unknown();
            }
        }
    }

    fn unknown(&mut self) {
        // Neighbours without text between them are one gap; a long row of gaps is no name either.
        if self.parts.len() < 2 || self.parts.last().is_some_and(|last| !last.is_empty()) {
            self.parts.push(String::new());
        }
    }

    fn read(&mut self, depth: usize) {
        let (mut quoted, escape) = (false, self.args.escape);
        while let Some(char) = self.chars.next() {
            match char {
                '\'' if !quoted => {
                    while let Some(char) = self.chars.next_if(|char| *char != '\'') {
                        self.push(char.encode_utf8(&mut [0; 4]));
                    }
                    self.chars.next();
                }
                '"' => quoted = !quoted,
                _ if char == escape => {
                    // At the end it is nothing.
                    let Some(next) = self.chars.next() else { break };
                    if quoted && !matches!(next, '"' | '$') && next != escape {
                        self.push(escape.encode_utf8(&mut [0; 4]));
                    }
                    self.push(next.encode_utf8(&mut [0; 4]));
                }
                '$' => self.variable(depth),
                _ => self.push(char.encode_utf8(&mut [0; 4])),
            }
        }
    }

    /// What follows a `$`.
    fn variable(&mut self, depth: usize) {
        let braced = self.chars.next_if_eq(&'{').is_some();
        let mut name = String::new();
        let digits = self.chars.peek().is_some_and(char::is_ascii_digit);
        let is_part =
            |char: &char| if digits { char.is_ascii_digit() } else { char.is_alphanumeric() || *char == '_' };
        if let Some(special) = self.chars.next_if(|char| "@*#?-$!".contains(*char)) {
            name.push(special);
        } else {
            while let Some(char) = self.chars.next_if(is_part) {
                name.push(char);
            }
        }
        let operator = if braced { self.until_brace() } else { String::new() };
        if name.is_empty() {
            // `$` alone is no variable, `${}` an error that the build reports.
            return if braced { self.unknown() } else { self.push("$") };
        }
        let value = match self.args.values.get(&name) {
            // Whether it is empty is for the build to say.
            Some(None) => return self.unknown(),
            Some(Some(value)) => Some(value.clone()),
            None => None,
        };
        // With a colon, an empty value counts as none.
        let (operator, value) = match operator.strip_prefix(':') {
            Some(rest) => (rest, value.filter(|value| !value.is_empty())),
            None => (operator.as_str(), value),
        };
        let word = operator.get(1..).unwrap_or_default();
        match (operator.chars().next(), value) {
            (None | Some('-' | '?'), Some(value)) => self.push(&value),
            (Some('+'), Some(_)) | (Some('-'), None) => self.nested(word, depth),
            (Some('+'), None) => {}
            // Not set, or edited in a way that is left to the build (`${A%x}`, `${A/x/y}`).
            _ => self.unknown(),
        }
    }

    /// The text up to the brace that closes this variable.
    fn until_brace(&mut self) -> String {
        let (mut text, mut open) = (String::new(), 1);
        for char in self.chars.by_ref() {
            match char {
                '{' => open += 1,
                '}' => open -= 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
            text.push(char);
        }
        text
    }

    fn nested(&mut self, word: &str, depth: usize) {
        if depth >= DEPTH_MAX {
            return self.unknown();
        }
        let mut inner =
            Reader { args: self.args, chars: word.chars().peekable(), parts: vec![String::new()] };
        inner.read(depth + 1);
        for (index, part) in inner.parts.iter().enumerate() {
            if index > 0 {
                self.unknown();
            }
            self.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_what_the_build_makes_of_them() {
        let mut args = Args::new('\\');
        args.declare(r#"V=3.4 BASE="alpine:$V" NONE EMPTY= QUOTED='a b' "ODD=x y" FROM_NONE=x-$NONE"#);
        for (word, expanded) in [
            ("alpine:3.4", "alpine:3.4"),
            ("${BASE}", "alpine:3.4"),
            ("$BASE", "alpine:3.4"),
            ("\"alpine:$V\"", "alpine:3.4"),
            ("'alpine:$V'", "alpine:$V"),
            ("al\\pine:\\$V", "alpine:$V"),
            ("x${EMPTY}y", "xy"),
            ("${NONE:-alpine}", "alpine"),
            ("${EMPTY:-alpine}", "alpine"),
            ("${EMPTY-alpine}", ""),
            ("${NONE:-a${V:+-$V}}", "a-3.4"),
            ("${NONE+x}y", "y"),
            ("${V:?must be set}", "3.4"),
            ("a$", "a$"),
        ] {
            assert_eq!(args.expand(word), Expanded::Known(expanded.into()), "{word}");
        }
        for word in ["$NONE", "${NONE}", "${V%.*}", "${V/3/4}", "${}", "$FROM_NONE", "a${TARGETARCH}b"] {
            assert_eq!(args.expand(word).known(), None, "{word}");
        }
    }

    #[test]
    fn what_the_build_sets_has_no_default() {
        let mut args = Args::new('\\');
        args.declare("A=${TARGETPLATFORM#linux/amd64} B=${A:+x} OWN=1 BUILDOS=mine");
        for word in [
            "${TARGETARCH:-amd64}",
            "${TARGETARCH:+x}",
            "${A:-x}",
            "${A-x}",
            "$B",
            "${B:-x}",
            "${BUILDARCH+x}",
        ] {
            assert_eq!(args.expand(word).known(), None, "{word}");
        }
        assert_eq!(args.expand("$BUILDOS-$OWN").known(), Some("mine-1"));
    }

    #[test]
    fn the_escape_is_what_the_directive_says() {
        let mut args = Args::new('`');
        args.declare("A=`$x`\"y B=c:\\d");
        assert_eq!(args.expand("$A").known(), Some("$x\"y"));
        assert_eq!(args.expand("\"`a`$$B\"").known(), Some("`a$c:\\d"));
    }

    #[test]
    fn an_unknown_part_leaves_the_rest_to_compare() {
        let expand = |word| Args::new('\\').expand(word);
        assert!(expand("build-$TARGETARCH").could_be("Build-arm64"));
        assert!(expand("$A-build-$B").could_be("x-build-y"));
        assert!(!expand("build-$TARGETARCH").could_be("base-arm64"));
        assert!(!expand("ab${X}ba").could_be("aba"));
        assert!(!expand("$BASE").could_be("build"));
        assert!(expand("Build").could_be("build"));
    }

    #[test]
    fn no_word_grows_without_bound() {
        let mut args = Args::new('\\');
        args.declare("A=xxxxxxxxxxxxxxxx");
        for _ in 0..64 {
            args.declare("A=$A$A");
        }
        assert!(args.expand("$A").known().is_none());
        let deep = "${N:-".repeat(10_000) + &"}".repeat(10_000);
        assert!(args.expand(&deep).known().is_none());
        let wide = "$N.".repeat(100_000);
        let _ = args.expand(&wide);
    }
}
