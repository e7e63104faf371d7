//! Builders: whether each answers, is of its platform, and has the engine, by the way that a run goes.

use super::{Area, Finding, Level, Subject, needs};
use crate::event::{Failure, FailureKind};
use crate::exec::{Ask, Connections, may_be_emulated};
use crate::plan::{Builder, Engine};

/// A line for each builder and engine that the plan uses.
pub(super) fn examine(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(plan) = subject.plan else { return Vec::new() };
    let used: Vec<(&Builder, Engine)> = needs::builders(plan)
        .into_iter()
        .filter_map(|(name, engine)| Some((plan.builders.get(name)?, engine)))
        .collect();
    if used.is_empty() {
        return Vec::new();
    }
    let (folder, own);
    let connections = match subject.connections {
        Some(connections) => connections,
        None => {
            let made = tempfile::Builder::new().prefix("pipeline-").tempdir();
            match made.and_then(|made| Ok((Connections::new(made.path().to_owned())?, made))) {
                Ok(made) => (own, folder) = made,
                Err(error) => {
                    let failure = Failure::new(FailureKind::Io, format!("no room for a socket: {error}"));
                    return used.into_iter().map(|(builder, _)| finding(builder, failure.clone())).collect();
                }
            }
            let _ = &folder;
            &own
        }
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = used
            .iter()
            .map(|(builder, engine)| scope.spawn(|| one(builder, *engine, connections, subject)))
            .collect();
        let joined = asked
            .into_iter()
            .map(|asked| asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect()
    })
}

fn one(builder: &Builder, engine: Engine, connections: &Connections, subject: &Subject<'_>) -> Finding {
    let ask = Ask { builder, engine, here: subject.here, env: subject.env, over: &|| false };
    match connections.bridge(&ask) {
        Ok(bridge) => {
            let detail = format!("builds natively by {}: {}", bridge.version(), bridge.machine());
            Finding::ok(&Area::Builder(builder.platform.to_string()), builder.name(), detail)
        }
        Err(failure) => finding(builder, failure),
    }
}

/// Without it nothing can be built, unless that is emulated here.
fn finding(builder: &Builder, failure: Failure) -> Finding {
    let emulated = may_be_emulated(builder, &failure);
    let level = if emulated { Level::Warning } else { Level::Missing };
    let detail = if emulated {
        format!("{}; emulated here, as `fallback = \"emulate\"` allows it", failure.message)
    } else {
        failure.message
    };
    let area = Area::Builder(builder.platform.to_string());
    let finding = Finding::new(&area, builder.name(), level, detail);
    finding.maybe(failure.help.map(|help| super::one_line(&help)))
}
