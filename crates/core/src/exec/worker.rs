//! One instance from its first attempt to its last: actions in order, late values, deadlines, retries, clean-up.
//! Unaware of the graph and of other instances.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::context::{ActionCx, Codes, Keep, Shared};
use super::failure;
use super::retry::{may_pass, pause};
use crate::event::{EventKind, Failure, FailureKind, Status, Stream};
use crate::output::Cap;
use crate::plan::{Action, Capture, Command, Grammar, Instance, MAX_LOG, Retry};

/// The longest that clean-up may take, all of it. After a signal it is the grace period.
const CLEANUP: Duration = Duration::from_secs(30);

/// More of a value does not go into events: only checks read such long ones.
const EVENT_VALUE: usize = 64 * 1024;

/// Carries out an instance; how it ended, and after how many attempts. Everything it has to tell goes out as events before
/// it returns.
///
/// `prove` is the last thing of an attempt: whether it left what it should.
pub(super) fn work(
    shared: &Shared<'_>,
    instance: &Instance,
    prove: &mut dyn FnMut(&ActionCx<'_>) -> Result<(), Failure>,
) -> (Status, u32) {
    // Between the coordinator's decision and now, the wish to stop may have come.
    if shared.cancel.requested() {
        return (Status::Skipped { because: None }, 0);
    }
    let once = Retry::new(1, Duration::ZERO);
    let retry = instance.retry.as_ref().unwrap_or(&once);
    let log = RefCell::new(Cap::new(instance.max_log.unwrap_or(MAX_LOG)));
    let mut attempt = 1;
    let status = loop {
        let cx = ActionCx {
            shared,
            instance,
            deadline: instance.timeout.and_then(|timeout| shared.cancel.now().checked_add(timeout)),
            silence: instance.silent_timeout,
            heed_stop: true,
            log: Some(&log),
            used: RefCell::default(),
        };
        cx.event(EventKind::Started { instance: instance.id.clone(), attempt });
        let failure = match attempt_all(&cx, instance).and_then(|()| prove(&cx)) {
            Ok(()) => break Status::Done,
            // Whatever an action says after the wish to stop, it is the stop that ended it.
            Err(_) if shared.cancel.requested() => break Status::Cancelled,
            Err(failure) => failure::maybe_full(failure),
        };
        if attempt >= retry.attempts || !may_pass(retry, &failure) {
            break if instance.allow_failure { Status::Allowed(failure) } else { Status::Failed(failure) };
        }
        let pause = pause(retry, attempt);
        cx.say(format!(
            "attempt {attempt} of {} failed: {}; again in {pause:.0?}",
            retry.attempts, failure.message
        ));
        if shared.cancel.wait(pause) {
            break Status::Cancelled;
        }
        attempt += 1;
    };
    clean_up(shared, instance, &log);
    (status, attempt)
}

/// All actions, until one fails. A panic is a failure like others, so that clean-up follows it too.
fn attempt_all(cx: &ActionCx<'_>, instance: &Instance) -> Result<(), Failure> {
    let all = || instance.actions.iter().try_for_each(|action| step(cx, instance, action));
    catch_unwind(AssertUnwindSafe(all)).unwrap_or_else(|panic| Err(defect(panic.as_ref())))
}

/// The failure that stands for a panic.
pub(super) fn defect(panic: &(dyn Any + Send)) -> Failure {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    Failure::new(FailureKind::Internal, format!("a defect of the engine: {said}"))
        .help("please report it, with the recipe and the run's log")
}

/// Clean-up is done in any case but after a second signal, and its failures change nothing.
fn clean_up(shared: &Shared<'_>, instance: &Instance, log: &RefCell<Cap<Stream>>) {
    let longest = if shared.cancel.requested() { shared.grace } else { CLEANUP };
    let deadline = shared.cancel.now().checked_add(longest.min(CLEANUP));
    let log = Some(log);
    let cx = ActionCx {
        shared,
        instance,
        deadline,
        silence: None,
        heed_stop: false,
        log,
        used: RefCell::default(),
    };
    for action in &instance.cleanup {
        if shared.cancel.kill_requested() {
            return;
        }
        if let Err(failure) = step(&cx, instance, action) {
            cx.say(format!("clean-up failed: {}", failure.message));
        }
    }
}

/// One action and the value it yields.
pub(super) fn step(cx: &ActionCx<'_>, instance: &Instance, action: &Action) -> Result<(), Failure> {
    let Some(value) = carry_out(cx, action)? else { return Ok(()) };
    let name = action.yields().ok_or_else(|| {
        Failure::new(FailureKind::Internal, "an action yielded a value that the plan has no name for")
    })?;
    record(cx, instance, name, value);
    Ok(())
}

/// The only place where a late value comes into being.
fn record(cx: &ActionCx<'_>, instance: &Instance, name: &str, value: String) {
    let mut shown = cx.hide(&value);
    if shown.len() > EVENT_VALUE {
        shown.truncate(shown.floor_char_boundary(EVENT_VALUE));
        shown.push('…');
    }
    cx.shared.values().insert((instance.id.as_str().to_owned(), name.to_owned()), value);
    cx.event(EventKind::Output { instance: instance.id.clone(), name: name.to_owned(), value: shown });
}

fn carry_out(cx: &ActionCx<'_>, action: &Action) -> Result<Option<String>, Failure> {
    if cx.cancelled() {
        return Err(Failure::new(FailureKind::Signal { signal: 15 }, "the run was stopped"));
    }
    if cx.deadline.is_some_and(|deadline| cx.shared.cancel.now() >= deadline) {
        return Err(Failure::new(FailureKind::Timeout, "the step's time is up")
            .help("give the step a longer `timeout`"));
    }
    match action {
        Action::Command(command) => match &command.capture {
            None => cx.execute(command, Keep::Nothing, Codes::Ok, None).map(|_| None),
            Some(capture) => kept(cx, command, capture).map(Some),
        },
        own => {
            let value = cx.shared.host.actions.perform(own, cx)?;
            match (own.yields(), &value) {
                (Some(output), Some(value)) => shaped(cx, own.grammar(), output, value)?,
                (Some(output), None) => {
                    return Err(Failure::new(
                        FailureKind::Internal,
                        format!("an action yielded no `{output}`"),
                    ));
                }
                (None, _) => {}
            }
            Ok(value)
        }
    }
}

fn shaped(cx: &ActionCx<'_>, grammar: Grammar, output: &str, value: &str) -> Result<(), Failure> {
    if grammar.accepts(value) {
        return Ok(());
    }
    let what = grammar.describe();
    Err(Failure::new(FailureKind::Mismatch, format!("`{output}` is not {what}: `{}`", brief(cx, value))))
}

/// Runs a command whose stdout is a value.
fn kept(cx: &ActionCx<'_>, command: &Command, capture: &Capture) -> Result<String, Failure> {
    let mut captured = cx.execute(command, Keep::Stdout, Codes::Ok, None)?;
    if capture.again && captured.stdout.is_empty() {
        cx.say("nothing was printed; the tool may have lost it, so once more");
        captured = cx.execute(command, Keep::Stdout, Codes::Ok, None)?;
    }
    let text = String::from_utf8_lossy(&captured.stdout);
    let value = text.trim_end_matches(['\n', '\r']);
    if capture.grammar.accepts(value) {
        return Ok(value.to_owned());
    }
    Err(Failure::new(
        FailureKind::Input,
        format!(
            "{} printed no `{}`: that is {}, and this came: `{}`",
            command.argv.first().map(|tool| format!("`{tool}`")).unwrap_or_default(),
            capture.output,
            capture.grammar.describe(),
            brief(cx, value)
        ),
    ))
}

fn brief(cx: &ActionCx<'_>, value: &str) -> String {
    cx.hide(value).chars().take(80).collect()
}
