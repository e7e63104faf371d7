//! `pipeline list`

use pipeline_core::spec::{Origin, Recipe, RecipeFiles, Scalar, Str, Values, Variable, examine, parse};
use serde_json::{Value, json};

use crate::args::{ListArgs, RecipeArgs, TableFormat};
use crate::{exit_code, prepare, recipe, terminal};

pub(super) fn list(args: &ListArgs) -> u8 {
    let named = args.recipe.recipe.is_some() || !args.recipe.file.is_empty();
    if !named && recipe::find(&args.recipe).is_err() {
        return recipes(args.format);
    }
    match contents(args) {
        Ok(text) => {
            terminal::out(&text);
            exit_code::DONE
        }
        Err(code) => code,
    }
}

/// All recipes, also those that have errors.
fn recipes(format: TableFormat) -> u8 {
    let recipes = recipe::recipes();
    if recipes.is_empty() {
        terminal::error(
            "select::no-recipe",
            "there are no recipes here",
            Some("recipes are folders below `pipelines/` with a `pipeline.toml`, here or in a folder above"),
        );
        return exit_code::USAGE;
    }
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for (name, path) in recipes {
        let args = RecipeArgs { file: vec![path.clone()], ..RecipeArgs::default() };
        let files = recipe::find(&args).map_or_else(|_| RecipeFiles::default(), |found| found.files);
        let (read, _) = examine(&files);
        let valid = read.as_ref().is_some_and(|recipe| recipe.sound);
        let description = read.and_then(|recipe| recipe.header.description);
        let path = path.display().to_string();
        let told = description.clone().unwrap_or_default();
        let told = if valid { told } else { format!("{told} (has errors: `pipeline check {name}`)") };
        rows.push(vec![name.clone(), told.trim_start().to_owned()]);
        list.push(json!({ "name": name, "description": description, "path": path, "valid": valid }));
    }
    terminal::out(&match format {
        TableFormat::Text => terminal::table(&rows),
        TableFormat::Json => format!("{:#}\n", json!({ "version": 1, "recipes": list })),
    });
    exit_code::DONE
}

fn contents(args: &ListArgs) -> Result<String, u8> {
    let found = prepare::find(&args.recipe)?;
    let (recipe, diagnostics) = parse(&found.files);
    let Some(recipe) = recipe else {
        terminal::diagnostics(&diagnostics);
        return Err(exit_code::RECIPE_INVALID);
    };
    let given = prepare::given_vars(&args.recipe).map_err(|diagnostic| {
        terminal::diagnostic(&diagnostic);
        exit_code::USAGE
    })?;
    let values = Values::new(&recipe, &given);
    Ok(match (args.format, args.vars) {
        (TableFormat::Text, false) => text(&recipe),
        (TableFormat::Json, false) => format!("{:#}\n", as_json(&values)),
        (TableFormat::Text, true) => variables(&values),
        (TableFormat::Json, true) => {
            format!("{:#}\n", json!({ "version": 1, "variables": variables_json(&values) }))
        }
    })
}

fn text(recipe: &Recipe<'_>) -> String {
    let mut text = String::new();
    if let Some(description) = &recipe.header.description {
        text += &format!("{}\n\n", terminal::clean(description));
    }
    let told = |text: &Option<String>| text.clone().unwrap_or_default();
    let targets = recipe.targets.iter().map(|(name, target)| {
        let platform = target.platform.value.clone();
        vec![name.value.clone(), platform, names(target.nodes.iter().flatten()), told(&target.description)]
    });
    let axes = recipe.matrix.axes.iter().map(|axis| vec![axis.name.value.clone(), names(&axis.values)]);
    let nodes = recipe.nodes.iter().map(|(name, node)| {
        let host = node.host.as_ref().map_or_else(|| "this machine".into(), |host| host.value.clone());
        vec![name.value.clone(), host, told(&node.description)]
    });
    let vars = recipe.vars.iter().map(|(name, variable)| {
        let value =
            variable.default.as_ref().map_or_else(|| "(required)".into(), |value| value.0.value.clone());
        vec![name.value.clone(), value, told(&variable.description)]
    });
    let steps = recipe.steps.iter().map(|step| {
        let only = step.common.targets.as_ref().map(|targets| format!("only {}", names(targets)));
        vec![
            step.id.value.clone(),
            step.uses.value.clone(),
            only.unwrap_or_default(),
            told(&step.common.description),
        ]
    });
    let parts: [(&str, Vec<Vec<String>>); 5] = [
        ("targets", targets.collect()),
        ("matrix", axes.collect()),
        ("nodes", nodes.collect()),
        ("variables", vars.collect()),
        ("steps", steps.collect()),
    ];
    for (title, rows) in parts.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        text += &format!("{title}:\n");
        text += &terminal::table(&rows).lines().map(|line| format!("  {line}\n")).collect::<String>();
    }
    text
}

