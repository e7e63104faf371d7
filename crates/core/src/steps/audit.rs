//! `audit`: is the image what its label says?

use schemars::JsonSchema;
use serde::Deserialize;

use super::engine;
use super::smoke::engine_of_image;
use super::{Input, Lower, Lowered, Refused, Role, StepBody, StepKind};
use crate::audit::{Deny, Rules, glob};
use crate::diag::Diagnostic;
use crate::plan::{Action, Artifact, AuditImage, Probe, ShipFrom};
use crate::spec::{Scope, Str};

pub(super) struct Audit;

impl StepKind for Audit {
    const NAME: &'static str = "audit";
    const SUMMARY: &'static str = "Check that the programs in an image are for the platform";
    const FLOW: &'static str = "Image or Archive → a check: nothing delivers the image before it has passed";
    const TOOLS: &'static [&'static str] = &[];
    type Spec = Spec;
}

/// Reads the layers, without unpacking or running anything, and compares the ELF machine of every program and library with the
/// target's platform and with the image's label. Each `build` does this by itself; this step is for archives, and for images
/// that were built elsewhere. Emulators (`qemu-*-static`), firmware, libraries of cross compilers and npm's `prebuilds` may be of
/// another platform. A value of `[env] secret` in a layer, the configuration or the history is a failure that names the place.
/// Setuid files and what everybody may change are told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Spec {
    /// The step that built the image or wrote its archive; found by itself where there is one.
    image: Option<Str>,
    /// Paths that may be of any platform, such as `["opt/firmware/**"]`: globs, `**` for any number of folders.
    #[serde(default)]
    allow: Vec<Str>,
    /// What is a failure and not only told: `setuid`, `world-writable`.
    #[serde(default)]
    deny: Vec<Deny>,
}

/// `audit` of a build: what its image may and may not hold, or `false` for no audit.
#[derive(Debug)]
pub(super) enum OfBuild {
    Off,
    On(Keys),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Keys {
    /// Paths that may be of any platform, such as `["opt/firmware/**"]`: globs, `**` for any number of folders.
    #[serde(default)]
    allow: Vec<Str>,
    /// What is a failure and not only told: `setuid`, `world-writable`.
    #[serde(default)]
    deny: Vec<Deny>,
}

/// By hand, as serde's untagged enums lose places and say nothing of what is wrong.
impl<'de> Deserialize<'de> for OfBuild {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = OfBuild;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true`, `false` or a table `{ allow, deny }`")
            }

            fn visit_bool<E>(self, on: bool) -> Result<OfBuild, E> {
                Ok(if on { OfBuild::On(Keys::default()) } else { OfBuild::Off })
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<OfBuild, A::Error> {
                Keys::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(OfBuild::On)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for OfBuild {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Audit".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [bool::json_schema(generator), Keys::json_schema(generator)] })
    }
}

impl OfBuild {
    /// The rules, where there is an audit.
    pub(super) fn rules(this: Option<&Self>, cx: &mut Lower<'_>) -> Result<Option<Rules>, Refused> {
        match this {
            None => Ok(Some(Rules::default())),
            Some(Self::Off) => Ok(None),
            Some(Self::On(keys)) => rules(&keys.allow, &keys.deny, cx).map(Some),
        }
    }
}

fn rules(allow: &[Str], deny: &[Deny], cx: &mut Lower<'_>) -> Result<Rules, Refused> {
    let mut rules = Rules { allow: Vec::new(), deny: deny.to_vec() };
    for pattern in allow {
        let word = cx.word(pattern)?;
        let problem = match glob(&word) {
            Err(problem) => problem,
            Ok(_) if word.trim_matches('/').is_empty() => "it is empty".into(),
            Ok(_) => {
                rules.allow.push(word);
                continue;
            }
        };
        return Err(cx.refuse(
            Diagnostic::error("spec::bad-value", format!("`{}` is no pattern of paths: {problem}", word.escape_debug()))
                .at(&pattern.span, "this pattern")
                .help("write it like `opt/firmware/**` or `usr/bin/tool`"),
        ));
    }
    Ok(rules)
}

impl StepBody for Spec {
    fn scope(&self) -> Scope {
        Scope::Target
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        vec![Input {
            key: "image",
            named: self.image.as_ref(),
            accepts: &[Artifact::Archive, Artifact::Image],
            required: true,
        }]
    }

    fn role(&self) -> Role {
        Role::Check
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<Lowered, Refused> {
        let platform = cx.platform()?;
        let rules = rules(&self.allow, &self.deny, cx)?;
        let id = cx.need("image", "id")?;
        let is_archive = cx.inputs.get("image").is_some_and(|input| input.artifact == Artifact::Archive);
        let from = if is_archive {
            ShipFrom::Archive(cx.need("image", "path")?)
        } else {
            let engine = engine_of_image(cx);
            engine::origin(engine, cx.need("image", "handle")?, cx.input("image", "store").is_some())
        };
        // Of a layout it is the digest of a file in it.
        let is_file = cx.input("image", "format").and_then(crate::plan::Text::as_literal) != Some("oci");
        let sha256 = cx.input("image", "sha256").filter(|_| is_archive && is_file).cloned();
        let report = cx.work("audit.json").into();
        let mut lowered = Lowered::default();
        lowered.push(Action::Audit(AuditImage { from, id, sha256, platform: Some(platform), rules, report }));
        lowered.probe = Some(Probe::Nothing);
        Ok(lowered)
    }
}
