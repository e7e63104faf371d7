//! The instructions of a Dockerfile, as BuildKit divides it: lines joined where they are continued, comments and
//! here-documents left out.

use std::ops::Range;

use super::error::DockerfileError;
use super::flags::{Flag, flags};
use super::heredoc::{self, Heredoc};

/// One instruction, and where each piece of it lies in the file.
#[derive(Debug)]
pub(super) struct Instruction {
    /// Its first line, counted from 1.
    line: usize,
    text: String,
    /// The start of each piece: in the text, in the file, and its line.
    pieces: Vec<(usize, usize, usize)>,
    keyword: Range<usize>,
    pub(super) flags: Vec<Flag>,
    /// What stands behind the flags.
    pub(super) rest: Range<usize>,
}

impl Instruction {
    fn new(line: usize, text: String, pieces: Vec<(usize, usize, usize)>, escape: char) -> Self {
        let start = text.len() - text.trim_start().len();
        let end = text.trim_end().len().max(start);
        let keyword = start..text[start..end].find(is_space).map_or(end, |at| start + at);
        let (flags, rest) = flags(&text[..end], keyword.end, escape);
        Self { line, text, pieces, keyword, flags, rest: rest..end }
    }

    pub(super) fn keyword(&self) -> &str {
        &self.text[self.keyword.clone()]
    }

    pub(super) fn rest(&self) -> &str {
        &self.text[self.rest.clone()]
    }

    /// The words behind the flags; quotes are no more than characters to them.
    pub(super) fn words(&self) -> impl Iterator<Item = Range<usize>> {
        let words = self.rest().split(is_space).filter(|word| !word.is_empty());
        words.map(|word| {
            let start = word.as_ptr() as usize - self.text.as_ptr() as usize;
            start..start + word.len()
        })
    }

    pub(super) fn part(&self, part: &Range<usize>) -> &str {
        &self.text[part.clone()]
    }

    /// Where a part of the text lies in the file, from its first to its last byte, with what joins lines in between.
    pub(super) fn span(&self, part: &Range<usize>) -> Range<usize> {
        let place = |at: usize| {
            let (start, file, _) = self.piece(at);
            file + (at - start)
        };
        if part.is_empty() {
            place(part.start)..place(part.start)
        } else {
            place(part.start)..place(part.end - 1) + 1
        }
    }

    /// The line that a part begins in, counted from 1.
    pub(super) fn line_of(&self, part: &Range<usize>) -> usize {
        self.piece(part.start).2
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    fn piece(&self, at: usize) -> (usize, usize, usize) {
        let after = self.pieces.partition_point(|(start, ..)| *start <= at);
        self.pieces[after.saturating_sub(1)]
    }

    fn heredocs(&self, escape: char) -> Vec<Heredoc> {
        if !self.text.contains("<<") {
            return Vec::new();
        }
        let inner;
        let instruction = if self.keyword().eq_ignore_ascii_case("onbuild") {
            inner = Self::new(self.line, self.rest().to_owned(), vec![(0, 0, self.line)], escape);
            &inner
        } else {
            self
        };
        let can = ["add", "copy", "run"].iter().any(|word| instruction.keyword().eq_ignore_ascii_case(word));
        let is_json = || serde_json::from_str::<Vec<String>>(instruction.rest()).is_ok();
        if can && !is_json() { heredoc::announced(&self.text) } else { Vec::new() }
    }
}

/// What separates words.
fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

/// Reads instructions from a text, which begins behind the byte order mark.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    /// How many lines were read.
    line: usize,
    escape: char,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, DockerfileError> {
        Ok(Self { text, offset: 0, line: 0, escape: directives(text)? })
    }

    /// What continues a line and takes away the meaning of a character: a backslash, or what `# escape=…` says.
    pub(super) fn escape(&self) -> char {
        self.escape
    }

    /// The next line without its end, and where it starts.
    fn next_line(&mut self) -> Option<(usize, &'a str)> {
        let rest = &self.text[self.offset..];
        let line = rest.split_inclusive('\n').next()?;
        let start = self.offset;
        (self.offset, self.line) = (start + line.len(), self.line + 1);
        Some((start, line.trim_end_matches(['\r', '\n'])))
    }

    /// The line without the character that continues it, and whether there was one.
    fn continued<'l>(&self, line: &'l str) -> (&'l str, bool) {
        match line.trim_end_matches([' ', '\t']).strip_suffix(self.escape) {
            // The character twice is itself.
            Some(before) if !before.ends_with(self.escape) => (before, true),
            _ => (line, false),
        }
    }

    fn skip(&mut self, heredoc: &Heredoc, from: usize) -> Result<(), DockerfileError> {
        while let Some((_, line)) = self.next_line() {
            let line = if heredoc.chomp { line.trim_start_matches('\t') } else { line };
            if line == heredoc.name {
                return Ok(());
            }
        }
        Err(syntax(from, format!("the here-document `{}` does not end", heredoc.name)))
    }

    fn instruction(&mut self) -> Option<Result<Instruction, DockerfileError>> {
        let (first, mut text, mut pieces) = loop {
            let (start, line) = self.next_line()?;
            let trimmed = line.trim_start();
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                break (trimmed, String::new(), vec![(0, start + line.len() - trimmed.len(), self.line)]);
            }
        };
        let from = self.line;
        let (piece, mut goes_on) = self.continued(first);
        text.push_str(piece);
        while goes_on {
            let Some((start, line)) = self.next_line() else { break };
            let trimmed = line.trim_start();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            pieces.push((text.len(), start, self.line));
            let (piece, more) = self.continued(line);
            text.push_str(piece);
            goes_on = more;
        }
        let instruction = Instruction::new(from, text, pieces, self.escape);
        for heredoc in instruction.heredocs(self.escape) {
            if let Err(error) = self.skip(&heredoc, from) {
                return Some(Err(error));
            }
        }
        Some(Ok(instruction))
    }
}

impl Iterator for Lexer<'_> {
    type Item = Result<Instruction, DockerfileError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.instruction()
    }
}

/// The escape character. Directives stand above everything else, each at most once.
fn directives(text: &str) -> Result<char, DockerfileError> {
    let mut seen = Vec::new();
    let mut escape = '\\';
    for (index, line) in text.lines().enumerate() {
        let Some((key, value)) = line.trim_start().strip_prefix('#').and_then(|line| line.split_once('='))
        else {
            break;
        };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        if value.is_empty() || !matches!(&*key, "escape" | "syntax" | "check") {
            break;
        }
        if seen.contains(&key) {
            return Err(syntax(index + 1, format!("the directive `{key}` is there twice")));
        }
        if key == "escape" {
            escape = match value {
                "\\" => '\\',
                "`" => '`',
                other => {
                    return Err(syntax(
                        index + 1,
                        format!("invalid escape character `{other}`: it is `\\` or a backtick"),
                    ));
                }
            };
        }
        seen.push(key);
    }
    Ok(escape)
}

/// An error in a line, counted from 1.
pub(super) fn syntax(line: usize, reason: impl Into<String>) -> DockerfileError {
    DockerfileError::Syntax { line: Some(line), reason: reason.into().escape_debug().to_string() }
}
