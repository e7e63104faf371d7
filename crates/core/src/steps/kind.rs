//! What a step kind is: a configuration that says what it consumes and produces, and that lowers to actions.

use std::fmt::{self, Debug};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::lower::{Lower, Lowered, Refused};
use super::rollout::Rollout;
use crate::diag::Diagnostics;
use crate::plan::Artifact;
use crate::spec::{COMMON_KEYS, Defaults, Scope, Step, Str, read_loosely, read_part};

/// A kind of step: a name, a line of description, and the type of its configuration.
///
/// The doc comments of the configuration's fields are the reference that users read.
pub trait StepKind: Sync + 'static {
    /// The name in `uses = "…"`.
    const NAME: &'static str;
    /// Other spellings that are accepted.
    const ALIASES: &'static [&'static str] = &[];
    /// One line for lists, without a full stop.
    const SUMMARY: &'static str;
    /// `consumes → produces`, for the reference.
    const FLOW: &'static str;
    /// Local tools that it may need, for `doctor`.
    const TOOLS: &'static [&'static str];
    /// Its own keys.
    type Spec: StepBody + DeserializeOwned + JsonSchema;
}

/// The configuration of one step. It describes; it runs nothing.
pub trait StepBody: Debug + 'static {
    /// For what the step runs, unless the recipe says otherwise.
    fn scope(&self) -> Scope;

    /// What it consumes.
    fn inputs(&self) -> Vec<Input<'_>> {
        Vec::new()
    }

    /// What it produces.
    fn produces(&self) -> Vec<Artifact> {
        Vec::new()
    }

    /// Its part in the gates between checks and deliveries.
    fn role(&self) -> Role {
        Role::Work
    }

    /// It takes what a step made for each target, all of it.
    fn joins(&self) -> bool {
        false
    }

    /// In which order its nodes go.
    fn rollout(&self) -> Option<&Rollout> {
        None
    }

    /// What to do for one instance, with outputs, claims and how to probe for them.
    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused>;
}

/// See [`StepBody::role`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Neither of the others.
    Work,
    /// Checks an image: whatever delivers the image waits for it.
    Check,
    /// Changes a node or a registry: waits for the checks of the image.
    Delivery,
}

/// One thing that a step consumes.
#[derive(Debug, Clone)]
pub struct Input<'s> {
    /// The key that names its producer, such as `image`.
    pub key: &'static str,
    /// The producer's step id, where the recipe names one.
    pub named: Option<&'s Str>,
    /// Accepted types, preferred ones first.
    pub accepts: &'static [Artifact],
    /// Whether the step can do without.
    pub required: bool,
}

/// A [`StepKind`] without its type, as the registration table holds it.
pub trait AnyKind: Sync {
    /// See [`StepKind::NAME`].
    fn name(&self) -> &'static str;
    /// See [`StepKind::ALIASES`].
    fn aliases(&self) -> &'static [&'static str];
    /// See [`StepKind::SUMMARY`].
    fn summary(&self) -> &'static str;
    /// See [`StepKind::FLOW`].
    fn flow(&self) -> &'static str;
    /// See [`StepKind::TOOLS`].
    fn tools(&self) -> &'static [&'static str];
    /// The JSON Schema of its own keys.
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;
    /// Reads the kind's own keys of a step, those that can be read; whether it was all.
    fn configure(&self, step: &Step<'_>, diagnostics: &mut Diagnostics) -> Option<(Box<dyn StepBody>, bool)>;
    /// Looks for what is wrong with defaults of the kind's own keys.
    fn check_defaults(&self, defaults: &Defaults<'_>, diagnostics: &mut Diagnostics);
}

impl<K: StepKind> AnyKind for K {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn aliases(&self) -> &'static [&'static str] {
        K::ALIASES
    }

    fn summary(&self) -> &'static str {
        K::SUMMARY
    }

    fn flow(&self) -> &'static str {
        K::FLOW
    }

    fn tools(&self) -> &'static [&'static str] {
        K::TOOLS
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        K::Spec::json_schema(generator)
    }

    fn configure(&self, step: &Step<'_>, diagnostics: &mut Diagnostics) -> Option<(Box<dyn StepBody>, bool)> {
        let what = fmt::from_fn(|f| {
            write!(f, "step `{}`", step.id)?;
            if step.id.value == K::NAME { Ok(()) } else { write!(f, " ({})", K::NAME) }
        });
        let (spec, whole): (K::Spec, bool) =
            read_loosely(&step.table, &step.span, &what, &COMMON_KEYS, diagnostics)?;
        Some((Box::new(spec), whole))
    }

    fn check_defaults(&self, defaults: &Defaults<'_>, diagnostics: &mut Diagnostics) {
        let what = format!("`[defaults.{}]`", defaults.kind);
        read_part::<K::Spec>(&defaults.table, &defaults.kind.span, &what, &COMMON_KEYS, diagnostics);
    }
}
