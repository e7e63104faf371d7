//! Progress as lines: reads well in a terminal and in a CI log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use pipeline_core::event::{Event, EventKind, Failure, Status, Stream, Traffic, command_line};
use pipeline_core::fresh::Reason;
use pipeline_core::output::{bytes, seconds};
use pipeline_core::plan::InstanceId;

use super::sections::Forge;
use super::{Style, clean, live, note};

/// How many of a failed instance's last lines are shown.
const TAIL: usize = 15;

/// More characters of one are not.
const WIDEST: usize = 1000;

/// Which lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// For each thing that happens.
    All,
    /// For what ends: what is under way is to be seen below.
    Live,
    /// For what went wrong.
    Quiet,
}

/// Consumes events, prints lines on stderr.
pub(crate) struct Plain {
    style: Style,
    verbose: bool,
    manner: Manner,
    /// What is still to be printed of an event.
    out: String,
    /// Who folds what is printed.
    forge: Option<Forge>,
    /// Where the recipe has its steps.
    places: BTreeMap<String, String>,
    /// Where an instance's log is, and will be.
    logs: Option<PathBuf>,
    total: usize,
    ended: usize,
    tails: BTreeMap<InstanceId, VecDeque<String>>,
    /// Why what is about to start must run.
    reasons: BTreeMap<InstanceId, String>,
    /// What failed and may.
    allowed: BTreeSet<InstanceId>,
    /// How many did not start because of those.
    left_out: usize,
    /// What all deliveries took, where there was one.
    traffic: Option<Traffic>,
}

impl Plain {
    /// `places` has `FILE:LINE:COLUMN` by step.
    pub(crate) fn new(logs: Option<PathBuf>, verbose: bool, places: &BTreeMap<String, String>) -> Self {
        let manner = if live::is_enabled() { Manner::Live } else { Manner::All };
        let plain = Self::of(manner, Style::stderr(), logs, verbose);
        Self { forge: Forge::here(), places: places.clone(), ..plain }
    }

    /// Says nothing but what went wrong.
    pub(crate) fn quiet(self) -> Self {
        Self { manner: Manner::Quiet, verbose: false, ..self }
    }

    pub(super) fn of(manner: Manner, style: Style, logs: Option<PathBuf>, verbose: bool) -> Self {
        Self {
            style,
            verbose,
            manner,
            out: String::new(),
            forge: None,
            places: BTreeMap::new(),
            logs,
            total: 0,
            ended: 0,
            tails: BTreeMap::new(),
            reasons: BTreeMap::new(),
            allowed: BTreeSet::new(),
            left_out: 0,
            traffic: None,
        }
    }

