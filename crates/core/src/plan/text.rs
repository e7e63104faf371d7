//! An argument of a command: literal text, values that only a run knows, and the recipe's folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::{SmallVec, smallvec};

/// One argument, path or file content: a concatenation of [`Part`]s. Most have one; a plan has very many.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(SmallVec<[Part; 1]>);

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Text known when the plan is made.
    Literal(String),
    /// An output of another instance, known when that instance has run.
    Late(Arc<Late>),
    /// The absolute path of the recipe's folder: bound on the machine that runs the plan.
    Here,
}

/// A reference to an output that is known only after its instance has run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Late {
    /// The instance that yields the value, such as `image@arm64`.
    pub instance: String,
    /// The name of its output, such as `id`.
    pub output: String,
    /// What the value must look like before it may be used.
    pub grammar: Grammar,
}

/// What a late value must look like before it enters an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grammar {
    /// 40 or 64 lower-case hexadecimal digits: a git object id.
    Hex,
    /// `sha256:` and 64 lower-case hexadecimal digits.
    Digest,
    /// Decimal digits: seconds since the epoch.
    Number,
    /// Anything, also of several lines. Only checks may read it; it enters no argument.
    Any,
}

impl Grammar {
    /// The value may be used where this grammar is asked for.
    pub fn accepts(self, value: &str) -> bool {
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match self {
            Self::Hex => matches!(value.len(), 40 | 64) && hex(value),
            Self::Digest => value.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && hex(rest)),
            Self::Number => (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()),
            Self::Any => true,
        }
    }

    /// For messages: `a git object id`.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Hex => "a git object id (40 or 64 hexadecimal digits)",
            Self::Digest => "a digest (`sha256:` and 64 hexadecimal digits)",
            Self::Number => "a number",
            Self::Any => "any text",
        }
    }
}

impl Late {
    /// The name under which `plan --format sh` keeps the value; no two values share one.
    pub fn shell_variable(&self) -> String {
        // Every `_` begins one of four words, so names can be told apart: `a-b` from `a_b`, `x@y` from `x-at-y`.
        let mut name = String::new();
        for c in self.instance.chars().chain(['.']).chain(self.output.chars()) {
            match c {
                '@' => name.push_str("_at_"),
                '.' => name.push_str("_dot_"),
                '_' => name.push_str("_u_"),
                c if c.is_ascii_alphanumeric() => name.push(c),
                _ => name.push_str("__"),
            }
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}>", self.instance, self.output)
    }
}

impl Text {
    /// An empty text, to be pushed to.
    pub fn new() -> Self {
        Self::default()
    }

    /// The recipe's folder followed by `/path`.
    pub fn here(path: &str) -> Self {
        Self(smallvec![Part::Here, Part::Literal(format!("/{path}"))])
    }

    /// One late value.
    pub fn late(instance: &str, output: &str, grammar: Grammar) -> Self {
        Self::from_late(Late { instance: instance.into(), output: output.into(), grammar })
    }

    /// The same of a reference made before.
    pub fn from_late(late: Late) -> Self {
        Self(smallvec![Part::Late(Arc::new(late))])
    }

    /// Appends literal text.
    #[must_use]
    pub fn lit(mut self, text: &str) -> Self {
        self.push_str(text);
        self
    }

    /// Appends another text.
    #[must_use]
    pub fn then(mut self, other: &Text) -> Self {
        for part in &other.0 {
            match part {
                Part::Literal(text) => self.push_str(text),
                part => self.0.push(part.clone()),
            }
        }
        self
    }

    fn push_str(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Part::Literal(last)) = self.0.last_mut() {
            last.push_str(text);
        } else {
            self.0.push(Part::Literal(text.to_owned()));
        }
    }

    /// The pieces, neighbouring literals joined.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The text, if all of it is known when the plan is made.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The late values in it.
    pub fn lates(&self) -> impl Iterator<Item = &Late> {
        self.0.iter().filter_map(|part| match part {
            Part::Late(late) => Some(&**late),
            _ => None,
        })
    }

    /// The text with every late value put in.
    ///
    /// `here` is the recipe's folder; `value` yields what has been recorded for a late value. An unknown value, or one
    /// that does not match its grammar, is an error that says which.
    pub fn resolve<'v>(
        &self,
        here: &Path,
        value: &dyn Fn(&Late) -> Option<&'v str>,
    ) -> Result<OsString, LateError> {
        let mut out = OsString::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push(text),
                Part::Here => out.push(here),
                Part::Late(late) => {
                    let value = value(late).ok_or_else(|| LateError::Unknown(late.to_string()))?;
                    if !late.grammar.accepts(value) {
                        return Err(LateError::Malformed {
                            late: late.to_string(),
                            value: value.chars().take(80).collect(),
                            expected: late.grammar.describe(),
                        });
                    }
                    out.push(value);
                }
            }
        }
        Ok(out)
    }
}

