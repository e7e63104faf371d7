//! The bytes of a Dockerfile, and the text that the parser sees of them.

use super::error::DockerfileError;
use super::lexer::syntax;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A text with the same byte offsets as the file behind its byte order mark.
#[derive(Debug)]
pub(super) struct Text {
    /// Where the text starts in the file: 3 behind a byte order mark, which the parser would not count.
    pub(super) start: usize,
    /// Bytes that are no UTF-8 (a comment in Latin-1) are question marks here, and stay what they are in the file.
    pub(super) text: String,
}

impl Text {
    pub(super) fn of(bytes: &[u8]) -> Result<Self, DockerfileError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(syntax(1, "it is UTF-16; save it as UTF-8"));
        }
        let rest = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let mut text = String::with_capacity(rest.len());
        for chunk in rest.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| '?'));
        }
        Ok(Self { start: bytes.len() - rest.len(), text })
    }
}
