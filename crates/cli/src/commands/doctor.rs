//! `pipeline doctor`

use pipeline_core::diag::Diagnostic;
use pipeline_core::doctor::{Finding, Level, Subject, examine};
use serde_json::json;

use crate::args::{DoctorArgs, TableFormat};
use crate::contain;
use crate::terminal::Style;
use crate::{environment, exit_code, prepare, recipe, terminal};

pub(super) fn doctor(args: &DoctorArgs) -> u8 {
    let named = args.recipe.recipe.is_some() || !args.recipe.file.is_empty();
    // Without a recipe the machine is examined for whatever a recipe could need.
    let prepared = if named || recipe::find(&args.recipe).is_ok() {
        match prepare::prepare(&args.recipe, &args.select, prepare::WithoutEngine::Assume) {
            Ok(prepared) => Some(prepared),
            Err(code) => return code,
        }
    } else {
        None
    };
    let here = match &prepared {
        Some(prepared) => prepared.found.folder.clone(),
        None => std::env::current_dir().unwrap_or_default(),
    };
    let env = prepared.as_ref().map_or_else(|| environment::for_steps(&[]), |prepared| prepared.env.clone());
    let binfmt = prepare::binfmt();
    let platform = prepare::platform();
    // Tried before there are threads: it takes a fork.
    let containment = containment(contain::no_namespace());
    let mut findings = examine(&Subject {
        env: &env,
        here: &here,
        platform: &platform,
        binfmt: &binfmt,
        plan: prepared.as_ref().map(|prepared| &prepared.plan),
        connections: None,
    });
    if let Some(none) = prepared.as_ref().and_then(|prepared| prepared.no_engine.as_ref()) {
        no_engine(&mut findings, none);
    }
    findings.push(containment);
    match args.format {
        TableFormat::Json => {
            terminal::out(&format!("{:#}\n", json!({ "version": 1, "findings": findings })));
        }
        TableFormat::Text => terminal::out(&table(&findings)),
    }
    if findings.iter().any(|finding| finding.level == Level::Missing) {
        exit_code::PREFLIGHT_FAILED
    } else {
        exit_code::DONE
    }
}

/// How a run keeps hold of what it starts.
fn containment(no_namespace: Option<String>) -> Finding {
    let (level, detail) = match no_namespace {
        None => (
            Level::Ok,
            "a run has a PID namespace, and everything in it ends with the run, whatever ends it".into(),
        ),
        Some(why) => (
            Level::Warning,
            format!(
                "a run has no PID namespace ({why}), so its three processes end what is left of each other; `kill -9` of \
                 all three at once leaves what steps started"
            ),
        ),
    };
    Finding { area: "processes".into(), name: "containment".into(), level, detail, remedy: None }
}

/// Says of all engines why none works, before what is said of the one that the plan was made with.
fn no_engine(findings: &mut Vec<Finding>, none: &Diagnostic) {
    let finding = Finding {
        area: "engine".into(),
        name: "auto".into(),
        level: Level::Missing,
        detail: none.message.clone(),
        remedy: none.help.clone(),
    };
    let at = findings.iter().position(|other| other.area == finding.area).unwrap_or(findings.len());
    findings.insert(at, finding);
}

/// Findings by area, each with its remedy.
pub(super) fn table(findings: &[Finding]) -> String {
    let style = Style::stderr();
    let mut text = String::new();
    let mut area = "";
    for finding in findings {
        if finding.area != area {
            text += &format!("{}{}\n", if area.is_empty() { "" } else { "\n" }, style.bold(&finding.area));
            area = &finding.area;
        }
        let mark = match finding.level {
            Level::Ok => style.good("ok     "),
            Level::Warning => style.warn("warning"),
            Level::Missing => style.bad("missing"),
        };
        text +=
            &format!("  {mark}  {}: {}\n", terminal::clean(&finding.name), terminal::clean(&finding.detail));
        if let Some(remedy) = &finding.remedy {
            text += &format!("           {} {}\n", style.dim("do:"), terminal::clean(remedy));
        }
    }
    text
}
