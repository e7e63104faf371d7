//! `pipeline repro`: the images of a recipe, built twice under other circumstances, and compared.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline_core::event::EventKind;
use pipeline_core::exec::{
    self, Connections, Host, Lock, Options, RunDir, Scratch, Signals, Summary, remedy,
};
use pipeline_core::image::compare::compare;
use pipeline_core::lock::Lock as Names;
use pipeline_core::plan::Plan;
use pipeline_core::planner::{Origin, Repro, repro as cut};

use super::run::{allowed, code, handed, hidden, leave, run_id, scratch, trusted};
use crate::args::ReproArgs;
use crate::contain::{self, Side};
use crate::prepare::{self, Prepared, WithoutEngine};
use crate::repro::{Compared, Place, first, second, show};
use crate::terminal::Plain;
use crate::{exit_code, place, terminal};

/// Between the beginnings of the two, at least: times in images are whole seconds.
const APART: Duration = Duration::from_millis(2100);

pub(super) fn repro(args: &ReproArgs) -> u8 {
    let prepared = match prepare::prepare(&args.recipe, &args.select, WithoutEngine::Refuse) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let folder = prepared.found.folder.clone();
    let store = folder.join(".pipeline/store/root");
    let Some(shown) = folder.to_str() else {
        terminal::error(
            "place::bad-name",
            "the recipe's folder has a name that is no text",
            Some("move it to another one"),
        );
        return exit_code::USAGE;
    };
    let store = store.to_str().filter(|_| store.is_dir());
    let repro = cut(&prepared.plan, &Origin { folder: shown, store });
    for image in &repro.left_out {
        terminal::warning(
            &format!("`{image}` is left out: it is built of what a node, or an image, gives"),
            "`pipeline repro` touches no node and runs no image",
        );
    }
    if repro.archives.is_empty() {
        terminal::error(
            "usage::nothing-to-do",
            "the recipe builds nothing here that could be compared",
            Some("`build` steps are"),
        );
        return exit_code::USAGE;
    }
    if let Some(fetched) = prepared.found.fetched.as_ref().filter(|_| !args.yes)
        && let Err(code) = trusted(fetched, &repro.plan)
    {
        return code;
    }
    let (Ok(code) | Err(code)) = carry_out(args, &prepared, &repro);
    code
}

fn carry_out(args: &ReproArgs, prepared: &Prepared, repro: &Repro) -> Result<u8, u8> {
    hidden(&prepared.secret)?;
    place::may_run(&prepared.found, args.allow_owner, false)?;
    let lock = place::lock(&prepared.found.folder, Duration::MAX)?;
    lock.sweep();
    lock.remove_repro().map_err(|error| unusable(&lock.repro(), &error))?;
    let privileged = allowed(&repro.plan, args.allow_privileged)?;
    let tmpdir = prepared.env.get(std::ffi::OsStr::new("TMPDIR")).map(std::ffi::OsString::as_os_str);
    let scratch = scratch(&lock, tmpdir)?;
    let signals = match contain::engine() {
        Ok(Side::Engine(signals)) => signals,
        Ok(Side::Parent(code)) => {
            // The engine has ended, however it did.
            if args.keep {
                terminal::note(&format!("kept: {}\n", lock.repro().display()));
            } else if let Err(error) = lock.remove_repro() {
                let help = "the next `pipeline repro` removes it";
                terminal::error(
                    "place::unwritable",
                    &format!("{} stays: {error}", lock.repro().display()),
                    Some(help),
                );
            }
            return Ok(code);
        }
        Err(error) => {
            terminal::error(
                "run::engine",
                &format!("the engine cannot be started: {error}"),
                remedy(&error.to_string()),
            );
            return Err(exit_code::PREFLIGHT_FAILED);
        }
    };
    let code = twice(args, prepared, repro, (&lock, &scratch), privileged, &signals);
    // It is the parent's, who ends last.
    std::mem::forget(scratch);
    code
}

