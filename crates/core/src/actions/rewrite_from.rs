//! Changes the base image in a Dockerfile and shows the difference.

use std::collections::BTreeMap;
use std::fs;

use crate::dockerfile::{self, Rules};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::{FromRules, RewriteFrom, Text};

pub(super) fn perform(rewrite: &RewriteFrom, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let shown = rewrite.dockerfile.to_string();
    let path = cx.resolve_path(&rewrite.dockerfile)?;
    let text = read(&path, &shown)?;
    let word = |text: &Text| cx.resolve(text).map(|word| word.to_string_lossy().into_owned());
    let rules = match &rewrite.rules {
        FromRules::From(from) => Rules::From(word(from)?),
        FromRules::All(from) => Rules::All(word(from)?),
        FromRules::Stage { stage, from } => Rules::Stage { stage: stage.clone(), from: word(from)? },
        FromRules::Replace(map) => Rules::Replace(
            map.iter()
                .map(|(image, from)| Ok((image.clone(), word(from)?)))
                .collect::<Result<BTreeMap<_, _>, Failure>>()?,
        ),
    };
    let rewritten = dockerfile::rewrite(&text, &rules)
        .map_err(|error| Failure::new(FailureKind::Input, format!("{shown}: {error}")))?;
    rewritten.diff().lines().for_each(|line| cx.say(line));
    if rewritten.bytes != text {
        super::write_file::write_file(&path, &rewritten.bytes)?;
    }
    Ok(())
}

/// Far more than anyone writes, and no trouble to hold twice.
const LARGEST: u64 = 16 << 20;

/// The Dockerfile's bytes, at most [`LARGEST`]. One that leads elsewhere by a symbolic link is refused: a repository could show any file of
/// this machine with it.
pub(super) fn read(path: &std::path::Path, shown: &str) -> Result<Vec<u8>, Failure> {
    let io = |error: std::io::Error| {
        let failure =
            Failure::new(FailureKind::Input, format!("cannot read the Dockerfile {shown}: {error}"));
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                failure.help("name it with `dockerfile = \"…\"`, relative to the sources")
            }
            _ => failure,
        }
    };
    let link = |what: &str| {
        Failure::new(FailureKind::Input, format!("{shown} {what}"))
            .help("name the file itself with `dockerfile = \"…\"`")
    };
    let found = fs::symlink_metadata(path).map_err(io)?;
    if found.file_type().is_symlink() {
        return Err(link("is a symbolic link"));
    }
    if !found.file_type().is_file() {
        return Err(link("is not a file"));
    }
    if found.len() > LARGEST {
        return Err(link(&format!("has {} bytes, more than any Dockerfile ({LARGEST})", found.len())));
    }
    // A folder above it may be a link as well; what counts is where it ends.
    if let (Some(folder), Ok(real)) = (path.parent(), fs::canonicalize(path))
        && let Some(root) = context_of(folder).and_then(|root| fs::canonicalize(root).ok())
        && !real.starts_with(&root)
    {
        return Err(link("lies outside of the sources, behind a symbolic link"));
    }
    fs::read(path).map_err(io)
}

/// The folder below `.pipeline/work/<instance>/` that a path is in, if it is in one.
fn context_of(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let parts: Vec<_> = folder.components().collect();
    let work = parts.windows(2).rposition(|pair| {
        pair[0].as_os_str() == ".pipeline" && matches!(pair[1].as_os_str().to_str(), Some("work"))
    })?;
    Some(parts.iter().take(work + 4).collect())
}
