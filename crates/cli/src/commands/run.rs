//! `pipeline run`

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pipeline_core::binfmt::{self, Assessment};
use pipeline_core::doctor::{Finding, Level, Subject, preflight};
use pipeline_core::event::{Event, FailureKind, Status};
use pipeline_core::evidence::{PublicKey, SigningKey};
use pipeline_core::exec::{
    self, Connections, Host, Lock, Options, Records, RunDir, Scratch, Secrets, Summary, remedy,
};
use pipeline_core::history::{Account, Course, Outcome, RunFolder};
use pipeline_core::output::{MIN_SECRET, Redactor};
use pipeline_core::plan::{Action, Plan, Register};
use pipeline_core::planner::{Wanted, require_provenance};
use pipeline_core::show;

use super::doctor::table;
use super::locked;
use crate::args::{Progress, RunArgs};
use crate::contain::{self, Side};
use crate::evidence;
use crate::lock_file::Pins;
use crate::prepare::{self, Prepared, WithoutEngine, prepare};
use crate::recipe::{Fetched, Found};
use crate::results::{self, Outgoing};
use crate::terminal::{Live, Plain, Scene};
use crate::{environment, exit_code, exports, frozen, place, records, retention, step_summary, terminal};

pub(super) fn run(args: &RunArgs) -> u8 {
    let (mut prepared, outgoing) = match planned(args) {
        Ok(planned) => planned,
        Err(code) => return code,
    };
    let wanted = match prepare::cut(&mut prepared, &args.part) {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    if let Some(key) = &args.require_provenance
        && let Err(code) = required(&mut prepared.plan, key)
    {
        return code;
    }
    if args.dry_run {
        terminal::out_text(&show::text(&prepared.plan));
        return exit_code::DONE;
    }
    if let Some(fetched) = prepared.found.fetched.as_ref().filter(|_| !args.yes)
        && let Err(code) = trusted(fetched, &prepared.plan)
    {
        return code;
    }
    let (Ok(code) | Err(code)) = start(args, &prepared, &wanted, outgoing.as_ref());
    // The process ends now: taking a large plan apart would only take time.
    std::mem::forget(prepared);
    code
}

/// What is to be done, and what of it goes to other machines.
fn planned(args: &RunArgs) -> Result<(Prepared, Option<Outgoing>), u8> {
    let Some(plan) = &args.plan else {
        return Ok((prepare(&args.recipe, &args.select, WithoutEngine::Refuse)?, None));
    };
    let (mut prepared, frozen) = frozen::thaw(plan, &args.recipe)?;
    let outgoing = results::share(args, &mut prepared, &frozen)?;
    Ok((prepared, outgoing))
}

fn start(
    args: &RunArgs,
    prepared: &Prepared,
    wanted: &Wanted,
    outgoing: Option<&Outgoing>,
) -> Result<u8, u8> {
    let Prepared { plan, found, env, secret, .. } = prepared;
    hidden(secret)?;
    if args.no_emulation {
        native(plan)?;
    }
    let signer = args.sign.as_deref().map(evidence::signer).transpose()?;
    let locked = locked::wanted(args);
    if locked {
        locked::check(args, prepared)?;
    }
    place::may_run(found, args.allow_owner, args.allow_network_disk)?;
    // Held until the end: one run at a time in a folder.
    let lock = place::lock(&found.folder, args.wait_lock)?;
    lock.sweep();
    let (force, hold) = (|instance: &_| wanted.force(instance), |instance: &_| wanted.hold(instance));
    let mut records = records::open(prepared, &force, &hold)?;
    let host = |performer| prepared.host(performer);
    let live = match args.progress {
        Progress::Auto => terminal::can_be_live(false) && !environment::is_ci(),
        Progress::Tty => terminal::can_be_live(true),
        Progress::Plain | Progress::Json | Progress::Quiet => false,
    };
    if live {
        terminal::show_live();
    }
    let jobs = args
        .jobs
        .map_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get), usize::from);
    let mut options =
        Options { jobs, keep_going: args.keep_going, run: run_id(), locked, ..Options::default() };
    // Where nothing has to be done, nothing is needed for it: neither tools nor nodes, nor processes to contain.
    let idle = prepare::performer(false);
    let host_of_idle = host(&idle);
    if outgoing.is_none()
        && let Some(settled) = exec::settled(plan, &host_of_idle, &mut records)
    {
        let record = record(found, &options.run)?;
        let code = tell(
            args,
            prepared,
            record,
            &options.run,
            signer.as_ref(),
            |sink| settled.tell(&host_of_idle, &options, sink),
            |_, _| Ok(()),
        );
        retention::after_run(&lock, &found.folder, args.keep_runs);
        return Ok(code);
    }
    let may_register = allowed(plan, args.allow_privileged)?;
    let (secrets, redactor) = handed(prepared)?;
    let scratch = scratch(&lock, env.get(OsStr::new("TMPDIR")).map(OsString::as_os_str))?;
    options.scratch = Some(scratch.path().to_owned());
    let sockets = scratch.short().to_owned();
    let signals = match contain::engine() {
        Ok(Side::Engine(signals)) => {
            // It is the parent's, who ends last.
            std::mem::forget(scratch);
            signals
        }
        Ok(Side::Parent(code)) => return Ok(code),
        Err(error) => {
            terminal::error(
                "run::engine",
                &format!("the engine cannot be started: {error}"),
                remedy(&error.to_string()),
            );
            return Err(exit_code::PREFLIGHT_FAILED);
        }
    };
    options.connections = Connections::new(sockets).ok().map(Arc::new);
    if args.look_ahead {
        // It makes the connections that the run goes through.
        signals.meanwhile(leave, || look_ahead(args, prepared, options.connections.as_deref()))?;
    }
    let mut record = record(found, &options.run)?;
    record.save_plan(&show::Document(plan));
    let performer = prepare::performer(may_register);
    let host = Host { secrets, redactor, ..host(&performer) };
    // Without a look ahead they are made while the image is found.
    let early = options.connections.as_deref().filter(|_| !args.look_ahead);
    let over = AtomicBool::new(false);
    let usual =
        |records: &Records<'_>| plan.graph.node_weights().map(|instance| records.took(instance)).collect();
    let _live = Live::begin(|| Scene { plan, usual: usual(&records), here: prepare::platform() });
    Ok(std::thread::scope(|scope| {
        if let Some(connections) = early {
            for node in plan.nodes.values().take(options.node_jobs) {
                let (host, over) = (&host, &over);
                scope.spawn(move || connections.reach(node, host, &|| over.load(Ordering::Relaxed)));
            }
        }
        let code = tell(
            args,
            prepared,
            record,
            &options.run,
            signer.as_ref(),
            |sink| exec::run_recorded(plan, &host, &options, Some(&signals), &mut records, sink),
            |summary, run| match outgoing {
                Some(outgoing) => results::keep(outgoing, summary, run, &host, &options, Some(&signals)),
                None => Ok(()),
            },
        );
        over.store(true, Ordering::Relaxed);
        retention::after_run(&lock, &found.folder, args.keep_runs);
        code
    }))
}

