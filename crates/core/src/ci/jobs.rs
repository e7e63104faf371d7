//! The jobs of a plan: who does what after whom. The forms of the CI systems are made of this and of nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::Refused;
use super::command::{Line, Word};
use crate::frozen::{FileRole, Frozen, Target};
use crate::ident::name_problem;
use crate::planner::Stage;

/// Where jobs keep what they hand on, below the repository.
pub(super) const FOLDER: &str = "pipeline-ci";

/// Where the recipe and the file lie, as commands in the root of the repository name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The recipe.
    pub recipe: String,
    /// The recipe's folder, for what lies beside it.
    pub folder: String,
    /// The file of the CI system.
    pub file: String,
}

/// See the module.
#[derive(Debug)]
pub struct Jobs<'f> {
    pub(super) frozen: &'f Frozen,
    pub(super) place: &'f Place,
    /// Those with anything of their own; each has a job that builds it.
    pub(super) build: Vec<&'f Target>,
    /// Those of them with something for nodes.
    pub(super) deliver: Vec<&'f Target>,
    pub(super) join: Option<Join>,
}

/// The job of what waits for several targets, or belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Join {
    /// It waits for a job that goes to nodes.
    pub(super) after_deliver: bool,
}

impl<'f> Jobs<'f> {
    /// The jobs, when all names in the plan are names: a plan may have been edited on its way.
    pub fn of(frozen: &'f Frozen, place: &'f Place) -> Result<Self, Refused> {
        let jobs = Self {
            frozen,
            place,
            build: targets(frozen, &[Stage::Build, Stage::Deliver]),
            deliver: targets(frozen, &[Stage::Deliver]),
            join: join(frozen),
        };
        jobs.check()?;
        Ok(jobs)
    }

    fn check(&self) -> Result<(), Refused> {
        let targets = &self.frozen.targets;
        named("a recipe", &self.frozen.recipe, name_problem)?;
        for target in targets {
            named("a target", &target.name, name_problem)?;
            target.runner.iter().try_for_each(|label| named("a runner", label, runner_problem))?;
        }
        for secret in self.secrets(targets) {
            named("a secret", secret, secret_problem)?;
        }
        let ci = &self.frozen.ci;
        for label in ci.runner.iter().chain(&ci.deliver_runner) {
            named("a runner", label, runner_problem)?;
        }
        let plan = self.plan();
        let values = plan.environment().map(|(_, value)| value).chain([self.place.file.as_str()]);
        match values.into_iter().find(|value| value.contains('\0')) {
            Some(value) => Err(Refused::Zero(value.to_owned())),
            None => Ok(()),
        }
    }

    /// Variables that nobody may see, of the recipe and of these targets.
    pub(super) fn secrets<'a>(&'a self, targets: impl IntoIterator<Item = &'a Target>) -> BTreeSet<&'a str> {
        let own = targets.into_iter().flat_map(|target| &target.secrets);
        own.chain(&self.frozen.ci.secrets).map(String::as_str).collect()
    }

    /// Says what is wrong with the recipe.
    pub(super) fn check_recipe(&self, options: &str) -> Line {
        self.values(Line::of(format!("pipeline check {options}").trim_end())).word(self.recipe())
    }

    /// Freezes the plan.
    pub(super) fn plan(&self) -> Line {
        self.given(Line::of("pipeline plan --no-local")).words(&format!("-o {FOLDER}/plan.json"))
    }

    /// Makes the file of a form again, with these options.
    pub(super) fn renew(&self, form: &str) -> Line {
        self.given(Line::of(&format!("pipeline ci {form}")))
    }

    /// The recipe with what is laid over it, and what of it is planned.
    fn given(&self, line: Line) -> Line {
        let mut line = self.values(line);
        let select = &self.frozen.select;
        for (option, name, all) in [
            ("--target", "ONLY_TARGET", &select.targets),
            ("--node", "ONLY_NODE", &select.nodes),
            ("--skip", "SKIP", &select.skip),
        ] {
            for (at, only) in all.iter().enumerate() {
                line = line.word(Word::Value {
                    option,
                    name: format!("{name}_{}", at + 1),
                    value: only.clone(),
                });
            }
        }
        line.word(self.recipe())
    }

