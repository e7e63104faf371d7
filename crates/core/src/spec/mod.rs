//! `pipeline.toml` as it was written: tables, keys and values with their places. Knows no step kind and plans nothing.
//!
//! [`files`] are laid over each other to one table ([`layers`], by the rule in [`merge`]); targets and nodes take over what
//! they extend ([`inherit`]); each table is read by its type ([`tables`], [`read`]); rules about the whole come last
//! ([`check`]).

mod builders;
mod check;
mod ci;
mod document;
mod files;
mod groups;
mod inherit;
mod layers;
mod literal;
mod matrix;
mod merge;
mod pools;
mod read;
mod resolved;
mod selector;
mod shape;
mod step;
mod tables;
mod text;
mod values;
mod variable;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use toml::de::DeTable;

pub use builders::{BuilderSpec, Builders, Fallback};
pub(crate) use check::unknown_step;
pub use ci::{CiSpec, Runner};
pub use document::{EnvSpec, Header, NodeSpec, Scalar, StorageSpec, TargetSpec};
pub use files::{File, Read, RecipeFiles, Role};
pub use groups::{Groups, NodeTerm};
pub use inherit::Inherits;
pub use matrix::{Axis, Matrix};
pub use pools::Pools;
pub(crate) use read::{read_loosely, read_part};
pub use resolved::{Resolved, Section, dotted, resolved, to_toml};
pub use selector::{Selector, glob, takes};
pub use step::{Common, RetrySpec, Scope};
pub use text::{Str, Whole};
pub use values::{Given, Member, NoOutput, Origin, Values, View};
pub use variable::{Variable, VariableType};

use crate::diag::Diagnostics;
use crate::interp::Name;
use crate::source::Span;

/// A recipe, read.
#[derive(Debug)]
pub struct Recipe<'s> {
    /// Its files.
    pub files: &'s RecipeFiles,
    /// `[pipeline]`
    pub header: Header,
    /// `[vars]`, in the order of the files.
    pub vars: Vec<(Str, Variable)>,
    /// Where each of them is in that list.
    pub(crate) var_index: HashMap<String, usize>,
    /// Values of variables in files of their own, each with the place of the name; of two for one variable the later.
    pub(crate) var_files: BTreeMap<String, (Span, Str)>,
    /// `[matrix]`
    pub matrix: Matrix,
    /// `[targets.*]`, in the order of the files, less the abstract ones.
    pub targets: Vec<(Str, TargetSpec)>,
    /// `[nodes.*]`, in the order of the files, less the abstract ones.
    pub nodes: Vec<(Str, NodeSpec)>,
    /// `[groups]`
    pub groups: Groups,
    /// `[env]`
    pub env: EnvSpec,
    /// `[ci]`
    pub ci: CiSpec,
    /// `[builders]`
    pub builders: Builders,
    /// `[pools]`
    pub pools: Pools,
    /// `[defaults.*]`, in the order of the files.
    pub defaults: Vec<Defaults<'s>>,
    /// `[[step]]`, in the order of the files.
    pub steps: Vec<Step<'s>>,
    /// Everything as one table, before targets and nodes took over what they extend.
    pub(crate) root: DeTable<'s>,
    /// Those with what they extend.
    pub(crate) resolved: resolved::ResolvedTables<'s>,
    /// No error was found in it. Only then can it be planned.
    pub sound: bool,
    /// What could not be read; its names are known all the same.
    pub(crate) lost: Lost,
}

/// `[defaults.KIND]`: keys that every step of a kind has, unless it says otherwise.
#[derive(Debug)]
pub struct Defaults<'s> {
    /// The name of the kind.
    pub kind: Str,
    /// The keys.
    pub table: DeTable<'s>,
}

/// Names of entries that stand in the file and could not be read. References to them are no errors of their own.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    targets: Vec<String>,
    nodes: Vec<String>,
    vars: Vec<String>,
    steps: Vec<String>,
    /// Something without a name.
    more: bool,
}

impl Lost {
    /// Everything in the file was read.
    pub(crate) fn nothing(&self) -> bool {
        !self.more
            && [&self.targets, &self.nodes, &self.vars, &self.steps].iter().all(|names| names.is_empty())
    }
}

/// All names of one sort, those that could not be read too: to look one up, and to list them in a message.
pub(crate) struct Names<'r> {
    pub(crate) list: Vec<&'r str>,
    set: HashSet<&'r str>,
}

