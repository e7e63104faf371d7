//! Other images in place of those that a Dockerfile names.

use std::collections::{BTreeMap, BTreeSet};

use super::args::BuildArgs;
use super::diff::{Edit, diff};
use super::error::{DockerfileError, Mention};
use super::scan::{Base, BaseKind, scan};
use super::text::Text;
use crate::image::{Digest, ImageRef};

/// Which images to replace, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// The one external image that the Dockerfile builds on, wherever a `FROM` names it.
    ///
    /// Several such images are an error, and so is one image for several `--platform`s: only their author knows which
    /// of them is meant.
    From(String),
    /// The image of one stage, by its name or its number counted from 0.
    Stage {
        /// The stage.
        stage: String,
        /// The new image.
        from: String,
    },
    /// Every external image that the Dockerfile builds on, wherever a `FROM` names one.
    All(String),
    /// Images by their text, as written or with the defaults of `ARG`s, also those of `COPY --from` and `RUN --mount`.
    Replace(BTreeMap<String, String>),
}

/// A rewritten Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The whole new file.
    pub bytes: Vec<u8>,
    /// What was replaced, from top to bottom; empty when all of it was there already.
    pub changes: Vec<Change>,
    diff: String,
}

/// One replaced image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The line in the original, counted from 1.
    pub line: usize,
    /// The text that was there, continued lines joined.
    pub from: String,
    /// The text that is there now.
    pub to: String,
}

impl Rewritten {
    /// The changed lines, as `diff -U0` shows them: `@@ -1 +1 @@`, `-FROM a`, `+FROM b`. Empty when nothing changed.
    ///
    /// Lines are those of the file, and may hold anything.
    pub fn diff(&self) -> &str {
        &self.diff
    }
}

/// Replaces images in a Dockerfile and changes no other byte.
///
/// The whole operand is replaced, so `FROM ${BASE}` becomes `FROM new`, whatever is given as `BASE` later. Doing it
/// again changes nothing more, except that [`Rules::Replace`] then misses the images that are no longer there.
///
/// The new text is read again: it names the new images exactly where they were asked for, and what it named elsewhere.
pub fn rewrite(text: &[u8], rules: &Rules) -> Result<Rewritten, DockerfileError> {
    rewrite_given(text, rules, &BuildArgs::default())
}

/// The same with the arguments of a build, which decide what is a stage and what an image.
pub fn rewrite_given(text: &[u8], rules: &Rules, args: &BuildArgs) -> Result<Rewritten, DockerfileError> {
    let source = Text::of(text)?;
    let bases = scan(&source, args)?;
    let mut edits = Vec::new();
    let mut changes = Vec::new();
    let chosen = chosen(&bases, rules)?;
    for &(base, new) in &chosen {
        check_image(new)?;
        check_no_stage(&bases, base, new)?;
        // A text with a variable may mean the new image by default, but only the image itself means it always.
        if !base.image.contains('$') && base.expanded.as_deref() == Some(new) {
            continue;
        }
        let span = &base.span;
        edits.push(Edit { span: span.start + source.start..span.end + source.start, new });
        changes.push(Change { line: base.line, from: base.image.clone(), to: new.to_owned() });
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut end = 0;
    for edit in &edits {
        bytes.extend(&text[end..edit.span.start]);
        bytes.extend(edit.new.as_bytes());
        end = edit.span.end;
    }
    bytes.extend(&text[end..]);
    check_exact(&bases, &chosen, &scan(&Text::of(&bytes)?, args)?)?;
    Ok(Rewritten { bytes, changes, diff: diff(text, &edits) })
}

/// The operands to replace, in the order of the file, each with its new text.
fn chosen<'a>(bases: &'a [Base], rules: &'a Rules) -> Result<Vec<(&'a Base, &'a str)>, DockerfileError> {
    match rules {
        Rules::From(new) => {
            let externals: Vec<_> =
                bases.iter().filter(|base| base.kind == BaseKind::From && base.external).collect();
            let mut distinct: Vec<&Base> = Vec::new();
            for base in &externals {
                if !distinct.iter().any(|other| meaning(other) == meaning(base)) {
                    distinct.push(base);
                }
            }
            match distinct.as_slice() {
                [] => Err(DockerfileError::NoBase),
                [_] => Ok(externals.into_iter().map(|base| (base, new.as_str())).collect()),
                several => Err(DockerfileError::Ambiguous {
                    bases: several.iter().map(|base| mention(base)).collect(),
                    new: new.clone(),
                }),
            }
        }
        Rules::All(new) => {
            let externals = bases.iter().filter(|base| base.kind == BaseKind::From && base.external);
            let chosen: Vec<_> = externals.map(|base| (base, new.as_str())).collect();
            if chosen.is_empty() { Err(DockerfileError::NoBase) } else { Ok(chosen) }
        }
        Rules::Stage { stage, from } => Ok(vec![(stage_base(bases, stage)?, from.as_str())]),
        Rules::Replace(map) => replacements(bases, map),
    }
}

/// Two bases with the same meaning are one image for one platform.
fn meaning(base: &Base) -> (&str, Option<&str>) {
    (base.expanded.as_deref().unwrap_or(&base.image), base.platform.as_deref())
}

