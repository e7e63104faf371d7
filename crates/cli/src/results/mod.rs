//! A part of a frozen plan on this machine: what comes from others, and what they get.

mod keep;
mod take;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pipeline_core::diag::Diagnostics;
use pipeline_core::frozen::Frozen;
use pipeline_core::image::Digest;
use pipeline_core::plan::{InstanceId, Plan};
use pipeline_core::planner::{Stage, chains, stages};
use pipeline_core::results::{self, Made, Received};

use crate::args::RunArgs;
use crate::prepare::Prepared;
use crate::{exit_code, terminal};

pub(crate) use keep::keep;

/// What goes to other machines when the run has ended.
pub(crate) struct Outgoing {
    /// The folder, absolute.
    folder: PathBuf,
    /// The plan's digest.
    frozen: Digest,
    /// The whole plan, which tells what others need.
    whole: Plan,
    /// What others do for themselves, of the same stage or an earlier one.
    apart: BTreeSet<InstanceId>,
    /// What was not made here: others have it, or it is in the folder.
    taken: BTreeSet<InstanceId>,
    /// What is in the folder already, and is not made again.
    there: BTreeMap<InstanceId, Made>,
    /// The folder is one of this plan's already.
    goes_on: bool,
}

/// Cuts the frozen plan down to what is done here, with what comes from elsewhere put in place. The error is the exit code.
pub(crate) fn share(
    args: &RunArgs,
    prepared: &mut Prepared,
    frozen: &Frozen,
) -> Result<Option<Outgoing>, u8> {
    let wanted = &args.results;
    let stage = wanted.stage.map(Stage::from);
    if stage == Some(Stage::Join) && !args.select.target.is_empty() {
        terminal::error(
            "results::join",
            "`--stage join` is what waits for several targets, and `--target` takes some of them alone",
            Some("leave `--target` out"),
        );
        return Err(exit_code::USAGE);
    }
    // Of a plan that was read, there is one.
    let digest = frozen.digest.unwrap_or_else(|| Digest::of(b""));
    let stages = stages(&prepared.plan);
    let whole = wanted.results_to.is_some().then(|| prepared.plan.clone());
    let mut diagnostics = Diagnostics::default();
    chains(&mut prepared.plan, &args.select.target, &args.select.node, &mut diagnostics);
    if diagnostics.has_errors() {
        terminal::diagnostics(&diagnostics);
        return Err(exit_code::USAGE);
    }
    if let Some(stage) = stage {
        let keep = |id: &InstanceId| stages[id] <= stage;
        prepared.plan.graph = prepared.plan.graph.filter_map(
            |_, instance| keep(&instance.id).then(|| instance.clone()),
            |_, edge| Some(edge.clone()),
        );
    }
    let outgoing = wanted.results_to.as_ref().map(|folder| take::own(folder, digest)).transpose()?;
    let apart = apart(&prepared.plan, &stages, stage);
    let mut received = take::others(&wanted.results_from, digest)?;
    if let Some(whole) = &whole {
        results::prove(whole, &mut prepared.plan, &apart);
    }
    if let Some((folder, Some(own))) = &outgoing {
        for (id, made) in own {
            let own = || Received { made: made.clone(), folder: folder.clone() };
            received.entry(id.clone()).or_insert_with(own);
        }
    }
    let mut taken = BTreeSet::new();
    if !received.is_empty() || !wanted.results_from.is_empty() {
        let earlier = stage.filter(|_| !wanted.results_from.is_empty());
        taken = results::take(&mut prepared.plan, &stages, earlier, &received)
            .map_err(|missing| take::missing(&missing))?;
        if !taken.is_empty() {
            prepared
                .plan
                .notes
                .push(format!("done before, and taken from results: {} of the steps", taken.len()));
        }
    }
    let (Some((folder, there)), Some(whole)) = (outgoing, whole) else { return Ok(None) };
    let goes_on = there.is_some();
    let mut there = there.unwrap_or_default();
    // What was to be taken and could not be is made again.
    let made: BTreeSet<&InstanceId> =
        prepared.plan.graph.node_weights().map(|instance| &instance.id).collect();
    there.retain(|id, _| taken.contains(id) || !made.contains(id));
    Ok(Some(Outgoing { folder, frozen: digest, whole, apart, taken, there, goes_on }))
}

/// What is not done here, and not later than what is: other targets' chains.
fn apart(part: &Plan, stages: &BTreeMap<InstanceId, Stage>, stage: Option<Stage>) -> BTreeSet<InstanceId> {
    let here: BTreeSet<&InstanceId> = part.graph.node_weights().map(|instance| &instance.id).collect();
    let last = stage.or_else(|| here.iter().map(|id| stages[*id]).max());
    let apart = stages.iter().filter(|(id, own)| Some(**own) <= last && !here.contains(id));
    apart.map(|(id, _)| id.clone()).collect()
}
