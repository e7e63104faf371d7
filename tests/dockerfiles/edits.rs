//! Edits of one Dockerfile: what must change is what BuildKit sees, and so is what must not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use pipeline_core::dockerfile::{Base, BaseKind, Rewritten, Rules, rewrite};

use crate::reference::{Answer, Reference};

/// An image that no Dockerfile names.
const NEW: &str = "registry.example/never/named:0";

/// What a rule asks to be replaced: stages, and images of `COPY --from` and `RUN --mount`, by their numbers.
#[derive(Debug, Default)]
struct Asked {
    stages: BTreeSet<usize>,
    others: BTreeSet<usize>,
}

/// How many edits of a text were right; what was wrong with the others.
pub(crate) struct Edits<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) ours: &'a [Base],
    pub(crate) theirs: &'a Answer,
    /// Reads the edited texts; without it they are compared with the original only.
    pub(crate) reference: Option<&'a mut Reference>,
    /// Whether `diff` looks at them too, which takes its time.
    pub(crate) diff: bool,
    pub(crate) right: usize,
    pub(crate) wrong: Vec<String>,
}

impl Edits<'_> {
    /// Every stage alone, every image, all of them, and the one base where there is one.
    pub(crate) fn all(&mut self) {
        assert!(!self.ours.iter().any(|base| base.image.contains(NEW)));
        let froms: Vec<_> = self.ours.iter().filter(|base| base.kind == BaseKind::From).collect();
        // Where BuildKit cannot know, ours is as good.
        let external = |index: &usize| {
            let stage = &self.theirs.stages[*index];
            stage.expanded.as_ref().map_or(froms[*index].external, |_| stage.external())
        };
        let stages = 0..self.theirs.stages.len();
        let externals: BTreeSet<_> = stages.clone().filter(external).collect();
        let distinct: BTreeSet<_> = externals
            .iter()
            .map(|index| &self.theirs.stages[*index])
            .map(|stage| (stage.expanded.as_ref().unwrap_or(&stage.base), &stage.platform))
            .collect();
        let mut rules = Vec::new();
        for index in stages {
            let is_scratch = self.theirs.stages[index].expanded.as_deref() == Some("scratch");
            let asked = Asked { stages: [index].into(), ..Asked::default() };
            let possible = is_scratch || externals.contains(&index);
            rules.push((
                Rules::Stage { stage: index.to_string(), from: NEW.into() },
                possible.then_some(asked),
            ));
        }
        let asked = || Asked { stages: externals.clone(), ..Asked::default() };
        rules.push((Rules::All(NEW.into()), (!externals.is_empty()).then(asked)));
        rules.push((Rules::From(NEW.into()), (distinct.len() == 1).then(asked)));
        for key in self.keys(&externals) {
            let is_key = |word: &String| *word == key;
            let stages = externals.iter().copied().filter(|index| {
                let stage = &self.theirs.stages[*index];
                is_key(&stage.base) || stage.expanded.as_ref().is_some_and(is_key)
            });
            let others = self.theirs.others.iter().enumerate().filter(|(_, other)| is_key(&other.image));
            let asked = Asked { stages: stages.collect(), others: others.map(|(index, _)| index).collect() };
            rules.push((Rules::Replace(BTreeMap::from([(key, NEW.into())])), Some(asked)));
        }
        for (rules, asked) in rules {
            match self.one(&rules, asked.as_ref()) {
                Ok(()) => self.right += 1,
                Err(why) => self.wrong.push(format!("{rules:?}: {why}")),
            }
        }
    }

    fn keys(&self, externals: &BTreeSet<usize>) -> BTreeSet<String> {
        let stages = externals.iter().map(|index| &self.theirs.stages[*index]);
        stages
            .flat_map(|stage| [Some(stage.base.clone()), stage.expanded.clone()])
            .flatten()
            .chain(self.theirs.others.iter().map(|other| other.image.clone()))
            .collect()
    }

    fn one(&mut self, rules: &Rules, asked: Option<&Asked>) -> Result<(), String> {
        let rewritten = match (rewrite(self.text, rules), asked) {
            (Ok(rewritten), Some(_)) => rewritten,
            (Err(_), None) => return Ok(()),
            (Ok(_), None) => return Err("was done".into()),
            (Err(error), Some(_)) => return Err(error.to_string()),
        };
        let asked = asked.ok_or("nothing was asked")?;
        if rewritten.changes.len() != asked.stages.len() + asked.others.len() {
            return Err(format!("{} changes for {asked:?}", rewritten.changes.len()));
        }
        self.can_be_undone(&rewritten)?;
        if self.diff {
            self.only_those_lines(&rewritten, asked)?;
        }
        self.reads_as_asked(&rewritten, asked)
    }

    /// With the old words in the place of the new ones, it is the original.
    fn can_be_undone(&self, rewritten: &Rewritten) -> Result<(), String> {
        let mut undone: Vec<u8> = Vec::new();
        let mut rest = &*rewritten.bytes;
        for change in &rewritten.changes {
            let at = position(rest, NEW.as_bytes()).ok_or("fewer new words than changes")?;
            undone.extend(&rest[..at]);
            rest = &rest[at + NEW.len()..];
            undone.extend(
                written(&self.text[undone.len()..], &change.from).ok_or("the old word was not there")?,
            );
        }
        undone.extend(rest);
        if undone == self.text { Ok(()) } else { Err("undone, it is not the original".into()) }
    }

    /// What `diff` sees changed is within the instructions.
    fn only_those_lines(&self, rewritten: &Rewritten, asked: &Asked) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old");
        std::fs::write(&old, self.text).unwrap();
        let formats = ["--old-line-format=%dn ", "--new-line-format=", "--unchanged-line-format="];
        let mut diff = Command::new("diff")
            .arg("--text")
            .args(formats)
            .arg(old)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        diff.stdin.take().unwrap().write_all(&rewritten.bytes).unwrap();
        let output = diff.wait_with_output().unwrap();
        let stages = asked.stages.iter().map(|index| &self.theirs.stages[*index]);
        let others = asked.others.iter().map(|index| &self.theirs.others[*index]);
        let allowed: BTreeSet<_> = stages
            .map(|stage| stage.first..=stage.last)
            .chain(others.map(|other| other.first..=other.last))
            .flatten()
            .collect();
        let text = String::from_utf8(output.stdout).unwrap();
        let changed: BTreeSet<usize> = text.split_whitespace().map(|line| line.parse().unwrap()).collect();
        let more: Vec<_> = changed.difference(&allowed).collect();
        if more.is_empty() { Ok(()) } else { Err(format!("changed lines {more:?}")) }
    }

    /// BuildKit sees the new image where it was asked for, and in all else what it saw before.
    fn reads_as_asked(&mut self, rewritten: &Rewritten, asked: &Asked) -> Result<(), String> {
        let Some(reference) = self.reference.as_mut() else { return Ok(()) };
        let after = reference.read(&rewritten.bytes);
        let mut expected = self.theirs.clone();
        let mut edited = BTreeSet::new();
        for index in &asked.stages {
            let stage = &mut expected.stages[*index];
            (stage.base, stage.expanded, stage.on) = (NEW.into(), Some(NEW.into()), None);
            edited.insert(stage.first);
        }
        for index in &asked.others {
            expected.others[*index].image = NEW.into();
            edited.insert(expected.others[*index].first);
        }
        let what = |answer: &Answer| {
            // Lines differ where a name was spread over several.
            let stages: Vec<_> = answer
                .stages
                .iter()
                .map(|one| format!("{:?}", (&one.name, &one.base, &one.platform, &one.expanded, one.on)))
                .collect();
            let others: Vec<_> =
                answer.others.iter().map(|one| (one.stage, one.kind.clone(), one.image.clone())).collect();
            (stages, others, answer.error.clone())
        };
        if what(&after) != what(&expected) {
            return Err(format!("reads as {:?}, not {:?}", what(&after), what(&expected)));
        }
        let nodes = expected.nodes.iter().zip(&after.nodes);
        let untouched = nodes.clone().filter(|(before, _)| !edited.contains(&before.first));
        let same = untouched.clone().all(|(before, after)| before.text == after.text);
        if expected.nodes.len() != after.nodes.len() || !same {
            return Err("reads as other instructions".into());
        }
        Ok(())
    }
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// The bytes at the start of `text` that are the word, when what joins lines is left out.
fn written<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    if text.starts_with(word.as_bytes()) {
        return Some(&text[..word.len()]);
    }
    let mut wanted = word.bytes().peekable();
    let mut at = 0;
    while wanted.peek().is_some() {
        let byte = *text.get(at)?;
        let end_of_line =
            |from: usize| text[from..].iter().position(|byte| *byte == b'\n').map(|to| from + to + 1);
        let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
        match end_of_line(at).filter(|end| matches!(byte, b'\\' | b'`') && is_blank(&text[at + 1..*end])) {
            Some(end) => {
                at = end;
                // Blank lines and comments do not end it.
                while let Some(end) = end_of_line(at).filter(|end| {
                    is_blank(&text[at..*end]) || text[at..*end].trim_ascii_start().starts_with(b"#")
                }) {
                    at = end;
                }
            }
            None => {
                wanted.next_if_eq(&byte)?;
                at += 1;
            }
        }
    }
    Some(&text[..at])
}
