//! Recipe text and places in it.

use std::ops::Range;
use std::sync::Arc;

/// Byte offsets into a [`SourceFile`].
pub type Span = Range<usize>;

/// A recipe's text and the name under which messages show it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SourceFile(Arc<miette::NamedSource<String>>);

impl SourceFile {
    /// `name` is a path as the user would type it.
    pub fn new(name: &str, text: String) -> Self {
        Self(Arc::new(miette::NamedSource::new(name, text).with_language("toml")))
    }

    /// The path.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.0.inner()
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text().len());
        while !self.text().is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text()[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    pub(crate) fn named(&self) -> &miette::NamedSource<String> {
        &self.0
    }
}
