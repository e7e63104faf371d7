//! A workflow of GitHub Actions.
//!
//! Every value reaches a shell through its environment, and none is put where GitHub evaluates expressions.

use super::command::Line;
use super::jobs::{FOLDER, Jobs};
use super::matrix::Form;
use super::switch::{SWITCHES, Switch};
use super::yaml::{Map, Yaml, document};
use super::{Refused, actions};
use crate::frozen::Target;

/// Brings the package that the repository's variables name, where no `pipeline` is there already.
const INSTALL: &str = "\
if ! command -v pipeline; then
  curl --fail --silent --show-error --location --output pipeline.deb \"$PACKAGE\"
  sudo apt-get install --yes ./pipeline.deb
  rm pipeline.deb
fi
";

/// The variable of the repository for a runner's architecture.
const PACKAGE: &str = "${{ vars[format('PIPELINE_PACKAGE_{0}', runner.arch)] }}";

/// What must be so for a job that goes on when a job of another target has failed.
const PLANNED: &str = "needs.plan.result == 'success'";

/// The workflow.
pub fn workflow(jobs: &Jobs<'_>) -> Result<String, Refused> {
    Form::Github.takes(jobs.build.len().max(jobs.deliver.len()))?;
    let root = root(jobs);
    let mark = "${{";
    if let Some(value) = root.strangers().into_iter().find(|text| text.contains(mark)) {
        return Err(Refused::Replaced { forge: "GitHub", mark, value: value.to_owned() });
    }
    let comment = [
        "Made from the recipe. Do not edit: change the recipe, and make it again with".to_owned(),
        format!("  {} -o {}", jobs.renew("github").literal(None), super::command::quoted(&jobs.place.file)),
    ];
    Ok(document(&comment, &root, &["jobs"]))
}

pub(super) fn root(jobs: &Jobs<'_>) -> Map {
    let name = &jobs.frozen.recipe;
    let all = Map::default()
        .with("plan", plan(jobs))
        .with_some("build", (!jobs.build.is_empty()).then(|| build(jobs).into()))
        .with_some("deliver", (!jobs.deliver.is_empty()).then(|| deliver(jobs).into()))
        .with_some("join", jobs.join.is_some().then(|| join(jobs).into()))
        .with("report", report(jobs));
    Map::default()
        .with("name", Yaml::free(format!("pipeline {name}")))
        .with(
            "on",
            Map::default()
                .with("push", Yaml::Null)
                .with("pull_request", Yaml::Null)
                .with("workflow_dispatch", Yaml::Null),
        )
        .with("permissions", Map::default())
        .with(
            "concurrency",
            Map::default()
                .with("group", "${{ github.workflow }}-${{ github.ref }}")
                .with("cancel-in-progress", "${{ github.event_name == 'pull_request' }}"),
        )
        .with("jobs", all)
}

fn plan(jobs: &Jobs<'_>) -> Map {
    let line = jobs.renew("github");
    let stale = format!("{} --check \"$WORKFLOW\"", line.by_environment());
    let stale = step(
        "Compare this file with the recipe",
        values(&line).with("WORKFLOW", Yaml::free(&jobs.place.file)),
        stale,
    );
    let check = jobs.check_recipe("--format github");
    let plan = jobs.plan();
    let steps = vec![
        checkout(),
        install(jobs),
        step("Check the recipe", values(&check), check.by_environment()),
        stale,
        step("Freeze the plan", values(&plan), format!("mkdir -p {FOLDER}\n{}\n", plan.by_environment())),
        upload("plan", Yaml::own(format!("{FOLDER}/plan.json")), false),
    ];
    Map::default()
        .with("runs-on", runner(&jobs.frozen.ci.runner))
        .with("timeout-minutes", Yaml::Number(10))
        .with("permissions", reading())
        .with("steps", steps)
}

