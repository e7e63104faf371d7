//! JUnit XML: a suite for each target, a case for each instance. Valid by the schema that Jenkins publishes, which is narrower
//! than what most read.

use std::borrow::Cow;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{has_no_end, of_target, targets};
use crate::event::{Failure, FailureKind, Status};
use crate::history::{Account, Course, RunFolder};
use crate::output::plain;
use crate::plan::{Instance, Plan};

/// So much of the end of a failed instance's log is in the report.
const TAIL: u64 = 16 * 1024;

/// Writes the report.
pub fn junit(plan: &Plan, account: &Account, run: &RunFolder, to: &mut dyn Write) -> io::Result<()> {
    let suites: Vec<Suite<'_>> =
        targets(plan).into_iter().map(|target| Suite::of(plan, account, target)).collect();
    let sum = |count: fn(&Suite<'_>) -> usize| suites.iter().map(count).sum::<usize>().to_string();
    let mut writer = Writer::new_with_indent(to, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let element = writer.create_element("testsuites").with_attributes([
        ("name", &*legal(&account.recipe)),
        ("tests", &sum(|suite| suite.cases.len())),
        ("failures", &sum(|suite| suite.count(Verdict::Failure))),
        ("errors", &sum(|suite| suite.count(Verdict::Error))),
        ("time", &seconds(account.elapsed)),
    ]);
    element.write_inner_content(|writer| {
        suites.iter().try_for_each(|suite| suite.write(writer, account, run))
    })?;
    writer.get_mut().write_all(b"\n")
}

/// A target with its instances.
struct Suite<'p> {
    target: Option<String>,
    cases: Vec<Case<'p>>,
}

struct Case<'p> {
    instance: &'p Instance,
    course: Course,
    verdict: Verdict,
}

/// What a case is to those who read the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Success,
    Failure,
    /// Nobody knows: the run was killed.
    Error,
    Skipped,
}

impl<'p> Suite<'p> {
    fn of(plan: &'p Plan, account: &Account, target: Option<String>) -> Self {
        let case = |instance: &'p Instance| {
            let course = account.course(&instance.id).cloned().unwrap_or_default();
            let verdict = match course.status() {
                Some(Status::Done | Status::UpToDate) => Verdict::Success,
                Some(Status::Failed(_)) => Verdict::Failure,
                None if has_no_end(account, &instance.id) => Verdict::Error,
                Some(Status::Allowed(_) | Status::Cancelled | Status::Skipped { .. }) | None => {
                    Verdict::Skipped
                }
            };
            Case { instance, course, verdict }
        };
        let cases = of_target(plan, target.as_deref()).map(case).collect();
        Self { target, cases }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.cases.iter().filter(|case| case.verdict == verdict).count()
    }

    /// From the first of its instances that ran to the last.
    fn time(&self) -> Duration {
        let began = self.cases.iter().filter_map(|case| case.course.began()).min();
        let ended = self.cases.iter().filter_map(|case| case.course.end.as_ref().map(|(end, _)| *end)).max();
        ended.zip(began).map(|(ended, began)| ended.saturating_sub(began)).unwrap_or_default()
    }

    fn write<W: Write>(&self, writer: &mut Writer<W>, account: &Account, run: &RunFolder) -> io::Result<()> {
        let count = |verdict| self.count(verdict).to_string();
        let began =
            account.began.map(|began| began.strftime("%Y-%m-%dT%H:%M:%S").to_string()).unwrap_or_default();
        let name = legal(self.target.as_deref().unwrap_or("once")).into_owned();
        let element = writer.create_element("testsuite").with_attributes([
            ("name", name.as_str()),
            ("tests", &self.cases.len().to_string()),
            ("failures", &count(Verdict::Failure)),
            ("errors", &count(Verdict::Error)),
            ("skipped", &count(Verdict::Skipped)),
            ("time", &seconds(self.time())),
            ("timestamp", &began),
        ]);
        element.write_inner_content(|writer| {
            let platform = self.cases.iter().find_map(|case| case.instance.platform.as_ref());
            let platform = platform.map(ToString::to_string);
            let told = [("run", Some(account.run.clone())), ("platform", platform)];
            writer.create_element("properties").write_inner_content(|writer| {
                for (name, value) in told {
                    if let Some(value) = value {
                        let property = [("name", name), ("value", &*legal(&value))];
                        writer.create_element("property").with_attributes(property).write_empty()?;
                    }
                }
                Ok(())
            })?;
            self.cases.iter().try_for_each(|case| case.write(writer, &account.recipe, run))
        })?;
        Ok(())
    }
}

