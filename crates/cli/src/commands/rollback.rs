//! `pipeline rollback`: the image before this one, on every node that a recipe delivers to.

use std::collections::BTreeMap;

use petgraph::graph::DiGraph;
use pipeline_core::event::{Event, EventKind, FailureKind, Status, Stream};
use pipeline_core::exec::{self, Options};
use pipeline_core::plan::{Action, Instance, InstanceId, Plan, Pool, Rollback};

use crate::args::RollbackArgs;
use crate::engine::{self, Engine};
use crate::prepare::{self, WithoutEngine};
use crate::{exit_code, terminal};

pub(super) fn rollback(args: &RollbackArgs) -> u8 {
    let prepared = match prepare::prepare(&args.recipe, &args.select, WithoutEngine::Assume) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let plan = back(&prepared.plan);
    if plan.graph.node_count() == 0 {
        terminal::error(
            "usage::nothing-to-do",
            "the recipe delivers nothing that could be taken back",
            Some("steps with `uses = \"deliver\"` keep the image before, on the nodes that are selected"),
        );
        return exit_code::USAGE;
    }
    let (Ok(code) | Err(code)) = carry_out(&prepared, &plan);
    code
}

/// An instance for each delivery of the plan.
fn back(plan: &Plan) -> Plan {
    let mut graph = DiGraph::new();
    for delivery in plan.order().into_iter().map(|at| &plan.graph[at]) {
        let Some(ship) = delivery.actions.iter().find_map(|action| match action {
            Action::ShipMissing(ship) => Some(ship),
            _ => None,
        }) else {
            continue;
        };
        let id = InstanceId::new("rollback", delivery.target.as_deref(), delivery.node.as_deref());
        let action = Rollback { shipment: ship.shipment.clone(), reference: ship.reference.clone() };
        // A pinned host key is written first, as for the delivery.
        let pins = delivery.actions.iter().filter(|action| matches!(action, Action::WriteFile(_))).cloned();
        let actions = pins.chain([Action::Rollback(action)]).collect();
        graph.add_node(Instance {
            target: delivery.target.clone(),
            node: delivery.node.clone(),
            pool: Pool::Node,
            ..Instance::new(id, "rollback", actions)
        });
    }
    Plan { recipe: plan.recipe.clone(), graph, nodes: plan.nodes.clone(), ..Plan::default() }
}

fn carry_out(prepared: &prepare::Prepared, plan: &Plan) -> Result<u8, u8> {
    let Engine { options, signals, .. } =
        &engine::begin(prepared, Options { keep_going: true, ..Options::default() })?;
    let performer = prepare::performer(false);
    let host = prepared.host(&performer);
    let mut said: BTreeMap<InstanceId, String> = BTreeMap::new();
    let summary = exec::run(plan, &host, options, Some(signals), &mut |event: &Event| match &event.kind {
        EventKind::Line { instance, stream: Stream::Engine, text, .. } => {
            said.insert(instance.clone(), text.clone());
        }
        EventKind::Finished { instance, status: Status::Failed(failure), .. } => {
            let node = plan.graph.node_weights().find(|known| known.id == *instance);
            let node = node.and_then(|known| known.node.clone()).unwrap_or_default();
            terminal::error(
                failure.kind.code(),
                &format!("node `{node}`: {}", failure.message),
                failure.help.as_deref(),
            );
        }
        EventKind::Finished { instance, status: Status::Done, .. } => {
            let line = said.get(instance).map(String::as_str).unwrap_or_default();
            terminal::out(&format!("{}\n", terminal::clean(line)));
        }
        _ => {}
    });
    if let Some(signal) = summary.interrupted {
        return Ok(exit_code::SIGNAL.saturating_add(u8::try_from(signal).unwrap_or(0)));
    }
    let of = |wanted: fn(&FailureKind) -> bool| {
        summary
            .results
            .values()
            .any(|(status, _)| matches!(status, Status::Failed(failure) if wanted(&failure.kind)))
    };
    Ok(if of(|kind| *kind == FailureKind::Mismatch) {
        exit_code::MISMATCH
    } else if of(|_| true) {
        exit_code::STEP_FAILED
    } else {
        exit_code::DONE
    })
}
