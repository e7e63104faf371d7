//! `pipeline lock`: what branches, tags and base images stand for, written down; and whether that is still so.

use std::collections::{BTreeMap, BTreeSet};

use globset::Glob;
use pipeline_core::event::{Event, EventKind, Failure, Status, command_line};
use pipeline_core::exec::{self, Options};
use pipeline_core::lock::{Key, Lock, Pin};
use pipeline_core::plan::{InstanceId, Plan};
use pipeline_core::planner::{Names, names};
use serde_json::{Value, json};

use crate::args::{LockArgs, SelectArgs, TableFormat};
use crate::engine::{self, Engine};
use crate::prepare::{self, Prepared, WithoutEngine};
use crate::{exit_code, place, terminal};

pub(super) fn lock(args: &LockArgs) -> u8 {
    let select = SelectArgs { target: args.target.clone(), ..SelectArgs::default() };
    let mut prepared = match prepare::prepare(&args.recipe, &select, WithoutEngine::Assume) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let again = match again(args) {
        Ok(again) => again,
        Err(code) => return code,
    };
    // What is to be asked again counts as unknown.
    prepared.plan.lock.retain(|key| !again(key));
    let (Ok(code) | Err(code)) = carry_out(args, &prepared);
    code
}

/// Which names are asked for although the lock explains them.
fn again(args: &LockArgs) -> Result<impl Fn(&Key) -> bool, u8> {
    let all = args.check;
    let mut globs = Vec::new();
    for pattern in &args.update {
        let glob = Glob::new(pattern).map_err(|error| {
            terminal::error(
                "select::bad-pattern",
                &format!("`--update {pattern}`: {error}"),
                Some("write a glob such as `*alpine*`"),
            );
            exit_code::USAGE
        })?;
        globs.push(glob.compile_matcher());
    }
    let named = move |name: &str| globs.iter().any(|glob| glob.is_match(name));
    Ok(move |key: &Key| all || named(&key.name()) || named(&key.to_string()))
}

/// What became of a name.
struct Change {
    key: Key,
    old: Option<Pin>,
    new: Option<Pin>,
    /// Where the recipe asks for it.
    place: Option<String>,
}

fn carry_out(args: &LockArgs, prepared: &Prepared) -> Result<u8, u8> {
    place::may_run(&prepared.found, false, false)?;
    let Engine { options, signals, .. } =
        &engine::begin(prepared, Options { jobs: 4, keep_going: true, ..Options::default() })?;
    let Names { plan, left_out } = names(&prepared.plan, args.check || !args.update.is_empty());
    let performer = prepare::performer(false);
    let host = prepared.host(&performer);
    let mut told = Told::new(args.verbose);
    let summary = exec::run(&plan, &host, options, Some(signals), &mut |event| told.on(event));
    if let Some(signal) = summary.interrupted {
        return Ok(exit_code::SIGNAL.saturating_add(u8::try_from(signal).unwrap_or(0)));
    }
    for instance in &left_out {
        terminal::warning(
            &format!("`{instance}` works with what another step makes, so the names in it are not known yet"),
            "`pipeline run` writes them down when it comes there",
        );
    }
    for (instance, failure) in &told.failed {
        terminal::error(
            failure.kind.code(),
            &format!("{instance}: {}", failure.message),
            failure.help.as_deref(),
        );
    }
    let whole = args.target.is_empty() && left_out.is_empty() && told.failed.is_empty();
    let (lock, changes) = result(prepared, &plan, &told, whole);
    show(args, &changes, &lock);
    if args.check {
        let complete = if told.failed.is_empty() { exit_code::DONE } else { exit_code::STEP_FAILED };
        return Ok(if changes.is_empty() { complete } else { exit_code::LOCK_STALE });
    }
    if let Err(error) = prepared.lock.write(&lock) {
        let help = "see that it and its folder can be written to";
        terminal::error(
            "place::unwritable",
            &format!("`{}` cannot be written: {error}", prepared.lock.name),
            Some(help),
        );
        return Err(exit_code::STEP_FAILED);
    }
    Ok(if told.failed.is_empty() { exit_code::DONE } else { exit_code::STEP_FAILED })
}

/// The new lock, and what is another in it. What could not be asked stays as it was.
fn result(prepared: &Prepared, plan: &Plan, told: &Told, whole: bool) -> (Lock, Vec<Change>) {
    let old = &prepared.lock.lock;
    let mut lock = told.asked.clone();
    if !whole {
        for (key, pin) in old.iter() {
            lock.keep(key, pin.clone());
        }
    }
    let keys: BTreeSet<&Key> = old.iter().chain(lock.iter()).map(|(key, _)| key).collect();
    let changed = keys.into_iter().filter(|key| old.get(key) != lock.get(key));
    let changes = changed.map(|key| {
        let of_step = || plan.places.get(told.by.get(key)?.as_str().split('@').next()?);
        let place = plan.places.get(&key.to_string()).or_else(of_step).cloned();
        Change { key: key.clone(), old: old.get(key).cloned(), new: lock.get(key).cloned(), place }
    });
    let changes = changes.collect();
    (lock, changes)
}

fn show(args: &LockArgs, changes: &[Change], lock: &Lock) {
    if args.format == TableFormat::Json {
        let changes: Vec<Value> = changes
            .iter()
            .map(|change| json!({ "name": change.key, "old": change.old, "new": change.new, "place": change.place }))
            .collect();
        terminal::out(&format!(
            "{:#}\n",
            json!({ "version": 1, "changes": changes, "entries": lock.iter().len() })
        ));
        return;
    }
    let pin = |pin: &Option<Pin>| pin.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|change| {
            let place = change.place.clone().unwrap_or_else(|| "nobody asks for it any more".into());
            vec![change.key.to_string(), format!("{} -> {}", pin(&change.old), pin(&change.new)), place]
        })
        .collect();
    if !rows.is_empty() {
        terminal::out(&terminal::table(&rows));
    }
    let count = lock.iter().len();
    let entries = if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
    terminal::note(&match (changes.len(), args.check) {
        (0, _) => format!("{entries}, all as they were\n"),
        (1, true) => {
            "1 name stands for something else than the lock says; `pipeline lock --update` takes it\n".into()
        }
        (many, true) => {
            format!(
                "{many} names stand for something else than the lock says; `pipeline lock --update` takes them\n"
            )
        }
        (changed, false) => format!("{entries}, {changed} of them new or changed\n"),
    });
}

/// What was told while names were asked for.
struct Told {
    /// What the names stand for.
    asked: Lock,
    /// The first instance that asked for a name.
    by: BTreeMap<Key, InstanceId>,
    failed: Vec<(InstanceId, Failure)>,
    verbose: bool,
}

impl Told {
    fn new(verbose: bool) -> Self {
        Self { asked: Lock::default(), by: BTreeMap::new(), failed: Vec::new(), verbose }
    }

    fn on(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Pinned { instance, key, pin, .. } => {
                self.asked.keep(key, pin.clone());
                self.by.entry(key.clone()).or_insert_with(|| instance.clone());
            }
            EventKind::Finished { instance, status: Status::Failed(failure), .. } => {
                self.failed.push((instance.clone(), failure.clone()));
            }
            EventKind::Command { argv, .. } if self.verbose => {
                terminal::note(&format!("$ {}\n", terminal::clean(&command_line(argv))));
            }
            EventKind::Line { text, .. } if self.verbose => {
                terminal::note(&format!("{}\n", terminal::clean(text)));
            }
            _ => {}
        }
    }
}
