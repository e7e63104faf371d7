//! What a CI system shows of a run beyond its lines: a folded section for each instance with its log, and annotations.
//!
//! These are the commands that `ci` takes away from everything that comes from outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use pipeline_core::event::Failure;
use pipeline_core::plan::InstanceId;

use super::ci::{self, data, property};
use super::{clean, command, note};

/// Of a longer log, the end.
const MOST: u64 = 4 << 20;

/// Whose log viewer reads what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forge {
    GitHub,
    GitLab,
}

impl Forge {
    /// The one that this job runs under, by its own variables.
    pub(super) fn here() -> Option<Self> {
        let gitlab = std::env::var_os("GITLAB_CI").is_some_and(|value| value == "true");
        if ci::github() { Some(Self::GitHub) } else { gitlab.then_some(Self::GitLab) }
    }

    /// A folded section with the log of an instance that has ended now, `at` seconds since the epoch. False where there is none
    /// to show.
    pub(super) fn section(
        self,
        instance: &InstanceId,
        title: &str,
        log: &Path,
        at: i64,
        took: Duration,
    ) -> bool {
        let Ok(text) = end_of(log) else { return false };
        let began = at - i64::try_from(took.as_secs()).unwrap_or_default();
        let (open, close) = self.marks(instance, title, began, at);
        command(&open);
        note(&clean(&text));
        command(&close);
        true
    }

    fn marks(self, instance: &InstanceId, title: &str, began: i64, ended: i64) -> (String, String) {
        match self {
            Self::GitHub => (format!("::group::{}\n", data(title)), "::endgroup::\n".to_owned()),
            Self::GitLab => {
                // Letters, digits and `_.-` are what a section's name may have.
                let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
                let name = instance.as_str().replace(odd, ".");
                let start = format!("section_start:{began}:{name}[collapsed=true]");
                (
                    format!("\x1b[0K{start}\r\x1b[0K{}\n", clean(title).replace('\n', " ")),
                    format!("\x1b[0Ksection_end:{ended}:{name}\r\x1b[0K\n"),
                )
            }
        }
    }

    /// What GitHub shows beside the run, and at the step's line in the recipe: `places` has `FILE:LINE:COLUMN` by step.
    pub(super) fn failed(self, instance: &InstanceId, failure: &Failure, places: &BTreeMap<String, String>) {
        if self == Self::GitHub {
            command(&annotation(instance, failure, places));
        }
    }

    /// The same for what did not stop the run.
    pub(super) fn warning(self, message: &str) {
        if self == Self::GitHub {
            command(&format!("::warning::{}\n", data(message)));
        }
    }
}

fn annotation(instance: &InstanceId, failure: &Failure, places: &BTreeMap<String, String>) -> String {
    let step = instance.as_str().split('@').next().unwrap_or_default();
    let place = places.get(step).and_then(|place| {
        let mut parts = place.rsplitn(3, ':');
        let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
        Some(format!("file={},line={},col={},", property(file), property(line), property(column)))
    });
    let title = property(&format!("{instance} failed"));
    let help = failure.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let words = data(&format!("{}{help}", failure.message));
    format!("::error {}title={title}::{words}\n", place.unwrap_or_default())
}

/// The log's last lines, ended by a newline.
fn end_of(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let size = file.metadata()?.len();
    let mut text = Vec::new();
    if size > MOST {
        file.seek(SeekFrom::Start(size - MOST))?;
        text.extend_from_slice(b"(what is before is in the log)\n");
    }
    let head = text.len();
    file.take(MOST).read_to_end(&mut text)?;
    if size > MOST {
        // The first line is half of one.
        let cut = text[head..].iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        text.drain(head..head + cut);
    }
    let mut text = String::from_utf8_lossy(&text).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pipeline_core::event::FailureKind;

    use super::*;

    fn id() -> InstanceId {
        InstanceId::new("image", Some("arm64"), None)
    }

    #[test]
    fn sections_are_what_the_viewers_fold() {
        let (open, close) = Forge::GitHub.marks(&id(), "done  image\n::error::x", 10, 15);
        assert_eq!(
            (open.as_str(), close.as_str()),
            ("::group::done  image%0A::error::x\n", "::endgroup::\n")
        );
        let (open, close) = Forge::GitLab.marks(&id(), "done\nimage", 10, 15);
        assert_eq!(open, "\x1b[0Ksection_start:10:image.arm64[collapsed=true]\r\x1b[0Kdone image\n");
        assert_eq!(close, "\x1b[0Ksection_end:15:image.arm64\r\x1b[0K\n");
    }

    #[test]
    fn a_failure_is_shown_at_the_step() {
        let failure = Failure::new(FailureKind::Timeout, "too\nlong").help("more, time");
        let places = BTreeMap::from([("image".to_owned(), "pipelines/a,b/pipeline.toml:12:3".to_owned())]);
        assert_eq!(
            annotation(&id(), &failure, &places),
            "::error file=pipelines/a%2Cb/pipeline.toml,line=12,col=3,title=image@arm64 failed\
             ::too%0Along%0Ahelp: more, time\n"
        );
        assert!(
            annotation(&id(), &failure, &BTreeMap::new()).starts_with("::error title=image@arm64 failed::")
        );
    }

    #[test]
    fn of_a_long_log_the_end_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert!(end_of(&log).is_err());
        fs::write(&log, "one\ntwo").unwrap();
        assert_eq!(end_of(&log).unwrap(), "one\ntwo\n");
        let line = format!("{}\n", "x".repeat(99));
        fs::write(&log, line.repeat(50_000)).unwrap();
        let text = end_of(&log).unwrap();
        assert!(text.starts_with("(what is before is in the log)\nxxx") && text.ends_with("x\n"));
        assert!(text.lines().skip(1).all(|line| line.len() == 99), "no line is cut");
        assert!(text.len() <= 32 + (4 << 20), "{}", text.len());
    }
}