fn build(jobs: &Jobs<'_>) -> Map {
    let kept = format!("{FOLDER}/build-${{{{ matrix.target }}}}");
    let key = format!(
        "pipeline-{}-${{{{ matrix.target }}}}-${{{{ hashFiles('{FOLDER}/plan.json') }}}}-",
        jobs.frozen.recipe
    );
    let cached = || Map::default().with("path", Yaml::own(&kept));
    let key_now = format!("{key}${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}");
    let line = jobs.build_one();
    let switches: Vec<&Switch> = SWITCHES.iter().filter(|switch| switch.is_on_anywhere(jobs)).collect();
    let env = switches.iter().fold(values(&line).with("TARGET", "${{ matrix.target }}"), |env, switch| {
        env.with(switch.variable, Yaml::own(format!("${{{{ matrix.{} }}}}", switch.key)))
    });
    let steps = vec![
        checkout(),
        install(jobs),
        download("plan", FOLDER),
        // A job that is run again goes on where it was, and proves what is there by its digests.
        uses("Bring back what an earlier attempt made", actions::CACHE_RESTORE)
            .with("with", cached().with("key", Yaml::own(&key_now)).with("restore-keys", Yaml::own(&key)))
            .into(),
        step("Build", secrets(jobs, env, jobs.build.iter().copied()), line.by_environment()),
        uses("Keep it for a later attempt", actions::CACHE_SAVE)
            .with("if", "always()")
            .with("with", cached().with("key", Yaml::own(&key_now)))
            .into(),
        upload("build-${{ matrix.target }}", Yaml::own(&kept), true),
    ];
    let include = jobs.build.iter().map(|target| {
        let job =
            Map::default().with("target", Yaml::free(&target.name)).with("runner", runner(&target.runner));
        switches
            .iter()
            .fold(job, |job, switch| job.with(switch.key, Yaml::Bool((switch.is_on)(target))))
            .into()
    });
    Map::default()
        .with("name", "build ${{ matrix.target }}")
        .with("needs", "plan")
        .with("strategy", strategy(&jobs.build, Some(include.collect())))
        .with("runs-on", "${{ matrix.runner }}")
        .with("timeout-minutes", Yaml::Number(jobs.frozen.ci.timeout_minutes))
        .with("permissions", reading())
        .with("steps", steps)
}

fn deliver(jobs: &Jobs<'_>) -> Map {
    let line = jobs.deliver_one();
    let env = values(&line).with("TARGET", "${{ matrix.target }}");
    let steps = vec![
        checkout(),
        install(jobs),
        download("plan", FOLDER),
        download("build-${{ matrix.target }}", &format!("{FOLDER}/build-${{{{ matrix.target }}}}")),
        step("Deliver", secrets(jobs, env, jobs.deliver.iter().copied()), line.by_environment()),
        upload(
            "deliver-${{ matrix.target }}",
            Yaml::own(format!("{FOLDER}/deliver-${{{{ matrix.target }}}}")),
            true,
        ),
    ];
    // One target that cannot be built keeps no other from its nodes.
    let when = format!(
        "${{{{ !cancelled() && {PLANNED} && github.event_name != 'pull_request' && \
         github.ref_name == github.event.repository.default_branch }}}}"
    );
    let group = format!("pipeline-{}-deliver-${{{{ matrix.target }}}}", jobs.frozen.recipe);
    Map::default()
        .with("name", "deliver ${{ matrix.target }}")
        .with("needs", needs(jobs, false))
        .with("if", Yaml::own(when))
        .with("strategy", strategy(&jobs.deliver, None))
        .with("runs-on", runner(&jobs.frozen.ci.deliver_runner))
        .with("timeout-minutes", Yaml::Number(jobs.frozen.ci.timeout_minutes))
        .with("environment", Yaml::free(&jobs.frozen.ci.environment))
        .with("permissions", reading())
        .with(
            "concurrency",
            Map::default().with("group", Yaml::own(group)).with("cancel-in-progress", Yaml::Bool(false)),
        )
        .with("steps", steps)
}

fn join(jobs: &Jobs<'_>) -> Map {
    let line = jobs.join_all();
    let after_deliver = jobs.join.is_some_and(|join| join.after_deliver);
    let mut steps = vec![checkout(), install(jobs), download("plan", FOLDER)];
    if !jobs.build.is_empty() || after_deliver {
        steps.push(download_all(if after_deliver { "{build,deliver}-*" } else { "build-*" }));
    }
    steps.push(step("Join", secrets(jobs, values(&line), &jobs.frozen.targets), line.by_environment()));
    steps.push(upload("join", Yaml::own(format!("{FOLDER}/join")), true));
    Map::default()
        .with("needs", needs(jobs, after_deliver))
        .with("runs-on", runner(&jobs.frozen.ci.runner))
        .with("timeout-minutes", Yaml::Number(jobs.frozen.ci.timeout_minutes))
        .with("permissions", reading())
        .with("steps", steps)
}

