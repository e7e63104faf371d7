//! The bytes of a Dockerfile, and the text that the parser sees of them.

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
    pub(super) fn of(bytes: &[u8]) -> Self {
        let rest = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let mut text = String::with_capacity(rest.len());
        for chunk in rest.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| '?'));
        }
        Self { start: bytes.len() - rest.len(), text: fill_empty_lists(&text) }
    }
}

/// `ENTRYPOINT []` and `CMD []` take back what the base image set; the parser refuses them, so it is shown other words.
fn fill_empty_lists(text: &str) -> String {
    let is_keyword =
        |word: &str| ["cmd", "entrypoint"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
    text.split_inclusive('\n')
        .map(|line| {
            let is_empty_list = line.trim().split_once([' ', '\t']).is_some_and(|(word, list)| {
                let inner = list.trim_start().strip_prefix('[').and_then(|list| list.strip_suffix(']'));
                is_keyword(word) && inner.is_some_and(|inner| inner.trim().is_empty())
            });
            if is_empty_list { line.replace(['[', ']'], "x") } else { line.to_owned() }
        })
        .collect()
}
