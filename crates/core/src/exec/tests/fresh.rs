//! What runs again, against a slow model, over random graphs and what happens to them between runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use petgraph::graph::DiGraph;
use proptest::prelude::*;

use super::kit::{env, instance, options};
use crate::event::{Event, EventKind, Failure, FailureKind, Status};
use crate::exec::{ActionCx, Actions, Host, Options, Records, explain, run_recorded};
use crate::output::Redactor;
use crate::plan::{Action, Artifact, Edge, Instance, Plan, Probe, WriteFile};

/// What a step makes of what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Makes {
    /// Something else for anything else.
    All,
    /// One of two things: changes often make no difference.
    Parity,
    /// Always the same.
    Nothing,
}

#[derive(Debug, Clone)]
struct Step {
    makes: Makes,
    intermediate: bool,
    always: bool,
    /// Steps before it, and whether it uses what they make or only waits for them.
    before: Vec<(usize, bool)>,
}

/// What happens before a run.
#[derive(Debug, Clone)]
enum Happens {
    /// Its own file is another.
    Edited(usize, u8),
    /// Its configuration is another.
    Configured(usize, u8),
    /// What it made is gone.
    Deleted(usize),
    /// Somebody wrote over what it made.
    Overwritten(usize),
    /// The command line wants it.
    Forced(usize),
    /// It fails in this run.
    Fails(usize),
}

#[derive(Debug, Clone)]
struct Case {
    steps: Vec<Step>,
    runs: Vec<Vec<Happens>>,
}

fn cases() -> impl Strategy<Value = Case> {
    let makes = prop_oneof![3 => Just(Makes::All), 1 => Just(Makes::Parity), 1 => Just(Makes::Nothing)];
    let step = (makes, prop::bool::weighted(0.4), prop::bool::weighted(0.1));
    (1..9usize).prop_flat_map(move |n| {
        let edges = prop::collection::vec((0..n, 0..n, prop::bool::weighted(0.8)), 0..n * 2);
        let happens = (0..6u8, 0..n, 0..4u8).prop_map(|(what, step, to)| match what {
            0 => Happens::Edited(step, to),
            1 => Happens::Configured(step, to),
            2 => Happens::Deleted(step),
            3 => Happens::Overwritten(step),
            4 => Happens::Forced(step),
            _ => Happens::Fails(step),
        });
        let runs = prop::collection::vec(prop::collection::vec(happens, 0..4), 1..5);
        (prop::collection::vec(step.clone(), n), edges, runs).prop_map(|(steps, edges, runs)| {
            let mut steps: Vec<Step> = steps
                .into_iter()
                .map(|(makes, intermediate, always)| Step { makes, intermediate, always, before: Vec::new() })
                .collect();
            for (a, b, data) in edges.into_iter().filter(|(a, b, _)| a != b) {
                let (first, then) = (a.min(b), a.max(b));
                if !steps[then].before.iter().any(|(before, _)| *before == first) {
                    steps[then].before.push((first, data));
                }
            }
            Case { steps, runs }
        })
    })
}

fn made(makes: Makes, parts: &[String]) -> String {
    let sum = parts
        .iter()
        .flat_map(|part| part.bytes())
        .fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    match makes {
        Makes::All => format!("{sum:x}"),
        Makes::Parity => format!("{}", sum.count_ones() % 2),
        Makes::Nothing => "same".into(),
    }
}

/// Does a step: what is in a `WriteFile` says which.
struct Does<'c> {
    case: &'c Case,
    fails: &'c BTreeSet<usize>,
    done: Mutex<Vec<usize>>,
}

impl Actions for Does<'_> {
    fn perform(&self, action: &Action, cx: &ActionCx<'_>) -> Result<Option<String>, Failure> {
        let Action::WriteFile(file) = action else { panic!("not for this test: {action:?}") };
        let (at, config) = file.contents.as_literal().unwrap().split_once(' ').unwrap();
        let at: usize = at.parse().unwrap();
        // Steps take their time, so that others come in between.
        std::thread::sleep(Duration::from_micros([0, 300, 50, 150][at % 4]));
        self.done.lock().unwrap().push(at);
        if self.fails.contains(&at) {
            return Err(Failure::new(FailureKind::Exit { code: 1 }, "as told"));
        }
        let read =
            |path: PathBuf| fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
        let mut parts = vec![config.to_owned(), read(cx.here().join(format!("in-{at}")))];
        for (before, _) in self.case.steps[at].before.iter().filter(|(_, data)| *data) {
            parts.push(read(cx.here().join(format!("out-{before}"))));
        }
        fs::write(cx.here().join(format!("out-{at}")), made(self.case.steps[at].makes, &parts)).unwrap();
        Ok(None)
    }
}

