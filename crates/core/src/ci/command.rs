//! The command of a job, for forms that hand a shell values in different ways.

use crate::frozen::Target;

/// A word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Ours, and nothing to a shell.
    Own(String),
    /// `OPTION=VALUE`, or the value alone where the option is empty. The name is for those who hand it in the environment.
    Value { option: &'static str, name: String, value: String },
    /// The name of the job's target behind what is ours.
    Target(&'static str),
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line(pub(super) Vec<Word>);

impl Line {
    /// Words of ours, which stand between blanks.
    pub(super) fn of(words: &str) -> Self {
        Self(words.split(' ').map(|word| Word::Own(word.to_owned())).collect())
    }

    pub(super) fn word(mut self, word: Word) -> Self {
        self.0.push(word);
        self
    }

    pub(super) fn words(self, words: &str) -> Self {
        let mut line = self;
        line.0.extend(Self::of(words).0);
        line
    }

    /// For a shell that finds the values and the target in its environment.
    pub(super) fn by_environment(&self) -> String {
        self.shell(
            |option, name, _| {
                if option.is_empty() { format!("\"${name}\"") } else { format!("{option}=\"${name}\"") }
            },
            |before| format!("\"{before}$TARGET\""),
        )
    }

    /// For a shell that finds the target in its environment, and the values in the line.
    pub(super) fn by_target(&self) -> String {
        self.shell(|option, _, value| whole(option, value), |before| format!("\"{before}$TARGET\""))
    }

    /// For a shell that finds everything in the line.
    pub(super) fn literal(&self, target: Option<&Target>) -> String {
        let target = target.map(|target| target.name.as_str()).unwrap_or_default();
        self.shell(|option, _, value| whole(option, value), |before| quoted(&format!("{before}{target}")))
    }

    fn shell(&self, value: impl Fn(&str, &str, &str) -> String, target: impl Fn(&str) -> String) -> String {
        let words = self.0.iter().map(|word| match word {
            Word::Own(word) => word.clone(),
            Word::Value { option, name, value: text } => value(option, name, text),
            Word::Target(before) => target(before),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The values with the names that the environment has for them.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|word| match word {
            Word::Value { name, value, .. } => Some((name.as_str(), value.as_str())),
            Word::Own(_) | Word::Target(_) => None,
        })
    }
}

fn whole(option: &str, value: &str) -> String {
    quoted(&if option.is_empty() { value.to_owned() } else { format!("{option}={value}") })
}

/// One word to a shell. A text with a zero byte is none, and has been refused.
pub(super) fn quoted(text: &str) -> String {
    shlex::try_quote(text).map(std::borrow::Cow::into_owned).unwrap_or_default()
}
