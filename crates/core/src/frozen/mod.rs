//! A frozen plan: all that another machine needs to make the very same plan again, and to notice when it would be another.
//!
//! It holds no command. Those are made again where they are carried out, from the same recipe to the byte, so the engine,
//! emulation and paths are that machine's; and a file that somebody has edited on its way cannot make anybody execute anything.
//! docs/design/0045 has the reasons.

mod ci;
mod differences;
mod freeze;
mod read;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::image::Digest;
use crate::plan::InstanceId;
use crate::planner::Stage;
use crate::platform::Platform;

pub use ci::CiJobs;
pub use differences::changed;
pub use freeze::Origin;
pub use read::Unread;

/// The version of this form.
pub const VERSION: u32 = 1;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Frozen {
    /// The version of this form.
    pub version: u32,
    /// The version of the program that made it; another may plan otherwise.
    pub program: String,
    /// The recipe's name.
    pub recipe: String,
    /// The platform of the machine that made it: that of a recipe without targets.
    #[schemars(with = "String")]
    pub platform: Platform,
    /// The commit of the repository that holds the recipe, where the recipe uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Every file that the recipe was read from, the recipe itself first.
    pub files: Vec<RecipeFile>,
    /// The digest of `pipeline.lock`, as the program writes it; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub lock: Option<Digest>,
    /// Variables that were set, by `--set` or the environment.
    pub set: BTreeMap<String, String>,
    /// The values of environment variables that the recipe uses as `${env.NAME}`.
    pub env: BTreeMap<String, String>,
    /// What of the recipe was planned.
    pub select: Select,
    /// The targets, in the order of the recipe.
    pub targets: Vec<Target>,
    /// How CI runs the jobs, as `[ci]` says.
    pub ci: CiJobs,
    /// Every instance, in an order in which they can run.
    pub instances: Vec<Step>,
    /// The digest of all the rest, as compact JSON with the keys in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub digest: Option<Digest>,
}

/// A file of the recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RecipeFile {
    /// Relative to the recipe's folder.
    pub path: String,
    /// What it is to the recipe.
    pub role: FileRole,
    /// The digest of its bytes.
    #[schemars(with = "String")]
    pub digest: Digest,
}

/// What a file is to the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileRole {
    /// The recipe itself.
    Recipe,
    /// `include` of another file names it.
    Included,
    /// Laid over the recipe because it lies beside it: `pipeline.local.toml`.
    Local,
    /// Laid over the recipe by `-f`.
    Overlay,
    /// `--var-file`
    Variables,
}

/// What of a recipe was planned: globs, as the command line had them. An empty list takes everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Select {
    /// Targets.
    pub targets: Vec<String>,
    /// Nodes.
    pub nodes: Vec<String>,
    /// Steps that are left out.
    pub skip: Vec<String>,
}

/// A target, and what a machine must have to carry out its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its platform: a machine of another needs an emulator for it.
    #[schemars(with = "String")]
    pub platform: Platform,
    /// Where CI runs it, as `[ci]` says: labels on GitHub, tags on GitLab.
    pub runner: Vec<String>,
    /// That runner is of the platform's own architecture.
    pub native: bool,
    /// It takes whichever build engine works there; otherwise the engine is among the tools.
    pub any_engine: bool,
    /// Programs that are called.
    pub tools: Vec<String>,
    /// Nodes that it goes to; the machine must reach them.
    pub nodes: Vec<String>,
    /// Environment variables whose values nobody may see.
    pub secrets: Vec<String>,
    /// A step changes the kernel's table of emulators where one is missing.
    pub privileged: bool,
}

/// One step for one member of its scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// `step`, `step@target` or `step@target@node`.
    pub id: InstanceId,
    /// The kind of the step.
    pub kind: String,
    /// Its target, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its node, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// After which others it is done, where several machines share the plan.
    pub stage: Stage,
    /// What it waits for.
    pub after: Vec<InstanceId>,
}

/// The JSON Schema (draft 2020-12) of a frozen plan.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Frozen>().to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".into(), json!(format!("A frozen plan of pipeline, version {VERSION}")));
    }
    schema
}
