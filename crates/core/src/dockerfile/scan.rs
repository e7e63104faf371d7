//! Which images a Dockerfile names, and where.

use std::ops::Range;

use parse_dockerfile::{Flag, Instruction, UnescapedString};

use super::args::{Args, BuildArgs, Expanded};
use super::error::DockerfileError;
use super::text::Text;

/// More images than anyone names in one file; each is compared with the stages before it.
const BASES_MAX: usize = 10_000;

/// Where an image stands in a Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BaseKind {
    /// `FROM image`.
    From,
    /// `COPY --from=image`.
    CopyFrom,
    /// `RUN --mount=…,from=image`.
    MountFrom,
}

/// An image (or an earlier stage) that a Dockerfile names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Where it stands.
    pub kind: BaseKind,
    /// The stage it belongs to, counted from 0.
    pub stage: usize,
    /// The stage's name, the word after `AS`.
    pub name: Option<String>,
    /// The text as written, quotes and variables included, continued lines joined.
    pub image: String,
    /// What the text means with the arguments that are known; nothing when it needs others.
    pub expanded: Option<String>,
    /// The value of `FROM --platform=…` as written.
    pub platform: Option<String>,
    /// What that means.
    pub expanded_platform: Option<String>,
    /// The line of the text, counted from 1.
    pub line: usize,
    /// It is neither a stage nor `scratch`.
    pub external: bool,
    /// The text's bytes behind the byte order mark; nothing when they are no single piece.
    pub(super) span: Option<Range<usize>>,
}

impl Base {
    /// Another name can be written in its place.
    pub fn is_editable(&self) -> bool {
        self.span.is_some()
    }

    /// The stage's name, or its number.
    pub(super) fn stage_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.stage.to_string())
    }
}

/// Every `FROM` of a Dockerfile, and the images (not stages) of `COPY --from` and `RUN --mount`, from top to bottom.
///
/// The text is that of the file, in any encoding that has ASCII in it; a byte order mark is fine.
pub fn bases(text: &[u8]) -> Result<Vec<Base>, DockerfileError> {
    bases_given(text, &BuildArgs::default())
}

/// The same with the arguments of a build.
pub fn bases_given(text: &[u8], args: &BuildArgs) -> Result<Vec<Base>, DockerfileError> {
    scan(&Text::of(text), args)
}

pub(super) fn scan(text: &Text, args: &BuildArgs) -> Result<Vec<Base>, DockerfileError> {
    let syntax = |error: &parse_dockerfile::Error| DockerfileError::Syntax {
        line: Some(error.line()).filter(|line| *line > 0),
        // The alternate form leaves the position out, whose column is wrong.
        reason: format!("{error:#}").escape_debug().to_string(),
    };
    let instructions = parse_dockerfile::parse_iter(&text.text)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| syntax(&error))?;
    let mut scan =
        Scan { lines: Lines { text: &text.text, offset: 0, line: 1 }, args: args.into(), bases: Vec::new() };
    for instruction in &instructions {
        scan.instruction(instruction);
        if scan.bases.len() > BASES_MAX {
            return Err(DockerfileError::Syntax {
                line: None,
                reason: format!("it names more than {BASES_MAX} images"),
            });
        }
    }
    let Scan { mut bases, .. } = scan;
    // Unlike FROM, COPY and RUN may name stages that come later.
    let names: Vec<_> = bases
        .iter()
        .filter(|base| base.kind == BaseKind::From)
        .filter_map(|base| base.name.clone())
        .collect();
    bases.retain(|base| {
        let is_stage = base.image.parse::<u64>().is_ok()
            || names.iter().any(|name| name.eq_ignore_ascii_case(&base.image));
        base.kind == BaseKind::From || !is_stage
    });
    Ok(bases)
}

/// Counts lines up to offsets that mostly grow.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of an offset, counted from 1.
    fn at(&mut self, offset: usize) -> usize {
        if offset < self.offset {
            (self.offset, self.line) = (0, 1);
        }
        self.line += self.text.as_bytes()[self.offset..offset].split(|byte| *byte == b'\n').count() - 1;
        self.offset = offset;
        self.line
    }
}

