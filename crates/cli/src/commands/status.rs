//! `pipeline status`

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use pipeline_core::event::Status;
use pipeline_core::exec::Records;
use pipeline_core::history::{Account, Ending, LocatedImage, images};
use pipeline_core::output::seconds;
use pipeline_core::plan::{Instance, InstanceId, Plan};
use serde_json::{Value, json};

use super::history::{steps, time, when};
use crate::args::{RecipeArgs, SelectArgs, StatusArgs, TableFormat};
use crate::prepare::{self, WithoutEngine};
use crate::{exit_code, runs, terminal};

pub(super) fn status(args: &StatusArgs) -> u8 {
    match standing(args) {
        Ok(text) => {
            terminal::out(&text);
            exit_code::DONE
        }
        Err(code) => code,
    }
}

/// How an instance stands.
#[derive(Debug, Default)]
struct Stand {
    step: String,
    target: Option<String>,
    node: Option<String>,
    result: String,
    /// When that was found out.
    at: Option<Timestamp>,
    /// How long it took when it last ran, or has been running.
    took: Option<Duration>,
    /// The run that says so, and how many there are after it.
    run: Option<(String, usize)>,
}

/// What earlier runs and a run under way say of a recipe.
#[derive(Debug, Default)]
struct Told {
    stands: BTreeMap<InstanceId, Stand>,
    images: Vec<LocatedImage>,
    /// The run under way, and what it tells so far.
    now: Option<(String, Account)>,
    /// The newest run's id, account and end.
    newest: Option<(String, Account, Ending)>,
}

fn standing(args: &StatusArgs) -> Result<String, u8> {
    let folder = runs::folder(args.recipe.as_deref())?;
    let recipe = RecipeArgs { recipe: args.recipe.clone(), ..RecipeArgs::default() };
    // Nothing is said about a recipe with mistakes: what was done stays done.
    let plan = prepare::look(&recipe, &SelectArgs::default(), WithoutEngine::Assume, None).prepared.ok();
    let plan = plan.map(|prepared| prepared.plan);
    let mut told = Told::default();
    gather(&folder, plan.as_ref(), &mut told)?;
    if let Some(plan) = &plan {
        on_record(&folder, plan, &mut told);
    }
    let mut rows: Vec<(InstanceId, Stand)> = Vec::new();
    if let Some(plan) = &plan {
        // Only what the recipe has now, in its order.
        for node in plan.order() {
            let instance = &plan.graph[node];
            let stand = told.stands.remove(&instance.id).unwrap_or_else(|| stand(instance, "never ran"));
            rows.push((instance.id.clone(), stand));
        }
    } else {
        rows.extend(std::mem::take(&mut told.stands));
    }
    Ok(match args.format {
        TableFormat::Text => text(&rows, &told, plan.is_some()),
        TableFormat::Json => format!("{:#}\n", as_json(&rows, &told)),
    })
}

/// From the newest run back, until all is known of each instance.
fn gather(folder: &Path, plan: Option<&Plan>, told: &mut Told) -> Result<(), u8> {
    for (before, run) in runs::all(folder)?.into_iter().rev().enumerate() {
        let Ok((account, ending)) = runs::outline(folder, &run) else { continue };
        if plan.is_some_and(|plan| plan.recipe != account.recipe) {
            continue;
        }
        let kept = run.plan().ok().flatten();
        if let Some(kept) = &kept {
            for image in images(kept, &account) {
                merge(&mut told.images, image);
            }
        }
        for (id, course) in &account.courses {
            let instance = kept.as_ref().or(plan).and_then(|plan| plan.find(id.as_str()));
            let known = told.stands.entry(id.clone()).or_insert_with(|| named(id, instance));
            if known.result.is_empty() {
                let running = course.is_running() && ending == Ending::UnderWay;
                let Some(result) = word(course.status(), running, course.is_running()) else { continue };
                result.clone_into(&mut known.result);
                known.run = Some((run.id.clone(), before));
                let after = course.end.as_ref().map_or(course.began(), |(at, _)| Some(*at));
                known.at = account.began.zip(after).and_then(|(began, after)| began.checked_add(after).ok());
                if running {
                    let began = course.attempts.last().copied().unwrap_or_default();
                    known.took = Some(time(&account, ending).saturating_sub(began));
                }
            }
            // What is up to date took its time when it was made.
            let ran = course.status().is_some() && !course.attempts.is_empty();
            if known.took.is_none() && ran {
                known.took = Some(course.took);
            }
        }
        if ending == Ending::UnderWay {
            told.now = Some((run.id.clone(), account.clone()));
        }
        told.newest.get_or_insert((run.id.clone(), account, ending));
    }
    told.stands.retain(|_, stand| !stand.result.is_empty());
    Ok(())
}

/// How it ended, in words; none where nothing is to be learnt from this run.
fn word(status: Option<&Status>, running: bool, begun: bool) -> Option<&'static str> {
    Some(match status {
        Some(Status::Done) => "done",
        Some(Status::UpToDate) => "up to date",
        Some(Status::Failed(_)) => "FAILED",
        Some(Status::Allowed(_)) => "failed as allowed",
        Some(Status::Cancelled) => "stopped",
        None if running => "running",
        None if begun => "killed",
        Some(Status::Skipped { .. }) | None => return None,
    })
}