    pub(crate) fn on(&mut self, event: &Event) {
        live::on(event);
        self.tell(event);
        self.flush();
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            note(&std::mem::take(&mut self.out));
        }
    }

    /// The lines that an event is worth.
    #[cfg(test)]
    pub(super) fn told(&mut self, event: &Event) -> String {
        self.tell(event);
        std::mem::take(&mut self.out)
    }

    fn tell(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { run, recipe, instances, jobs, .. } => {
                self.total = *instances;
                self.say(&format!(
                    "{} {instances} step{}, up to {jobs} at once, run {run}\n",
                    self.style.bold(&format!("{recipe}:")),
                    if *instances == 1 { "" } else { "s" }
                ));
            }
            // Its target's line has that.
            EventKind::Emulator { .. } if self.manner == Manner::Live && !self.verbose => {}
            EventKind::Emulator { platform, interpreter, version } => {
                let version = version.as_deref().unwrap_or("of an unknown version");
                let text = clean(&format!("{platform} is emulated by QEMU {version}, {interpreter}"));
                self.say(&format!("{text}\n"));
            }
            EventKind::Builder { platform, engine, why, .. } => {
                let engine = engine.as_deref().map(|engine| format!(" ({engine})")).unwrap_or_default();
                let text = clean(&format!("{platform}: {why}{engine}"));
                self.say(&format!("{text}\n"));
            }
            EventKind::Due { instance, reason } => {
                // That it was never done, or is done each time, needs no words.
                if !matches!(reason, Reason::NoRecord | Reason::Always | Reason::Forced) {
                    self.reasons.insert(instance.clone(), clean(&reason.to_string()));
                }
            }
            EventKind::Started { instance, attempt } => {
                if *attempt > 1 {
                    self.line("start", "", instance, &format!(" (attempt {attempt})"));
                } else if self.manner == Manner::All || self.verbose {
                    let reason = self.reason(instance);
                    self.line("start", "", instance, &reason);
                }
            }
            EventKind::Command { instance, argv } => {
                self.text(instance, &format!("$ {}", command_line(argv)));
            }
            EventKind::Line { instance, stream: Stream::Engine, text, .. } => {
                self.text(instance, &format!("* {text}"));
            }
            EventKind::Line { instance, text, painted, .. } => {
                let painted = painted.as_ref().filter(|_| self.style.colours());
                self.show(instance, painted.unwrap_or(text));
            }
            EventKind::Pinned { instance, key, pin, new: true } => {
                self.line("locked", "", instance, &format!("  {key} is {pin}"));
            }
            EventKind::Pinned { instance, key, pin, new: false } => {
                self.text(instance, &format!("* {key} is {pin}, by the lock"));
            }
            EventKind::Tool { .. } | EventKind::Output { .. } | EventKind::Transfer { .. } => {}
            EventKind::Delivered { instance, traffic } => {
                self.line("sent", "", instance, &format!("  {traffic}"));
                let all = self.traffic.get_or_insert_default();
                all.sent += traffic.sent;
                all.avoided += traffic.avoided;
            }
            EventKind::Finished { instance, status, took, attempts } => {
                self.finished(event, instance, status, *took, *attempts);
            }
            EventKind::Warning { message } => {
                self.out += &format!("{} {}\n", self.style.warn("warning:"), clean(message));
                if let Some(forge) = self.forge {
                    self.flush();
                    forge.warning(message);
                }
            }
            EventKind::Interrupted { .. } => {
                let word = self.style.warn("interrupted:");
                self.out += &format!("{word} stopping; once more stops at once\n");
            }
            EventKind::RunFinished { counts } => {
                let mut text = counts.to_string();
                if self.left_out > 0 {
                    // Nothing says FAILED above, and the run ends with an exit code other than 0.
                    text += &format!(", {} of these for want of what failed as allowed", self.left_out);
                }
                text += &format!(" in {}", seconds(event.elapsed));
                if let Some(Traffic { sent, avoided, .. }) = self.traffic {
                    text += &format!("; {} sent, {} avoided", bytes(sent), bytes(avoided));
                }
                let text = if counts.done + counts.up_to_date == self.total {
                    self.style.good(&text)
                } else {
                    self.style.bold(&text)
                };
                // Of what went well, nothing is to be said.
                if self.manner != Manner::Quiet || counts.done + counts.up_to_date < self.total {
                    self.out += &format!("{text}\n");
                }
            }
        }
    }

    /// Why the instance runs, where that has not been said.
    fn reason(&mut self, instance: &InstanceId) -> String {
        self.reasons.remove(instance).map(|reason| format!("  ({reason})")).unwrap_or_default()
    }

    /// What somebody who wants quiet does not want to hear.
    fn say(&mut self, text: &str) {
        if self.manner != Manner::Quiet {
            self.out += text;
        }
    }

    fn finished(
        &mut self,
        event: &Event,
        instance: &InstanceId,
        status: &Status,
        time: Duration,
        attempts: u32,
    ) {
        self.ended += 1;
        let progress = format!("[{}/{}] ", self.ended, self.total);
        let took = &seconds(time);
        // Who shows every line has shown them.
        let forge = self.forge.filter(|_| !self.verbose && self.manner == Manner::All);
        let fold = |title: &str| {
            let log = self.logs.as_ref().map(|logs| logs.join(format!("{instance}.log")));
            forge
                .zip(log)
                .is_some_and(|(forge, log)| forge.section(instance, title, &log, event.at.as_second(), time))
        };
        if let Status::Failed(failure) | Status::Allowed(failure) = status {
            fold(&format!("log of {instance}"));
            if let Some(forge) = self.forge {
                forge.failed(instance, failure, &self.places);
            }
        }
        match status {
            Status::Done if attempts == 1 && fold(&format!("    done  {progress}{instance}  {took}")) => {}
            Status::UpToDate => {
                if self.verbose {
                    self.line("same", &progress, instance, "");
                }
            }
            Status::Done if attempts > 1 => {
                self.line("flaky", &progress, instance, &format!("  {took}, done by attempt {attempts}"));
            }
            Status::Done => {
                let reason = self.reason(instance);
                self.line("done", &progress, instance, &format!("  {took}{reason}"));
            }
            Status::Failed(failure) => self.failed("FAILED", &progress, instance, failure, took),
            Status::Allowed(failure) => {
                self.allowed.insert(instance.clone());
                self.failed("allowed", &progress, instance, failure, took);
            }
            Status::Cancelled => self.line("stopped", &progress, instance, &format!("  {took}")),
            Status::Skipped { because: Some(other) } => {
                self.left_out += usize::from(self.allowed.contains(other));
                self.line("skipped", &progress, instance, &format!("  ({other} failed)"));
            }
            // A run that ends early skips all the rest; the last line counts them.
            Status::Skipped { because: None } => {}
        }
        self.tails.remove(instance);
    }

    fn failed(&mut self, word: &str, progress: &str, instance: &InstanceId, failure: &Failure, took: &str) {
        self.line(word, progress, instance, &format!("  {took}"));
        let indent = "          ";
        let mut text = String::new();
        for line in clean(&failure.message).lines() {
            text += &format!("{indent}{line}\n");
        }
        if !self.verbose {
            for line in self.tails.get(instance).into_iter().flatten() {
                text += &format!("{indent}{} {line}\n", self.style.dim("|"));
            }
        }
        if let Some(help) = &failure.help {
            let help = clean(help).replace('\n', &format!("\n{indent}      "));
            text += &format!("{indent}{} {help}\n", self.style.dim("help:"));
        }
        let explain = format!("pipeline explain-error {}", failure.kind.code());
        text += &format!("{indent}{} {explain}\n", self.style.dim("more:"));
        if let Some(logs) = &self.logs {
            let log = logs.join(format!("{instance}.log"));
            text += &format!("{indent}{} {}\n", self.style.dim("log:"), log.display());
        }
        self.out += &text;
    }

    fn line(&mut self, word: &str, progress: &str, instance: &InstanceId, rest: &str) {
        let padded = format!("{word:>8}");
        let is_bad = matches!(word, "FAILED" | "allowed");
        let word = match word {
            "done" => self.style.good(&padded),
            "FAILED" => self.style.bad(&padded),
            "start" | "sent" => self.style.dim(&padded),
            _ => self.style.warn(&padded),
        };
        let line = format!("{word}  {progress}{instance}{rest}\n");
        if is_bad {
            self.out += &line;
        } else {
            self.say(&line);
        }
    }

    fn text(&mut self, instance: &InstanceId, text: &str) {
        self.show(instance, &clean(text));
    }

    /// A text in which nothing acts but colours.
    fn show(&mut self, instance: &InstanceId, text: &str) {
        if self.verbose {
            self.out += &format!("{} {text}\n", self.style.dim(&format!("{instance} |")));
        }
        let tail = self.tails.entry(instance.clone()).or_default();
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(short(text));
    }
}

/// Of a line that would fill the screen, the beginning.
fn short(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((cut, _)) if text.contains('\x1b') => format!("{}\x1b[0m…", &text[..cut]),
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
