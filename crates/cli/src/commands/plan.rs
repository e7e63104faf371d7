//! `pipeline plan`

use std::path::Path;

use pipeline_core::exec::remedy;
use pipeline_core::show;
use pipeline_core::spec::{Recipe, Section, Values, dotted, parse, resolved, to_toml};
use serde_json::json;

use super::{explain, locked};
use crate::args::{PlanArgs, PlanFormat};
use crate::prepare::{self, Prepared, WithoutEngine, prepare};
use crate::{exit_code, files, frozen, terminal};

pub(super) fn plan(args: &PlanArgs) -> u8 {
    let recipe_only = args.show_origin || args.format == PlanFormat::Toml;
    if args.show_origin && args.format == PlanFormat::Sh {
        terminal::error("usage::conflict", "`--show-origin` is no script", Some("leave `--format sh` out"));
        return exit_code::USAGE;
    }
    let without_engine = if recipe_only { WithoutEngine::Assume } else { WithoutEngine::Refuse };
    let mut prepared = match prepare(&args.recipe, &args.select, without_engine) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    if recipe_only {
        return recipe(args, &prepared);
    }
    if let Some(file) = &args.output {
        let (Ok(code) | Err(code)) = freeze(file, args, &prepared);
        return code;
    }
    let explained = prepare::cut(&mut prepared, &args.part)
        .and_then(|wanted| args.probe.then(|| explain::look(&prepared, &wanted)).transpose());
    let explained = match explained {
        Ok(explained) => explained,
        Err(code) => return code,
    };
    let mut text = match args.format {
        PlanFormat::Text => show::text(&prepared.plan),
        PlanFormat::Json => {
            let mut json = show::json(&prepared.plan);
            if let Some(explained) = &explained {
                json["explained"] = json!(explain::list(explained));
            }
            format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default())
        }
        PlanFormat::Sh => {
            show::sh(&prepared.plan, &prepared.found.shown_folder, &prepared.passed, &prepared.secret)
        }
        PlanFormat::Toml => String::new(),
    };
    if let (Some(explained), PlanFormat::Text) = (&explained, args.format) {
        text += &format!("\nwhat would run, and why:\n{}", explain::text(explained));
    }
    match args.format {
        PlanFormat::Text => terminal::out_text(&text),
        _ => terminal::out(&text),
    }
    exit_code::DONE
}

/// Writes the frozen plan.
fn freeze(file: &Path, args: &PlanArgs, prepared: &Prepared) -> Result<u8, u8> {
    locked::complete(prepared)?;
    let frozen = frozen::freeze(prepared, &args.select)?;
    let text = frozen.to_json();
    if file == Path::new("-") {
        terminal::out(&text);
        return Ok(exit_code::DONE);
    }
    files::write(file, &mut |to| to.write_all(text.as_bytes())).map_err(|error| {
        let message = format!("cannot write {}: {error}", file.display());
        terminal::error("frozen::unwritten", &message, remedy(&error.to_string()));
        exit_code::STEP_FAILED
    })?;
    let digest = frozen.digest.map(|digest| digest.to_string()).unwrap_or_default();
    terminal::note(&format!("{}: {} steps, {digest}\n", file.display(), frozen.instances.len()));
    Ok(exit_code::DONE)
}

/// The resolved recipe, of which there is a plan.
fn recipe(args: &PlanArgs, prepared: &Prepared) -> u8 {
    let (Some(recipe), _) = parse(&prepared.found.files) else { return exit_code::RECIPE_INVALID };
    let given = match prepare::given_vars(&args.recipe) {
        Ok(given) => given,
        Err(diagnostic) => {
            terminal::diagnostic(&diagnostic);
            return exit_code::USAGE;
        }
    };
    let sections = resolved(&Values::new(&recipe, &given));
    terminal::out(&match (args.show_origin, args.format) {
        (false, _) => to_toml(&sections),
        (true, PlanFormat::Json) => {
            let all: Vec<_> = values(&recipe, &sections)
                .map(|(path, value, from)| json!({ "key": path, "value": value, "from": from }))
                .collect();
            format!("{:#}\n", json!({ "version": 1, "values": all }))
        }
        (true, _) => {
            let rows: Vec<_> = values(&recipe, &sections)
                .map(|(path, value, from)| vec![from, format!("{path} = {value}")])
                .collect();
            terminal::table(&rows)
        }
    });
    exit_code::DONE
}

/// Every value with its path and where it comes from.
fn values<'s>(
    recipe: &'s Recipe<'_>,
    sections: &'s [Section],
) -> impl Iterator<Item = (String, &'s str, String)> + 's {
    sections.iter().flat_map(move |section| {
        section.values.iter().map(move |value| {
            let path = dotted(section.path.iter().chain(&value.keys));
            (path, value.value.as_str(), recipe.told(&value.origin))
        })
    })
}