/// A signal came while nothing was under way.
#[allow(clippy::exit, reason = "the thread that waits for a node can be told nothing")]
pub(super) fn leave(signal: i32) {
    std::process::exit(i32::from(exit_code::SIGNAL) + signal);
}

/// The folder for temporary files.
pub(super) fn scratch(lock: &Lock, tmpdir: Option<&OsStr>) -> Result<Scratch, u8> {
    Scratch::create(lock, tmpdir).map_err(|error| {
        terminal::error(
            "place::unwritable",
            &format!("there can be no folder for temporary files: {error}"),
            Some(
                remedy(&error.to_string())
                    .unwrap_or("`TMPDIR` says where; it must be a folder that can be written to"),
            ),
        );
        exit_code::PREFLIGHT_FAILED
    })
}

/// The folder of a run.
fn record(found: &Found, run: &str) -> Result<RunDir, u8> {
    RunDir::create(&found.folder, run).map_err(|error| {
        terminal::error(
            "place::unwritable",
            &format!("cannot write below {}: {error}", found.folder.join(".pipeline").display()),
            Some(remedy(&error.to_string()).unwrap_or(place::WRITABLE)),
        );
        exit_code::PREFLIGHT_FAILED
    })
}

/// Tells of a run and records it while it is done; yields the exit code.
fn tell(
    args: &RunArgs,
    prepared: &Prepared,
    mut record: RunDir,
    id: &str,
    signer: Option<&SigningKey>,
    run: impl FnOnce(&mut dyn FnMut(&Event)) -> Summary,
    hand_over: impl FnOnce(&Summary, &Path) -> Result<(), String>,
) -> u8 {
    let Prepared { plan, found, .. } = prepared;
    for remark in plan.notes.iter().filter(|_| args.progress != Progress::Quiet) {
        terminal::note(&format!("{}\n", terminal::clean(remark)));
    }
    let logs = std::path::Path::new(&found.shown_folder).join(".pipeline/runs").join(id).join("logs");
    let mut plain = Plain::new(Some(logs), args.verbose, &plan.places);
    if args.progress == Progress::Quiet {
        plain = plain.quiet();
    }
    let (mut pins, mut account) = (Pins::default(), Account::default());
    let mut summary = run(&mut |event: &Event| {
        record.on(event);
        pins.on(event, &prepared.lock);
        account.on(event);
        match args.progress {
            Progress::Auto | Progress::Tty | Progress::Plain | Progress::Quiet => plain.on(event),
            Progress::Json => {
                terminal::json(&serde_json::to_string(event).unwrap_or_default());
            }
        }
    });
    if let Some(warning) = record.take_warning() {
        terminal::error("run::unrecorded", &warning, remedy(&warning));
        summary.unrecorded = true;
    }
    if let Some(problem) = pins.take_problem() {
        terminal::error(
            "run::unrecorded",
            &problem,
            Some("the next run asks again what it would have said; make the file writable"),
        );
        summary.unrecorded = true;
    }
    if let Err(problem) = evidence::keep(prepared, &account, record.path(), signer) {
        terminal::error(
            "run::unrecorded",
            &problem,
            Some("the archives are there, and nothing that vouches for them"),
        );
        summary.unrecorded = true;
    }
    if let Err(problem) = exports::write(&args.exports, plan, &account, &RunFolder::at(record.path())) {
        let help = remedy(&problem).unwrap_or("`pipeline export` writes it later, with the same options, and `pipeline report -o FILE` the report");
        terminal::error("run::unrecorded", &problem, Some(help));
        summary.unrecorded = true;
    }
    if let Err(problem) = hand_over(&summary, record.path()) {
        let help =
            remedy(&problem).unwrap_or("run it again: what is done is on record here, and is not made again");
        terminal::error("results::unkept", &problem, Some(help));
        summary.unrecorded = true;
    }
    let outcome = Outcome::of(plan, &account);
    if let Some(file) = step_summary::file()
        && let Err(problem) = step_summary::write(&file, &outcome, &account)
    {
        terminal::warning(&problem, "the run is not concerned");
    }
    if args.progress != Progress::Json {
        if args.progress != Progress::Quiet {
            terminal::summary(&outcome, &account, &found.folder);
        }
        delivered(plan, &account);
    }
    let code = code(&summary);
    if code == exit_code::DONE && locked::wanted(args) {
        locked::all_used(args, prepared, &pins)
    } else {
        code
    }
}

