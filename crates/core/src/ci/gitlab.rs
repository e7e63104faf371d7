//! A pipeline of GitLab CI.
//!
//! Values stand in scripts, as words that the shell takes as they are: GitLab replaces nothing there, and everywhere else a `$`
//! is refused. Its later stages wait for stages and not for jobs, as a job may need 50 others only.

use super::Refused;
use super::command::quoted;
use super::jobs::{FOLDER, Jobs};
use super::matrix::{Form, tag};
use super::switch::SWITCHES;
use super::yaml::{Map, Yaml, document};
use crate::frozen::Target;

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// All jobs, in a file that is checked in.
    Whole,
    /// Two jobs in a file that is checked in: the one writes a file of all jobs, the other starts these as a child pipeline.
    Parent,
    /// All jobs, in a file that a job has written.
    Child,
}

const ON_DEFAULT_BRANCH: &str = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH";

/// The pipeline.
pub fn pipeline(jobs: &Jobs<'_>, shape: Shape) -> Result<String, Refused> {
    Form::Gitlab.takes(jobs.build.len().max(jobs.deliver.len()))?;
    let (root, form) = match shape {
        Shape::Parent => (parent(jobs), "gitlab --child"),
        Shape::Whole | Shape::Child => (whole(jobs, shape)?, "gitlab"),
    };
    if let Some(value) = root.strangers().into_iter().find(|text| text.contains('$')) {
        return Err(Refused::Replaced { forge: "GitLab", mark: "$", value: value.to_owned() });
    }
    let comment = match shape {
        Shape::Child => vec!["Made from the recipe by a job of the parent pipeline.".to_owned()],
        _ => vec![
            "Made from the recipe. Do not edit: change the recipe, and make it again with".to_owned(),
            format!("  {} -o {}", jobs.renew(form).literal(None), quoted(&jobs.place.file)),
        ],
    };
    Ok(document(&comment, &root, &[]))
}

fn parent(jobs: &Jobs<'_>) -> Map {
    let child = format!("{FOLDER}/jobs.yml");
    let recipe = jobs.recipe_line("pipeline ci gitlab");
    let script = vec![
        stale(jobs, "gitlab --child"),
        Yaml::own(format!("mkdir -p {FOLDER}")),
        Yaml::own(jobs.plan().by_target()),
        Yaml::own(format!("{} --plan {FOLDER}/plan.json -o {child}", recipe.by_target())),
    ];
    let generate = common(jobs)
        .with("stage", "plan")
        .with("script", script)
        .with("artifacts", Map::default().with("paths", vec![Yaml::own(&child)]).with("expire_in", "1 week"));
    let include = vec![Map::default().with("artifact", Yaml::own(&child)).with("job", "generate").into()];
    let trigger = Map::default()
        .with("stage", "run")
        .with("needs", vec!["generate".into()])
        .with("trigger", Map::default().with("include", include).with("strategy", "depend"));
    Map::default()
        .with("stages", vec!["plan".into(), "run".into()])
        .with("variables", variables())
        .with("generate", generate)
        .with("run", trigger)
}

pub(super) fn whole(jobs: &Jobs<'_>, shape: Shape) -> Result<Map, Refused> {
    let mut root = Map::default()
        .with("stages", ["plan", "build", "deliver", "join", "report"].map(Yaml::from).to_vec())
        .with("variables", variables())
        .with(".pipeline", common(jobs))
        .with("plan", plan(jobs, shape));
    if !jobs.build.is_empty() {
        root = root.with("build", build(jobs)?);
    }
    if !jobs.deliver.is_empty() {
        root = root.with(".deliver", deliver(jobs));
        for target in &jobs.deliver {
            root = root.with(format!("deliver:{}", target.name), deliver_one(jobs, target)?);
        }
    }
    if let Some(joining) = jobs.join {
        root = root.with("join", join(jobs, joining.after_deliver));
    }
    Ok(root.with("report", report()))
}

/// The checkout belongs to the runner's user.
fn variables() -> Map {
    Map::default().with("PIPELINE_ALLOW_OWNER", "1")
}

fn common(jobs: &Jobs<'_>) -> Map {
    let ci = &jobs.frozen.ci;
    Map::default()
        .with_some("image", ci.image.as_ref().map(Yaml::free))
        .with_some("tags", ci.named.then(|| tags(&ci.runner)))
        // A command of the recipe's author, for a shell.
        .with_some(
            "before_script",
            ci.install.as_ref().map(|install| vec![Yaml::own(install.trim_end())].into()),
        )
        .with("interruptible", Yaml::Bool(true))
        .with("timeout", Yaml::own(format!("{} minutes", ci.timeout_minutes)))
}

fn plan(jobs: &Jobs<'_>, shape: Shape) -> Map {
    let mut script = vec![Yaml::own(jobs.check_recipe("").by_target())];
    if shape == Shape::Whole {
        script.push(stale(jobs, "gitlab"));
    }
    script.push(Yaml::own(format!("mkdir -p {FOLDER}")));
    script.push(Yaml::own(jobs.plan().by_target()));
    let artifacts = Map::default()
        .with("paths", vec![Yaml::own(format!("{FOLDER}/plan.json"))])
        .with("expire_in", "1 week");
    staged("plan").with("script", script).with("artifacts", artifacts)
}

fn stale(jobs: &Jobs<'_>, form: &str) -> Yaml {
    Yaml::own(format!("{} --check {}", jobs.renew(form).by_target(), quoted(&jobs.place.file)))
}

