//! Why there are no jobs, or no file of that form.

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A name would be more than a name to a CI system.
    #[error("`{}` is no name of {what}: {why}", name.escape_debug())]
    Name {
        /// Of what.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The CI system would put something else in the place of a part of a value.
    #[error("{forge} would replace `{mark}` in `{}`", value.escape_debug())]
    Replaced {
        /// Who.
        forge: &'static str,
        /// What begins that there.
        mark: &'static str,
        /// Where.
        value: String,
    },
    /// No command line can hold a value.
    #[error("`{}` holds a zero byte, which no command line can", .0.escape_debug())]
    Zero(String),
    /// A matrix of too many jobs.
    #[error("the plan has {there} targets, and a matrix of {forge} has at most {most} jobs")]
    Jobs {
        /// Whose.
        forge: &'static str,
        /// So many targets there are.
        there: usize,
        /// So many would do.
        most: usize,
    },
    /// Of several tags for a runner, where the matrix has one value for each job.
    #[error("the runner of `{0}` has several tags, and GitLab's matrix gives each job one")]
    Tags(String),
    /// GitLab has no runners of its own by the names of GitHub's.
    #[error("`{0}` has no runner of its own, and `[ci]` names none for the rest")]
    NoTag(String),
}

impl Refused {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Name { .. } => {
                "call it otherwise in the recipe; a plan that was frozen earlier must be made again"
            }
            Self::Replaced { .. } | Self::Zero(_) => {
                "write the value into the recipe instead of the command line, or call the file otherwise"
            }
            Self::Jobs { .. } => "`--target` takes a part of the targets: make several of them",
            Self::Tags(_) => "give it one tag in `[ci.runners]` that only such runners have",
            Self::NoTag(_) => "name the runner of everything else: `[ci] runner = \"TAG\"`",
        }
    }
}