fn unusable(path: &Path, error: &std::io::Error) -> u8 {
    let help = remedy(&error.to_string()).unwrap_or(place::WRITABLE);
    terminal::error(
        "place::unwritable",
        &format!("there can be no place to build in: {}: {error}", path.display()),
        Some(help),
    );
    exit_code::PREFLIGHT_FAILED
}

/// Both builds, in the engine.
fn twice(
    args: &ReproArgs,
    prepared: &Prepared,
    repro: &Repro,
    (lock, scratch): (&Lock, &Scratch),
    privileged: bool,
    signals: &Signals,
) -> Result<u8, u8> {
    let (secrets, redactor) = handed(prepared)?;
    let performer = prepare::performer(privileged);
    let mut host = Host { secrets, redactor, ..prepared.host(&performer) };
    let below = lock.repro();
    let mut plan = repro.plan.clone();
    // For those who build elsewhere.
    let connections = Connections::new(scratch.short().to_owned()).ok().map(Arc::new);
    let mut places: Vec<Place> = Vec::new();
    let began = Instant::now();
    for (make, which) in [(first as fn(&_, &_, &_, &_) -> _, "first"), (second, "second")] {
        let place = signals.meanwhile(leave, || {
            if which == "second" {
                std::thread::sleep(APART.saturating_sub(began.elapsed()));
            }
            make(&prepared.found.folder, &below, scratch.path(), &prepared.env)
        });
        let place = place.map_err(|error: std::io::Error| unusable(&below, &error))?;
        terminal::note(&format!("the {which} build, in {}\n", place.here.display()));
        host.here.clone_from(&place.here);
        host.env.clone_from(&place.env);
        let (summary, names) = build(args, &plan, &host, (&place, connections.clone()), signals)?;
        if repro.clean_up.graph.node_count() > 0 {
            let options = Options { connections: connections.clone(), ..Options::default() };
            exec::run(&repro.clean_up, &host, &options, Some(signals), &mut |_| {});
        }
        match code(&summary) {
            exit_code::DONE => {}
            code => return Err(code),
        }
        // What a name stood for, it stands for again.
        names.iter().for_each(|(key, pin)| {
            plan.lock.keep(key, pin.clone());
        });
        places.push(place);
    }
    signals.meanwhile(leave, || compared(args, repro, &places))
}

/// One build. Also yields what names stood for.
fn build(
    args: &ReproArgs,
    plan: &Plan,
    host: &Host<'_>,
    (place, connections): (&Place, Option<Arc<Connections>>),
    signals: &Signals,
) -> Result<(Summary, Names), u8> {
    let run = run_id();
    // Not among the recipe's runs: of its images it says nothing.
    let record = RunDir::create(&place.here, &run).map_err(|error| unusable(&place.here, &error));
    let mut record = record?;
    let logs = args.keep.then(|| record.path().join("logs"));
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let scratch = Some(place.scratch.clone());
    let options = Options { jobs, run, scratch, connections, ..Options::default() };
    let mut plain = Plain::new(logs, args.verbose, &plan.places);
    let mut names = Names::default();
    let summary = exec::run(plan, host, &options, Some(signals), &mut |event| {
        record.on(event);
        plain.on(event);
        if let EventKind::Pinned { key, pin, .. } = &event.kind {
            names.keep(key, pin.clone());
        }
    });
    Ok((summary, names))
}

fn compared(args: &ReproArgs, repro: &Repro, places: &[Place]) -> Result<u8, u8> {
    let mut all = Vec::new();
    for archive in &repro.archives {
        let [one, other] = [0, 1].map(|at| places[at].here.join(&archive.path));
        let found = compare(&one, &other).map_err(|error| {
            terminal::error(
                "image::unreadable",
                &format!("{}: {error}", archive.image),
                Some("`--keep` keeps both archives"),
            );
            exit_code::STEP_FAILED
        })?;
        all.push(Compared { archive, found });
    }
    show(args.format, &all);
    let same = all.iter().all(|one| one.found.is_same());
    Ok(if same { exit_code::DONE } else { exit_code::MISMATCH })
}
