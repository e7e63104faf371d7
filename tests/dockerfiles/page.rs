//! The numbers, as a page.

use std::collections::BTreeMap;
use std::fmt;

/// What came of one file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// 1 when both read it.
    pub(crate) read: usize,
    /// 1 when both refused it.
    pub(crate) refused: usize,
    pub(crate) stages: usize,
    pub(crate) others: usize,
    pub(crate) edits: usize,
    /// How many of its variants both read.
    pub(crate) hard: usize,
    /// Why BuildKit refused what we read.
    pub(crate) only_ours: Option<String>,
    pub(crate) wrong: Vec<String>,
}

impl Seen {
    pub(crate) fn read() -> Self {
        Self { read: 1, ..Self::default() }
    }

    pub(crate) fn refused() -> Self {
        Self { refused: 1, ..Self::default() }
    }
}

#[derive(Debug, Default, Clone)]
struct Row {
    files: usize,
    distinct: usize,
    read: usize,
    refused: usize,
    stages: usize,
    others: usize,
    edits: usize,
    hard: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    rows: BTreeMap<(String, String), Row>,
    total: Row,
    only_ours: Vec<String>,
    pub(crate) wrong: Vec<String>,
}

impl Page {
    /// Counts a file; what is the same as an earlier one counts as a file only.
    pub(crate) fn add(&mut self, package: &str, kind: &str, path: &str, seen: &Seen, is_new: bool) {
        let row = self.rows.entry((kind.to_owned(), package.to_owned())).or_default();
        for row in [row, &mut self.total] {
            row.files += 1;
            if is_new {
                row.distinct += 1;
                row.read += seen.read;
                row.refused += seen.refused;
                row.stages += seen.stages;
                row.others += seen.others;
                row.edits += seen.edits;
                row.hard += seen.hard;
            }
        }
        if is_new {
            self.only_ours.extend(seen.only_ours.iter().map(|why| format!("`{path}`: {why}")));
            self.wrong.extend(seen.wrong.iter().map(|why| format!("{package} {path}: {why}")));
        }
    }

    pub(crate) fn last_line(&self) -> String {
        let Row { files, distinct, read, edits, .. } = &self.total;
        let wrong = self.wrong.len();
        format!(
            "{files} files, {distinct} distinct, {read} read by both, {edits} edits right, {wrong} disagreements"
        )
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{INTRODUCTION}")?;
        writeln!(
            f,
            "| package | files | distinct | read by both | refused by both | stages | other images | edits | variants |"
        )?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        let rows = self.rows.iter().map(|((kind, package), row)| (format!("{kind}: {package}"), row));
        for (name, row) in rows.chain([("all".to_owned(), &self.total)]) {
            let Row { files, distinct, read, refused, stages, others, edits, hard } = row;
            writeln!(
                f,
                "| {name} | {files} | {distinct} | {read} | {refused} | {stages} | {others} | {edits} | {hard} |"
            )?;
        }
        writeln!(f, "\n## Read by us, refused by BuildKit\n\n{ONLY_OURS}\n")?;
        for one in &self.only_ours {
            writeln!(f, "- {one}")?;
        }
        writeln!(f, "\n{}.", self.last_line())
    }
}

const INTRODUCTION: &str = "\
# Real Dockerfiles

Written by `scripts/dockerfiles`, which collects Dockerfiles from the sources of Debian's and other registries' packages
(`tests/dockerfiles/sources`), none of which are copied into this repository. Each is read by us and by BuildKit's own parser, and
both must see the same stages, names, platforms and images, with the defaults of `ARG`s put in, in the same lines. Then each stage,
each image and all of them get another image, and of each edit must be true:

- with the old words in the place of the new ones, the file is the original, byte for byte;
- the lines that `diff` sees changed are those of the instructions that were asked for;
- BuildKit reads the new image there, and in everything else the instructions that it read before;
- where nothing can be meant (a stage that builds on another one, `from` with several bases), it is refused.

The same again for four variants of each file: with CRLF, with a byte order mark, without the last line end, and with `from` in
lower case.

What is refused by both is mostly no Dockerfile (YAML and XML of that name, templates with macros in them).
";

const ONLY_OURS: &str = "\
What an edit does not depend on is left to the build, which refuses it.";