/// Adds the checks that archives from elsewhere have provenance.
fn required(plan: &mut Plan, key: &std::path::Path) -> Result<(), u8> {
    let usage = |code, message: &str, help: &str| {
        terminal::error(code, message, Some(help));
        exit_code::USAGE
    };
    // Before anything is done, and from where the user is.
    PublicKey::read(key).map_err(|error| usage("evidence::key", &error.to_string(), error.help()))?;
    let key = std::path::absolute(key).unwrap_or_else(|_| key.to_owned());
    require_provenance(plan, &key.to_string_lossy()).map_err(|without| {
        let names: Vec<String> = without.iter().map(|id| format!("`{id}`")).collect();
        usage(
            "evidence::no-provenance",
            &format!("{} takes an image from an engine's store, for which nobody vouches", names.join(", ")),
            "take it from an archive with provenance beside it, as `pipeline run --sign` leaves it",
        )
    })
}

/// Asks whether what came from elsewhere may run, when it has been seen.
pub(super) fn trusted(fetched: &Fetched, plan: &Plan) -> Result<(), u8> {
    terminal::note(&format!("{}\n", show::text(plan)));
    let from = format!("{} at {}", terminal::clean(&fetched.url), fetched.commit);
    let question = format!("This is the recipe from {from}, in {}.\nRun it?", fetched.root.display());
    if terminal::confirm(&question) {
        return Ok(());
    }
    terminal::error(
        "usage::not-confirmed",
        &format!("the recipe from {from} was not confirmed"),
        Some("read the plan above, and say `--yes` to run it"),
    );
    Err(exit_code::USAGE)
}