struct Scan<'a> {
    lines: Lines<'a>,
    args: Args,
    bases: Vec<Base>,
}

impl Scan<'_> {
    fn instruction(&mut self, instruction: &Instruction<'_>) {
        match instruction {
            Instruction::Arg(arg) if self.bases.is_empty() => self.args.declare(&arg.arguments.value),
            Instruction::From(from) => {
                let expanded = self.args.expand(&from.image.value);
                let stages = || self.bases.iter().filter(|base| base.kind == BaseKind::From);
                let is_stage =
                    stages().filter_map(|base| base.name.as_deref()).any(|name| expanded.could_be(name));
                let platform = from.options.iter().find(|flag| flag.name.value == "platform");
                let base = Base {
                    kind: BaseKind::From,
                    stage: stages().count(),
                    name: from.as_.as_ref().map(|(_, name)| name.value.clone().into_owned()),
                    image: from.image.value.clone().into_owned(),
                    external: !is_stage && expanded.known() != Some("scratch"),
                    expanded: known(expanded),
                    expanded_platform: platform
                        .and_then(|flag| flag.value.as_ref())
                        .and_then(|value| known(self.args.expand(&value.value))),
                    platform: platform
                        .and_then(|flag| flag.value.as_ref())
                        .map(|value| value.value.clone().into_owned()),
                    line: self.lines.at(from.image.span.start),
                    span: Some(from.image.span.clone()),
                };
                self.bases.push(base);
            }
            Instruction::Copy(copy) => {
                for value in values(&copy.options, "from") {
                    self.other(BaseKind::CopyFrom, &value.value, value.span.start, Some(value.span.clone()));
                }
            }
            Instruction::Run(run) => {
                for value in values(&run.options, "mount") {
                    let Some(field) = mount_from(&value.value) else { continue };
                    let start = value.span.start;
                    // Where lines are joined, offsets in the value are not those in the file.
                    let span = (value.span.len() == value.value.len())
                        .then(|| start + field.start..start + field.end);
                    self.other(BaseKind::MountFrom, &value.value[field], start, span);
                }
            }
            _ => {}
        }
    }

    fn other(&mut self, kind: BaseKind, image: &str, offset: usize, span: Option<Range<usize>>) {
        let Some(stage) = self.bases.iter().rfind(|base| base.kind == BaseKind::From) else { return };
        if image.is_empty() {
            return;
        }
        let base = Base {
            kind,
            stage: stage.stage,
            name: stage.name.clone(),
            image: image.to_owned(),
            // Variables of the stage count here, if any do: they are not followed.
            expanded: known(Args::default().expand(image)),
            platform: None,
            expanded_platform: None,
            line: self.lines.at(span.as_ref().map_or(offset, |span| span.start)),
            external: true,
            span,
        };
        self.bases.push(base);
    }
}

fn known(expanded: Expanded) -> Option<String> {
    match expanded {
        Expanded::Known(text) => Some(text),
        Expanded::Partly(_) => None,
    }
}

fn values<'a>(options: &'a [Flag<'a>], name: &'a str) -> impl Iterator<Item = &'a UnescapedString<'a>> {
    options.iter().filter(move |flag| flag.name.value == name).filter_map(|flag| flag.value.as_ref())
}

/// Where the value of `from` lies in the comma-separated fields of a `--mount`.
fn mount_from(fields: &str) -> Option<Range<usize>> {
    let (mut start, mut found) = (0, None);
    let mut quoted = false;
    let ends = fields.char_indices().filter_map(|(index, char)| {
        quoted ^= char == '"';
        (char == ',' && !quoted).then_some(index)
    });
    for end in ends.chain([fields.len()]).collect::<Vec<_>>() {
        let (mut from, mut to) = (start, end);
        if to - from >= 2 && fields[from..to].starts_with('"') && fields[from..to].ends_with('"') {
            (from, to) = (from + 1, to - 1);
        }
        if let Some((key, _)) = fields[from..to].split_once('=')
            && key.eq_ignore_ascii_case("from")
        {
            found = Some(from + key.len() + 1..to);
        }
        start = end + 1;
    }
    found
}
