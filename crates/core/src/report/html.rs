//! Texts from outside within HTML.

use maud::{Escaper, Render};

use crate::output::is_hidden;

/// The only way by which a text that is not ours gets into the page: escaped, and what acts on the text around it made to
/// be seen. What wrote it may be anybody.
#[derive(Clone, Copy)]
pub(super) struct Plain<'t>(pub(super) &'t str);

impl Render for Plain<'_> {
    fn render_to(&self, out: &mut String) {
        use std::fmt::Write as _;
        for piece in self.0.split_inclusive(is_hidden) {
            let harmless = piece.trim_end_matches(is_hidden);
            let _ = Escaper::new(out).write_str(harmless);
            for c in piece[harmless.len()..].chars() {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
}