/// A late value could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LateError {
    /// Nothing recorded it: the instance did not run, or yielded no such output.
    #[error("the value of {0} is not known: the step that yields it has not run")]
    Unknown(String),
    /// A tool printed something else than what was asked of it.
    #[error("the value of {late} is not {expected}: `{value}`")]
    Malformed {
        /// The reference, as plans show it.
        late: String,
        /// What was recorded, at most 80 characters.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new().lit(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.is_empty() { Self::new() } else { Self(smallvec![Part::Literal(text)]) }
    }
}

/// The form that plans show: `<source.commit>` for late values, `$PWD` for the recipe's folder.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Literal(text) => f.write_str(text)?,
                Part::Late(late) => write!(f, "{late}")?,
                Part::Here => f.write_str("$PWD")?,
            }
        }
        Ok(())
    }
}

/// A literal is written as a string, anything else as a list of strings and objects, so that plans stay readable.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Literal(String),
    Parts(Vec<WirePart>),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WirePart {
    Literal(String),
    Late { late: Late },
    Here { here: () },
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_literal() {
            Some(text) => Wire::Literal(text.to_owned()),
            None => Wire::Parts(
                self.0
                    .iter()
                    .map(|part| match part {
                        Part::Literal(text) => WirePart::Literal(text.clone()),
                        Part::Late(late) => WirePart::Late { late: Late::clone(late) },
                        Part::Here => WirePart::Here { here: () },
                    })
                    .collect(),
            ),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Literal(text) => text.into(),
            Wire::Parts(parts) => Self(
                parts
                    .into_iter()
                    .map(|part| match part {
                        WirePart::Literal(text) => Part::Literal(text),
                        WirePart::Late { late } => Part::Late(Arc::new(late)),
                        WirePart::Here { .. } => Part::Here,
                    })
                    .collect(),
            ),
        })
    }
}

/// Every late value in some texts, each once.
pub fn lates<'t>(texts: impl IntoIterator<Item = &'t Text>) -> BTreeSet<Late> {
    texts.into_iter().flat_map(Text::lates).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Text {
        Text::late("source", "commit", Grammar::Hex)
    }

    #[test]
    fn literals_join_and_survive_json() {
        let text = Text::from("refs/").lit("heads/").then(&commit()).lit(" x");
        assert_eq!(text.to_string(), "refs/heads/<source.commit> x");
        assert_eq!(text.parts().len(), 3);
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
        assert_eq!(serde_json::to_string(&Text::from("plain")).unwrap(), "\"plain\"");
        let here = Text::here("out");
        assert_eq!(serde_json::from_str::<Text>(&serde_json::to_string(&here).unwrap()).unwrap(), here);
    }

    #[test]
    fn shell_variables_are_valid_and_never_shared() {
        let variable = |instance: &str| {
            Late { instance: instance.into(), output: "id".into(), grammar: Grammar::Any }.shell_variable()
        };
        assert_eq!(variable("image@arm64"), "image_at_arm64_dot_id");
        let ids = ["a-b", "a_b", "a.b", "a@b", "a-at-b", "a_at_b", "1a", "-1a"];
        let names: BTreeSet<String> = ids.iter().map(|id| variable(id)).collect();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        assert!(names.iter().all(|name| !name.starts_with(|c: char| c.is_ascii_digit())));
    }

    #[test]
    fn a_value_of_the_wrong_shape_enters_nothing() {
        let root = Path::new("/r");
        let good = "a".repeat(40);
        let resolved = commit().resolve(root, &|_| Some(&good)).unwrap();
        assert_eq!(resolved, OsString::from(&good));
        let error = commit().resolve(root, &|_| Some("--upload-pack=x")).unwrap_err();
        assert!(matches!(error, LateError::Malformed { .. }), "{error}");
        assert!(matches!(commit().resolve(root, &|_| None).unwrap_err(), LateError::Unknown(_)));
        assert_eq!(Text::here("a b").resolve(root, &|_| None).unwrap(), OsString::from("/r/a b"));
    }
}
