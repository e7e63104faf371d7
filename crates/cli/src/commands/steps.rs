//! `pipeline steps`

use pipeline_core::diag::{did_you_mean, list_names};
use pipeline_core::schema::{KeyReference, KindReference, common_keys, kinds};

use crate::args::{StepsArgs, StepsFormat};
use crate::{exit_code, terminal};

pub(super) fn steps(args: &StepsArgs) -> u8 {
    let mut kinds = kinds();
    if let Some(name) = &args.kind {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let help = did_you_mean(name, names.iter().copied())
                .unwrap_or_else(|| format!("the kinds are {}", list_names(&names)));
            terminal::error("usage::unknown-name", &format!("no step kind is called `{name}`"), Some(&help));
            return exit_code::USAGE;
        }
        kinds.retain(|kind| kind.name.eq_ignore_ascii_case(name));
    }
    let text = match (args.format, &args.kind) {
        (StepsFormat::Markdown, _) => markdown(&kinds),
        (StepsFormat::Text, None) => {
            kinds
                .iter()
                .map(|kind| format!("{:<16} {}\n{:<16} {}\n", kind.name, kind.summary, "", kind.flow))
                .collect::<String>()
                + "\n`pipeline steps KIND` shows the keys of one.\n"
        }
        (StepsFormat::Text, Some(_)) => kinds.iter().map(one).collect(),
    };
    terminal::out(&text);
    exit_code::DONE
}

fn one(kind: &KindReference) -> String {
    let mut text =
        format!("{}: {}\n{}\n\n{}\n\nKeys:\n", kind.name, kind.summary, kind.flow, kind.description);
    for key in &kind.keys {
        let required = if key.required { " (required)" } else { "" };
        text += &format!(
            "  {}: {}{required}\n      {}\n",
            key.name,
            key.shape,
            key.description.replace('\n', "\n      ")
        );
    }
    text += "\nKeys of every step:\n";
    for key in common_keys() {
        text +=
            &format!("  {}: {}\n      {}\n", key.name, key.shape, key.description.replace('\n', "\n      "));
    }
    text
}

/// Keys as the rows of a table in Markdown.
pub(super) fn rows(keys: &[KeyReference]) -> String {
    keys.iter()
        .map(|key| {
            let required = if key.required { ", required" } else { "" };
            let description = key.description.replace('\n', " ").replace('|', "\\|");
            format!("| `{}` | {}{required} | {description} |\n", key.name, key.shape)
        })
        .collect()
}

fn markdown(kinds: &[KindReference]) -> String {
    let mut text = String::from(
        "# Step kinds\n\nMade by `pipeline steps --format markdown` from the table of kinds; a test keeps it true.\n",
    );
    for kind in kinds {
        text += &format!(
            "\n## {}\n\n{}.\n\n`{}`\n\n{}\n\n",
            kind.name, kind.summary, kind.flow, kind.description
        );
        text += "| key | value | meaning |\n| --- | --- | --- |\n";
        text += &rows(&kind.keys);
    }
    text += "\n## Keys of every step\n\n| key | value | meaning |\n| --- | --- | --- |\n";
    text += "| `uses` | string, required | The kind. |\n";
    text += &rows(&common_keys());
    text
}
