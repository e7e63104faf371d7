//! What an engine's store has.

use crate::actions::inspected::Inspected;
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::{Digest, ImageRef};
use crate::plan::PinBases;
use crate::platform::Platform;

/// The store of the engine that is going to build.
pub(super) struct Store<'a> {
    pub(super) pin: &'a PinBases,
    pub(super) cx: &'a ActionCx<'a>,
}

/// An image in it.
pub(super) struct Found {
    /// The digest of its configuration, where the engine tells.
    pub(super) id: Option<Digest>,
    /// `NAME@DIGEST` by which it was pulled.
    known_as: Vec<String>,
    /// Of its manifest, where the engine tells.
    manifest: Option<Digest>,
}

impl Found {
    /// The digest by which the image's registry has it, and that of the platform's manifest where it is another.
    pub(super) fn digests(&self, reference: &ImageRef) -> Option<(Digest, Option<Digest>)> {
        let of = |name: &String| {
            let (name, digest) = name.rsplit_once('@')?;
            (ImageRef::parse(name).ok()?.name() == reference.name()).then(|| Digest::parse(digest).ok())?
        };
        let mut digests: Vec<Digest> = self.known_as.iter().filter_map(of).collect();
        digests.sort_unstable();
        digests.dedup();
        match (digests.as_slice(), self.manifest) {
            ([only], _) => Some((*only, None)),
            // The index and the manifest in it.
            ([one, other], Some(manifest)) if *one == manifest => Some((*other, Some(manifest))),
            ([one, other], Some(manifest)) if *other == manifest => Some((*one, Some(manifest))),
            _ => None,
        }
    }
}

impl Store<'_> {
    pub(super) fn engine(&self) -> &'static str {
        self.pin.engine.name()
    }

    fn inspect(&self, image: &str) -> Result<Option<Inspected>, Failure> {
        let told = self.cx.run_any(&self.pin.inspect.clone().arg(image))?;
        if told.code == 0 { Inspected::parse(self.pin.engine, &told.stdout).map(Some) } else { Ok(None) }
    }

    /// The image, where it is there for the platform.
    pub(super) fn look(&self, image: &str, platform: &Platform) -> Result<Option<Found>, Failure> {
        let found = self.inspect(image)?.filter(|found| {
            platform.matches_config(&found.os, &found.architecture, found.variant.as_deref())
        });
        Ok(found.map(|found| Found {
            id: found.id.as_deref().and_then(|id| Digest::parse(id).ok()),
            known_as: found.known_as,
            manifest: found.manifest.as_deref().and_then(|digest| Digest::parse(digest).ok()),
        }))
    }

    /// It is not to be had.
    pub(super) fn missing(
        &self,
        image: &str,
        platform: &Platform,
        place: &str,
        registry: Option<&str>,
        remark: &str,
    ) -> Failure {
        let here = match self.inspect(image) {
            Ok(Some(found)) => {
                format!("{}'s store has it for {}/{}", self.engine(), found.os, found.architecture)
            }
            _ => format!("{}'s store does not have it", self.engine()),
        };
        let more = registry.unwrap_or(remark);
        Failure::new(
            FailureKind::Input,
            format!("{place}: the base image `{image}` is not to be had for {platform}: {here}, and {more}"),
        )
        .help(format!(
            "choose a base for {platform} with `patch-FROM`, or bring `{image}` into {}'s store for that platform",
            self.engine()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_that_others_can_pull_is_found() {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let name = |name: &str, of: &str| format!("{name}@{}", digest(of));
        let reference = ImageRef::parse("alpine:3.20").unwrap();
        let found = |known_as: Vec<String>, manifest: Option<&str>| {
            Found { id: None, known_as, manifest: manifest.map(digest) }.digests(&reference)
        };
        assert_eq!(found(vec![name("alpine", "index")], None), Some((digest("index"), None)));
        let both =
            || vec![name("docker.io/library/alpine", "index"), name("docker.io/library/alpine", "manifest")];
        assert_eq!(found(both(), Some("manifest")), Some((digest("index"), Some(digest("manifest")))));
        assert_eq!(found(both(), None), None, "which of them is the index nobody knows");
        assert_eq!(found(vec![name("example.com/alpine", "index")], None), None);
        assert_eq!(found(Vec::new(), Some("manifest")), None);
    }
}
