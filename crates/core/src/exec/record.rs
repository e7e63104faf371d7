//! What a run leaves behind: `.pipeline/runs/<id>/` with `events.jsonl` and a log for each instance that started.
//!
//! A consumer of the event stream: everything in the folder can be made again from `events.jsonl`. A disk that is full
//! stops no run; it is one warning.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::event::{Event, EventKind, Status, log_line};
use crate::output::plain;
use crate::plan::InstanceId;

/// The folder of one run.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    events: BufWriter<File>,
    /// Of the instances that run.
    logs: BTreeMap<InstanceId, File>,
    problem: Option<String>,
    told: bool,
}

impl RunDir {
    /// Makes the folder of a run that has none yet.
    pub fn create(here: &Path, run: &str) -> io::Result<Self> {
        let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
        if run.is_empty() || run.starts_with('.') || run.contains(odd) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{run}` is no id of a run")));
        }
        let path = here.join(".pipeline/runs").join(run);
        fs::create_dir_all(path.join("logs"))?;
        let events = OpenOptions::new().write(true).create_new(true).open(path.join("events.jsonl"))?;
        Ok(Self { path, events: BufWriter::new(events), logs: BTreeMap::new(), problem: None, told: false })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where an instance's log is, or would be.
    pub fn log_path(&self, instance: &InstanceId) -> PathBuf {
        self.path.join("logs").join(format!("{instance}.log"))
    }

    /// Keeps the plan beside the events.
    pub fn save_plan(&mut self, plan: &impl serde::Serialize) {
        let write = |file| {
            let mut file = BufWriter::new(file);
            serde_json::to_writer(&mut file, plan)?;
            file.flush()
        };
        let result = File::create(self.path.join("plan.json")).and_then(write);
        self.note(result);
    }

    /// Records an event.
    pub fn on(&mut self, event: &Event) {
        let result = self.record(event).and_then(|()| self.log(&event.kind));
        self.note(result);
    }

    /// Why the record is incomplete, once.
    pub fn take_warning(&mut self) -> Option<String> {
        if self.told {
            return None;
        }
        let problem = self.problem.clone()?;
        self.told = true;
        Some(format!("the record of this run in {} is incomplete: {problem}", self.path.display()))
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.problem.get_or_insert(error.to_string());
        }
    }

    fn record(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.events, event)?;
        self.events.write_all(b"\n")?;
        // Lines come by the ten thousand, and so does what need not run; what decides is on its way to the disk at once.
        let many = matches!(
            event.kind,
            EventKind::Line { .. }
                | EventKind::Transfer { .. }
                | EventKind::Finished { status: Status::UpToDate, .. }
        );
        if many { Ok(()) } else { self.events.flush() }
    }

    fn log(&mut self, kind: &EventKind) -> io::Result<()> {
        if let EventKind::Due { instance, .. } | EventKind::Started { instance, attempt: 1 } = kind
            && !self.logs.contains_key(instance)
        {
            let log = File::create(self.log_path(instance))?;
            self.logs.insert(instance.clone(), log);
            if matches!(kind, EventKind::Started { .. }) {
                return Ok(());
            }
        }
        let Some((instance, text)) = log_line(kind) else { return Ok(()) };
        let result = self.line(instance, &text);
        if let EventKind::Finished { instance, .. } = kind {
            self.logs.remove(instance);
        }
        result
    }

    /// One write for each line, so that who follows the log sees it at once. What never started has no log.
    fn line(&mut self, instance: &InstanceId, text: &str) -> io::Result<()> {
        match self.logs.get_mut(instance) {
            Some(log) => log.write_all(format!("{}\n", plain(text)).as_bytes()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stream;
    use std::time::Duration;

    fn event(seq: u64, kind: EventKind) -> Event {
        Event { seq, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_millis(seq), kind }
    }

    #[test]
    fn the_log_is_the_events_of_one_instance() {
        let folder = tempfile::tempdir().unwrap();
        let id = InstanceId::new("build", Some("arm64"), None);
        let instance = || id.clone();
        let mut run = RunDir::create(folder.path(), "r1").unwrap();
        let events = [
            EventKind::Started { instance: instance(), attempt: 1 },
            EventKind::Command { instance: instance(), argv: vec!["echo".into(), "a b".into()] },
            EventKind::Line {
                instance: instance(),
                stream: Stream::Output,
                text: "a b".into(),
                painted: None,
            },
            EventKind::Line {
                instance: instance(),
                stream: Stream::Engine,
                text: "hm".into(),
                painted: None,
            },
            EventKind::Finished {
                instance: instance(),
                status: Status::Done,
                took: Duration::from_secs(1),
                attempts: 1,
            },
        ];
        let events: Vec<Event> = (0..).zip(events).map(|(seq, kind)| event(seq, kind)).collect();
        for event in &events {
            run.on(event);
        }
        assert_eq!(run.take_warning(), None);
        let log = fs::read_to_string(run.log_path(&id)).unwrap();
        assert_eq!(log, "$ echo 'a b'\na b\n# hm\n# done after 1.0 s\n");
        let stream = fs::read_to_string(run.path().join("events.jsonl")).unwrap();
        let read: Vec<Event> = stream.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events);
    }

    #[test]
    fn a_full_disk_is_one_warning_and_an_odd_id_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for id in ["", "..", "../x", "a/b", ".hidden"] {
            assert!(RunDir::create(folder.path(), id).is_err(), "{id}");
        }
        let mut run = RunDir::create(folder.path(), "r1").unwrap();
        assert!(RunDir::create(folder.path(), "r1").is_err());
        run.events = BufWriter::new(OpenOptions::new().write(true).open("/dev/full").unwrap());
        for seq in 0..3 {
            run.on(&event(seq, EventKind::Warning { message: "x".into() }));
        }
        assert!(run.take_warning().unwrap().contains("incomplete"));
        assert_eq!(run.take_warning(), None);
    }
}
