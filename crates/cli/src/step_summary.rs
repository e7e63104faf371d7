//! `$GITHUB_STEP_SUMMARY`: what came of a run, as Markdown on the page of the job.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use pipeline_core::history::{Account, Arrival, Outcome};
use pipeline_core::output::{bytes, seconds};

use crate::terminal::clean;

/// GitHub drops a summary of more than 1 MiB; a step has several writers.
const MOST: usize = 256 << 10;

/// Where GitHub wants it, when this is a job there.
pub(crate) fn file() -> Option<PathBuf> {
    std::env::var_os("GITHUB_ACTIONS").filter(|value| value == "true")?;
    std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Adds what came of a run to the summary; the error says what cannot be written.
pub(crate) fn write(file: &Path, outcome: &Outcome, account: &Account) -> Result<(), String> {
    let mut text = markdown(outcome, account);
    if text.len() > MOST {
        let cut = (0..=MOST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(text[..cut].rfind('\n').map_or(0, |at| at + 1));
        text.truncate(text.trim_end().len());
        text += "\n\n… and more: the log has it all\n";
    }
    let add = || -> io::Result<()> {
        OpenOptions::new().append(true).create(true).open(file)?.write_all(text.as_bytes())
    };
    add().map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn markdown(outcome: &Outcome, account: &Account) -> String {
    let mut text = format!("### {}: {}\n\n", cell(&account.recipe), verdict(account));
    let images =
        || outcome.targets.iter().flat_map(|target| target.images.iter().map(move |image| (target, image)));
    if images().next().is_some() {
        text += "| target | platform | image | id | on nodes |\n| --- | --- | --- | --- | --- |\n";
    }
    for (target, image) in images() {
        let emulated = if account.emulators.contains_key(&target.platform) { " (emulated)" } else { "" };
        let how = if image.is_new { format!(", built in {}", seconds(image.took)) } else { String::new() };
        let nodes: Vec<String> = image.nodes.iter().map(arrival).collect();
        let _ = writeln!(
            text,
            "| {} | {}{emulated} | {}{how} | <code>{}</code> | {} |",
            cell(&target.name),
            cell(&target.platform.to_string()),
            cell(&image.reference),
            cell(&image.id),
            nodes.join("<br>")
        );
    }
    for (instance, failure) in &outcome.failed {
        let help = failure.help.as_ref().map(|help| format!("<br>{}", cell(help))).unwrap_or_default();
        let _ = write!(text, "\n**{}** failed: {}{help}\n", cell(instance.as_str()), cell(&failure.message));
    }
    for (because, skipped) in &outcome.skipped {
        let _ = write!(text, "\n{} not started, for want of {}\n", skipped.len(), cell(because.as_str()));
    }
    if !outcome.flaky.is_empty() {
        let flaky =
            outcome.flaky.iter().map(|(id, tried)| format!("{} (attempt {tried})", cell(id.as_str())));
        let _ = write!(text, "\nflaky: {}\n", flaky.collect::<Vec<_>>().join(", "));
    }
    if outcome.critical.len() > 1 {
        let path = outcome
            .critical
            .iter()
            .map(|link| format!("{} {}", cell(link.instance.as_str()), seconds(link.took)));
        let _ = write!(
            text,
            "\n<details><summary>critical path</summary>\n\n{}\n</details>\n",
            path.collect::<Vec<_>>().join(" → ")
        );
    }
    text += "\n";
    text
}

/// `21 done in 25 s; run 2026…`
fn verdict(account: &Account) -> String {
    let counts = account.counts.unwrap_or_default();
    format!("{counts} in {}; run {}", seconds(account.elapsed), cell(&account.run))
}

fn arrival(arrival: &Arrival) -> String {
    let Arrival { node, traffic, is_verified } = arrival;
    let verified = if *is_verified { " ✓ verified" } else { "" };
    let traffic = traffic.map(|t| format!(", {} sent, {} avoided", bytes(t.sent), bytes(t.avoided)));
    format!("{}{verified}{}", cell(node), traffic.unwrap_or_default())
}

/// Text from outside as one line in which neither Markdown nor HTML means anything.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '\n' | '\r' => out.push_str("<br>"),
            // As numbers, no renderer takes them for marks; letters, digits and usual punctuation are none.
            c if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '/' | '-') => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pipeline_core::event::{Counts, Failure, FailureKind};
    use pipeline_core::plan::InstanceId;

    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            cell("a|b\n<img src=x>`*_#[]()"),
            "a&#124;b<br>&#60;img src&#61;x&#62;&#96;&#42;&#95;&#35;&#91;&#93;&#40;&#41;"
        );
        assert_eq!(cell("v1.2-3/x, y"), "v1.2-3/x, y");
        assert_eq!(cell("\u{1b}[31mred"), "red");
    }

    #[test]
    fn a_summary_is_added_to_what_is_there_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary");
        fs::write(&file, "before\n").unwrap();
        let failure = Failure::new(FailureKind::Exit { code: 1 }, "no <b>").help("do");
        let failed = (0..9000).map(|n| (InstanceId::new(&format!("s{n}"), None, None), failure.clone()));
        let mut outcome = Outcome { failed: failed.clone().take(1).collect(), ..Outcome::default() };
        let counts = Some(Counts { done: 2, failed: 1, ..Counts::default() });
        let account = Account { run: "r1".into(), recipe: "demo".into(), counts, ..Account::default() };
        write(&file, &outcome, &account).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            "before\n### demo: 2 done, 1 failed in 0.0 s; run r1\n\n\n**s0** failed: no &#60;b&#62;<br>do\n\n"
        );
        outcome.failed = failed.collect();
        write(&file, &outcome, &account).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.len() < MOST + 1000 && text.ends_with("do\n\n… and more: the log has it all\n"),
            "{}",
            text.len()
        );
        assert!(
            write(&folder.path().join("no/file"), &outcome, &account).unwrap_err().contains("cannot write")
        );
    }
}