/// What was done before the oldest run that is kept.
fn on_record(folder: &Path, plan: &Plan, told: &mut Told) {
    let Ok((state, _)) = Records::open(folder) else { return };
    for instance in plan.graph.node_weights() {
        let key = format!("{}/{}", plan.recipe, instance.id);
        if let (false, Some(record)) = (told.stands.contains_key(&instance.id), state.record(&key)) {
            let took = Duration::from_millis(record.took.into());
            told.stands.insert(instance.id.clone(), Stand { took: Some(took), ..stand(instance, "done") });
        }
    }
}

fn stand(instance: &Instance, result: &str) -> Stand {
    Stand { result: result.to_owned(), ..named(&instance.id, Some(instance)) }
}

fn named(id: &InstanceId, instance: Option<&Instance>) -> Stand {
    match instance {
        Some(instance) => Stand {
            step: instance.step.to_string(),
            target: instance.target.as_ref().map(ToString::to_string),
            node: instance.node.clone(),
            ..Stand::default()
        },
        None => {
            let mut parts = id.as_str().splitn(3, '@').map(str::to_owned);
            let step = parts.next().unwrap_or_default();
            Stand { step, target: parts.next(), node: parts.next(), ..Stand::default() }
        }
    }
}

/// Newer runs come first: an image of another id is no more, and the same one may be in more places.
fn merge(images: &mut Vec<LocatedImage>, older: LocatedImage) {
    match images.iter_mut().find(|image| image.target == older.target && image.reference == older.reference) {
        None => images.push(older),
        Some(image) if image.id == older.id && image.digest == older.digest => {
            for (node, reference) in older.nodes {
                image.nodes.entry(node).or_insert(reference);
            }
            for archive in older.archives {
                if !image.archives.iter().any(|other| other.path == archive.path) {
                    image.archives.push(archive);
                }
            }
            for pushed in older.pushed {
                if !image.pushed.contains(&pushed) {
                    image.pushed.push(pushed);
                }
            }
        }
        Some(_) => {}
    }
}

fn text(rows: &[(InstanceId, Stand)], told: &Told, planned: bool) -> String {
    let mut text = String::new();
    match (&told.now, &told.newest) {
        (Some((run, account)), _) => {
            let time = seconds(time(account, Ending::UnderWay));
            text += &format!("run {run} is under way for {time}: {}\n", steps(account));
        }
        (None, Some((run, account, ending))) => {
            let began = account.began.map(when).unwrap_or_default();
            text += &format!("the last run, {run} of {began}: {ending}, {}\n", steps(account));
        }
        (None, None) => text += "there is no run yet\n",
    }
    let mut table =
        vec![["TARGET", "STEP", "NODE", "RESULT", "WHEN", "TIME", "RUN"].map(str::to_owned).to_vec()];
    let none = || "-".to_owned();
    table.extend(rows.iter().map(|(_, stand)| {
        vec![
            stand.target.clone().unwrap_or_else(none),
            stand.step.clone(),
            stand.node.clone().unwrap_or_else(none),
            stand.result.clone(),
            stand.at.map_or_else(none, when),
            stand.took.map_or_else(none, seconds),
            stand.run.as_ref().map_or_else(none, |(_, before)| format!("^{before}")),
        ]
    }));
    if !rows.is_empty() {
        text += &format!("\n{}", terminal::table(&table));
    }
    if !told.images.is_empty() {
        text += "\nimages:\n";
        let list: Vec<Vec<String>> = told.images.iter().map(image_row).collect();
        text += &terminal::table(&list).lines().map(|line| format!("  {line}\n")).collect::<String>();
    }
    if !planned {
        text += "\nthe recipe cannot be planned as it stands (`pipeline check` says why): this is what runs did\n";
    }
    text += "\n`pipeline explain` says what a run would do now\n";
    text
}

fn image_row(image: &LocatedImage) -> Vec<String> {
    let mut places: Vec<String> = image.archives.iter().map(|archive| archive.path.clone()).collect();
    places.extend(image.engine.iter().map(|engine| format!("{engine}'s store")));
    places.extend(image.pushed.iter().map(|pushed| format!("registry as {}", pushed.reference)));
    if !image.nodes.is_empty() {
        places.push(format!("on {}", image.nodes.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    let id = image.id.as_ref().or(image.digest.as_ref()).cloned().unwrap_or_default();
    vec![
        image.target.clone().unwrap_or_else(|| "all".into()),
        image.reference.clone().unwrap_or_default(),
        id.chars().take("sha256:".len() + 12).collect(),
        places.join("; "),
    ]
}

fn as_json(rows: &[(InstanceId, Stand)], told: &Told) -> Value {
    let instances: Vec<Value> = rows
        .iter()
        .map(|(id, stand)| {
            json!({
                "instance": id,
                "step": stand.step,
                "target": stand.target,
                "node": stand.node,
                "result": stand.result.to_lowercase(),
                "at": stand.at,
                "seconds": stand.took.map(|took| took.as_secs_f64()),
                "run": stand.run.as_ref().map(|(run, _)| run),
            })
        })
        .collect();
    let now = told.now.as_ref().map(|(run, account)| {
        let running = account.courses.iter().filter(|(_, course)| course.is_running()).map(|(id, _)| id);
        json!({
            "run": run,
            "began": account.began,
            "seconds": time(account, Ending::UnderWay).as_secs_f64(),
            "counts": account.so_far(),
            "instances": account.total,
            "running": running.collect::<Vec<_>>(),
        })
    });
    json!({
        "version": 1,
        "under_way": now,
        "newest": told.newest.as_ref().map(|(run, account, ending)| json!({
            "run": run, "began": account.began, "recipe": account.recipe, "result": ending,
        })),
        "instances": instances,
        "images": told.images,
    })
}
