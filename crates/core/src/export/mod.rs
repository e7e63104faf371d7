//! A run in the forms of others: JUnit XML, the trace event format of Chrome, and metadata as buildx writes it. All from the
//! plan, the account of the run's events and its folder; nothing is asked of anybody.

mod junit;
mod metadata;
mod trace;

pub use junit::junit;
pub use metadata::metadata;
pub use trace::{TraceError, trace};

use std::collections::BTreeSet;

use crate::history::Account;
use crate::plan::{Instance, InstanceId, Plan};

/// A plan with the instances of an account and nothing else, for a run that kept none.
pub fn bare(account: &Account) -> Plan {
    let mut plan = Plan { recipe: account.recipe.clone(), ..Plan::default() };
    for id in account.courses.keys() {
        let mut parts = id.as_str().split('@').skip(1);
        let (target, node) = (parts.next(), parts.next().map(str::to_owned));
        plan.graph.add_node(Instance {
            target: target.map(Into::into),
            node,
            ..Instance::new(id.clone(), "", Vec::new())
        });
    }
    plan
}

/// The targets in the order of the plan, behind `None` where something runs once.
fn targets(plan: &Plan) -> Vec<Option<String>> {
    let mut seen = BTreeSet::new();
    let all = plan.order().into_iter().map(|node| plan.graph[node].target.as_ref().map(ToString::to_string));
    let mut targets: Vec<Option<String>> = all.filter(|target| seen.insert(target.clone())).collect();
    targets.sort_by_key(Option::is_some);
    targets
}

/// The instances of a target in the order of the plan.
fn of_target<'p>(plan: &'p Plan, target: Option<&str>) -> impl Iterator<Item = &'p Instance> {
    let order = plan.order().into_iter().map(|node| &plan.graph[node]);
    order.filter(move |instance| instance.target.as_deref() == target)
}

/// The instance has an attempt that went on when its record ended.
fn has_no_end(account: &Account, id: &InstanceId) -> bool {
    account.course(id).is_some_and(crate::history::Course::is_running)
}