fn names<'n>(names: impl IntoIterator<Item = &'n Str>) -> String {
    names.into_iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(", ")
}

/// Every variable with its type, its value now, where that comes from, and what it is for.
fn variables(values: &Values<'_>) -> String {
    let mut rows = vec![["NAME", "TYPE", "VALUE", "FROM", "DESCRIPTION"].map(str::to_owned).to_vec()];
    for (name, variable) in &values.recipe.vars {
        let (value, from) = value(values, &name.value, variable);
        let kind = if variable.allowed.is_empty() {
            variable.kind.name().to_owned()
        } else {
            variable.allowed.iter().map(|allowed| allowed.0.value.as_str()).collect::<Vec<_>>().join("|")
        };
        let description = variable.description.clone().unwrap_or_default();
        rows.push(vec![name.value.clone(), kind, value.unwrap_or_else(|| "-".into()), from, description]);
    }
    if rows.len() == 1 { "the recipe has no variables\n".into() } else { terminal::table(&rows) }
}

fn value(values: &Values<'_>, name: &str, variable: &Variable) -> (Option<String>, String) {
    match (values.given(name), &variable.default) {
        (Some((value, origin)), _) => (Some(value.to_owned()), values.recipe.told(&origin)),
        (None, Some(Scalar(default))) => {
            (Some(default.value.clone()), values.recipe.told(&Origin::File(default.span.clone())))
        }
        (None, None) => (None, "required".into()),
    }
}

fn variables_json(values: &Values<'_>) -> Vec<Value> {
    let of = |(name, variable): &(Str, Variable)| {
        let (value, from) = value(values, &name.value, variable);
        json!({
            "name": name.value,
            "type": variable.kind.name(),
            "description": variable.description,
            "default": variable.default.as_ref().map(|value| &value.0.value),
            "required": variable.required,
            "allowed": variable.allowed.iter().map(|value| &value.0.value).collect::<Vec<_>>(),
            "value": value,
            "from": from,
        })
    };
    values.recipe.vars.iter().map(of).collect()
}

fn as_json(values: &Values<'_>) -> Value {
    let recipe = values.recipe;
    json!({
        "version": 1,
        "name": recipe.header.name.as_ref().map(|name| &name.value),
        "description": recipe.header.description,
        "files": recipe.files.sources.files().map(pipeline_core::source::SourceFile::name).collect::<Vec<_>>(),
        "targets": recipe.targets.iter().map(|(name, target)| json!({
            "name": name.value,
            "platform": target.platform.value,
            "nodes": target.nodes.iter().flatten().map(|node| &node.value).collect::<Vec<_>>(),
            "description": target.description,
        })).collect::<Vec<_>>(),
        "matrix": recipe.matrix.axes.iter().map(|axis| json!({
            "name": axis.name.value,
            "values": axis.values.iter().map(|value| &value.value).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "nodes": recipe.nodes.iter().map(|(name, node)| json!({
            "name": name.value,
            "host": node.host.as_ref().map(|host| &host.value),
            "runtime": node.runtime,
            "description": node.description,
        })).collect::<Vec<_>>(),
        "variables": variables_json(values),
        "steps": recipe.steps.iter().map(|step| json!({
            "id": step.id.value,
            "uses": step.uses.value,
            "targets": step.common.targets.as_ref().map(|targets| {
                targets.iter().map(|target| &target.value).collect::<Vec<_>>()
            }),
            "description": step.common.description,
        })).collect::<Vec<_>>(),
    })
}
