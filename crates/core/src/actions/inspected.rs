//! What the engines' `inspect` commands print, as far as it matters.

use serde::Deserialize;

use crate::event::{Failure, FailureKind};
use crate::plan::Engine;
use crate::platform::Platform;

/// An image in an engine's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inspected {
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) variant: Option<String>,
    /// The config digest, where the engine knows it without an export.
    pub(super) id: Option<String>,
    /// `NAME@DIGEST` by which it was pulled.
    pub(super) known_as: Vec<String>,
    /// The digest of its manifest, where the engine tells.
    pub(super) manifest: Option<String>,
}

/// `docker image inspect` and `podman image inspect`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Docker {
    id: String,
    os: String,
    architecture: String,
    variant: Option<String>,
    /// Present where images are kept by manifest (docker ≥ 29): then `Id` is not the config digest.
    descriptor: Option<serde_json::Value>,
    repo_digests: Option<Vec<String>>,
    /// podman's alone.
    digest: Option<String>,
}

/// `buildah inspect --type image`.
#[derive(Deserialize)]
struct Buildah {
    #[serde(rename = "Manifest")]
    manifest: String,
    #[serde(rename = "OCIv1")]
    oci: BuildahConfig,
    #[serde(rename = "Docker")]
    docker: Option<BuildahConfig>,
}

#[derive(Deserialize)]
struct BuildahConfig {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

impl Inspected {
    /// Reads what `engine` printed.
    pub(super) fn parse(engine: Engine, json: &[u8]) -> Result<Self, Failure> {
        let bad = |error: serde_json::Error| {
            Failure::new(
                FailureKind::Tool,
                format!("{} printed something else than expected: {error}", engine.name()),
            )
            .help("report this with the tool's version")
        };
        if engine == Engine::Buildah {
            let image: Buildah = serde_json::from_slice(json).map_err(bad)?;
            let manifest: Manifest = serde_json::from_str(&image.manifest).map_err(bad)?;
            // The OCI view leaves the variant out in old versions; the docker view is the stored one.
            let variant = image.oci.variant.or_else(|| image.docker.and_then(|docker| docker.variant));
            return Ok(Self {
                os: image.oci.os,
                architecture: image.oci.architecture,
                variant,
                id: manifest.config.map(|config| config.digest),
                known_as: Vec::new(),
                manifest: None,
            });
        }
        let mut images: Vec<Docker> = serde_json::from_slice(json).map_err(bad)?;
        let image = images
            .pop()
            .ok_or_else(|| Failure::new(FailureKind::Tool, format!("{} printed no image", engine.name())))?;
        let id = if image.id.starts_with("sha256:") { image.id } else { format!("sha256:{}", image.id) };
        Ok(Self {
            os: image.os,
            architecture: image.architecture,
            variant: image.variant,
            id: (engine == Engine::Podman || image.descriptor.is_none()).then_some(id),
            known_as: image.repo_digests.unwrap_or_default(),
            manifest: image.digest,
        })
    }

    /// The image is for this platform, or the failure that says both.
    pub(super) fn must_be(&self, platform: &Platform, what: &str) -> Result<(), Failure> {
        if platform.matches_config(&self.os, &self.architecture, self.variant.as_deref()) {
            return Ok(());
        }
        let variant = self.variant.as_deref().filter(|text| !text.is_empty());
        let found: Vec<&str> =
            [self.os.as_str(), self.architecture.as_str()].into_iter().chain(variant).collect();
        Err(Failure::new(
            FailureKind::Mismatch,
            format!("{what} is for {}, not for {platform}", found.join("/")),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_in_its_own_words() {
        let docker =
            br#"[{"Id":"sha256:aa","Os":"linux","Architecture":"arm64","Variant":"v8","RepoTags":[]}]"#;
        let image = Inspected::parse(Engine::Docker, docker).unwrap();
        assert_eq!(image.id.as_deref(), Some("sha256:aa"));
        assert!(image.must_be(&Platform::parse("linux/arm64").unwrap(), "it").is_ok());
        let error = image.must_be(&Platform::parse("linux/amd64").unwrap(), "`x`").unwrap_err();
        assert_eq!(error.message, "`x` is for linux/arm64/v8, not for linux/amd64");

        let by_manifest = br#"[{"Id":"sha256:bb","Os":"linux","Architecture":"arm64","Descriptor":{"digest":"sha256:bb"}}]"#;
        assert_eq!(Inspected::parse(Engine::Docker, by_manifest).unwrap().id, None);

        let podman = br#"[{"Id":"cc","Os":"linux","Architecture":"arm","Variant":"v7"}]"#;
        assert_eq!(Inspected::parse(Engine::Podman, podman).unwrap().id.as_deref(), Some("sha256:cc"));

        let buildah = br#"{"Manifest":"{\"config\":{\"digest\":\"sha256:dd\"}}","OCIv1":{"os":"linux","architecture":"arm"},
            "Docker":{"os":"linux","architecture":"arm","variant":"v7"}}"#;
        let image = Inspected::parse(Engine::Buildah, buildah).unwrap();
        assert_eq!((image.id.as_deref(), image.variant.as_deref()), (Some("sha256:dd"), Some("v7")));
        assert!(Inspected::parse(Engine::Buildah, b"[]").is_err());
        assert!(Inspected::parse(Engine::Docker, b"[]").is_err());
    }
}
