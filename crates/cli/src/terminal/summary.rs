//! What came of a run, below its last line: what is where, what took the time, and what to do next.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pipeline_core::history::{Account, Arrival, Image, Link, Outcome, Target};
use pipeline_core::output::{bytes, seconds};

use super::{Style, clean, note};

/// More instances of one kind are counted only.
const MOST: usize = 4;

/// Prints it, where there is anything to say: a run that had nothing to do has said it all. `here` is the recipe's folder.
pub(crate) fn summary(outcome: &Outcome, account: &Account, here: &Path) {
    note(&text(outcome, account, here, Style::stderr()));
}

fn text(outcome: &Outcome, account: &Account, here: &Path, style: Style) -> String {
    let ran = account.courses.values().any(|course| course.began().is_some());
    let mut text = String::new();
    if !ran {
        return text;
    }
    let width = outcome.targets.iter().map(|target| target.name.chars().count()).max().unwrap_or_default();
    for target in outcome.targets.iter().filter(|target| !target.images.is_empty()) {
        text += &head(target, account, width, style);
        for image in &target.images {
            text += &lines_of(image, here, width, style);
        }
    }
    // What is over at once took no time worth a word.
    if outcome.critical.len() > 1 && account.elapsed >= Duration::from_secs(1) {
        text += &critical(outcome, account, style);
    }
    if !outcome.flaky.is_empty() {
        let flaky = outcome.flaky.iter().map(|(id, tried)| format!("{id} (attempt {tried})"));
        text += &format!("{} {}\n", style.warn("flaky:"), some(flaky));
    }
    for (because, skipped) in &outcome.skipped {
        let skipped = some(skipped.iter().map(ToString::to_string));
        text += &format!("{} {skipped}, for want of {because}\n", style.warn("not started:"));
    }
    let stopped = account.interrupted.is_some() && outcome.failed.is_empty();
    if stopped || !outcome.failed.is_empty() {
        let when = if stopped { "" } else { "when that is mended, " };
        let next = format!("{when}the same command goes on from there and does nothing twice");
        text += &format!("{} {next}\n", style.dim("next:"));
    }
    text
}

/// `arm64  linux/arm64, emulated by QEMU 7.2.22; 12 of 12 steps in 24 s`
fn head(target: &Target, account: &Account, width: usize, style: Style) -> String {
    let emulated = account.emulators.get(&target.platform);
    let how = match emulated.map(|emulated| emulated.version.as_deref()) {
        // Without what the distribution calls it.
        Some(Some(version)) => {
            format!(", emulated by QEMU {}", clean(version.split(" (").next().unwrap_or_default()))
        }
        Some(None) => ", emulated".to_owned(),
        None => match account.builders.get(&target.platform).filter(|built| built.native) {
            Some(built) => format!(", native on {}", clean(&built.builder)),
            None => String::new(),
        },
    };
    let took = target.took.map(|took| format!(" in {}", seconds(took))).unwrap_or_default();
    let name = style.bold(&format!("{:<width$}", clean(&target.name)));
    format!("{name}  {}{how}; {} of {} steps{took}\n", target.platform, target.there, target.total)
}

fn lines_of(image: &Image, here: &Path, width: usize, style: Style) -> String {
    let indent = " ".repeat(width + 2);
    let how = if image.is_new { format!("built in {}", seconds(image.took)) } else { "unchanged".into() };
    let mut text = format!("{indent}{}  {}  {how}\n", clean(&image.reference), short(&image.id));
    for archive in &image.archives {
        let size = fs::metadata(here.join(archive)).ok().filter(fs::Metadata::is_file);
        let size = size.map(|file| format!("  {}", bytes(file.len()))).unwrap_or_default();
        text += &format!("{indent}{}{size}\n", clean(archive));
    }
    for Arrival { node, traffic, is_verified } in &image.nodes {
        let verified = if *is_verified { style.good("verified") } else { "arrived".to_owned() };
        let traffic = traffic.map(|traffic| format!(", {traffic}")).unwrap_or_default();
        text += &format!("{indent}{}: {verified}{traffic}\n", clean(node));
    }
    text
}

/// `critical path: 22 s of 25 s`, and below it the longest of it, one a line.
fn critical(outcome: &Outcome, account: &Account, style: Style) -> String {
    let path = &outcome.critical;
    let sum = |of: fn(&Link) -> Duration| path.iter().map(of).sum::<Duration>();
    let (took, waited) = (sum(|link| link.took), sum(|link| link.waited));
    let mut text =
        format!("{} {} of {}", style.dim("critical path:"), seconds(took), seconds(account.elapsed));
    // Less is the engine's own time between two steps.
    if waited > account.elapsed / 10 && waited > Duration::from_secs(1) {
        text += &format!(", {} of waiting for a free place (`--jobs`)", seconds(waited));
    }
    // The longest say what to look at; they stay in their order.
    let mut longest: Vec<Duration> = path.iter().map(|link| link.took).collect();
    longest.sort_unstable_by(|a, b| b.cmp(a));
    let least = longest.get(MOST - 1).copied().unwrap_or_default();
    let shown = path.iter().filter(|link| link.took >= least).take(MOST);
    let shown: Vec<&Link> = shown.collect();
    let width = shown.iter().map(|link| link.instance.as_str().chars().count()).max().unwrap_or_default();
    for link in &shown {
        text += &format!("\n  {:<width$}  {}", link.instance.as_str(), seconds(link.took));
    }
    match path.len() - shown.len() {
        0 => text + "\n",
        more => format!("{text}\n  and {more} shorter\n"),
    }
}