fn stage_base<'a>(bases: &'a [Base], stage: &str) -> Result<&'a Base, DockerfileError> {
    let stages = || bases.iter().filter(|base| base.kind == BaseKind::From);
    let named: Vec<_> = stages()
        .filter(|base| match &base.name {
            Some(name) => name.eq_ignore_ascii_case(stage),
            None => false,
        })
        .collect();
    let found = match named.as_slice() {
        [] => stages().find(|base| base.stage.to_string() == stage),
        [one] => Some(*one),
        [first, second, ..] => {
            return Err(DockerfileError::StageTwice {
                stage: stage.to_owned(),
                first: first.line,
                second: second.line,
            });
        }
    };
    let Some(base) = found else {
        let known = stages().map(Base::stage_name).collect();
        return Err(DockerfileError::NoStage { stage: stage.to_owned(), known });
    };
    // `scratch` is as good as an image when its stage is named.
    if !base.external && base.expanded.as_deref() != Some("scratch") {
        return Err(DockerfileError::Derived {
            stage: stage.to_owned(),
            line: base.line,
            on: base.image.clone(),
        });
    }
    Ok(base)
}

fn replacements<'a>(
    bases: &'a [Base],
    map: &'a BTreeMap<String, String>,
) -> Result<Vec<(&'a Base, &'a str)>, DockerfileError> {
    let externals = || bases.iter().filter(|base| base.external);
    let (mut chosen, mut used) = (Vec::new(), BTreeSet::new());
    for base in externals() {
        let keys = [Some(&base.image), base.expanded.as_ref()];
        let Some((key, new)) = keys.into_iter().flatten().find_map(|key| map.get_key_value(key)) else {
            continue;
        };
        used.insert(key);
        chosen.push((base, new.as_str()));
    }
    let Some(key) = map.keys().find(|key| !used.contains(key)) else { return Ok(chosen) };
    let known: Vec<_> = externals().map(mention).collect();
    let near = externals()
        .map(|base| base.expanded.as_ref().unwrap_or(&base.image))
        .map(|text| (strsim::damerau_levenshtein(text, key), text))
        .min()
        .filter(|(distance, text)| *distance <= text.chars().count() / 3);
    Err(DockerfileError::NoMatch { key: key.clone(), known, suggestion: near.map(|(_, text)| text.clone()) })
}

fn mention(base: &Base) -> Mention {
    Mention {
        line: base.line,
        image: base.image.clone(),
        expanded: base.expanded.clone(),
        platform: base.platform.clone(),
        stage: base.stage_name(),
    }
}

/// Only image references and ids pass: nothing that the build would expand, unquote or take for an option.
fn check_image(image: &str) -> Result<(), DockerfileError> {
    if Digest::from_hex(image).is_some() {
        return Ok(());
    }
    ImageRef::parse(image)
        .map(drop)
        .map_err(|error| DockerfileError::BadImage { image: error.text, reason: error.reason })
}

/// A stage of that name would win over the image.
fn check_no_stage(bases: &[Base], base: &Base, new: &str) -> Result<(), DockerfileError> {
    let is_from = base.kind == BaseKind::From;
    let mut visible =
        bases.iter().filter(|other| other.kind == BaseKind::From && (!is_from || other.stage < base.stage));
    let is_number = !is_from && new.parse::<u64>().is_ok();
    if is_number
        || visible.any(|other| other.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(new)))
    {
        return Err(DockerfileError::IsStage { image: new.to_owned(), line: base.line });
    }
    Ok(())
}

/// What the new text names is what was asked for where it was asked for, and elsewhere what the old text named there.
fn check_exact(old: &[Base], chosen: &[(&Base, &str)], new: &[Base]) -> Result<(), DockerfileError> {
    let mut chosen = chosen.iter().peekable();
    let mut after = new.iter();
    for before in old {
        let asked = chosen.next_if(|(base, _)| std::ptr::eq(*base, before)).map(|(_, new)| *new);
        let is_right = |after: &Base| {
            let place = |base: &Base| (base.kind, base.stage, base.name.clone(), base.platform.clone());
            let meaning = |base: &Base| (base.image.clone(), base.expanded.clone(), base.external);
            place(after) == place(before)
                && match asked {
                    Some(new) => {
                        after.expanded.as_deref() == Some(new) && after.external == (new != "scratch")
                    }
                    None => meaning(after) == meaning(before),
                }
        };
        if !after.next().is_some_and(is_right) {
            return Err(DockerfileError::NotExact { line: before.line });
        }
    }
    match after.next() {
        Some(more) => Err(DockerfileError::NotExact { line: more.line }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<Base> {
        scan(&Text::of(text.as_bytes()).unwrap(), &BuildArgs::default()).unwrap()
    }

    #[test]
    fn an_edit_that_does_more_or_less_is_refused() {
        let old = seen("FROM a AS x\nFROM b\nCOPY --from=c d e\n");
        let asked = [(&old[1], "new")];
        let exact = |new: &str| check_exact(&old, &asked, &seen(new));
        assert_eq!(exact("FROM a AS x\nFROM new\nCOPY --from=c d e\n"), Ok(()));
        for (new, line) in [
            ("FROM a AS x\nFROM b\nCOPY --from=c d e\n", 2),
            ("FROM a AS x\nFROM new AS y\nCOPY --from=c d e\n", 2),
            ("FROM a AS x\nFROM --platform=p new\nCOPY --from=c d e\n", 2),
            ("FROM new AS x\nFROM new\nCOPY --from=c d e\n", 1),
            ("FROM a AS new\nFROM new\nCOPY --from=c d e\n", 1),
            ("FROM a AS x\nFROM new\nCOPY --from=new d e\n", 3),
            ("FROM a AS x\nFROM new\n", 3),
            ("FROM a AS x\nFROM new\nCOPY --from=c d e\nFROM more", 4),
        ] {
            assert_eq!(exact(new), Err(DockerfileError::NotExact { line }), "{new}");
        }
    }
}
