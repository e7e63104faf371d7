//! The tables of `pipeline.toml`, as they stand in the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use toml::de::DeValue;

use super::text::Str;
use crate::plan::{Engine, HostKeys, Runtime};
use crate::source::Sources;

/// What the recipe is called, and what builds its images.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct Header {
    /// The recipe's name; the folder's name when absent.
    pub name: Option<Str>,
    /// One line for `pipeline list`.
    pub description: Option<String>,
    /// What builds images: `docker`, `buildx`, `podman`, `buildah`, or `auto` (the default): the first of these that works.
    #[schemars(schema_with = "engines")]
    pub engine: Option<Str>,
}

/// What is built for one platform, and the nodes that get it. A recipe without targets has one, `host`, of this machine's
/// platform.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TargetSpec {
    /// The platform, such as `linux/arm64` or `linux/arm/v7`.
    pub platform: Str,
    /// The nodes that get the image: names, patterns such as `edge-*`, labels such as `rack=3`, and names of groups; this
    /// machine when absent.
    #[serde(default)]
    pub nodes: Option<Vec<Str>>,
    /// Values of variables for this target.
    #[serde(default)]
    pub vars: BTreeMap<String, Scalar>,
    /// One line for `pipeline list`.
    #[serde(default)]
    pub description: Option<String>,
}

/// A machine that gets images. One without `host` is this machine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct NodeSpec {
    /// One line for `pipeline list`.
    pub description: Option<String>,
    /// `host`, `user@host` or an alias of ssh_config; this machine when absent.
    pub host: Option<Str>,
    /// An ssh configuration file instead of the user's own; relative to the recipe's folder.
    pub ssh_config: Option<Str>,
    /// TCP port of sshd.
    pub port: Option<NonZeroU16>,
    /// A private key file; relative to the recipe's folder.
    pub identity: Option<Str>,
    /// Hosts to go through on the way there, in order, separated by commas: `user@bastion:2222,inner`.
    pub jump: Option<Str>,
    /// The one host key that is accepted, as `ssh-ed25519 AAAA…`.
    pub host_key: Option<Str>,
    /// Which other host keys are: `strict`, those that are known; `accept-new`, also those of hosts that are not known yet,
    /// which are kept below `.pipeline`. As ssh_config says when absent; nobody is asked.
    pub host_key_policy: Option<HostKeys>,
    /// Run commands there through `sudo -n`.
    #[serde(default)]
    pub sudo: bool,
    /// The node's own platform; asked of the node when absent.
    pub platform: Option<Str>,
    /// Platforms that the node executes by emulation.
    #[serde(default)]
    pub emulates: Vec<Str>,
    /// What runs containers there: `cri-o` (the default), `containerd`, `docker` or `podman`.
    pub runtime: Option<Runtime>,
    /// The CRI endpoint, such as `unix:///run/crio/crio.sock`; crictl's own configuration when absent.
    pub cri: Option<Str>,
    /// The node's containers-storage, when it is not where its storage.conf says.
    pub storage: Option<StorageSpec>,
    /// The folder for files that arrive there; `/var/tmp/pipeline` when absent.
    pub dir: Option<Str>,
    /// How many instances work with it at the same time.
    pub max_parallel: Option<NonZeroU16>,
    /// The most that is sent there in a second, such as `500 kB/s` or `10 MB/s`: by each `scp`, and by all the `deliver` of a
    /// run together.
    pub bandwidth: Option<Str>,
    /// What groups, targets and `--node` tell it by: `labels = { rack = "3" }` for `rack=3`.
    #[serde(default)]
    pub labels: BTreeMap<String, Scalar>,
}

/// A node's containers-storage: `storage = { driver = "overlay", root = "/…", runroot = "/…" }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StorageSpec {
    /// `overlay` or `vfs`.
    pub driver: Option<Str>,
    /// Absolute path of images and layers.
    pub root: Str,
    /// Absolute path of the volatile state.
    pub runroot: Option<Str>,
}

/// What steps see of the environment, besides a short list that is always passed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct EnvSpec {
    /// Names of environment variables that steps get, and that `${env.NAME}` may use.
    pub pass: Vec<Str>,
    /// Names of environment variables that steps get on this machine and nobody may see: no `${env.NAME}` uses them, and
    /// their values are `***` wherever they are printed.
    pub secret: Vec<Str>,
}

/// The engines, or a string with a value in it.
pub(crate) fn engines(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Engine::ALL.iter().map(|engine| engine.name()).chain(["auto"]).collect();
    json_schema!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": "\\$\\{" }] })
}

/// The value of a variable: a string, number or boolean; used as text.
#[derive(Debug, Clone)]
pub struct Scalar(pub Str);

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<Shown>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self(Str { value: spanned.into_inner().0, span }))
    }
}

/// A value as text. What is none is found where it stands, also in an array.
struct Shown(String);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Shown;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, `true` or `false`")
            }

            fn visit_str<E>(self, text: &str) -> Result<Shown, E> {
                Ok(Shown(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Shown, E> {
                Ok(Shown(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Shown, E> {
                Ok(Shown(number.to_string()))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Shown, E> {
                Ok(Shown(flag.to_string()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// A value that is a string, a number or a boolean, as text.
pub(super) fn scalar(value: &toml::Spanned<DeValue<'_>>, sources: &Sources) -> Option<Str> {
    let mut scalar = Scalar::deserialize(toml::de::ValueDeserializer::from(value.clone())).ok()?;
    exact(&mut scalar, sources);
    Some(scalar.0)
}

/// A number with a point as it was written: a version `3.10` is not `3.1`.
pub(super) fn exact(scalar: &mut Scalar, sources: &Sources) {
    let written = sources.slice(&scalar.0.span).replace('_', "");
    let number = |text: &str| text.parse::<f64>().ok();
    if written.contains('.') && number(&written).is_some() && number(&written) == number(&scalar.0.value) {
        scalar.0.value = written;
    }
}

/// What has values that are text, whatever they were written as.
pub(super) trait Scalars {
    /// All of them.
    fn scalars(&mut self) -> impl Iterator<Item = &mut Scalar>;
}

impl Scalars for TargetSpec {
    fn scalars(&mut self) -> impl Iterator<Item = &mut Scalar> {
        self.vars.values_mut()
    }
}

impl Scalars for NodeSpec {
    fn scalars(&mut self) -> impl Iterator<Item = &mut Scalar> {
        self.labels.values_mut()
    }
}

impl NodeSpec {
    /// Every string in it.
    pub fn strings(&self) -> Vec<&Str> {
        let storage = self
            .storage
            .iter()
            .flat_map(|storage| storage.driver.iter().chain([&storage.root]).chain(&storage.runroot));
        self.host
            .iter()
            .chain(&self.ssh_config)
            .chain(&self.identity)
            .chain(&self.jump)
            .chain(&self.host_key)
            .chain(&self.bandwidth)
            .chain(&self.platform)
            .chain(&self.emulates)
            .chain(&self.cri)
            .chain(&self.dir)
            .chain(storage)
            .collect()
    }
}
