//! `pipeline explain`

use pipeline_core::exec::{self, Explained};
use pipeline_core::fresh::Reason;
use pipeline_core::planner::Wanted;
use serde_json::{Value, json};

use crate::args::{ExplainArgs, TableFormat};
use crate::prepare::{self, Prepared, WithoutEngine, prepare};
use crate::{exit_code, records, terminal};

pub(super) fn explain(args: &ExplainArgs) -> u8 {
    let mut prepared = match prepare(&args.recipe, &args.select, WithoutEngine::Assume) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let explained = prepare::cut(&mut prepared, &args.part).and_then(|wanted| look(&prepared, &wanted));
    let explained = match explained {
        Ok(explained) => explained,
        Err(code) => return code,
    };
    terminal::out(&match args.format {
        TableFormat::Text => text(&explained),
        TableFormat::Json => format!("{:#}\n", json!({ "version": 1, "instances": list(&explained) })),
    });
    exit_code::DONE
}

/// What a run would do. Only reads.
pub(super) fn look(prepared: &Prepared, wanted: &Wanted) -> Result<Vec<Explained>, u8> {
    let performer = prepare::performer(false);
    let host = prepared.host(&performer);
    let (force, hold) = (|instance: &_| wanted.force(instance), |instance: &_| wanted.hold(instance));
    let mut records = records::open(prepared, &force, &hold)?;
    let mut explained = exec::explain(&prepared.plan, &host, &mut records).map_err(|error| {
        terminal::error("run::no-answer", &format!("cannot look: {error}"), None);
        exit_code::STEP_FAILED
    })?;
    for text in explained.iter_mut().filter_map(|one| one.due.as_mut()).flat_map(Reason::texts) {
        host.redactor.hide(text);
    }
    Ok(explained)
}

/// One line for each instance.
pub(super) fn text(explained: &[Explained]) -> String {
    let rows: Vec<_> = explained
        .iter()
        .map(|one| match &one.due {
            Some(reason @ Reason::Undecided { .. }) => {
                vec!["perhaps".into(), one.instance.to_string(), reason.to_string()]
            }
            Some(reason) => {
                let expects = one.expects.as_ref().map(|expects| format!("; {expects}")).unwrap_or_default();
                vec!["runs".into(), one.instance.to_string(), format!("{reason}{expects}")]
            }
            None => vec!["up to date".into(), one.instance.to_string()],
        })
        .collect();
    let undecided = |one: &&Explained| matches!(one.due, Some(Reason::Undecided { .. }));
    let perhaps = explained.iter().filter(undecided).count();
    let due = explained.iter().filter(|one| one.due.is_some()).count() - perhaps;
    let more = if perhaps > 0 { format!(", and perhaps {perhaps} more") } else { String::new() };
    format!("{}\n{due} of {} would run{more}\n", terminal::table(&rows), explained.len())
}

pub(super) fn list(explained: &[Explained]) -> Vec<Value> {
    explained
        .iter()
        .map(|one| {
            let mut value = match &one.due {
                Some(reason) => serde_json::to_value(reason).unwrap_or_default(),
                None => json!({}),
            };
            value["instance"] = json!(one.instance);
            value["runs"] = json!(one.due.is_some() && !matches!(one.due, Some(Reason::Undecided { .. })));
            if let Some(expects) = &one.expects {
                value["expects"] = json!(expects);
            }
            if let Some(reason) = &one.due {
                value["message"] = json!(reason.to_string());
            }
            value
        })
        .collect()
}
