//! The matrix of jobs: one for the chain of each target, on a runner of its architecture.

use serde_json::{Value, json};

use super::Refused;
use crate::frozen::{Frozen, Target};

/// Whose matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `strategy.matrix` of GitHub Actions.
    Github,
    /// `parallel.matrix` of GitLab CI.
    Gitlab,
    /// Everything, with stable keys.
    Json,
}

impl Form {
    /// More jobs are refused there: <https://docs.github.com/en/actions/reference/limits>,
    /// <https://docs.gitlab.com/ci/yaml/#parallelmatrix>.
    fn most(self) -> usize {
        match self {
            Self::Github => 256,
            Self::Gitlab => 200,
            Self::Json => usize::MAX,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::Json => "JSON",
        }
    }

    /// A matrix of so many jobs can be.
    pub(super) fn takes(self, there: usize) -> Result<(), Refused> {
        let most = self.most();
        if there > most { Err(Refused::Jobs { forge: self.name(), there, most }) } else { Ok(()) }
    }
}

/// The matrix of a plan, as one JSON document, which is YAML as well.
pub fn matrix(frozen: &Frozen, form: Form) -> Result<Value, Refused> {
    let targets = &frozen.targets;
    form.takes(targets.len())?;
    match form {
        Form::Json => {
            let jobs: Vec<Value> = targets.iter().map(|target| json!(target)).collect();
            Ok(json!({ "version": 1, "recipe": frozen.recipe, "jobs": jobs }))
        }
        Form::Github => Ok(json!({ "include": targets.iter().map(github).collect::<Vec<_>>() })),
        Form::Gitlab => targets.iter().map(gitlab).collect::<Result<Vec<_>, _>>().map(Value::from),
    }
}

fn github(target: &Target) -> Value {
    // `runs-on` takes a label or a list of them.
    let runner = match target.runner.as_slice() {
        [label] => json!(label),
        labels => json!(labels),
    };
    json!({
        "target": target.name,
        "platform": target.platform,
        "runner": runner,
        "native": target.native,
    })
}

fn gitlab(target: &Target) -> Result<Value, Refused> {
    let tag = tag(target)?;
    Ok(json!({ "TARGET": target.name, "PLATFORM": target.platform, "RUNNER": tag }))
}

/// The one tag of a target's runner, for GitLab.
pub(super) fn tag(target: &Target) -> Result<&str, Refused> {
    match target.runner.as_slice() {
        [tag] => Ok(tag),
        _ => Err(Refused::Tags(target.name.clone())),
    }
}
