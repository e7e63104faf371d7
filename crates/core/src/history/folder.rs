//! The folder that a run left: `.pipeline/runs/<id>/`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Account;
use crate::event::{Event, VERSION};
use crate::plan::{InstanceId, Plan};
use crate::show;

/// So much of the end of a record is looked at for its last event.
const END: u64 = 64 * 1024;

/// A run's folder. It may be of a run that goes on, that was killed, or that somebody has cleared in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// The run's id: the folder's name.
    pub id: String,
    path: PathBuf,
}

/// Why a run's record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// A file is not there, or cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is no event.
    #[error("{}: line {line} is no event of a run: {error}", path.display())]
    Event {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// Why.
        error: serde_json::Error,
    },
    /// Another version of this program wrote it.
    #[error("{}: its events have version {version}, and this program knows version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version.
        version: u32,
    },
    /// The plan cannot be read.
    #[error("{}: {error}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

/// The runs of a recipe's folder, the oldest first. Their ids sort by time.
pub fn runs(here: &Path) -> io::Result<Vec<RunFolder>> {
    let folder = here.join(".pipeline/runs");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Ok(id) = entry.file_name().into_string()
            && is_id(&id)
            && entry.path().join("events.jsonl").is_file()
        {
            runs.push(RunFolder { id, path: entry.path() });
        }
    }
    runs.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(runs)
}

/// A name as runs have it, so that it can be printed anywhere. Others are none of ours, and one with a dot in front is about to be
/// removed.
fn is_id(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(usual)
}

/// A file: a pipe in its place would keep whoever opens it waiting, and a device never ends.
fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(io::Error::other("it is no file")) }
}

impl RunFolder {
    /// Of a run that goes on, or has just ended.
    pub fn at(path: &Path) -> Self {
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { id, path: path.to_owned() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log of an instance is, if it has one.
    pub fn log(&self, instance: &InstanceId) -> PathBuf {
        self.path.join("logs").join(format!("{instance}.log"))
    }

    /// Opens that log.
    pub fn open_log(&self, instance: &InstanceId) -> io::Result<File> {
        open(&self.log(instance))
    }

    /// Hands every event to `on`, in order. A last line that was cut, as a kill leaves it, is left out.
    pub fn events(&self, on: impl FnMut(Event)) -> Result<(), Unread> {
        self.read(|_| true, on)
    }

    /// The same without what tools printed, which may be gigabytes and is not even taken apart.
    pub fn happenings(&self, on: impl FnMut(Event)) -> Result<(), Unread> {
        self.read(|text| !is_line(text), on)
    }

    fn read(&self, wanted: impl Fn(&[u8]) -> bool, mut on: impl FnMut(Event)) -> Result<(), Unread> {
        let path = self.path.join("events.jsonl");
        let io = |error| Unread::Io { path: path.clone(), error };
        let mut file = BufReader::new(File::open(&path).map_err(io)?);
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            if file.read_until(b'\n', &mut text).map_err(io)? == 0 || !text.ends_with(b"\n") {
                break;
            }
            if line == 1 {
                known(&path, &text)?;
            }
            if !wanted(&text) {
                continue;
            }
            let event = serde_json::from_slice(&text);
            on(event.map_err(|error| Unread::Event { path: path.clone(), line, error })?);
        }
        Ok(())
    }

    /// The first event, if there is a whole one: of a run, `run-started`.
    pub fn first(&self) -> Option<Event> {
        let mut text = Vec::new();
        let file = File::open(self.path.join("events.jsonl")).ok()?;
        BufReader::new(file.take(END)).read_until(b'\n', &mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The last event, as far as that can be told from the end of the record: `run-finished` of a run that has ended.
    pub fn last(&self) -> Option<Event> {
        let mut file = File::open(self.path.join("events.jsonl")).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
        let mut text = Vec::new();
        file.take(END).read_to_end(&mut text).ok()?;
        let whole = &text[..text.iter().rposition(|byte| *byte == b'\n')?];
        let begin = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        serde_json::from_slice(&whole[begin..]).ok()
    }

    /// The account of the run, without how many lines were printed: in a moment also where there are gigabytes of them.
    pub fn outline(&self) -> Result<Account, Unread> {
        let mut account = Account::default();
        self.happenings(|event| account.on(&event))?;
        Ok(account)
    }

    /// The account of the run.
    pub fn account(&self) -> Result<Account, Unread> {
        let mut account = Account::default();
        self.events(|event| account.on(&event))?;
        Ok(account)
    }

    /// The plan of the run; none for one that had nothing to do, which keeps no plan.
    pub fn plan(&self) -> Result<Option<Plan>, Unread> {
        let path = self.path.join("plan.json");
        let io = |error| Unread::Io { path: path.clone(), error };
        let mut text = Vec::new();
        match open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.and_then(|mut file| file.read_to_end(&mut text)).map_err(io)?,
        };
        show::read(&text).map(Some).map_err(|error| Unread::Plan { path, error })
    }
}

/// The event is a line of a tool. What stands before its kind is written by us alone and short, so that nothing that was
/// printed can pass for it.
fn is_line(text: &[u8]) -> bool {
    const KIND: &[u8] = br#""event":"line","#;
    text.get(..160.min(text.len())).is_some_and(|head| head.windows(KIND.len()).any(|part| part == KIND))
}

/// A version that is not known may have events of any form.
fn known(path: &Path, first: &[u8]) -> Result<(), Unread> {
    let value: Option<serde_json::Value> = serde_json::from_slice(first).ok();
    let version = value.and_then(|value| value.get("version")?.as_u64());
    match version.map(|version| u32::try_from(version).unwrap_or(u32::MAX)) {
        Some(version) if version != VERSION => Err(Unread::Version { path: path.to_owned(), version }),
        _ => Ok(()),
    }
}
