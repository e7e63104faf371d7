//! `contexts`: what `COPY --from=NAME` and `FROM NAME` find besides stages and images.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::builder::Builder;
use crate::diag::Diagnostic;
use crate::image::ImageRef;
use crate::plan::Text;
use crate::spec::Str;
use crate::steps::{Lower, Lowered, Refused};

/// One of the three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ContextSpec {
    /// A folder, relative to the recipe's.
    path: Option<Str>,
    /// An image.
    image: Option<Str>,
    /// A step's folder (`git-checkout`, `patch-FROM`, `run`), or its image (`build`).
    pub(super) step: Option<Str>,
}

/// What engines are told of each, by name. Folders of the recipe count for whether the step must run.
pub(super) fn contexts(
    cx: &mut Lower<'_>,
    builder: Builder,
    contexts: &BTreeMap<String, ContextSpec>,
    lowered: &mut Lowered,
) -> Result<BTreeMap<String, Text>, Refused> {
    let mut told = BTreeMap::new();
    for (name, context) in contexts {
        let keys: Vec<&Str> = [&context.path, &context.image, &context.step].into_iter().flatten().collect();
        let [key] = keys.as_slice() else {
            let span = keys.first().map_or_else(|| cx.span.clone(), |key| key.span.clone());
            return Err(cx.refuse(
                Diagnostic::error(
                    "spec::bad-value",
                    format!("the context `{}` is one of `path`, `image` and `step`", name.escape_debug()),
                )
                .at(&span, if keys.is_empty() { "in this step" } else { "not the only one" })
                .help("write `{ path = \"conf\" }`, `{ image = \"alpine:3.20\" }` or `{ step = \"id\" }`"),
            ));
        };
        // Engines read the name as one of an image.
        if name.starts_with('-') || name.contains('=') || ImageRef::parse(name).is_err() {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-name", format!("bad name of a context: `{}`", name.escape_debug()))
                    .at(&key.span, "of this context")
                    .help("write it as `COPY --from=NAME` has it: a lower-case word, or the name of an image"),
            ));
        }
        builder.not_classic(cx, "more build contexts", &key.span)?;
        let value = match (&context.path, &context.image, &context.step) {
            (Some(path), ..) => {
                let path = cx.local_path(path)?;
                lowered.basis.reads.push(path.as_str().into());
                // Absolute, so that it is nothing but a path.
                Text::here(&path)
            }
            (_, Some(image), _) => Text::from(format!("docker-image://{}", cx.reference(image)?)),
            (.., step) => of_step(cx, step.as_ref().unwrap_or(key))?,
        };
        told.insert(name.clone(), value);
    }
    Ok(told)
}

/// Its folder, or its image by the private name.
fn of_step(cx: &Lower<'_>, step: &Str) -> Result<Text, Refused> {
    let output = |name: &str| (cx.view.output)(&step.value, name).ok();
    if let Some(dir) = output("dir") {
        let literal = dir.as_literal().filter(|dir| !dir.starts_with('/'));
        return Ok(literal.map_or_else(|| dir.clone(), Text::here));
    }
    // A step of the right kind has either, unless it is wrong in itself; then that has been reported.
    output("ref").map(|image| Text::from("docker-image://").then(&image)).ok_or(Refused)
}
