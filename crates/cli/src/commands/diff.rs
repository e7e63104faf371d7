//! `pipeline diff`

use std::path::Path;

use pipeline_core::event::EventKind;
use pipeline_core::history::{Account, Change, Difference, Ending, RunFolder, Section, difference};
use pipeline_core::plan::Plan;
use serde_json::json;

use super::history::when;
use crate::args::{DiffArgs, TableFormat};
use crate::{exit_code, runs, terminal};

pub(super) fn diff(args: &DiffArgs) -> u8 {
    match compared(args) {
        Ok(text) => {
            terminal::out(&text);
            exit_code::DONE
        }
        Err(code) => code,
    }
}

/// A run as far as it can be read.
struct Side {
    run: RunFolder,
    account: Account,
    ending: Ending,
    plan: Option<Plan>,
}

fn compared(args: &DiffArgs) -> Result<String, u8> {
    let folder = runs::folder(args.whose.recipe.as_deref())?;
    let new = runs::find(&folder, args.new.as_deref())?;
    let old = match &args.old {
        Some(old) => runs::find(&folder, Some(old))?,
        None => before(&folder, &new)?,
    };
    let (old, new) = (side(&folder, old)?, side(&folder, new)?);
    let difference = difference((&old.account, old.plan.as_ref()), (&new.account, new.plan.as_ref()));
    Ok(match args.format {
        TableFormat::Text => text(&old, &new, &difference),
        TableFormat::Json => {
            let of = |side: &Side| {
                json!({
                    "run": side.run.id,
                    "began": side.account.began,
                    "recipe": side.account.recipe,
                    "result": side.ending,
                })
            };
            let document = json!({
                "version": 1,
                "old": of(&old),
                "new": of(&new),
                "configuration_compared": difference.with_plans,
                "changes": difference.changes,
            });
            format!("{document:#}\n")
        }
    })
}

/// The run of the same recipe before this one.
fn before(folder: &Path, new: &RunFolder) -> Result<RunFolder, u8> {
    let recipe = |run: &RunFolder| match run.first()?.kind {
        EventKind::RunStarted { recipe, .. } => Some(recipe),
        _ => None,
    };
    let wanted = recipe(new);
    let earlier = runs::all(folder)?.into_iter().rev().filter(|run| run.id < new.id);
    let mut earlier = earlier.filter(|run| recipe(run) == wanted);
    earlier.next().ok_or_else(|| {
        terminal::error(
            "usage::no-run",
            &format!("there is no run of this recipe before {}", new.id),
            Some(runs::NAMES),
        );
        exit_code::USAGE
    })
}

fn side(folder: &Path, run: RunFolder) -> Result<Side, u8> {
    let told = runs::outline(folder, &run).and_then(|told| Ok((told, run.plan()?)));
    let ((account, ending), plan) = told.map_err(|error| {
        terminal::error("history::unreadable", &error.to_string(), Some(runs::NAMES));
        exit_code::STEP_FAILED
    })?;
    Ok(Side { run, account, ending, plan })
}

fn text(old: &Side, new: &Side, difference: &Difference) -> String {
    let told = |side: &Side| {
        let began = side.account.began.map(when).unwrap_or_default();
        format!("{} of {began}, {}", side.run.id, side.ending)
    };
    let mut text = format!("from run {}\nto run   {}\n", told(old), told(new));
    let mut section = None;
    for change in &difference.changes {
        if section.replace(change.section) != Some(change.section) {
            text += &format!("\n{}:\n", title(change.section));
        }
        text += &format!("  {}\n", terminal::clean(&line(change)).replace('\n', " "));
    }
    if difference.changes.is_empty() {
        text += "\nnothing differs but times within noise\n";
    }
    if !difference.with_plans {
        text += "\nthe configuration is not compared: a run that had nothing to do keeps no plan\n";
    }
    text
}

fn title(section: Section) -> &'static str {
    match section {
        Section::Results => "results",
        Section::Inputs => "inputs",
        Section::Configuration => "configuration",
        Section::Tools => "tools",
        Section::Emulators => "emulators",
        Section::Outputs => "outputs",
        Section::Times => "times",
    }
}

fn line(change: &Change) -> String {
    let none = |text: &Option<String>| text.as_deref().map_or_else(|| "nothing".into(), brief);
    let instance = change.instance.as_ref().map(|id| format!("{id}  ")).unwrap_or_default();
    format!("{instance}{}: {} -> {}", change.what, none(&change.old), none(&change.new))
}

/// Of a digest its beginning, of a long text too.
fn brief(text: &str) -> String {
    const LONGEST: usize = 80;
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() >= 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return text[..text.len() - digits.len() + 12].to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None if text.is_empty() => "nothing".into(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::brief;

    #[test]
    fn a_digest_is_told_by_its_beginning() {
        assert_eq!(brief(&format!("sha256:{}", "ab".repeat(32))), "sha256:abababababab");
        assert_eq!(brief(&"0".repeat(40)), "0".repeat(12));
        assert_eq!(brief(&"ü".repeat(90)).chars().count(), 81);
        assert_eq!(brief("app:1"), "app:1");
    }
}
