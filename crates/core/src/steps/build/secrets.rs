//! `secrets` and `ssh`: what the engine hands to `RUN --mount=type=secret` and `type=ssh`, and nobody else sees.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::builder::Builder;
use crate::diag::{Diagnostic, did_you_mean};
use crate::plan::SecretFrom;
use crate::spec::Str;
use crate::steps::{Lower, Refused};

/// Either of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Secret {
    /// The environment variable that holds it: one of `[env] secret`.
    env: Option<Str>,
    /// The file that holds it, absolute or relative to the recipe's folder. It is there before the run begins.
    file: Option<Str>,
}

/// An id stands in a list of `key=value` that engines read.
fn id_problem(id: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if id.is_empty() || id.starts_with(['-', '.']) || !id.chars().all(plain) {
        Some("ids hold letters, digits, `_`, `-` and `.`, and begin with no `-` or `.`")
    } else {
        None
    }
}

/// Where each secret comes from, by its id.
pub(super) fn secrets(
    cx: &mut Lower<'_>,
    builder: Builder,
    secrets: &BTreeMap<String, Secret>,
) -> Result<BTreeMap<String, SecretFrom>, Refused> {
    let mut from = BTreeMap::new();
    for (id, secret) in secrets {
        let (key, source) = match (&secret.env, &secret.file) {
            (Some(env), None) => (env, passed(cx, env)?),
            (None, Some(file)) => (file, SecretFrom::File(path(cx, file)?)),
            (env, _) => {
                let span = env.as_ref().map_or_else(|| cx.span.clone(), |env| env.span.clone());
                return Err(cx.refuse(
                    Diagnostic::error(
                        "spec::bad-value",
                        format!("the secret `{}` comes from `env` or from `file`", id.escape_debug()),
                    )
                    .at(&span, if env.is_some() { "this and `file` exclude each other" } else { "in this step" })
                    .help("write `{ env = \"NPM_TOKEN\" }` or `{ file = \"path\" }`"),
                ));
            }
        };
        if let Some(help) = id_problem(id) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-name", format!("bad id of a secret: `{}`", id.escape_debug()))
                    .at(&key.span, "of this secret")
                    .help(help),
            ));
        }
        builder.not_classic(cx, "secrets", &key.span)?;
        from.insert(id.clone(), source);
    }
    Ok(from)
}

/// A variable that the recipe passes and nobody may see.
fn passed(cx: &mut Lower<'_>, env: &Str) -> Result<SecretFrom, Refused> {
    let known = cx.values.recipe.secret_env();
    if known.contains(env.value.as_str()) {
        return Ok(SecretFrom::Env(env.value.clone()));
    }
    let name = env.value.escape_debug();
    let help = did_you_mean(&env.value, known).unwrap_or_else(|| format!("add `[env]` with `secret = [\"{name}\"]`"));
    Err(cx.refuse(
        Diagnostic::error("spec::env-not-passed", format!("`{name}` is not listed in `[env] secret`"))
            .at(&env.span, "not passed as a secret")
            .help(help),
    ))
}

/// A file that may lie anywhere: secrets do not belong into the recipe's repository.
fn path(cx: &mut Lower<'_>, file: &Str) -> Result<String, Refused> {
    let path = cx.word(file)?;
    let problem = if path.is_empty() {
        "it is empty"
    } else if path.chars().any(char::is_control) {
        "it holds a control character"
    } else if path.starts_with('~') {
        "no shell reads `~` here"
    } else {
        return Ok(path);
    };
    Err(cx.refuse(
        Diagnostic::error("spec::bad-path", format!("bad path `{}`: {problem}", path.escape_debug()))
            .at(&file.span, "this path")
            .help("write an absolute path, or one relative to the recipe's folder"),
    ))
}

/// The ids that `RUN --mount=type=ssh,id=…` may name.
pub(super) fn ssh(cx: &mut Lower<'_>, builder: Builder, ids: &[Str]) -> Result<Vec<String>, Refused> {
    let mut words: Vec<String> = Vec::new();
    for id in ids {
        let word = cx.word(id)?;
        if let Some(help) = id_problem(&word) {
            return Err(cx.refuse(
                Diagnostic::error("spec::bad-name", format!("bad id of an ssh agent: `{}`", word.escape_debug()))
                    .at(&id.span, "this id")
                    .help(format!("{help}; `default` is the usual one")),
            ));
        }
        builder.not_classic(cx, "ssh forwarding", &id.span)?;
        words.push(word);
    }
    Ok(words)
}