/// Secrets that can be hidden, or none.
pub(super) fn hidden(secret: &[String]) -> Result<(), u8> {
    let Some(name) = environment::too_short(secret) else { return Ok(()) };
    terminal::error(
        "run::short-secret",
        &format!(
            "the secret `{name}` is shorter than {MIN_SECRET} bytes: hiding it would hide half of every log"
        ),
        Some("give it a longer value, or list it in `[env] pass` if everybody may see it"),
    );
    Err(exit_code::PREFLIGHT_FAILED)
}

/// What builds are handed, read before anything is done; and what hides it wherever it is printed.
pub(super) fn handed(prepared: &Prepared) -> Result<(Secrets, Redactor), u8> {
    let Prepared { plan, found, own_env, secret, .. } = prepared;
    let (secrets, values) = Secrets::read(&plan.secrets(), own_env, &found.folder).map_err(|failure| {
        terminal::error(failure.kind.code(), &failure.message, failure.help.as_deref());
        exit_code::PREFLIGHT_FAILED
    })?;
    let redactor = environment::redactor(secret, &values);
    terminal::hide(redactor.clone());
    Ok((secrets, redactor))
}

/// This machine runs all programs of the plan without an emulator.
fn native(plan: &Plan) -> Result<(), u8> {
    let here = prepare::platform();
    let foreign: BTreeSet<String> = plan
        .graph
        .node_weights()
        .filter(|instance| instance.runs_its_programs() && !instance.is_own_command())
        .filter(|instance| !instance.builders().any(|name| plan.is_certain(name)))
        .filter_map(|instance| instance.platform.as_ref())
        .filter(|platform| !here.runs_natively(platform))
        .map(ToString::to_string)
        .collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let foreign: Vec<String> = foreign.into_iter().collect();
    terminal::error(
        "run::emulated",
        &format!(
            "this machine is {here}: it would emulate {}, and `--no-emulation` forbids that",
            foreign.join(", ")
        ),
        Some(
            "run it on a machine of that architecture, or name one in `[builders]`; in CI, `[ci.runners]` says which runner is one",
        ),
    );
    Err(exit_code::PREFLIGHT_FAILED)
}

/// Whether the kernel's table of emulators may be changed; asks on a terminal when it must be and nobody said so.
pub(super) fn allowed(plan: &Plan, unasked: bool) -> Result<bool, u8> {
    if unasked {
        return Ok(true);
    }
    let (table, here) = (prepare::binfmt(), prepare::platform());
    let mut missing: Vec<String> = plan
        .graph
        .node_weights()
        .flat_map(|instance| &instance.actions)
        .filter_map(|action| match action {
            Action::EnsureBinfmt(ensure) if ensure.register != Register::Never => Some(ensure),
            _ => None,
        })
        .flat_map(|ensure| &ensure.platforms)
        .filter(|platform| matches!(binfmt::assess(&table, platform, &here), Assessment::Missing))
        .map(ToString::to_string)
        .collect();
    missing.sort();
    missing.dedup();
    if missing.is_empty() {
        return Ok(false);
    }
    let what = format!("register QEMU for {} in this machine's kernel", missing.join(", "));
    let question =
        format!("The recipe asks to {what}, which every program on this machine will see.\nDo it?");
    if terminal::confirm(&question) {
        return Ok(true);
    }
    terminal::error(
        "run::not-allowed",
        &format!("the recipe asks to {what}, and that is not allowed yet"),
        Some("run again with `--allow-privileged`"),
    );
    Err(exit_code::PREFLIGHT_FAILED)
}