impl<'r> Names<'r> {
    fn of(read: impl Iterator<Item = &'r Str>, lost: &'r [String]) -> Self {
        let list: Vec<&str> =
            read.map(|name| name.value.as_str()).chain(lost.iter().map(String::as_str)).collect();
        Self { set: list.iter().copied().collect(), list }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.set.contains(name)
    }
}

/// One `[[step]]`: the common keys read, the kind's own keys still as a table.
#[derive(Debug)]
pub struct Step<'s> {
    /// Its id: `id`, else its kind.
    pub id: Str,
    /// The name of its kind.
    pub uses: Str,
    /// Common keys.
    pub common: Common,
    /// All its keys.
    pub table: DeTable<'s>,
    /// The place of the whole step.
    pub span: Span,
    /// Every `${…}` in it.
    pub names: Vec<(Name, Span)>,
}

/// The keys of a step that its kind does not read.
pub const COMMON_KEYS: [&str; 16] = [
    "id",
    "uses",
    "description",
    "needs",
    "scope",
    "targets",
    "timeout",
    "silent-timeout",
    "retry",
    "max-log",
    "env",
    "mutex",
    "pool",
    "always",
    "allow-failure",
    "gate",
];

/// Codes of references to what is not there. It may stand in a file that could not be read.
const REFERENCES: [&str; 7] = [
    "spec::unknown-axis",
    "spec::unknown-base",
    "spec::unknown-node",
    "spec::unknown-pool",
    "spec::unknown-step",
    "spec::unknown-target",
    "spec::unknown-variable",
];

/// Reads a recipe. The diagnostics may hold warnings also when there is a recipe; without one they hold errors.
pub fn parse(files: &RecipeFiles) -> (Option<Recipe<'_>>, Diagnostics) {
    let (recipe, diagnostics) = examine(files);
    (recipe.filter(|recipe| recipe.sound), diagnostics)
}

/// The same, and as much of the recipe as could be read also where it has errors: planning it finds those that are left.
pub fn examine(files: &RecipeFiles) -> (Option<Recipe<'_>>, Diagnostics) {
    let mut diagnostics = files.diagnostics.clone();
    let root = layers::read(files, &mut diagnostics);
    let mut recipe = root.map(|root| tables::recipe(files, root, &mut diagnostics));
    if let Some(recipe) = &mut recipe {
        check::check(recipe, &mut diagnostics);
        recipe.sound = !diagnostics.has_errors();
    }
    if files.diagnostics.has_errors() {
        diagnostics.retain(|diagnostic| !REFERENCES.contains(&diagnostic.code));
    }
    (recipe, diagnostics.finish(&files.sources))
}

impl<'s> Recipe<'s> {
    /// Names of all steps, in order.
    pub fn step_ids(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.id.value.as_str())
    }

    /// The step of that id.
    pub fn step(&self, id: &str) -> Option<&Step<'s>> {
        self.steps.iter().find(|step| step.id.value == id)
    }

    /// The variable of that name.
    pub fn var(&self, name: &str) -> Option<&Variable> {
        self.var_index.get(name).map(|at| &self.vars[*at].1)
    }

    pub(crate) fn known_ids(&self) -> Names<'_> {
        Names::of(self.steps.iter().map(|step| &step.id), &self.lost.steps)
    }

    fn target_names(&self) -> Names<'_> {
        Names::of(self.targets.iter().map(|(name, _)| name), &self.lost.targets)
    }

    fn node_names(&self) -> Names<'_> {
        Names::of(self.nodes.iter().map(|(name, _)| name), &self.lost.nodes)
    }

    fn axis_names(&self) -> Vec<&str> {
        let lost = self.matrix.lost.iter().map(String::as_str);
        self.matrix.axes.iter().map(|axis| axis.name.value.as_str()).chain(lost).collect()
    }

    pub(crate) fn var_names(&self) -> Names<'_> {
        Names::of(self.vars.iter().map(|(name, _)| name), &self.lost.vars)
    }

    /// Names listed in `[env] pass`.
    pub fn passed_env(&self) -> BTreeSet<&str> {
        self.env.pass.iter().map(|name| name.value.as_str()).collect()
    }

    /// Names listed in `[env] secret`.
    pub fn secret_env(&self) -> BTreeSet<&str> {
        self.env.secret.iter().map(|name| name.value.as_str()).collect()
    }
}
