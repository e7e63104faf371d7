//! The plan for programs.

use petgraph::visit::EdgeRef;
use serde_json::{Value, json};

use super::shown_line;
use crate::plan::{Action, Plan};

/// The version of this form.
const VERSION: u32 = 1;

/// The plan as JSON: `version`, `recipe`, `notes`, `nodes`, `instances` in an order in which they can run, and `edges`.
///
/// Each instance has its `actions` as data, and under `commands` the exact command lines, late values as placeholders.
pub fn json(plan: &Plan) -> Value {
    let instances: Vec<Value> = plan
        .order()
        .into_iter()
        .map(|node| {
            let instance = &plan.graph[node];
            let mut value = serde_json::to_value(instance).unwrap_or_default();
            let commands: Vec<Value> = instance
                .actions
                .iter()
                .filter_map(|action| match action {
                    Action::Command(command) => {
                        let (argv, _) = plan.command_line(command);
                        Some(json!(shown_line(&argv)))
                    }
                    _ => None,
                })
                .collect();
            value["commands"] = Value::Array(commands);
            value
        })
        .collect();
    let edges: Vec<Value> = plan
        .graph
        .edge_references()
        .map(|edge| {
            json!({
                "from": plan.graph[edge.source()].id,
                "to": plan.graph[edge.target()].id,
                "because": edge.weight(),
            })
        })
        .collect();
    json!({
        "version": VERSION,
        "recipe": plan.recipe,
        "notes": plan.notes,
        "nodes": plan.nodes,
        "instances": instances,
        "edges": edges,
    })
}
