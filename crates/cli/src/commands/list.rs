//! `pipeline list`

use pipeline_core::spec::{Recipe, parse};
use serde_json::json;

use crate::args::{ListArgs, TableFormat};
use crate::{exit_code, prepare, recipe, terminal};

pub(super) fn list(args: &ListArgs) -> u8 {
    if args.recipe.recipe.is_none() && args.recipe.file.is_none() && recipe::find(&args.recipe).is_err() {
        return recipes(args.format);
    }
    let found = match prepare::find(&args.recipe) {
        Ok(found) => found,
        Err(code) => return code,
    };
    let (recipe, diagnostics) = parse(&found.source);
    let Some(recipe) = recipe else {
        terminal::diagnostics(&diagnostics);
        return exit_code::RECIPE_INVALID;
    };
    terminal::out(&match args.format {
        TableFormat::Text => contents(&recipe),
        TableFormat::Json => format!("{:#}\n", contents_json(&recipe)),
    });
    exit_code::DONE
}

fn recipes(format: TableFormat) -> u8 {
    let recipes: Vec<(String, String)> = recipe::recipes()
        .into_iter()
        .map(|(name, path)| {
            let description = recipe::read(&path)
                .ok()
                .and_then(|found| parse(&found.source).0.and_then(|recipe| recipe.header.description));
            (name, description.unwrap_or_default())
        })
        .collect();
    if recipes.is_empty() {
        terminal::error(
            "there are no recipes here",
            Some("recipes are folders below `pipelines/` with a `pipeline.toml`, here or in a folder above"),
        );
        return exit_code::USAGE;
    }
    terminal::out(&match format {
        TableFormat::Text => {
            table(&recipes.iter().map(|(name, text)| vec![name.as_str(), text]).collect::<Vec<_>>())
        }
        TableFormat::Json => {
            let list: Vec<_> =
                recipes.iter().map(|(name, text)| json!({ "name": name, "description": text })).collect();
            format!("{:#}\n", json!({ "version": 1, "recipes": list }))
        }
    });
    exit_code::DONE
}

fn contents(recipe: &Recipe<'_>) -> String {
    let mut text = String::new();
    if let Some(description) = &recipe.header.description {
        text += &format!("{}\n\n", terminal::clean(description));
    }
    let targets: Vec<Vec<String>> = recipe
        .targets
        .iter()
        .map(|(name, target)| {
            let nodes =
                target.nodes.iter().flatten().map(|node| node.value.clone()).collect::<Vec<_>>().join(", ");
            vec![
                name.value.clone(),
                target.platform.value.clone(),
                nodes,
                target.description.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let nodes: Vec<Vec<String>> = recipe
        .nodes
        .iter()
        .map(|(name, node)| {
            let host = node.host.as_ref().map_or_else(|| "this machine".into(), |host| host.value.clone());
            vec![name.value.clone(), host]
        })
        .collect();
    let steps: Vec<Vec<String>> = recipe
        .steps
        .iter()
        .map(|step| {
            let only = step.common.targets.as_ref().map(|targets| {
                format!(
                    "only {}",
                    targets.iter().map(|target| target.value.as_str()).collect::<Vec<_>>().join(", ")
                )
            });
            vec![step.id.value.clone(), step.uses.value.clone(), only.unwrap_or_default()]
        })
        .collect();
    let vars: Vec<Vec<String>> =
        recipe.vars.iter().map(|(name, value)| vec![name.value.clone(), value.0.value.clone()]).collect();
    for (title, rows) in [("targets", targets), ("nodes", nodes), ("variables", vars), ("steps", steps)] {
        if !rows.is_empty() {
            text += &format!("{title}:\n");
            let rows: Vec<Vec<&str>> =
                rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
            text += &table(&rows).lines().map(|line| format!("  {line}\n")).collect::<String>();
        }
    }
    text
}

fn contents_json(recipe: &Recipe<'_>) -> serde_json::Value {
    json!({
        "version": 1,
        "name": recipe.header.name.as_ref().map(|name| &name.value),
        "description": recipe.header.description,
        "targets": recipe.targets.iter().map(|(name, target)| json!({
            "name": name.value,
            "platform": target.platform.value,
            "nodes": target.nodes.iter().flatten().map(|node| &node.value).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "nodes": recipe.nodes.iter().map(|(name, node)| json!({
            "name": name.value,
            "host": node.host.as_ref().map(|host| &host.value),
        })).collect::<Vec<_>>(),
        "variables": recipe.vars.iter().map(|(name, value)| json!({
            "name": name.value,
            "default": value.0.value,
        })).collect::<Vec<_>>(),
        "steps": recipe.steps.iter().map(|step| json!({
            "id": step.id.value,
            "uses": step.uses.value,
        })).collect::<Vec<_>>(),
    })
}

/// Columns two spaces apart.
fn table(rows: &[Vec<&str>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<&str>, column: usize| {
        terminal::clean(row.get(column).copied().unwrap_or("")).replace('\n', " ")
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let line: String = (0..columns)
                .map(|column| format!("{:<width$}  ", cell(row, column), width = widths[column]))
                .collect();
            format!("{}\n", line.trim_end())
        })
        .collect()
}