    /// What is laid over the recipe.
    fn values(&self, mut line: Line) -> Line {
        let frozen = self.frozen;
        let mut value = |option, name: String, value: String| {
            line.0.push(Word::Value { option, name, value });
        };
        let beside = |path: &str| match self.place.folder.as_str() {
            "" | "." => path.to_owned(),
            folder => format!("{folder}/{path}"),
        };
        let files = |role| frozen.files.iter().filter(move |file| file.role == role);
        for (at, file) in files(FileRole::Overlay).enumerate() {
            value("--file", format!("FILE_{}", at + 1), beside(&file.path));
        }
        for (at, file) in files(FileRole::Variables).enumerate() {
            value("--var-file", format!("VAR_FILE_{}", at + 1), beside(&file.path));
        }
        for (at, (name, set)) in frozen.set.iter().enumerate() {
            value("--set", format!("SET_{}", at + 1), format!("{name}={set}"));
        }
        line
    }

    /// A command for the recipe alone.
    pub(super) fn recipe_line(&self, command: &str) -> Line {
        Line::of(command).word(self.recipe())
    }

    fn recipe(&self) -> Word {
        // A file is a path, whatever its name begins with.
        let path = &self.place.recipe;
        let value = if path.starts_with('-') { format!("./{path}") } else { path.clone() };
        Word::Value { option: "", name: "RECIPE".into(), value }
    }

    fn run(&self) -> Line {
        Line::of("pipeline run").word(self.recipe()).words(&format!("--plan {FOLDER}/plan.json"))
    }

    pub(super) fn build_one(&self) -> Line {
        let line = self.run().words("-t").word(Word::Target("")).words("--stage build --results-to");
        line.word(Word::Target("pipeline-ci/build-"))
    }

    pub(super) fn deliver_one(&self) -> Line {
        let line = self.run().words("-t").word(Word::Target("")).words("--stage deliver");
        let line = line.words("--results-from").word(Word::Target("pipeline-ci/build-"));
        line.words("--results-to").word(Word::Target("pipeline-ci/deliver-"))
    }

    pub(super) fn join_all(&self) -> Line {
        let mut line = self.run().words("--stage join");
        let deliver = self.deliver.iter().filter(|_| self.join.is_some_and(|join| join.after_deliver));
        let build = self.build.iter().map(|target| ("build", target));
        for (stage, target) in build.chain(deliver.map(|target| ("deliver", target))) {
            line = line.words(&format!("--results-from {FOLDER}/{stage}-{}", target.name));
        }
        line.words(&format!("--results-to {FOLDER}/join"))
    }

    /// Of whatever is there: a job that failed early leaves nothing.
    pub(super) fn report() -> Line {
        Line::of(&format!("pipeline report --merge {FOLDER}/*/ -o {FOLDER}/report.html"))
    }
}

/// The targets that have such instances.
fn targets<'f>(frozen: &'f Frozen, stages: &[Stage]) -> Vec<&'f Target> {
    let names: BTreeSet<&str> = frozen
        .instances
        .iter()
        .filter(|step| stages.contains(&step.stage))
        .filter_map(|step| step.target.as_deref())
        .collect();
    frozen.targets.iter().filter(|target| names.contains(target.name.as_str())).collect()
}

fn join(frozen: &Frozen) -> Option<Join> {
    let stages: BTreeMap<_, _> = frozen.instances.iter().map(|step| (&step.id, step.stage)).collect();
    let joining: Vec<_> = frozen.instances.iter().filter(|step| step.stage == Stage::Join).collect();
    let mut before = joining.iter().flat_map(|step| &step.after);
    let after_deliver = before.any(|id| stages.get(id) == Some(&Stage::Deliver));
    (!joining.is_empty()).then_some(Join { after_deliver })
}

fn named(what: &'static str, name: &str, problem: impl Fn(&str) -> Option<String>) -> Result<(), Refused> {
    match problem(name) {
        Some(why) => Err(Refused::Name { what, name: name.to_owned(), why }),
        None => Ok(()),
    }
}

fn runner_problem(label: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    (label.is_empty() || !label.chars().all(plain))
        .then(|| "labels have letters, digits and `. _ - : /`".into())
}

/// GitHub's rule, which GitLab's names keep to as well; and names that jobs need for themselves.
fn secret_problem(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let upper = name.to_ascii_uppercase();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain) {
        Some("it has letters, digits and `_`, and begins with none of the digits".into())
    } else if upper.starts_with("GITHUB_")
        || upper.starts_with("PIPELINE_")
        || ["RECIPE", "TARGET"].contains(&name)
    {
        Some("jobs have a variable of that name already".into())
    } else {
        None
    }
}
