//! The step kinds, one file each, and the table that registers them.
//!
//! A kind reads its keys, says what it consumes and produces, and lowers each instance to actions. Parsing with its
//! suggestions, the schema, the reference and `doctor` all come from the table.

mod engine;
mod kind;
mod lower;
mod rollout;
mod stdout;
mod verify_run;

pub use kind::{AnyKind, Input, Role, StepBody, StepKind};
pub use lower::{Claim, Lower, Lowered, One, Refused, Resolved, parse_duration};
pub use rollout::{OnFailure, Rollout};

use crate::diag::{Diagnostic, Diagnostics, did_you_mean, list_names};
use crate::spec::{Recipe, Step, Str, unknown_step};

macro_rules! step_kinds {
    ($($module:ident::$kind:ident,)*) => {
        $(mod $module;)*
        /// Every kind, in the order of the reference.
        pub static KINDS: &[&dyn AnyKind] = &[$(&$module::$kind,)*];
    };
}

step_kinds! {
    binfmt_register::BinfmtRegister,
    git_checkout::GitCheckout,
    patch_from::PatchFrom,
    build::BuildImage,
    local_image::LocalImage,
    audit::Audit,
    smoke::Smoke,
    save::Save,
    scp::Scp,
    load::Load,
    deliver::Deliver,
    skopeo_copy::SkopeoCopy,
    manifest::Manifest,
    crictl_verify::CrictlVerify,
    run::Run,
}

pub use engine::inspect_users as inspect_image;
pub(crate) use engine::{
    export as export_image, import as import_image, remove as remove_image, tag as tag_image,
};
pub(crate) use scp::remote_path_problem;

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static dyn AnyKind> {
    KINDS.iter().copied().find(|kind| kind.name() == name || kind.aliases().contains(&name))
}

/// A step and its configuration.
#[derive(Debug)]
pub struct Configured<'r> {
    /// The step.
    pub step: &'r Step<'r>,
    /// Its kind's name.
    pub kind: &'static str,
    /// Its configuration.
    pub body: Box<dyn StepBody>,
}

/// Reads every step's own keys; reports all that is wrong.
pub fn configure<'r>(recipe: &'r Recipe<'r>, diagnostics: &mut Diagnostics) -> Vec<Configured<'r>> {
    // First, so that what is wrong with them is told of them and not of each step that they reach.
    for defaults in &recipe.defaults {
        match find(&defaults.kind.value) {
            Some(kind) => kind.check_defaults(defaults, diagnostics),
            None => diagnostics.push(unknown(&defaults.kind)),
        }
    }
    let ids = recipe.known_ids();
    let mut configured = Vec::new();
    for step in &recipe.steps {
        let Some(kind) = find(&step.uses.value) else {
            diagnostics.push(unknown(&step.uses));
            continue;
        };
        let Some((body, whole)) = kind.configure(step, diagnostics) else { continue };
        for named in body.inputs().into_iter().filter_map(|input| input.named) {
            if !ids.has(&named.value) {
                diagnostics.push(unknown_step(&named.value, &named.span, &ids.list));
            }
        }
        if whole {
            configured.push(Configured { step, kind: kind.name(), body });
        }
    }
    configured
}

fn unknown(name: &Str) -> Diagnostic {
    let names = KINDS.iter().flat_map(|kind| kind.aliases().iter().copied().chain([kind.name()]));
    Diagnostic::error("spec::unknown-kind", format!("no step kind is called `{}`", name.value.escape_debug()))
        .at(&name.span, "unknown kind")
        .help(
            did_you_mean(&name.value, names).unwrap_or_else(|| {
                format!("the kinds are {}", list_names(KINDS.iter().map(|kind| kind.name())))
            }),
        )
}
