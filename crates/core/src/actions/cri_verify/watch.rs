//! A pod on its way: started, watched, and what its container left in the log.

use std::time::{Duration, Instant};

use super::output::Printed;
use crate::actions::check;
use crate::actions::{ContainerState, PodSpec, Pods};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::plan::{Check, Command, CriRun, Expect, Node};

/// Between two looks, at first and at most: each costs a command on the node.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// More of a log is not read.
const LOG_BYTES: &str = "1000000";

/// What a runtime says that wants the name of a systemd slice where none is given.
const WANTS_SLICE: &str = "systemd cgroups";

/// See above.
pub(super) struct Watched<'w> {
    pub(super) wanted: &'w CriRun,
    pub(super) node: &'w Node,
    pub(super) pods: &'w dyn Pods,
    pub(super) spec: &'w PodSpec,
    pub(super) cx: &'w ActionCx<'w>,
    /// When the container's time began.
    pub(super) since: Instant,
}

/// The ids of what was started.
pub(super) struct Started {
    pub(super) pod: String,
    pub(super) container: String,
}

impl Watched<'_> {
    pub(super) fn start(&self) -> Result<Started, Failure> {
        let not_started = |what: &str| {
            let text = format!(
                "the {what} of `{}` could not be started on node `{}`",
                self.spec.image, self.node.name
            );
            move |failure: Failure| Failure { message: format!("{text}: {}", failure.message), ..failure }
        };
        let mut spec = self.spec.clone();
        let mut pod = self.pods.run(&spec);
        // containerd takes the parent as it is given, and under systemd an empty one is none.
        if pod.as_ref().is_err_and(|failure| failure.message.contains(WANTS_SLICE)) {
            spec.cgroup_parent = "pipeline.slice".into();
            pod = self.pods.run(&spec);
        }
        let pod = pod.map_err(not_started("pod"))?;
        let container = self.pods.start(&pod, &spec).map_err(not_started("container"))?;
        self.cx.say(format!("node `{}` runs `{}` in the pod {pod}", self.node.name, self.spec.image));
        Ok(Started { pod, container })
    }

    /// It ends by itself, as it should.
    pub(super) fn ends(&self, code: i32, stdout: Option<&Expect>) -> Result<(), Failure> {
        let started = self.start()?;
        let mut pause = PAUSES.0;
        let (exit, reason) = loop {
            if let Some(exit) = self.exited(&started)? {
                break exit;
            }
            self.pause(&mut pause)?;
            if self.late() {
                let failure = Failure::new(
                    FailureKind::Timeout,
                    format!("{} still runs after {:?}", self.what(), self.wanted.timeout),
                );
                return Err(failure.help("give `run` a longer `timeout`, or an `argv` that ends by itself; the log has what it printed"))
                    .inspect_err(|_| drop(self.printed()));
            }
        };
        let printed = self.printed()?;
        if exit != code {
            let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            let said = printed.last.join("\n  ");
            let said = if said.is_empty() {
                String::new()
            } else {
                format!("\nit said:\n  {}", self.cx.hide(&said))
            };
            let failure = Failure::new(
                FailureKind::Mismatch,
                format!(
                    "{} ended with another exit code\nexpected: {code}\nit is: {exit}{reason}{said}",
                    self.what()
                ),
            );
            return Err(if exit > 128 { failure.help(KILLED) } else { failure });
        }
        if let Some(expect) = stdout {
            let what = format!("the output of {}", self.what());
            let check =
                Check { what, value: printed.stdout.trim_end_matches('\n').into(), expect: expect.clone() };
            check::perform(&check, self.cx)
                .map_err(|failure| Failure { kind: FailureKind::Mismatch, ..failure })?;
        }
        self.cx.say(format!("{} did as it should: exit code {exit}", self.what()));
        Ok(())
    }

    /// The exit code and the runtime's words, once it has ended.
    pub(super) fn exited(&self, started: &Started) -> Result<Option<(i32, String)>, Failure> {
        match self.pods.state(&started.container)? {
            ContainerState::Alive => Ok(None),
            ContainerState::Exited { code, reason } => Ok(Some((code, reason))),
            ContainerState::Gone => {
                Err(Failure::new(FailureKind::Tool, format!("{} was removed by somebody else", self.what()))
                    .help(KILLED))
            }
        }
    }

    /// What the container printed; the last of it goes to the log.
    pub(super) fn printed(&self) -> Result<Printed, Failure> {
        let log = format!("{}/{}", self.spec.log_directory, self.spec.log_path);
        let read = Command::new(["head", "-c", LOG_BYTES, "--", &log]).on_node(&self.node.name);
        let printed = Printed::read(&self.cx.run(&read)?.stdout);
        for line in &printed.last {
            self.cx.say(format!("container: {line}"));
        }
        Ok(printed)
    }

    /// Waits before the next look, each time longer.
    pub(super) fn pause(&self, pause: &mut Duration) -> Result<(), Failure> {
        let stopped = self.cx.wait(*pause);
        *pause = (*pause * 2).min(PAUSES.1);
        if stopped {
            Err(Failure::new(FailureKind::Signal { signal: 15 }, "the run was stopped"))
        } else {
            Ok(())
        }
    }

    /// Its time is up.
    pub(super) fn late(&self) -> bool {
        self.cx.now().saturating_duration_since(self.since) >= self.wanted.timeout
    }

    /// For messages.
    pub(super) fn what(&self) -> String {
        format!("the container of `{}` on node `{}`", self.spec.image, self.node.name)
    }
}

/// Where a container may have gone.
const KILLED: &str = "something ended it: too little memory, or a kubelet, which ends pods that it does not know within \
     seconds; there, check the image with a pod of the cluster";

/// The first pause.
pub(super) fn first_pause() -> Duration {
    PAUSES.0
}