fn report(jobs: &Jobs<'_>) -> Map {
    let mut needs = vec![Yaml::own("plan")];
    let others = [
        ("build", !jobs.build.is_empty()),
        ("deliver", !jobs.deliver.is_empty()),
        ("join", jobs.join.is_some()),
    ];
    needs.extend(others.into_iter().filter(|(_, is)| *is).map(|(name, _)| Yaml::own(name)));
    let steps = vec![
        checkout(),
        install(jobs),
        download_all("{build-*,deliver-*,join}"),
        step("Merge the reports", Map::default(), Jobs::report().by_environment()),
        upload("report", Yaml::own(format!("{FOLDER}/report.html")), false),
    ];
    Map::default()
        .with("needs", needs)
        .with("if", Yaml::own(format!("${{{{ always() && {PLANNED} }}}}")))
        .with("runs-on", runner(&jobs.frozen.ci.runner))
        .with("timeout-minutes", Yaml::Number(10))
        .with("permissions", reading())
        .with("steps", steps)
}

/// The jobs that a job of the later stages needs.
fn needs(jobs: &Jobs<'_>, deliver: bool) -> Vec<Yaml> {
    let mut needs = vec![Yaml::own("plan")];
    needs.extend((!jobs.build.is_empty()).then(|| Yaml::own("build")));
    needs.extend(deliver.then(|| Yaml::own("deliver")));
    needs
}

fn strategy(targets: &[&Target], include: Option<Vec<Yaml>>) -> Map {
    let names: Vec<Yaml> = targets.iter().map(|target| Yaml::free(&target.name)).collect();
    let matrix = Map::default().with("target", names).with_some("include", include.map(Yaml::List));
    Map::default().with("fail-fast", Yaml::Bool(false)).with("matrix", matrix)
}

fn runner(labels: &[String]) -> Yaml {
    match labels {
        [label] => Yaml::free(label),
        labels => Yaml::List(labels.iter().map(Yaml::free).collect()),
    }
}

fn reading() -> Map {
    Map::default().with("contents", "read")
}

fn values(line: &Line) -> Map {
    line.environment().fold(Map::default(), |env, (name, value)| env.with(name, Yaml::free(value)))
}

fn secrets<'a>(jobs: &'a Jobs<'_>, env: Map, targets: impl IntoIterator<Item = &'a Target>) -> Map {
    jobs.secrets(targets)
        .into_iter()
        .fold(env, |env, name| env.with(name, Yaml::own(format!("${{{{ secrets.{name} }}}}"))))
}

fn step(name: &'static str, env: Map, run: String) -> Yaml {
    let step = Map::default().with("name", name);
    let step = if env == Map::default() { step } else { step.with("env", env) };
    step.with("run", Yaml::Own(run)).into()
}

fn install(jobs: &Jobs<'_>) -> Yaml {
    let run = match &jobs.frozen.ci.install {
        Some(install) => Yaml::free(format!("{}\n", install.trim_end())),
        None => INSTALL.into(),
    };
    Map::default()
        .with("name", "Install pipeline")
        .with("env", Map::default().with("PACKAGE", PACKAGE))
        .with("run", run)
        .into()
}

fn uses(name: &'static str, (action, version): (&'static str, &'static str)) -> Map {
    Map::default().with("name", name).with("uses", Yaml::Noted(action, version))
}

fn checkout() -> Yaml {
    uses("Check the repository out", actions::CHECKOUT)
        .with("with", Map::default().with("persist-credentials", Yaml::Bool(false)))
        .into()
}

fn download(name: &'static str, to: &str) -> Yaml {
    uses(if name == "plan" { "Fetch the plan" } else { "Fetch what was built" }, actions::DOWNLOAD)
        .with("with", Map::default().with("name", name).with("path", Yaml::own(to)))
        .into()
}

/// Each artifact into a folder of its name.
fn download_all(pattern: &'static str) -> Yaml {
    uses("Fetch the results", actions::DOWNLOAD)
        .with("with", Map::default().with("pattern", pattern).with("path", FOLDER))
        .into()
}

/// Results also of a job that failed: its report needs them, and so does the next attempt.
fn upload(name: &'static str, path: Yaml, always: bool) -> Yaml {
    let with = Map::default().with("name", name).with("path", path);
    let with = if always { with.with("include-hidden-files", Yaml::Bool(true)) } else { with };
    let with = with
        .with("if-no-files-found", if always { "warn" } else { "error" })
        .with("overwrite", Yaml::Bool(true));
    uses("Keep the results", actions::UPLOAD)
        .with_some("if", always.then(|| "always()".into()))
        .with("with", with)
        .into()
}
