//! The matrix of jobs: one for the chain of each target, on a runner of its architecture.

use serde_json::{Value, json};

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
}

/// Why there is no matrix of that form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// Of jobs.
    #[error("the plan has {there} targets, and a matrix has at most {most} jobs")]
    Jobs {
        /// So many targets there are.
        there: usize,
        /// So many would do.
        most: usize,
    },
    /// Of tags for a runner, where the matrix has one value for each job.
    #[error("the runner of `{0}` has several tags, and GitLab's matrix gives each job one")]
    Tags(String),
}

/// The matrix of a plan, as one JSON document, which is YAML as well.
pub fn matrix(frozen: &Frozen, form: Form) -> Result<Value, TooMany> {
    let targets = &frozen.targets;
    if targets.len() > form.most() {
        return Err(TooMany::Jobs { there: targets.len(), most: form.most() });
    }
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

fn gitlab(target: &Target) -> Result<Value, TooMany> {
    let [tag] = target.runner.as_slice() else { return Err(TooMany::Tags(target.name.clone())) };
    Ok(json!({ "TARGET": target.name, "PLATFORM": target.platform, "RUNNER": tag }))
}
