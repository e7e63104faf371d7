//! The text of recipes, and places in it that know their file.
//!
//! A recipe may be made of several files. They are laid one after the other, and a place is counted over all of them: so
//! what is read from any file can be merged with the rest and still tells where it came from.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Byte offsets into [`Sources`], counted over all files.
pub type Span = Range<usize>;

/// One file.
#[derive(Debug)]
pub struct SourceFile {
    name: String,
    text: String,
    base: usize,
    /// Where each line begins; found out when it is first asked.
    lines: OnceLock<Vec<usize>>,
}

impl SourceFile {
    /// The path, as the user would type it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The place of its first byte.
    pub fn base(&self) -> usize {
        self.base
    }

    /// A place in the sources as offsets into this file's text.
    fn local(&self, span: &Span) -> Option<Range<usize>> {
        let range = span.start.checked_sub(self.base)?..span.end.checked_sub(self.base)?;
        (range.start <= range.end && range.end <= self.text.len()).then_some(range)
    }

    /// Line and column of an offset into the text, both from 1; columns count characters.
    fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let lines = self.lines.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect()
        });
        let line = lines.partition_point(|start| *start <= offset);
        let column = self.text[lines[line - 1]..offset].chars().count() + 1;
        (line, column)
    }
}

/// The files of a recipe, the first one first. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Arc<SourceFile>>);

/// A place for people: a file, with line and column from 1. Columns count characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position<'s> {
    /// The file's name.
    pub file: &'s str,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Sources {
    /// One file.
    pub fn one(name: &str, text: String) -> Self {
        let mut sources = Self::default();
        sources.add(name, text);
        sources
    }

    /// Adds a file behind the others. The places of those do not change.
    pub fn add(&mut self, name: &str, text: String) -> &SourceFile {
        // A byte apart, so that the end of one file is not the start of the next.
        let base = self.0.last().map_or(0, |last| last.base + last.text.len() + 1);
        self.0.push(Arc::new(SourceFile { name: name.to_owned(), text, base, lines: OnceLock::new() }));
        &self.0[self.0.len() - 1]
    }

    /// All files.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &SourceFile> {
        self.0.iter().map(|file| &**file)
    }

    /// The index of the file that a place is in.
    pub fn index(&self, offset: usize) -> usize {
        self.0.partition_point(|file| file.base <= offset).saturating_sub(1)
    }

    /// The file that a place is in.
    pub fn file(&self, offset: usize) -> Option<&SourceFile> {
        self.0.get(self.index(offset)).map(|file| &**file)
    }

    /// The text at a place; empty for one that is not in a file.
    pub fn slice(&self, span: &Span) -> &str {
        self.file(span.start).and_then(|file| file.text.get(file.local(span)?)).unwrap_or_default()
    }

    /// Where a place is, for people.
    pub fn position(&self, offset: usize) -> Position<'_> {
        let Some(file) = self.file(offset) else { return Position { file: "", line: 1, column: 1 } };
        let (line, column) = file.line_column(offset - file.base);
        Position { file: &file.name, line, column }
    }

    /// They are the very same files.
    pub fn same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(one, two)| Arc::ptr_eq(one, two))
    }

    /// The same files with other texts of the same lengths, for showing.
    #[must_use]
    pub fn map(&self, name: impl Fn(&str) -> String, text: impl Fn(&str) -> String) -> Self {
        let mut mapped = Self::default();
        for file in self.files() {
            mapped.add(&name(&file.name), text(&file.text));
        }
        mapped
    }
}

/// A span lies within one file; what reaches from one into another is out of bounds, so that the renderer shows both apart.
impl SourceCode for Sources {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let file = self.file(span.offset()).ok_or(MietteError::OutOfBounds)?;
        let local =
            file.local(&(span.offset()..span.offset() + span.len())).ok_or(MietteError::OutOfBounds)?;
        let contents = file.text.read_span(&local.into(), before, after)?;
        let shown = SourceSpan::from((contents.span().offset() + file.base, contents.span().len()));
        Ok(Box::new(
            MietteSpanContents::new_named(
                file.name.clone(),
                contents.data(),
                shown,
                contents.line(),
                contents.column(),
                contents.line_count(),
            )
            .with_language("toml"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_tell_their_file() {
        let mut sources = Sources::one("a.toml", "x = 1\n".into());
        let base = sources.add("b.toml", "ü = 2\ny = 3".into()).base();
        assert_eq!(base, 7);
        assert_eq!(sources.slice(&(0..1)), "x");
        assert_eq!(sources.slice(&(base..base + 2)), "ü");
        assert_eq!(sources.slice(&(4..9)), "", "reaches from one file into the other");
        let position = |offset| {
            let Position { file, line, column } = sources.position(offset);
            (file.to_owned(), line, column)
        };
        assert_eq!(position(6), ("a.toml".into(), 2, 1), "the end of a file is in it");
        assert_eq!(position(base + 3), ("b.toml".into(), 1, 3));
        assert_eq!(position(base + 7), ("b.toml".into(), 2, 1));
        assert_eq!(position(1_000), ("b.toml".into(), 2, 6));
        assert!(sources.read_span(&(4, 5).into(), 0, 0).is_err());
        assert_eq!(Sources::default().position(3).line, 1);
    }
}