fn plan(case: &Case, configs: &[u8]) -> Plan {
    let mut graph = DiGraph::new();
    for (at, step) in case.steps.iter().enumerate() {
        let contents = format!("{at} {}", configs[at]).into();
        let action = Action::WriteFile(WriteFile { path: format!("out-{at}").as_str().into(), contents });
        let mut instance = Instance {
            probe: Probe::Paths(vec![format!("out-{at}").as_str().into()]),
            ..instance(&format!("s{at}"), vec![action])
        };
        instance.basis.intermediate = step.intermediate;
        instance.basis.always = step.always;
        instance.basis.reads = vec![format!("in-{at}").as_str().into()];
        graph.add_node(instance);
    }
    for (at, step) in case.steps.iter().enumerate() {
        for (before, data) in &step.before {
            let edge = if *data { Edge::Artifact(Artifact::Archive) } else { Edge::Needs };
            graph.add_edge(
                (u32::try_from(*before).unwrap()).into(),
                (u32::try_from(at).unwrap()).into(),
                edge,
            );
        }
    }
    Plan { recipe: "test".into(), graph, nodes: BTreeMap::new(), ..Plan::default() }
}

/// The model: what is on record of each step, what is in the folder, and the rules, one after the other.
#[derive(Default, Clone)]
struct Model {
    records: BTreeMap<usize, (Vec<String>, String)>,
    files: BTreeMap<usize, String>,
    sources: Vec<u8>,
    configs: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Fresh,
    Unproven,
    Ran,
    Failed,
    Skipped,
    /// It was up to date; then another needed what it had left, and making it again failed.
    FailedAgain,
    SkippedAgain,
}

struct Run<'m> {
    case: &'m Case,
    model: &'m mut Model,
    forced: &'m BTreeSet<usize>,
    fails: &'m BTreeSet<usize>,
    came: BTreeMap<usize, Came>,
    /// What each made, as far as it is known: also of what was believed to be there and then failed.
    results: BTreeMap<usize, String>,
    ran: BTreeSet<usize>,
}

impl Run<'_> {
    fn depends_on(&self, at: usize) -> Vec<String> {
        let mut parts = vec![self.model.configs[at].to_string(), self.model.sources[at].to_string()];
        for (before, _) in self.case.steps[at].before.iter().filter(|(_, data)| *data) {
            parts.push(self.results[before].clone());
        }
        parts
    }

    fn all(&mut self) {
        for at in 0..self.case.steps.len() {
            let step = &self.case.steps[at];
            if step.before.iter().any(|(before, _)| matches!(self.came[before], Came::Failed | Came::Skipped))
            {
                self.came.insert(at, Came::Skipped);
                continue;
            }
            let fresh = !self.forced.contains(&at)
                && !step.always
                && self.model.records.get(&at).is_some_and(|(on, _)| *on == self.depends_on(at));
            if fresh {
                self.results.insert(at, self.model.records[&at].1.clone());
            }
            let came = if fresh && step.intermediate {
                Came::Unproven
            } else if fresh && self.there(at) {
                Came::Fresh
            } else {
                self.run(at)
            };
            self.came.insert(at, came);
        }
    }

    fn there(&self, at: usize) -> bool {
        self.model.files.get(&at) == Some(&self.model.records[&at].1)
    }

    fn run(&mut self, at: usize) -> Came {
        let before: Vec<usize> =
            self.case.steps[at].before.iter().filter(|(_, data)| *data).map(|(before, _)| *before).collect();
        let mut failed = false;
        for before in before {
            if self.came[&before] == Came::Unproven {
                let came = match if self.there(before) { Came::Fresh } else { self.run(before) } {
                    Came::Failed => Came::FailedAgain,
                    Came::Skipped => Came::SkippedAgain,
                    other => other,
                };
                self.came.insert(before, came);
            }
            failed |= !matches!(self.came[&before], Came::Fresh | Came::Ran);
        }
        if failed {
            return Came::Skipped;
        }
        self.ran.insert(at);
        let parts = self.depends_on(at);
        self.model.records.remove(&at);
        if self.fails.contains(&at) {
            return Came::Failed;
        }
        let mut read = parts[..2].to_vec();
        for (before, _) in self.case.steps[at].before.iter().filter(|(_, data)| *data) {
            read.push(self.model.files[before].clone());
        }
        let text = made(self.case.steps[at].makes, &read);
        self.model.files.insert(at, text.clone());
        self.results.insert(at, text.clone());
        self.model.records.insert(at, (parts, text));
        Came::Ran
    }
}

