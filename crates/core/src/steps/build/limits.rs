//! `limits`: what `RUN` may take.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::builder::Builder;
use crate::diag::Diagnostic;
use crate::spec::{Scalar, Str, Whole};
use crate::steps::{Lower, Refused};

/// Where an engine cannot hold one of them, the recipe is refused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Limits {
    /// Memory, such as `512m` or `2g`.
    memory: Option<Str>,
    /// Processors, such as `1.5`.
    cpus: Option<Scalar>,
    /// Its share of the processors where others want them too; 1024 is what everybody has.
    cpu_shares: Option<Whole>,
    /// The size of `/dev/shm`, such as `64m`.
    shm_size: Option<Str>,
    /// Limits of processes by name: `{ nofile = "1024:4096" }`, soft and hard.
    #[serde(default)]
    ulimits: BTreeMap<String, Scalar>,
}

/// docker's and Linux' usual period of the scheduler, in microseconds.
const PERIOD: f64 = 100_000.0;

impl Limits {
    /// The flags, which docker, podman and buildah share.
    pub(super) fn flags(
        &self,
        cx: &mut Lower<'_>,
        builder: Builder,
        isolation: Option<&str>,
    ) -> Result<Vec<String>, Refused> {
        let mut flags = Vec::new();
        let mut add = |flag: &str, value: String| flags.extend([flag.to_owned(), value]);
        // buildah's `chroot` is no container: nothing is bounded there but processes.
        let chroot = isolation.map_or(builder == Builder::Buildah, |isolation| isolation == "chroot");
        let bounds = |cx: &mut Lower<'_>, what: &str, span| {
            let help = match builder {
                Builder::Podman | Builder::Buildah if chroot => "write `isolation = \"oci\"`: `chroot` is no container",
                Builder::Either => "write `buildkit = false`: of docker's builders only the classic one bounds that",
                Builder::BuildKit => "write `buildkit = false`, or take `podman` or `buildah` as `engine`",
                Builder::Buildx => "bound buildx's own container: `docker buildx create --driver-opt memory=2g`",
                _ => return Ok(()),
            };
            let builder = if builder == Builder::Either { Builder::BuildKit } else { builder };
            Err(builder.refuse(cx, &format!("bound on {what} here"), span, help))
        };
        if let Some(memory) = &self.memory {
            bounds(cx, "memory", &memory.span)?;
            add("--memory", size(cx, memory)?);
        }
        if let Some(Scalar(cpus)) = &self.cpus {
            bounds(cx, "processors", &cpus.span)?;
            add("--cpu-period", format!("{PERIOD}"));
            add("--cpu-quota", quota(cx, cpus)?);
        }
        if let Some(shares) = &self.cpu_shares {
            bounds(cx, "processors", &shares.span)?;
            if !(2..=262_144).contains(&shares.value) {
                return Err(cx.refuse(
                    Diagnostic::error("spec::bad-value", format!("`{}` is no share of processors", shares.value))
                        .at(&shares.span, "this value")
                        .help("write a number from 2 to 262144; 1024 is what everybody has"),
                ));
            }
            add("--cpu-shares", shares.value.to_string());
        }
        if let Some(shm) = &self.shm_size {
            if chroot {
                bounds(cx, "`/dev/shm`", &shm.span)?;
            }
            add("--shm-size", size(cx, shm)?);
        }
        for (name, Scalar(value)) in &self.ulimits {
            add("--ulimit", ulimit(cx, name, value)?);
        }
        Ok(flags)
    }
}

/// Bytes with a unit, as every engine reads them.
fn size(cx: &mut Lower<'_>, string: &Str) -> Result<String, Refused> {
    let word = cx.word(string)?;
    let digits = word.strip_suffix(['b', 'k', 'm', 'g']).unwrap_or(&word);
    if (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0') {
        return Ok(word);
    }
    Err(cx.refuse(
        Diagnostic::error("spec::bad-value", format!("`{}` is no size", word.escape_debug()))
            .at(&string.span, "this value")
            .help("write it like `512m` or `2g`"),
    ))
}

/// Microseconds of each period.
fn quota(cx: &mut Lower<'_>, string: &Str) -> Result<String, Refused> {
    let word = cx.word(string)?;
    match word.parse::<f64>() {
        Ok(cpus) if (0.01..=4096.0).contains(&cpus) => Ok(format!("{:.0}", cpus * PERIOD)),
        _ => Err(cx.refuse(
            Diagnostic::error("spec::bad-value", format!("`{}` is no number of processors", word.escape_debug()))
                .at(&string.span, "this value")
                .help("write it like `1.5`"),
        )),
    }
}

fn ulimit(cx: &mut Lower<'_>, name: &str, string: &Str) -> Result<String, Refused> {
    let word = cx.word(string)?;
    let number = |text: &str| text == "-1" || (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let named = (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase());
    if named && word.split(':').count() <= 2 && word.split(':').all(number) {
        return Ok(format!("{name}={word}"));
    }
    Err(cx.refuse(
        Diagnostic::error("spec::bad-value", format!("`{}={}` is no limit", name.escape_debug(), word.escape_debug()))
            .at(&string.span, "this value")
            .help("write it like `nofile = \"1024\"`, or `nofile = \"1024:4096\"` for soft and hard"),
    ))
}
