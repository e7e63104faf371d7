//! `pipeline doctor`

use pipeline_core::diag::Diagnostic;
use pipeline_core::doctor::{Finding, Level, Subject, examine, examine_node, examine_nodes, find_runtime};
use serde_json::json;

use crate::args::{DoctorArgs, RecipeArgs, SelectArgs, TableFormat};
use crate::contain;
use crate::ship::node;
use crate::terminal::Style;
use crate::{environment, exit_code, prepare, recipe, terminal};

pub(super) fn doctor(args: &DoctorArgs) -> u8 {
    if let Some(node) = args.recipe.recipe.as_deref().filter(|_| recipe::choose(&args.recipe).is_err()) {
        return of_node(args, node);
    }
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
    tell(args, &findings)
}

/// One node, or some: of the recipe here, or else whatever is at that address.
fn of_node(args: &DoctorArgs, name: &str) -> u8 {
    let here = RecipeArgs { recipe: None, ..args.recipe.clone() };
    let node = vec![name.to_owned()];
    let select = SelectArgs { node, ..args.select.clone() };
    let looked = prepare::look(&here, &select, prepare::WithoutEngine::Assume, None);
    let (binfmt, platform) = (prepare::binfmt(), prepare::platform());
    let known = looked.diagnostics.iter().all(|one| one.code != "select::nothing");
    if let (Ok(prepared), true) = (&looked.prepared, known) {
        let subject = Subject {
            env: &prepared.env,
            here: &prepared.found.folder,
            platform: &platform,
            binfmt: &binfmt,
            plan: Some(&prepared.plan),
            connections: None,
        };
        return tell(args, &examine_nodes(&subject));
    }
    // What is wrong with the recipe comes first where it could have named the node.
    if looked.file.is_some() && known {
        terminal::diagnostics(&looked.diagnostics);
        return looked.prepared.err().unwrap_or(exit_code::USAGE);
    }
    let parsed = match node::parse(name) {
        Ok(parsed) => parsed,
        Err(refusal) => return refusal.tell(),
    };
    terminal::note(&format!(
        "no recipe and no node of one is called `{}`: taken for a host\n",
        terminal::clean(name)
    ));
    let env = environment::for_steps(&[]);
    let here = std::env::current_dir().unwrap_or_default();
    let mut node = parsed.as_plan();
    if parsed.runtime.is_none() {
        match find_runtime(&node, &here, &env) {
            Ok(there) => (node.runtime, node.cri) = (there.runtime, there.cri),
            Err(finding) => return tell(args, &[finding]),
        }
    }
    let subject = Subject {
        env: &env,
        here: &here,
        platform: &platform,
        binfmt: &binfmt,
        plan: None,
        connections: None,
    };
    tell(args, &examine_node(&node, &subject))
}

fn tell(args: &DoctorArgs, findings: &[Finding]) -> u8 {
    match args.format {
        TableFormat::Json => {
            terminal::out(&format!("{:#}\n", json!({ "version": 1, "findings": findings })));
        }
        TableFormat::Text => terminal::out(&table(findings)),
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
