//! A Dockerfile is interpreted by nobody but who may.

use super::rewrite_from::read;
use crate::dockerfile;
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::ImageRef;
use crate::plan::CheckFrontend;

pub(super) fn perform(check: &CheckFrontend, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let shown = check.dockerfile.to_string();
    let text = read(&cx.resolve_path(&check.dockerfile)?, &shown)?;
    for frontend in dockerfile::frontends(&text) {
        let (line, name) = (frontend.line, frontend.image.escape_debug().to_string());
        let image = ImageRef::parse(&frontend.image).ok();
        if !check.runs {
            cx.say(format!(
                "{shown}, line {line}: {} runs no `{name}`: it reads the Dockerfile itself",
                check.engine.name()
            ));
        } else if !image.as_ref().is_some_and(|image| check.allow.iter().any(|allowed| image.fits(allowed))) {
            return Err(Failure::new(
                FailureKind::Input,
                format!("{shown}, line {line}: `{name}` would interpret the Dockerfile, and is not allowed to"),
            )
            .help("take the line out, or add the image to the step's `frontends = […]`, best with its digest, if you trust it"));
        } else if image.is_some_and(|image| image.digest().is_none()) {
            cx.say(format!("{shown}, line {line}: `{name}` has no digest, so its registry decides what interprets the Dockerfile"));
        }
    }
    Ok(())
}
