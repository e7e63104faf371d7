//! `pipeline plan`

use pipeline_core::exec::{Host, presence};
use pipeline_core::plan::Presence;
use pipeline_core::show;

use crate::args::{PlanArgs, PlanFormat};
use crate::prepare::{self, Prepared, WithoutEngine, prepare};
use crate::{exit_code, terminal};

pub(super) fn plan(args: &PlanArgs) -> u8 {
    let prepared = match prepare(&args.recipe, &args.select, WithoutEngine::Refuse) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let mut text = match args.format {
        PlanFormat::Text => show::text(&prepared.plan),
        PlanFormat::Json => {
            format!("{}\n", serde_json::to_string_pretty(&show::json(&prepared.plan)).unwrap_or_default())
        }
        PlanFormat::Sh => show::sh(&prepared.plan, &prepared.found.shown_folder, &prepared.passed),
    };
    if args.probe && args.format == PlanFormat::Text {
        text += &probe(&prepared);
    }
    terminal::out(&text);
    exit_code::DONE
}

/// Which outputs are there already. Reads only.
fn probe(prepared: &Prepared) -> String {
    let performer = prepare::performer(false);
    let host = Host { here: prepared.found.folder.clone(), env: prepared.env.clone(), actions: &performer };
    let mut text = String::from("\noutputs that are there already:\n");
    for node in prepared.plan.order() {
        let instance = &prepared.plan.graph[node];
        let found = match presence(&instance.probe, &prepared.plan, &host, &std::collections::BTreeMap::new())
        {
            Presence::Present => "present",
            Presence::Absent => "absent",
            Presence::Unknown => "unknown",
        };
        text += &format!("    {:<8} {}\n", found, instance.id);
    }
    text
}