/// What is missing is said before anything is built.
fn look_ahead(args: &RunArgs, prepared: &Prepared, connections: Option<&Connections>) -> Result<(), u8> {
    let (table_of_emulators, platform) = (prepare::binfmt(), prepare::platform());
    let findings = preflight(&Subject {
        env: &prepared.env,
        here: &prepared.found.folder,
        platform: &platform,
        binfmt: &table_of_emulators,
        plan: Some(&prepared.plan),
        connections,
    });
    if findings.is_empty() {
        return Ok(());
    }
    terminal::note(&table(&findings));
    if args.keep_going {
        terminal::note("going on with what can be done, as `--keep-going` says\n");
        return Ok(());
    }
    if others_can(&findings, &prepared.plan) {
        terminal::note("going on with the other nodes: one that fails keeps none of them from its image\n");
        return Ok(());
    }
    terminal::error(
        "run::missing",
        "nothing was started, as something that the run needs is missing",
        Some("`pipeline doctor` looks closer; `--keep-going` does what can be done"),
    );
    Err(exit_code::PREFLIGHT_FAILED)
}

/// Only nodes are told of, and not all of those that the run is for.
fn others_can(findings: &[Finding], plan: &Plan) -> bool {
    let missing = findings.iter().filter(|finding| finding.level == Level::Missing);
    let nodes: Option<BTreeSet<&str>> = missing.map(|finding| finding.area.strip_prefix("node ")).collect();
    let used: BTreeSet<&str> = plan.graph.node_weights().filter_map(|step| step.node.as_deref()).collect();
    nodes.is_some_and(|nodes| used.difference(&nodes).next().is_some())
}

/// Sortable, and unique wherever it comes to: nodes see the runs of several machines, and in a container every process
/// has the same number.
pub(super) fn run_id() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3fZ").to_string();
    let mut random = [0; 4];
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    format!("{now}-{:08x}", u32::from_ne_bytes(random))
}

/// One line for each image that arrived: node, reference, image id, platform.
fn delivered(plan: &Plan, account: &Account) {
    for node in plan.order() {
        let instance = &plan.graph[node];
        let is_there = account.course(&instance.id).is_some_and(Course::is_there);
        let output = |name| account.output(instance, name);
        // A file on a node has a path as well; an image in a store has not.
        if let (true, Some(on), None, Some(reference), Some(id)) =
            (is_there, &instance.node, output("path"), output("reference"), output("id"))
        {
            let platform = instance.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            terminal::out(&format!("{on}\t{reference}\t{id}\t{platform}\n"));
        }
    }
}

/// Of several answers the gravest: a mismatch before any other failure.
pub(super) fn code(summary: &Summary) -> u8 {
    if let Some(signal) = summary.interrupted {
        return exit_code::SIGNAL.saturating_add(u8::try_from(signal).unwrap_or(0));
    }
    let mut code = if summary.unrecorded { exit_code::STEP_FAILED } else { exit_code::DONE };
    for (status, _) in summary.results.values() {
        match status {
            Status::Failed(failure) if failure.kind == FailureKind::Mismatch => return exit_code::MISMATCH,
            Status::Failed(failure) if failure.kind == FailureKind::Lock => code = exit_code::LOCK_STALE,
            // Allowed is the failure, not that what depends on it is missing.
            Status::Failed(_) | Status::Cancelled | Status::Skipped { because: Some(_) } => {
                code = if code == exit_code::LOCK_STALE { code } else { exit_code::STEP_FAILED };
            }
            Status::Done | Status::UpToDate | Status::Allowed(_) | Status::Skipped { because: None } => {}
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use pipeline_core::event::{Counts, Failure};
    use pipeline_core::plan::InstanceId;

    use super::*;

    fn ended(statuses: Vec<(&str, Status)>) -> u8 {
        let id = |id: &str| InstanceId::new(id, None, None);
        let results =
            statuses.into_iter().map(|(step, status)| (id(step), (status, Duration::ZERO))).collect();
        let values = BTreeMap::new();
        code(&Summary { counts: Counts::default(), results, values, interrupted: None, unrecorded: false })
    }

    #[test]
    fn what_an_allowed_failure_left_out_is_no_success() {
        let allowed = || Status::Allowed(Failure::new(FailureKind::Timeout, "x"));
        let skipped = || Status::Skipped { because: Some(InstanceId::new("check", None, None)) };
        assert_eq!(ended(vec![("check", allowed()), ("after", Status::Done)]), exit_code::DONE);
        assert_eq!(ended(vec![("check", allowed()), ("deliver", skipped())]), exit_code::STEP_FAILED);
        let mismatch = Status::Failed(Failure::new(FailureKind::Mismatch, "x"));
        assert_eq!(ended(vec![("a", mismatch), ("deliver", skipped())]), exit_code::MISMATCH);
    }
}
