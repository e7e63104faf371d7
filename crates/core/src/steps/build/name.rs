//! The image's name in the engine's store, and the more names that it gets.

use sha2::{Digest as _, Sha256};

use crate::diag::Diagnostic;
use crate::image::ImageRef;
use crate::spec::Str;
use crate::steps::{Lower, Refused};

/// The image's name in the engine's store: of this instance alone, and one that engines accept.
pub(super) fn private(recipe: &str, instance: &str) -> String {
    let parts: Vec<String> = std::iter::once(recipe).chain(instance.split('@')).map(component).collect();
    format!("localhost/pipeline/{}:latest", parts.join("/"))
}

/// A part of an image name. Our names may hold capitals and rows of dots, those may not; the digest keeps them apart.
fn component(name: &str) -> String {
    if ImageRef::parse(&format!("localhost/{name}")).is_ok() {
        return name.to_owned();
    }
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let digest: String = Sha256::digest(name).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{digest}", words.join("-"))
}

/// `tags`: full names with tags, none of them twice.
pub(super) fn tags(cx: &mut Lower<'_>, first: &Str, more: &[Str]) -> Result<(ImageRef, Vec<ImageRef>), Refused> {
    let reference = cx.reference(first)?;
    let mut names = vec![reference.clone()];
    for string in more {
        let name = cx.reference(string)?;
        let problem = if name.tag().is_none() || name.digest().is_some() {
            "has no tag, or a digest"
        } else if names.contains(&name) {
            "is the image's name already"
        } else {
            names.push(name);
            continue;
        };
        return Err(cx.refuse(
            Diagnostic::error("spec::bad-reference", format!("`{name}` {problem}"))
                .at(&string.span, "this name")
                .help("write more names like `registry:2.8`, each once"),
        ));
    }
    names.remove(0);
    Ok((reference, names))
}

#[cfg(test)]
mod tests {
    use super::private;
    use crate::image::ImageRef;

    #[test]
    fn names_in_the_engine_are_valid_and_keep_apart() {
        assert_eq!(private("demo", "image@arm64"), "localhost/pipeline/demo/image/arm64:latest");
        let names = ["a.b", "a..b", "A.b", "a-", "a_-b", "a-b", "1."];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let private = private(name, "x");
            assert!(ImageRef::parse(&private).is_ok(), "{private}");
            assert!(seen.insert(private), "{name}");
        }
    }
}
