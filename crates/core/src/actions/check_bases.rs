//! Every base image is to be had for the platform, before anything is built on it.

use super::inspected::Inspected;
use super::rewrite_from::read;
use crate::dockerfile;
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::ImageRef;
use crate::plan::{CheckBases, Command};
use crate::platform::Platform;

pub(super) fn perform(check: &CheckBases, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let shown = check.dockerfile.to_string();
    let text = read(&cx.resolve_path(&check.dockerfile)?, &shown)?;
    let bases = dockerfile::bases(&text)
        .map_err(|error| Failure::new(FailureKind::Input, format!("{shown}: {error}")))?;
    let mut seen = Vec::new();
    for base in bases.iter().filter(|base| base.external) {
        // A stage that is built for the build machine's platform has a base of that platform.
        let (None, Some(image)) = (&base.platform, &base.expanded) else { continue };
        if !seen.contains(image) {
            one(check, image, &format!("{shown}, line {}", base.line), cx)?;
            seen.push(image.clone());
        }
    }
    Ok(())
}

fn one(check: &CheckBases, image: &str, place: &str, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let (platform, engine) = (&check.platform, check.engine);
    let local = cx.run_any(&check.inspect.clone().arg(image))?;
    let found = if local.code == 0 { Some(Inspected::parse(engine, &local.stdout)?) } else { None };
    if let Some(inspected) = &found
        && platform.matches_config(&inspected.os, &inspected.architecture, inspected.variant.as_deref())
    {
        cx.say(format!("base `{image}` is in {}'s store, for {platform}", engine.name()));
        return Ok(());
    }
    let help = format!(
        "choose a base for {platform} with `patch-FROM`, or bring `{image}` into {}'s store for that platform",
        engine.name()
    );
    let here = match &found {
        Some(inspected) => {
            format!("{}'s store has it for {}/{}", engine.name(), inspected.os, inspected.architecture)
        }
        None => format!("{}'s store does not have it", engine.name()),
    };
    let refuse = |registry: String| {
        Failure::new(
            FailureKind::Input,
            format!(
                "{place}: the base image `{image}` is not to be had for {platform}: {here}, and {registry}"
            ),
        )
        .help(help.clone())
    };
    let reference = ImageRef::parse(image)
        .map_err(|error| Failure::new(FailureKind::Input, format!("{place}: {error}")))?;
    if reference.registry() == "localhost" {
        return Err(refuse("`localhost` is no registry".into()));
    }
    if cx.tool("skopeo").is_err() {
        cx.say(format!("base `{image}`: {here}; without skopeo its registry cannot be asked beforehand"));
        return Ok(());
    }
    let ask = |what: &str| {
        cx.run_any(&Command::new(["skopeo", "inspect", what, "--"]).arg(format!("docker://{reference}")))
    };
    let manifest = ask("--raw")?;
    if manifest.code != 0 {
        // The engine may know a mirror, or trust a registry that skopeo does not: it has the last word.
        cx.say(format!(
            "base `{image}`: {here}; its registry `{}` did not answer skopeo",
            reference.registry()
        ));
        return Ok(());
    }
    let known = match platforms(&manifest.stdout) {
        Some(known) => known,
        // One image, not an index: its configuration tells.
        None => match config_platform(&ask("--config")?.stdout) {
            Some(only) => vec![only],
            None => return Ok(()),
        },
    };
    // An older variant of the architecture runs as well.
    if known.iter().any(|other| other.arch() == platform.arch()) {
        return Ok(());
    }
    let known = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(refuse(format!("its registry has it only for {known}")))
}

/// The platform in an image's configuration.
fn config_platform(json: &[u8]) -> Option<Platform> {
    let config: serde_json::Value = serde_json::from_slice(json).ok()?;
    let field = |name: &str| config.get(name).and_then(|value| value.as_str());
    Platform::parse(&format!("{}/{}", field("os")?, field("architecture")?)).ok()
}

/// The platforms of an index; `None` for a single manifest.
fn platforms(json: &[u8]) -> Option<Vec<Platform>> {
    let index: serde_json::Value = serde_json::from_slice(json).ok()?;
    let field = |platform: &serde_json::Value, name: &str| {
        platform.get(name).and_then(|value| value.as_str()).map(str::to_owned)
    };
    let manifests = index.get("manifests")?.as_array()?;
    Some(
        manifests
            .iter()
            .filter_map(|manifest| {
                let platform = manifest.get("platform")?;
                let variant =
                    field(platform, "variant").map(|variant| format!("/{variant}")).unwrap_or_default();
                Platform::parse(&format!(
                    "{}/{}{variant}",
                    field(platform, "os")?,
                    field(platform, "architecture")?
                ))
                .ok()
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::{config_platform, platforms};

    #[test]
    fn an_index_tells_its_platforms_and_a_manifest_none() {
        let index = br#"{"manifests":[{"platform":{"os":"linux","architecture":"arm","variant":"v7"}},
            {"platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
            {"platform":{"os":"unknown","architecture":"unknown"}}]}"#;
        let shown: Vec<String> = platforms(index).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["linux/arm/v7", "linux/arm64"]);
        assert!(platforms(br#"{"config":{}}"#).is_none());
        assert!(platforms(b"not json").is_none());
        let config = config_platform(br#"{"os":"linux","architecture":"amd64","rootfs":{}}"#).unwrap();
        assert_eq!(config.to_string(), "linux/amd64");
        assert!(config_platform(b"{}").is_none());
    }
}