impl Case<'_> {
    fn write<W: Write>(&self, writer: &mut Writer<W>, recipe: &str, run: &RunFolder) -> io::Result<()> {
        let class = match &self.instance.target {
            Some(target) => format!("{recipe}.{target}"),
            None => recipe.to_owned(),
        };
        let element = writer.create_element("testcase").with_attributes([
            ("name", self.instance.id.as_str()),
            ("classname", &*legal(&class)),
            ("time", &seconds(self.course.took)),
        ]);
        element.write_inner_content(|writer| {
            match self.verdict {
                Verdict::Success => {}
                Verdict::Skipped => {
                    let why = legal(&self.why_skipped()).into_owned();
                    writer
                        .create_element("skipped")
                        .with_attribute(("message", why.as_str()))
                        .write_empty()?;
                }
                Verdict::Failure | Verdict::Error => self.failed(writer, run)?,
            }
            let facts = legal(&self.facts()).into_owned();
            writer.create_element("system-out").write_text_content(BytesText::new(&facts))?;
            Ok(())
        })?;
        Ok(())
    }

    fn why_skipped(&self) -> String {
        match self.course.status() {
            Some(Status::Allowed(failure)) => format!("failed, which is allowed: {}", failure.message),
            Some(Status::Cancelled) => "stopped".into(),
            Some(Status::Skipped { because: Some(other) }) => format!("not started: {other} failed"),
            _ => "not started".into(),
        }
    }

    fn failed<W: Write>(&self, writer: &mut Writer<W>, run: &RunFolder) -> io::Result<()> {
        let killed = || Failure::new(FailureKind::Internal, "the run was killed while this was under way");
        let (name, failure) = match self.course.status() {
            Some(Status::Failed(failure)) => ("failure", failure.clone()),
            _ => ("error", killed()),
        };
        let help = failure.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let log = tail(run, self.instance).unwrap_or_else(|| "its log is gone".into());
        let text = format!("{}{help}\n\n{log}", failure.message);
        let (message, kind) = (legal(&failure.message), class(failure.kind));
        let element = writer.create_element(name).with_attributes([("message", &*message), ("type", &kind)]);
        element.write_text_content(BytesText::new(&legal(&text)))?;
        Ok(())
    }

    /// What has no place of its own in the form.
    fn facts(&self) -> String {
        let (instance, course) = (self.instance, &self.course);
        let mut facts = String::new();
        let mut fact = |name: &str, value: &str| facts += &format!("{name}: {value}\n");
        if !instance.kind.is_empty() {
            fact("kind", &instance.kind);
        }
        if let Some(node) = &instance.node {
            fact("node", node);
        }
        if let Some(reason) = &course.reason {
            fact("runs", &reason.to_string());
        }
        if course.status() == Some(&Status::UpToDate) {
            fact("result", "up to date");
        }
        if course.tried > 1 {
            fact("attempts", &course.tried.to_string());
        }
        facts
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// The class of a failure, as the record calls it.
fn class(kind: FailureKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(serde_json::Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// The text as XML 1.0 may hold it, whatever is escaped there: it has no way to write most control characters, which `plain`
/// writes as words, nor these two.
fn legal(text: &str) -> Cow<'_, str> {
    let text = plain(text);
    let is_bad = |c: char| matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(is_bad) { Cow::Owned(text.replace(is_bad, "\u{fffd}")) } else { text }
}

/// The end of a log, beginning with a whole line.
fn tail(run: &RunFolder, instance: &Instance) -> Option<String> {
    let mut file = run.open_log(&instance.id).ok()?;
    let length = file.metadata().ok()?.len();
    let begin = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(begin)).ok()?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(match text.split_once('\n') {
        Some((_, rest)) if begin > 0 => rest.to_owned(),
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::legal;

    /// Production 2 of XML 1.0, without a carriage return, which readers take for a line's end.
    fn is_char(c: char) -> bool {
        matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    #[test]
    fn no_character_is_one_that_xml_has_not() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}b");
            assert!(legal(&text).chars().all(is_char), "{c:?}: {:?}", legal(&text));
        }
        assert_eq!(legal("a\u{7}b\u{ffff}"), "a\\x07b\u{fffd}");
    }
}
