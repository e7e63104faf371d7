//! Which runs' folders may go.

use std::collections::BTreeSet;
use std::fs;

use jiff::Timestamp;

use super::RunFolder;
use crate::event::EventKind;

/// Which runs are meant to go: those that any of these says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rule {
    /// All but so many of the newest.
    pub keep: Option<usize>,
    /// Those that began before.
    pub before: Option<Timestamp>,
}

/// The runs that the rule means and that nobody needs; `all` are in the order of time.
///
/// Kept whatever the rule says: of each recipe the last run that failed or has no end, and the last that did something,
/// as only such a one has a plan; and of each archive the last statement about it.
pub fn removable(all: Vec<RunFolder>, rule: Rule) -> Vec<RunFolder> {
    let (mut failed, mut done, mut stated) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut gone = Vec::new();
    for (index, run) in all.into_iter().rev().enumerate() {
        let first = run.first();
        let recipe = first.as_ref().and_then(|event| match &event.kind {
            EventKind::RunStarted { recipe, .. } => Some(recipe.clone()),
            _ => None,
        });
        let is_bad = !run.last().is_some_and(
            |event| matches!(event.kind, EventKind::RunFinished { counts } if counts.failed == 0),
        );
        // Each is asked of every run: the newest of its sort is the one that stays.
        let mut needed = is_bad && failed.insert(recipe.clone());
        needed |= run.path().join("plan.json").is_file() && done.insert(recipe);
        for entry in fs::read_dir(run.path().join("provenance")).into_iter().flatten().flatten() {
            needed |= stated.insert(entry.file_name());
        }
        let old = rule.before.is_some_and(|before| first.is_none_or(|event| event.at < before));
        if !needed && (old || rule.keep.is_some_and(|keep| index >= keep)) {
            gone.push(run);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::history::runs;

    fn run(space: &Path, id: &str, recipe: &str, failed: usize, plan: bool, archive: Option<&str>) {
        let folder = space.join(".pipeline/runs").join(id);
        fs::create_dir_all(folder.join("provenance")).unwrap();
        let event = |seq: u64, kind: &str| {
            format!(
                "{{\"seq\":{seq},\"at\":\"2026-01-{}T00:00:00Z\",\"elapsed\":{{\"secs\":0,\"nanos\":0}},{kind}}}\n",
                &id[1..]
            )
        };
        let first = format!(
            "\"event\":\"run-started\",\"version\":1,\"run\":\"{id}\",\"recipe\":\"{recipe}\",\"instances\":1,\"jobs\":1"
        );
        let last = format!(
            "\"event\":\"run-finished\",\"counts\":{{\"done\":1,\"failed\":{failed},\"allowed\":0,\"cancelled\":0,\"skipped\":0}}"
        );
        fs::write(folder.join("events.jsonl"), event(0, &first) + &event(1, &last)).unwrap();
        if plan {
            fs::write(folder.join("plan.json"), "{}").unwrap();
        }
        if let Some(archive) = archive {
            fs::write(folder.join("provenance").join(archive), "{}").unwrap();
        }
    }

    #[test]
    fn what_somebody_may_need_stays() {
        let space = tempfile::tempdir().unwrap();
        let here = space.path();
        run(here, "r01", "a", 0, true, None);
        run(here, "r02", "a", 1, true, Some("save@arm64.json"));
        run(here, "r03", "b", 0, true, Some("save@arm.json"));
        run(here, "r04", "a", 0, true, Some("save@arm.json"));
        run(here, "r05", "a", 0, false, None);
        run(here, "r06", "a", 0, false, None);
        let gone = |rule: Rule| {
            let gone = removable(runs(here).unwrap(), rule);
            gone.into_iter().map(|run| run.id).collect::<Vec<_>>()
        };
        // r02 failed last, and has the only statement about an archive; r03 is all that `b` did.
        assert_eq!(gone(Rule { keep: Some(1), before: None }), ["r05", "r01"]);
        assert_eq!(gone(Rule { keep: Some(6), before: None }), [""; 0]);
        assert_eq!(gone(Rule { keep: None, before: Some("2026-01-05T00:00:00Z".parse().unwrap()) }), ["r01"]);
        assert_eq!(gone(Rule::default()), [""; 0]);
        // One without an end counts as failed: r02 is the last one no more.
        fs::write(here.join(".pipeline/runs/r05/events.jsonl"), "{").unwrap();
        let _ = fs::remove_dir_all(here.join(".pipeline/runs/r02/provenance"));
        assert_eq!(gone(Rule { keep: Some(1), before: None }), ["r01"]);
    }
}
