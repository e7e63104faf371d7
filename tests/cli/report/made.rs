//! The folder of a run of any size, made without running anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_core::event::{Counts, Event, EventKind, Failure, FailureKind, Part, Status, Stream, Traffic};
use pipeline_core::exec::RunDir;
use pipeline_core::fresh::Reason;
use pipeline_core::plan::{
    Action, Artifact, Command, Edge, Instance, InstanceId, Node, NodeIndex, Plan, Pool,
};
use pipeline_core::platform::Platform;
use pipeline_core::show::Document;

const PLATFORMS: [&str; 4] = ["linux/arm64", "linux/arm/v7", "linux/riscv64", "linux/amd64"];

/// A run that grows event by event.
pub(super) struct Made {
    pub(super) plan: Plan,
    run: RunDir,
    seq: u64,
    counts: Counts,
}

impl Made {
    /// A run of that id in the workspace, which becomes a recipe's.
    pub(super) fn new(here: &Path, id: &str) -> Self {
        fs::write(here.join("pipeline.toml"), "version = 1\n").unwrap();
        let plan = Plan { recipe: "fleet".into(), ..Plan::default() };
        Self { plan, run: RunDir::create(here, id).unwrap(), seq: 0, counts: Counts::default() }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.run.path().to_owned()
    }

    pub(super) fn add(
        &mut self,
        step: &str,
        kind: &'static str,
        target: Option<(&str, &str)>,
        node: Option<&str>,
    ) -> NodeIndex {
        let argv = ["tool", step, "--flag=a b"];
        let id = InstanceId::new(step, target.map(|one| one.0), node);
        let mut instance = Instance::new(id, kind, vec![Action::Command(Command::new(argv))]);
        instance.target = target.map(|one| one.0.into());
        instance.platform = target.map(|one| Platform::parse(one.1).unwrap());
        instance.node = node.map(Into::into);
        instance.pool = if node.is_some() { Pool::Node } else { Pool::Local };
        if let Some(node) = node {
            self.plan.nodes.entry(node.into()).or_insert_with(|| Node::new(node));
        }
        self.plan.graph.add_node(instance)
    }

    pub(super) fn link(&mut self, from: NodeIndex, to: NodeIndex, why: Edge) {
        self.plan.graph.add_edge(from, to, why);
    }

    pub(super) fn id(&self, at: NodeIndex) -> InstanceId {
        self.plan.graph[at].id.clone()
    }

    /// Something happened, so many milliseconds after the beginning.
    pub(super) fn on(&mut self, ms: u64, kind: EventKind) {
        let began: jiff::Timestamp = "2026-11-30T21:00:00Z".parse().unwrap();
        let elapsed = Duration::from_millis(ms);
        self.run.on(&Event { seq: self.seq, at: began + elapsed, elapsed, kind });
        self.seq += 1;
    }

    pub(super) fn begin(&mut self, id: &str) {
        self.run.save_plan(&Document(&self.plan));
        let (recipe, instances) = (self.plan.recipe.clone(), self.plan.graph.node_count());
        self.on(0, EventKind::RunStarted { version: 1, run: id.into(), recipe, instances, jobs: 8 });
    }

    /// It begins, and prints so many lines.
    pub(super) fn begun(&mut self, at: NodeIndex, from: u64, lines: usize) {
        let instance = self.id(at);
        self.on(from, EventKind::Started { instance: instance.clone(), attempt: 1 });
        self.print(&instance, from, lines);
    }

    fn print(&mut self, instance: &InstanceId, from: u64, lines: usize) {
        for line in 0..lines {
            let text =
                format!("{instance}: line {line} of what the tool printed, which is as long as lines are");
            let (instance, stream) = (instance.clone(), Stream::Output);
            self.on(from, EventKind::Line { instance, stream, text, painted: None });
        }
    }

    /// It runs from then to then, prints so many lines, and ends so.
    pub(super) fn course(
        &mut self,
        at: NodeIndex,
        (from, to): (u64, u64),
        lines: usize,
        status: Status,
        attempts: u32,
    ) {
        let instance = self.id(at);
        self.on(from, EventKind::Due { instance: instance.clone(), reason: Reason::NoRecord });
        for attempt in 1..=attempts {
            self.on(
                from + u64::from(attempt - 1) * (to - from) / 4,
                EventKind::Started { instance: instance.clone(), attempt },
            );
        }
        let argv = vec!["tool".into(), instance.to_string(), "--flag=a b".into()];
        self.on(from, EventKind::Command { instance: instance.clone(), argv });
        self.print(&instance, from, lines);
        self.end(at, (from, to), status, attempts);
    }

    pub(super) fn end(&mut self, at: NodeIndex, (from, to): (u64, u64), status: Status, attempts: u32) {
        let counts = &mut self.counts;
        *match &status {
            Status::Done => &mut counts.done,
            Status::UpToDate => &mut counts.up_to_date,
            Status::Failed(_) => &mut counts.failed,
            Status::Allowed(_) => &mut counts.allowed,
            Status::Cancelled => &mut counts.cancelled,
            Status::Skipped { .. } => &mut counts.skipped,
        } += 1;
        let took = Duration::from_millis(to - from);
        let instance = self.id(at);
        self.on(to, EventKind::Finished { instance, status, took, attempts });
    }