/// One run in a folder; who ran, in their order, and how each ended.
fn go(
    case: &Case,
    folder: &Path,
    model: &Model,
    forced: &BTreeSet<usize>,
    fails: &BTreeSet<usize>,
    jobs: usize,
) -> (Vec<usize>, BTreeMap<String, Status>) {
    let plan = plan(case, &model.configs);
    let does = Does { case, fails, done: Mutex::default() };
    let host = Host {
        here: folder.to_owned(),
        env: env(),
        redactor: Redactor::default(),
        secrets: crate::exec::Secrets::default(),
        actions: &does,
    };
    let force = |instance: &Instance| forced.contains(&instance.step[1..].parse().unwrap());
    let mut records = Records {
        state: Records::open(folder).unwrap().0,
        recipe: "test".into(),
        env: BTreeMap::new(),
        force: &force,
        hold: &|_| false,
    };
    // Looking changes nothing, and what it says for sure is so.
    let told = explain(&plan, &host, &mut records).unwrap();
    let mut finished = BTreeMap::new();
    let options = Options { keep_going: true, ..options(jobs) };
    run_recorded(&plan, &host, &options, None, &mut records, &mut |event: &Event| {
        if let EventKind::Finished { instance, status, .. } = &event.kind {
            assert!(finished.insert(instance.to_string(), status.clone()).is_none(), "{instance} ends once");
        }
    });
    let done = does.done.into_inner().unwrap();
    for one in &told {
        use crate::fresh::Reason;
        let ran = done.contains(&one.instance.as_str()[1..].parse().unwrap());
        let status = &finished[one.instance.as_str()];
        match &one.due {
            None => assert!(!ran, "{} is up to date, and ran", one.instance),
            Some(Reason::Undecided { .. }) => {}
            Some(reason) => assert!(
                ran || matches!(status, Status::Skipped { .. }) || !fails.is_empty(),
                "{} did not run, though {reason}",
                one.instance
            ),
        }
    }
    (done, finished)
}

fn holds(case: &Case) {
    let n = case.steps.len();
    let folders = [1, 8].map(|jobs| (jobs, space()));
    let mut model = Model { sources: vec![0; n], configs: vec![0; n], ..Model::default() };
    for (_, folder) in &folders {
        fs::create_dir(folder.path().join(".pipeline")).unwrap();
        for at in 0..n {
            fs::write(folder.path().join(format!("in-{at}")), "0").unwrap();
        }
    }
    // At the end nothing is left to do, whatever happened.
    let runs = case.runs.iter().map(Vec::as_slice).chain([&[][..], &[]]);
    for (round, happens) in runs.enumerate() {
        let (mut forced, mut fails) = (BTreeSet::new(), BTreeSet::new());
        for one in happens {
            let write = |name: String, text: Option<&str>| {
                for (_, folder) in &folders {
                    let path = folder.path().join(&name);
                    match text {
                        Some(text) => fs::write(path, text).unwrap(),
                        None => drop(fs::remove_file(path)),
                    }
                }
            };
            match *one {
                Happens::Edited(at, to) => {
                    model.sources[at] = to;
                    write(format!("in-{at}"), Some(&to.to_string()));
                }
                Happens::Configured(at, to) => model.configs[at] = to,
                Happens::Deleted(at) => {
                    model.files.remove(&at);
                    write(format!("out-{at}"), None);
                }
                Happens::Overwritten(at) => {
                    model.files.insert(at, "other".into());
                    write(format!("out-{at}"), Some("other"));
                }
                Happens::Forced(at) => drop(forced.insert(at)),
                Happens::Fails(at) => drop(fails.insert(at)),
            }
        }
        let before = model.clone();
        let mut run = Run {
            case,
            model: &mut model,
            forced: &forced,
            fails: &fails,
            came: BTreeMap::new(),
            results: BTreeMap::new(),
            ran: BTreeSet::new(),
        };
        run.all();
        let (came, ran) = (run.came, run.ran);
        for (jobs, folder) in &folders {
            let (done, finished) = go(case, folder.path(), &before, &forced, &fails, *jobs);
            let set: BTreeSet<usize> = done.iter().copied().collect();
            assert_eq!(done.len(), set.len(), "round {round}, -j{jobs}: each runs once: {done:?}");
            assert_eq!(set, ran, "round {round}, -j{jobs}: who runs");
            let position = |at: usize| done.iter().position(|one| *one == at);
            for at in &set {
                for (before, data) in &case.steps[*at].before {
                    // What is made again only for others may come after those that merely wait for it.
                    let again = case.steps[*before].intermediate && !data;
                    assert!(
                        again || position(*before) < position(*at) || position(*before).is_none(),
                        "-j{jobs}: order"
                    );
                }
            }
            for (at, came) in &came {
                let status = &finished[&format!("s{at}")];
                let as_told = match came {
                    Came::Fresh | Came::Unproven => *status == Status::UpToDate,
                    Came::Ran => *status == Status::Done,
                    Came::Failed | Came::FailedAgain => matches!(status, Status::Failed(_)),
                    Came::Skipped | Came::SkippedAgain => matches!(status, Status::Skipped { .. }),
                };
                assert!(as_told, "round {round}, -j{jobs}: s{at} {came:?} {status:?}");
            }
            for at in 0..n {
                let text = fs::read_to_string(folder.path().join(format!("out-{at}"))).ok();
                assert_eq!(text.as_ref(), model.files.get(&at), "round {round}, -j{jobs}: out-{at}");
            }
        }
    }
}

/// In memory where there is such a place: hundreds of thousands of runs.
fn space() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

#[test]
fn what_must_run_does_and_nothing_else() {
    let cases_ = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let config = ProptestConfig { cases: cases_, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&cases(), |case| {
            holds(&case);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    println!("Z2: {cases_} random graphs, each as the model says, with one job and with eight");
}
