//! One shell command a job, for CI systems without a form of their own here.

use serde_json::{Value, json};

use super::command::{Line, quoted};
use super::jobs::{FOLDER, Jobs};
use super::switch::SWITCHES;
use crate::frozen::Target;

/// A job with all that its CI system must know.
struct Job<'j> {
    name: String,
    target: Option<&'j Target>,
    needs: Vec<String>,
    runner: &'j [String],
    secrets: Vec<&'j str>,
    /// In the root of the checkout.
    command: String,
    /// What it leaves, also when it failed.
    results: String,
    /// It reaches nodes.
    deliver: bool,
    /// It runs when others have failed as well.
    always: bool,
}

/// As JSON, with stable keys.
pub fn json(jobs: &Jobs<'_>) -> Value {
    let all: Vec<Value> = list(jobs)
        .iter()
        .map(|job| {
            json!({
                "name": job.name,
                "target": job.target.map(|target| &target.name),
                "platform": job.target.map(|target| target.platform.to_string()),
                "needs": job.needs,
                "runner": job.runner,
                "native": job.target.map(|target| target.native),
                "secrets": job.secrets,
                "environment": job.deliver.then_some(&jobs.frozen.ci.environment),
                "command": job.command,
                "results": job.results,
                "always": job.always,
                "timeout-minutes": jobs.frozen.ci.timeout_minutes,
            })
        })
        .collect();
    json!({ "version": 1, "recipe": jobs.frozen.recipe, "install": jobs.frozen.ci.install, "jobs": all })
}

/// To be read, and a shell script that does all of it in one place.
pub fn text(jobs: &Jobs<'_>) -> String {
    let mut text = format!(
        "# The jobs of {}, each after those that it needs. A job finds in `{FOLDER}` what these left there, also when they failed.\n\
         # Made from the recipe; make it again with\n#   {}\n",
        jobs.frozen.recipe,
        visible(&format!("{} -o {}", jobs.renew("generic").literal(None), quoted(&jobs.place.file))),
    );
    for job in list(jobs) {
        text += &format!("\n# {}: on {}", job.name, job.runner.join(", "));
        if let Some(target) = job.target {
            let how = if target.native { "" } else { ", perhaps emulated" };
            text += &format!(", {}{how}", target.platform);
        }
        if !job.needs.is_empty() {
            text += &format!("; after {}", job.needs.join(", "));
        }
        if job.always {
            text += ", whether or not they failed";
        }
        if !job.secrets.is_empty() {
            text += &format!("; with the secrets {}", job.secrets.join(", "));
        }
        text += &format!("; leaves {}\n{}\n", job.results, job.command);
    }
    text
}

fn list<'j>(jobs: &'j Jobs<'_>) -> Vec<Job<'j>> {
    let ci = &jobs.frozen.ci;
    let job = |name: &str, needs: Vec<String>, command: String, results: String| Job {
        name: name.to_owned(),
        target: None,
        needs,
        runner: &ci.runner,
        secrets: Vec::new(),
        command,
        results: format!("{FOLDER}/{results}"),
        deliver: false,
        always: false,
    };
    let plan = format!("mkdir -p {FOLDER} && {}", jobs.plan().literal(None));
    let mut all = vec![job("plan", Vec::new(), plan, "plan.json".into())];
    let of_target = |stage: &str, target: &'j Target, needs: Vec<String>, line: &Line| Job {
        target: Some(target),
        secrets: jobs.secrets([target]).into_iter().collect(),
        ..job(
            &format!("{stage}-{}", target.name),
            needs,
            line.literal(Some(target)),
            format!("{stage}-{}", target.name),
        )
    };
    for target in &jobs.build {
        let on = SWITCHES.iter().filter(|switch| (switch.is_on)(target));
        let line = on.fold(jobs.build_one(), |line, switch| line.words(switch.option));
        let job = of_target("build", target, vec!["plan".into()], &line);
        all.push(Job { runner: &target.runner, ..job });
    }
    for target in &jobs.deliver {
        let needs = vec!["plan".into(), format!("build-{}", target.name)];
        let job = of_target("deliver", target, needs, &jobs.deliver_one());
        all.push(Job { runner: &ci.deliver_runner, deliver: true, ..job });
    }
    if let Some(joining) = jobs.join {
        let needs = all
            .iter()
            .filter(|job| joining.after_deliver || !job.deliver)
            .map(|job| job.name.clone())
            .collect();
        let secrets = jobs.secrets(&jobs.frozen.targets).into_iter().collect();
        all.push(Job { secrets, ..job("join", needs, jobs.join_all().literal(None), "join".into()) });
    }
    let needs = all.iter().map(|job| job.name.clone()).collect();
    all.push(Job {
        always: true,
        ..job("report", needs, Jobs::report().literal(None), "report.html".into())
    });
    all
}

/// For a comment, which ends with its line.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