/// The first of them, and how many more there are.
fn some(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let shown = names.iter().take(MOST).map(|name| clean(name)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `sha256:c696ff4d5b1e…`
fn short(id: &str) -> String {
    let id = clean(id);
    match id.char_indices().nth("sha256:".len() + 12) {
        Some((cut, _)) => format!("{}…", &id[..cut]),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pipeline_core::event::{Failure, FailureKind, Traffic};
    use pipeline_core::history::{Course, Emulated};
    use pipeline_core::plan::InstanceId;
    use pipeline_core::platform::Platform;

    use super::*;

    fn id(step: &str) -> InstanceId {
        InstanceId::new(step, Some("arm64"), None)
    }

    fn link(step: &str, waited: u64, took: u64) -> Link {
        Link { instance: id(step), waited: Duration::from_secs(waited), took: Duration::from_secs(took) }
    }

    fn account() -> Account {
        let emulated = Emulated { interpreter: "q".into(), version: Some("7.2.22 (Debian 1:7.2)".into()) };
        let ran = Course { attempts: vec![Duration::ZERO], ..Course::default() };
        Account {
            emulators: BTreeMap::from([(Platform::parse("linux/arm64").unwrap(), emulated)]),
            courses: BTreeMap::from([(id("image"), ran)]),
            elapsed: Duration::from_secs(40),
            ..Account::default()
        }
    }

    fn shown(outcome: &Outcome, account: &Account) -> String {
        text(outcome, account, Path::new("/nonexistent"), Style(false))
    }

    #[test]
    fn what_was_built_and_where_it_went() {
        let traffic = Traffic {
            sent: 1_100_000,
            sent_layers: 1,
            avoided: 199_000_000,
            avoided_layers: 4,
            sending: Duration::from_secs(1),
        };
        let image = Image {
            instance: id("image"),
            reference: "docker.io/library/registry:2".into(),
            id: format!("sha256:{}", "c6".repeat(32)),
            is_new: true,
            took: Duration::from_secs(30),
            archives: vec!["registry.\u{1b}[31mimg".into()],
            nodes: vec![
                Arrival { node: "edge-1".into(), traffic: Some(traffic), is_verified: true },
                Arrival { node: "edge-2".into(), traffic: None, is_verified: false },
            ],
        };
        let target = Target {
            name: "arm64".into(),
            platform: Platform::parse("linux/arm64").unwrap(),
            took: Some(Duration::from_secs(38)),
            there: 7,
            total: 7,
            images: vec![image],
        };
        let critical = ["a", "b", "c", "d", "e"];
        let outcome = Outcome {
            targets: vec![target],
            critical: critical.into_iter().zip(1..).map(|(step, took)| link(step, 2, took)).collect(),
            flaky: vec![(id("image"), 3)],
            ..Outcome::default()
        };
        let wanted = "\
arm64  linux/arm64, emulated by QEMU 7.2.22; 7 of 7 steps in 38 s
       docker.io/library/registry:2  sha256:c6c6c6c6c6c6…  built in 30 s
       registry.img
       edge-1: verified, 1.1 MB of 1 layer in 1.0 s, 1.1 MB/s; 199.0 MB of 4 layers avoided
       edge-2: arrived
critical path: 15 s of 40 s, 10 s of waiting for a free place (`--jobs`)
  b@arm64  2.0 s
  c@arm64  3.0 s
  d@arm64  4.0 s
  e@arm64  5.0 s
  and 1 shorter
flaky: image@arm64 (attempt 3)
";
        assert_eq!(shown(&outcome, &account()), wanted);
        // Where nothing ran, the last line has said it.
        assert_eq!(shown(&outcome, &Account::default()), "");
    }

    #[test]
    fn what_failed_and_what_it_kept_from_starting() {
        let many = ["a", "b", "c", "d", "e", "f"].map(id).to_vec();
        let outcome = Outcome {
            failed: vec![(id("image"), Failure::new(FailureKind::Timeout, "x"))],
            skipped: BTreeMap::from([(id("image"), many)]),
            critical: vec![link("image", 0, 40)],
            ..Outcome::default()
        };
        let wanted = "\
not started: a@arm64, b@arm64, c@arm64, d@arm64 and 2 more, for want of image@arm64
next: when that is mended, the same command goes on from there and does nothing twice
";
        assert_eq!(shown(&outcome, &account()), wanted);
    }

    #[test]
    fn what_was_interrupted_goes_on() {
        let account = Account { interrupted: Some(2), ..account() };
        let wanted = "next: the same command goes on from there and does nothing twice\n";
        assert_eq!(shown(&Outcome::default(), &account), wanted);
    }
}
