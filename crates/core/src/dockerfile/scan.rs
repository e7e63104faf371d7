//! Which images a Dockerfile names, and where.

use std::ops::Range;

use super::args::{Args, BuildArgs, Expanded};
use super::error::DockerfileError;
use super::flags::Flag;
use super::lexer::{Instruction, Lexer, syntax};
use super::text::Text;

/// More images than anyone names in one file; each is compared with the stages before it.
const BASES_MAX: usize = 10_000;

const KEYWORDS: [&str; 18] = [
    "add",
    "arg",
    "cmd",
    "copy",
    "entrypoint",
    "env",
    "expose",
    "from",
    "healthcheck",
    "label",
    "maintainer",
    "onbuild",
    "run",
    "shell",
    "stopsignal",
    "user",
    "volume",
    "workdir",
];

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
    /// What the text means when no build argument is given; nothing when it needs one.
    pub expanded: Option<String>,
    /// The value of `FROM --platform=…` as written.
    pub platform: Option<String>,
    /// What that means.
    pub expanded_platform: Option<String>,
    /// The line of the text, counted from 1.
    pub line: usize,
    /// It is neither a stage nor `scratch`.
    pub external: bool,
    /// The text's bytes behind the byte order mark, with what joins lines within it.
    pub(super) span: Range<usize>,
}

impl Base {
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
    scan(&Text::of(text)?, args)
}

pub(super) fn scan(text: &Text, args: &BuildArgs) -> Result<Vec<Base>, DockerfileError> {
    let lexer = Lexer::new(&text.text)?;
    let mut scan = Scan { args: Args::of(lexer.escape(), args), bases: Vec::new() };
    for instruction in lexer {
        scan.instruction(&instruction?)?;
        if scan.bases.len() > BASES_MAX {
            return Err(DockerfileError::Syntax {
                line: None,
                reason: format!("it names more than {BASES_MAX} images"),
            });
        }
    }
    if scan.bases.is_empty() {
        return Err(DockerfileError::Syntax { line: None, reason: "it has no `FROM`".to_owned() });
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

struct Scan {
    args: Args,
    bases: Vec<Base>,
}

impl Scan {
    fn instruction(&mut self, instruction: &Instruction) -> Result<(), DockerfileError> {
        let keyword = instruction.keyword().to_ascii_lowercase();
        match &*keyword {
            "from" => return self.from(instruction),
            "arg" if self.bases.is_empty() => self.args.declare(instruction.rest()),
            _ if !KEYWORDS.contains(&&*keyword) => {
                let reason = format!("unknown instruction `{}`", instruction.keyword());
                return Err(syntax(instruction.line(), reason));
            }
            _ if self.bases.is_empty() => {
                return Err(syntax(instruction.line(), format!("`{keyword}` before the first `FROM`")));
            }
            "copy" => {
                for flag in instruction.flags.iter().filter(|flag| flag.name == "from") {
                    self.other(BaseKind::CopyFrom, instruction, flag, &(0..flag.value.len()));
                }
            }
            "run" => {
                for flag in instruction.flags.iter().filter(|flag| flag.name == "mount") {
                    if let Some(field) = mount_from(&flag.value) {
                        self.other(BaseKind::MountFrom, instruction, flag, &field);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn from(&mut self, instruction: &Instruction) -> Result<(), DockerfileError> {
        let words: Vec<_> = instruction.words().collect();
        let (image, name) = match words.as_slice() {
            [image] => (image, None),
            [image, word, name] if instruction.part(word).eq_ignore_ascii_case("as") => (image, Some(name)),
            _ => {
                let reason = "`FROM` takes an image, and `AS` with a name for the stage";
                return Err(syntax(instruction.line(), reason));
            }
        };
        let expanded = self.args.expand(instruction.part(image));
        let stages = || self.bases.iter().filter(|base| base.kind == BaseKind::From);
        let is_stage = stages().filter_map(|base| base.name.as_deref()).any(|name| expanded.could_be(name));
        let platform = instruction.flags.iter().find(|flag| flag.name == "platform");
        self.bases.push(Base {
            kind: BaseKind::From,
            stage: stages().count(),
            name: name.map(|name| instruction.part(name).to_owned()),
            image: instruction.part(image).to_owned(),
            external: !is_stage && expanded.known() != Some("scratch"),
            expanded: known(expanded),
            expanded_platform: platform.and_then(|flag| known(self.args.expand(&flag.value))),
            platform: platform.map(|flag| flag.value.clone()).filter(|value| !value.is_empty()),
            line: instruction.line_of(image),
            span: instruction.span(image),
        });
        Ok(())
    }

    /// An image in a flag.
    fn other(&mut self, kind: BaseKind, instruction: &Instruction, flag: &Flag, part: &Range<usize>) {
        let Some(stage) = self.bases.iter().rfind(|base| base.kind == BaseKind::From) else { return };
        if part.is_empty() {
            return;
        }
        let (image, place) = (&flag.value[part.clone()], flag.place(part));
        let base = Base {
            kind,
            stage: stage.stage,
            name: stage.name.clone(),
            image: image.to_owned(),
            // Variables of the stage count here, if any do: they are not followed.
            expanded: known(Args::new('\\').expand(image)),
            platform: None,
            expanded_platform: None,
            line: instruction.line_of(&place),
            external: true,
            span: instruction.span(&place),
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