    pub(super) fn finish(mut self, ms: u64) {
        let counts = self.counts;
        self.on(ms, EventKind::RunFinished { counts });
    }
}

/// From a checkout to nodes, for as many targets with as many nodes each: 2 + targets × (4 + 2 × nodes) instances. One
/// build fails, one is flaky, and what nothing changed for is up to date.
pub(super) fn fleet(here: &Path, id: &str, targets: usize, nodes: usize) {
    let mut made = Made::new(here, id);
    let emulation = made.add("emulation", "binfmt-register", None, None);
    let source = made.add("source", "git-checkout", None, None);
    let mut all = Vec::new();
    for number in 0..targets {
        let name = format!("t{number:02}");
        let target = Some((name.as_str(), PLATFORMS[number % PLATFORMS.len()]));
        let [image, smoke, save, scan] =
            [("image", "build"), ("smoke", "smoke"), ("save", "save"), ("scan", "run")]
                .map(|(step, kind)| made.add(step, kind, target, None));
        made.link(emulation, image, Edge::Artifact(Artifact::Emulation));
        made.link(source, image, Edge::Artifact(Artifact::Source));
        for check in [smoke, save] {
            made.link(image, check, Edge::Artifact(Artifact::Image));
        }
        made.link(save, scan, Edge::Output("path".into()));
        let mut ends = Vec::new();
        for one in 0..nodes {
            let node = format!("edge-{number:02}-{one:02}");
            let [deliver, verify] = [("deliver", "deliver"), ("verify", "crictl-verify")]
                .map(|(step, kind)| made.add(step, kind, target, Some(&node)));
            made.link(save, deliver, Edge::Artifact(Artifact::Archive));
            made.link(smoke, deliver, Edge::Gate);
            made.link(deliver, verify, Edge::Artifact(Artifact::NodeImage));
            ends.push((deliver, verify));
        }
        all.push((image, smoke, save, scan, ends));
    }
    made.begin(id);
    let platform = Platform::parse("linux/arm64").unwrap();
    made.on(
        1,
        EventKind::Emulator {
            platform,
            interpreter: "/usr/bin/qemu-aarch64-static".into(),
            version: Some("7.2.22".into()),
        },
    );
    made.on(1, EventKind::Tool { name: "buildah".into(), version: "1.28.2".into() });
    made.course(emulation, (5, 200), 3, Status::Done, 1);
    made.course(source, (5, 900), 10, Status::Done, 1);
    let mut last = 0;
    for (number, (image, smoke, save, scan, ends)) in all.into_iter().enumerate() {
        let at = 900 + number as u64 * 700;
        let long = 2000 + (number as u64 * 977) % 5000;
        if number == 3 {
            let failure = Failure::new(FailureKind::Exit { code: 2 }, "`buildah` exited with code 2")
                .help("read what it printed, above");
            made.course(image, (at, at + long), 120, Status::Failed(failure), 2);
            let because = Some(made.id(image));
            for skipped in [smoke, save, scan].into_iter().chain(ends.into_iter().flat_map(|(a, b)| [a, b])) {
                made.end(skipped, (at + long, at + long), Status::Skipped { because: because.clone() }, 0);
            }
            continue;
        }
        if number % 5 == 4 {
            for same in
                [image, smoke, save, scan].into_iter().chain(ends.into_iter().flat_map(|(a, b)| [a, b]))
            {
                made.end(same, (at, at), Status::UpToDate, 0);
            }
            continue;
        }
        made.course(image, (at, at + long), 60, Status::Done, 1);
        let instance = made.id(image);
        made.on(
            at + long,
            EventKind::Output { instance, name: "id".into(), value: format!("sha256:{number:064x}") },
        );
        made.course(smoke, (at + long, at + long + 800), 3, Status::Done, if number == 7 { 2 } else { 1 });
        made.course(save, (at + long + 30, at + long + 600), 2, Status::Done, 1);
        made.course(scan, (at + long + 700, at + long + 1500), 30, Status::Done, 1);
        for (one, (deliver, verify)) in ends.into_iter().enumerate() {
            let begin = at + long + 900 + one as u64 * 90;
            let instance = made.id(deliver);
            made.course(deliver, (begin, begin + 1100), 4, Status::Done, 1);
            let part = Part { blob: 1, blobs: 1 };
            made.on(
                begin + 1000,
                EventKind::Transfer { instance: instance.clone(), sent: 1_080_000, total: 1_080_000, part },
            );
            let traffic = Traffic {
                sent: 1_080_000,
                sent_layers: 1,
                avoided: 199_000_000,
                avoided_layers: 4,
                sending: Duration::from_millis(300),
            };
            made.on(begin + 1100, EventKind::Delivered { instance, traffic });
            made.course(verify, (begin + 1100, begin + 1600), 2, Status::Done, 1);
            last = last.max(begin + 1600);
        }
    }
    made.finish(last + 40);
}
