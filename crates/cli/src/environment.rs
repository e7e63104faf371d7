//! What of the environment reaches steps, and what of it sets variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pipeline_core::output::Redactor;

/// A CI system has set `CI`.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false" | "no"))
}

/// Names that tools get. The list is documented; it never counts for whether a step is up to date.
const PASSED: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "SSH_AUTH_SOCK",
    "STORAGE_DRIVER",
    "REGISTRY_AUTH_FILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "BUILDX_BUILDER",
    "BUILDKIT_HOST",
];

/// The same by prefix.
const PREFIXES: [&str; 3] = ["DOCKER_", "CONTAINERS_", "CONTAINER_"];

/// The complete environment of steps' tools: the short list, and what the recipe passes.
pub(crate) fn for_steps(passed: &[String]) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<OsString, OsString> = std::env::vars_os()
        .filter(|(name, _)| {
            let Some(name) = name.to_str() else { return false };
            PASSED.contains(&name)
                || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                || passed.iter().any(|other| other == name)
        })
        .collect();
    // Messages that are parsed and outputs that are compared do not depend on who runs the recipe.
    env.insert("LC_ALL".into(), "C.UTF-8".into());
    env
}

/// The user's folder for what can be had again: `$XDG_CACHE_HOME/pipeline`, else below `~/.cache`.
pub(crate) fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("pipeline"))
}

/// What hides the values of these names, and `more`.
pub(crate) fn redactor(secret: &[String], more: &[Vec<u8>]) -> Redactor {
    let values: Vec<OsString> = secret.iter().filter_map(std::env::var_os).collect();
    Redactor::new(values.iter().map(|value| value.as_bytes()).chain(more.iter().map(Vec::as_slice)))
}

/// A name whose value cannot be hidden, as it is too short. An empty one is none.
pub(crate) fn too_short(secret: &[String]) -> Option<&String> {
    let short = |value: &OsString| !value.is_empty() && Redactor::is_too_short(value.as_bytes());
    secret.iter().find(|name| std::env::var_os(name).as_ref().is_some_and(short))
}

/// `PIPELINE_VAR_NAME=VALUE`, by name.
pub(crate) fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((name.to_str()?.strip_prefix("PIPELINE_VAR_")?.to_owned(), value.into_string().ok()?))
        })
        .collect()
}

/// The values of the names that a recipe passes.
pub(crate) fn values(passed: &[String]) -> BTreeMap<String, String> {
    passed.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
}