fn build(jobs: &Jobs<'_>) -> Result<Map, Refused> {
    let matrix = jobs.build.iter().map(|target| Ok(variant(jobs, target)?.into()));
    let matrix = matrix.collect::<Result<Vec<Yaml>, Refused>>()?;
    let switches = SWITCHES.iter().filter(|switch| switch.is_on_everywhere(jobs));
    let switches = switches.fold(Map::default(), |all, switch| all.with(switch.variable, "true"));
    let cache = Map::default()
        // What was made of another commit is proved to be the same or made again, so it need not be kept.
        .with("key", Yaml::own(format!("pipeline-{}-$TARGET-$CI_COMMIT_SHA", jobs.frozen.recipe)))
        .with("paths", vec![Yaml::own(format!("{FOLDER}/build-$TARGET"))])
        .with("when", "always");
    Ok(staged("build")
        .with("needs", vec!["plan".into()])
        .with("parallel", Map::default().with("matrix", matrix))
        .with_some("tags", tagged(jobs)?.then(|| vec!["$RUNNER".into()].into()))
        .with_some("variables", (switches != Map::default()).then_some(Yaml::from(switches)))
        .with("cache", cache)
        .with("script", vec![Yaml::own(told(&jobs.build_one().by_target(), "build-$TARGET"))])
        .with("artifacts", results("build-$TARGET")))
}

/// The variables of a job of the matrix. Who needs that job names all of them.
fn variant(jobs: &Jobs<'_>, target: &Target) -> Result<Map, Refused> {
    let runner = tagged(jobs)?.then(|| tag(target)).transpose()?.map(Yaml::free);
    let job = Map::default().with("TARGET", Yaml::free(&target.name)).with_some("RUNNER", runner);
    let differing =
        SWITCHES.iter().filter(|switch| switch.is_on_anywhere(jobs) && !switch.is_on_everywhere(jobs));
    Ok(differing
        .fold(job, |job, switch| job.with(switch.variable, Yaml::own((switch.is_on)(target).to_string()))))
}

/// Jobs of the matrix have tags, and so all of them: there is none by GitHub's names.
fn tagged(jobs: &Jobs<'_>) -> Result<bool, Refused> {
    let own = jobs.build.iter().any(|target| target.native);
    match jobs.build.iter().find(|target| !target.native) {
        Some(target) if own && !jobs.frozen.ci.named => Err(Refused::NoTag(target.name.clone())),
        _ => Ok(own),
    }
}

fn deliver(jobs: &Jobs<'_>) -> Map {
    let ci = &jobs.frozen.ci;
    let own = ci.deliver_runner != ci.runner;
    staged("deliver")
        .with_some("tags", own.then(|| tags(&ci.deliver_runner)))
        .with("rules", vec![Map::default().with("if", ON_DEFAULT_BRANCH).into()])
        .with("environment", Map::default().with("name", Yaml::free(&ci.environment)))
        .with("interruptible", Yaml::Bool(false))
        .with("script", vec![Yaml::own(told(&jobs.deliver_one().by_target(), "deliver-$TARGET"))])
        .with("artifacts", results("deliver-$TARGET"))
}

fn deliver_one(jobs: &Jobs<'_>, target: &Target) -> Result<Map, Refused> {
    let matrix = Map::default().with("matrix", vec![variant(jobs, target)?.into()]);
    let needs = vec!["plan".into(), Map::default().with("job", "build").with("parallel", matrix).into()];
    Ok(Map::default()
        .with("extends", ".deliver")
        .with("needs", needs)
        // One pipeline at a time on the nodes of a target.
        .with("resource_group", Yaml::free(format!("pipeline-{}-{}", jobs.frozen.recipe, target.name)))
        .with("variables", Map::default().with("TARGET", Yaml::free(&target.name))))
}

fn join(jobs: &Jobs<'_>, after_deliver: bool) -> Map {
    let job = staged("join");
    let job = if after_deliver {
        job.with("rules", vec![Map::default().with("if", ON_DEFAULT_BRANCH).into()])
    } else {
        let mut needs = vec!["plan".into()];
        needs.extend((!jobs.build.is_empty()).then(|| "build".into()));
        job.with("needs", needs)
    };
    job.with("script", vec![Yaml::own(told(&jobs.join_all().literal(None), "join"))])
        .with("artifacts", results("join"))
}

fn report() -> Map {
    let report = format!("{FOLDER}/report.html");
    staged("report")
        .with("when", "always")
        .with("script", vec![Yaml::own(Jobs::report().literal(None))])
        .with(
            "artifacts",
            Map::default()
                .with("paths", vec![Yaml::own(report)])
                .with("expose_as", "report")
                .with("expire_in", "1 month"),
        )
}

fn staged(stage: &'static str) -> Map {
    Map::default().with("extends", ".pipeline").with("stage", stage)
}

/// With the failures for the merge request.
fn told(line: &str, folder: &str) -> String {
    format!("{line} --junit \"{FOLDER}/{folder}.xml\"")
}

/// Also of a job that failed: its report needs them.
fn results(folder: &str) -> Map {
    Map::default()
        .with("when", "always")
        .with("paths", vec![Yaml::own(format!("{FOLDER}/{folder}"))])
        .with("reports", Map::default().with("junit", Yaml::own(format!("{FOLDER}/{folder}.xml"))))
        .with("expire_in", "1 week")
}

fn tags(labels: &[String]) -> Yaml {
    Yaml::List(labels.iter().map(Yaml::free).collect())
}
