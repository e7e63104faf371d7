//! What an image's registry has, asked through skopeo.

use oci_spec::image::{ImageIndex, ImageManifest, Platform as OciPlatform};

use crate::event::Failure;
use crate::exec::ActionCx;
use crate::image::{Digest, ImageRef};
use crate::lock::Image;
use crate::plan::Command;
use crate::platform::Platform;

/// Seconds that a registry may take to answer.
const PATIENCE: &str = "20s";

/// What came of asking.
pub(super) enum Answer {
    /// This is the image for the platform.
    Has(Image),
    /// It has the image for these platforms only.
    Lacks(Vec<Platform>),
    /// It cannot be asked: why, as a fragment.
    Silent(String),
}

/// What a name stands for in its registry.
pub(super) fn ask(cx: &ActionCx<'_>, image: &ImageRef, platform: &Platform) -> Result<Answer, Failure> {
    if cx.tool("skopeo").is_err() {
        return Ok(Answer::Silent("without skopeo its registry cannot be asked".into()));
    }
    let ask = |what: &str, name: String| {
        let words = ["skopeo", "--command-timeout", PATIENCE, "inspect", what, "--"];
        let told = cx.run_any(&Command::new(words).arg(format!("docker://{name}")))?;
        Ok::<_, Failure>((told.code == 0).then_some(told.stdout))
    };
    let silent = || Answer::Silent(format!("its registry `{}` did not answer skopeo", image.registry()));
    let Some(document) = ask("--raw", image.to_string())? else { return Ok(silent()) };
    let digest = Digest::of(&document);
    let by = |digest: &Digest| format!("{}@{digest}", image.name());
    if let Some(listed) = listed(&document) {
        let Some(manifest) = fitting(&listed, platform) else {
            return Ok(Answer::Lacks(listed.into_iter().map(|(platform, _)| platform).collect()));
        };
        let id = ask("--raw", by(&manifest))?.as_deref().and_then(configuration);
        return Ok(id.map_or_else(silent, |id| {
            Answer::Has(Image { digest: Some(digest), manifest: Some(manifest), id })
        }));
    }
    // One image, not an index: its configuration tells for which platform.
    let Some(id) = configuration(&document) else { return Ok(silent()) };
    let config = ask("--config", by(&digest))?;
    let Some(only) = config.as_deref().and_then(config_platform) else { return Ok(silent()) };
    Ok(if only.arch() == platform.arch() {
        Answer::Has(Image { digest: Some(digest), manifest: None, id })
    } else {
        Answer::Lacks(vec![only])
    })
}

/// The manifest for the platform; an older variant of the architecture runs as well.
fn fitting(listed: &[(Platform, Digest)], platform: &Platform) -> Option<Digest> {
    let exact = listed.iter().find(|(other, _)| other == platform);
    exact
        .or_else(|| listed.iter().find(|(other, _)| other.arch() == platform.arch()))
        .map(|(_, digest)| *digest)
}

/// The platforms of an index and their manifests; `None` for a single manifest.
fn listed(json: &[u8]) -> Option<Vec<(Platform, Digest)>> {
    let index: ImageIndex = serde_json::from_slice(json).ok()?;
    let known = |platform: &OciPlatform| {
        let variant = platform.variant().as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
        Platform::parse(&format!("{}/{}{variant}", platform.os(), platform.architecture())).ok()
    };
    let one = index.manifests().iter().filter_map(|manifest| {
        let platform = known(manifest.platform().as_ref()?)?;
        Some((platform, Digest::parse(manifest.digest().as_ref()).ok()?))
    });
    Some(one.collect())
}

/// The digest of a manifest's configuration: the image id.
fn configuration(json: &[u8]) -> Option<Digest> {
    let manifest: ImageManifest = serde_json::from_slice(json).ok()?;
    Digest::parse(manifest.config().digest().as_ref()).ok()
}

/// The platform in an image's configuration.
fn config_platform(json: &[u8]) -> Option<Platform> {
    let config: serde_json::Value = serde_json::from_slice(json).ok()?;
    let field = |name: &str| config.get(name).and_then(|value| value.as_str());
    Platform::parse(&format!("{}/{}", field("os")?, field("architecture")?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(platform: &str, digit: &str) -> String {
        let digest = digit.repeat(64);
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:{digest}","platform":{platform}}}"#
        )
    }

    #[test]
    fn an_index_tells_its_platforms_and_a_manifest_none() {
        let entries = [
            entry(r#"{"os":"linux","architecture":"arm","variant":"v6"}"#, "6"),
            entry(r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#, "8"),
            entry(r#"{"os":"unknown","architecture":"unknown"}"#, "0"),
        ];
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        let listed = super::listed(index.as_bytes()).unwrap();
        let shown: Vec<String> = listed.iter().map(|(platform, _)| platform.to_string()).collect();
        assert_eq!(shown, ["linux/arm/v6", "linux/arm64"]);
        let of = |text: &str| {
            fitting(&listed, &Platform::parse(text).unwrap()).map(|digest| digest.hex()[..1].to_owned())
        };
        assert_eq!(of("linux/arm64").as_deref(), Some("8"));
        assert_eq!(of("linux/arm/v7").as_deref(), Some("6"), "an older variant runs as well");
        assert_eq!(of("linux/amd64"), None);
        assert!(super::listed(br#"{"schemaVersion":2,"config":{}}"#).is_none());
        assert!(super::listed(b"not json").is_none());
        let config = config_platform(br#"{"os":"linux","architecture":"amd64","rootfs":{}}"#).unwrap();
        assert_eq!(config.to_string(), "linux/amd64");
        assert!(config_platform(b"{}").is_none());
    }
}
