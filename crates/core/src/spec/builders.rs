//! `[builders]`: the machine that builds a platform's images natively.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::read::{read as read_table, schema_of};
use super::shape;
use super::text::Str;
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::HostKeys;
use crate::platform::Platform;

/// A builder: `"linux/arm64" = "ssh://user@host"`, or a table with that as its `url`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct BuilderSpec {
    /// `ssh://[user@]host[:port]`; docker's socket there may follow, such as `/run/user/1000/docker.sock`.
    pub url: Str,
    /// An ssh configuration file instead of the user's own; relative to the recipe's folder.
    pub ssh_config: Option<Str>,
    /// A private key file; relative to the recipe's folder.
    pub identity: Option<Str>,
    /// Hosts to go through on the way there, in order, separated by commas.
    pub jump: Option<Str>,
    /// The one host key that is accepted, as `ssh-ed25519 AAAA…`.
    pub host_key: Option<Str>,
    /// Which other host keys are: `strict` or `accept-new`, as for nodes.
    pub host_key_policy: Option<HostKeys>,
    /// `emulate` builds here by emulation when the builder does not answer as a run begins; it is a failure when absent.
    pub fallback: Option<Fallback>,
}

/// What is done without a builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The image is built on this machine.
    Emulate,
}

/// `[builders]`, each with the place of its platform, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Builders {
    /// Those that could be read.
    pub list: Vec<(Str, Platform, BuilderSpec)>,
}

/// Reads the table; false where something in it is lost.
pub(super) fn read(table: &DeTable<'_>, diagnostics: &mut Diagnostics) -> (Builders, bool) {
    let (mut builders, mut whole) = (Builders::default(), true);
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let name = Str { value: key.get_ref().to_string(), span: key.span() };
        let spec = match value.get_ref() {
            DeValue::String(url) => Some(BuilderSpec::at(Str { value: url.to_string(), span: value.span() })),
            DeValue::Table(inner) => read_table(
                inner,
                &name.span,
                &format!("builder `{}`", name.value.escape_debug()),
                &[],
                diagnostics,
            ),
            other => {
                diagnostics.push(
                    Diagnostic::error(
                        "spec::wrong-type",
                        format!(
                            "`builders.\"{}\"` must be a string or a table, not {}",
                            name.value.escape_debug(),
                            shape::what(other)
                        ),
                    )
                    .at(&value.span(), "this value")
                    .help(format!("write `{:?} = \"ssh://user@host\"`", name.value)),
                );
                None
            }
        };
        let platform = match Platform::parse(&name.value) {
            Ok(platform) => Some(platform),
            Err(error) => {
                diagnostics.push(
                    Diagnostic::error("spec::unknown-platform", format!("`builders`: {error}"))
                        .at(&name.span, "the builder of this platform")
                        .maybe_help(error.suggestion.map(|near| format!("did you mean `{near}`?"))),
                );
                None
            }
        };
        let (Some(spec), Some(platform)) = (spec, platform) else {
            whole = false;
            continue;
        };
        if let Some((first, ..)) = builders.list.iter().find(|(_, known, _)| *known == platform) {
            diagnostics.push(
                Diagnostic::error("spec::duplicate-id", format!("two builders are for {platform}"))
                    .at(&name.span, "the second")
                    .at(&first.span, "the first")
                    .help("take one of them out"),
            );
            continue;
        }
        builders.list.push((name, platform, spec));
    }
    (builders, whole)
}

impl BuilderSpec {
    /// Every string in it that may hold `${…}`.
    pub(super) fn strings(&self) -> impl Iterator<Item = &Str> {
        let more = [&self.ssh_config, &self.identity, &self.jump, &self.host_key];
        std::iter::once(&self.url).chain(more.into_iter().flatten())
    }

    fn at(url: Str) -> Self {
        Self {
            url,
            ssh_config: None,
            identity: None,
            jump: None,
            host_key: None,
            host_key_policy: None,
            fallback: None,
        }
    }
}

impl JsonSchema for Builders {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Builders".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut table = (*schema_of::<BuilderSpec>()).clone();
        table["additionalProperties"] = false.into();
        json_schema!({
            "type": "object",
            "description": "The machine that builds the images of a platform natively, over ssh: `\"linux/arm64\" = \"ssh://user@host\"`.",
            "additionalProperties": { "anyOf": [{ "type": "string" }, table] },
        })
    }
}
