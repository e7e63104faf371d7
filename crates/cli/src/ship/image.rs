//! The image: in which store or archive, for which platform, under which name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pipeline_core::image::{ImageRef, LocalImage};
use pipeline_core::platform::Platform;

use super::Refusal;
use crate::exit_code;

/// What is to be shipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ShipImage {
    pub(crate) from: From,
    pub(crate) platform: Platform,
    /// The full name on the nodes.
    pub(crate) reference: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// An engine's store, and the name there.
    Engine(&'static str, String),
    /// An archive or layout, by its absolute path.
    Archive(PathBuf),
}

/// The engines whose stores are searched, in this order.
const ENGINES: [&str; 3] = ["docker", "podman", "buildah"];

/// The transports of skopeo that are paths.
const ARCHIVES: [&str; 3] = ["docker-archive:", "oci-archive:", "oci:"];

/// The archive or layout that the text names, if it names one.
pub(crate) fn archive(text: &str) -> Option<&Path> {
    let path = ARCHIVES.iter().find_map(|prefix| text.strip_prefix(prefix)).map(Path::new);
    path.or_else(|| is_path(text).then(|| Path::new(text)))
}

/// The engine in whose store the image is, its name there, and its platform.
pub(crate) fn stored<'t>(
    text: &'t str,
    env: &BTreeMap<OsString, OsString>,
) -> Result<(&'static str, &'t str, Platform), Refusal> {
    let prefixed = ENGINES.iter().find_map(|engine| {
        let name = text.strip_prefix(engine)?.strip_prefix(':')?;
        Some((*engine, name))
    });
    let (engines, name) = match prefixed {
        Some((engine, name)) => (vec![engine], name),
        None => (ENGINES.to_vec(), text),
    };
    let named = full(name)?;
    let mut tried = Vec::new();
    for engine in engines {
        match inspected(engine, name, env) {
            Ok(platform) => return Ok((engine, name, platform)),
            Err(reason) => tried.push(format!("{engine}: {reason}")),
        }
    }
    Err(Refusal::new("image::not-found", exit_code::USAGE, format!("no store here has the image `{named}`"))
        .help(format!("{}\nA file is written with its path: `./{text}`", tried.join("\n"))))
}

fn full(text: &str) -> Result<ImageRef, Refusal> {
    ImageRef::parse(text).map_err(|error| {
        Refusal::new("image::bad-name", exit_code::USAGE, error.to_string())
            .help("an image is written like `registry:2` or `example.com/team/app:1`")
    })
}

/// Finds the image that the command line names.
pub(crate) fn find(
    text: &str,
    reference: Option<&str>,
    env: &BTreeMap<OsString, OsString>,
) -> Result<ShipImage, Refusal> {
    if let Some(path) = archive(text) {
        return archived(path, reference);
    }
    let known = reference.map(full).transpose()?;
    let (engine, name, platform) = stored(text, env)?;
    let reference = tagged(&known.map_or_else(|| full(name), Ok)?)?;
    Ok(ShipImage { from: From::Engine(engine, name.to_owned()), platform, reference })
}

fn is_path(text: &str) -> bool {
    text.starts_with(['/', '.']) || Path::new(text).is_file() || Path::new(text).join("oci-layout").is_file()
}

fn tagged(reference: &ImageRef) -> Result<String, Refusal> {
    if reference.tag().is_none() || reference.digest().is_some() {
        return Err(Refusal::new(
            "image::bad-name",
            exit_code::USAGE,
            format!("`{reference}` has no tag to be known by on a node"),
        )
        .help("give it a name with `--as docker.io/library/NAME:TAG`"));
    }
    Ok(reference.to_string())
}

fn archived(path: &Path, reference: Option<&str>) -> Result<ShipImage, Refusal> {
    let bad = |code, message: String| Refusal::new(code, exit_code::USAGE, message);
    let path = std::path::absolute(path)
        .map_err(|error| bad("image::unreadable", format!("{}: {error}", path.display())))?;
    let image = LocalImage::in_archive(&path).map_err(|error| {
        let reason = std::error::Error::source(&error).map_or(String::new(), |source| format!(": {source}"));
        bad("image::unreadable", format!("{error}{reason}"))
            .help("`docker save`, `podman save` and `skopeo copy` write archives")
    })?;
    let platform = image.platform();
    let platform = Platform::parse(&platform).map_err(|_| {
        bad(
            "image::wrong-platform",
            format!("{} holds an image for the unknown platform `{platform}`", path.display()),
        )
    })?;
    let names = image.names();
    let name = match (reference, names.as_slice()) {
        (Some(reference), _) => reference.to_owned(),
        (None, [name]) => name.clone(),
        (None, names) => {
            return Err(bad(
                "image::bad-name",
                format!("{} gives its image {} names", path.display(), names.len()),
            )
            .help("say which it gets on the nodes: `--as docker.io/library/NAME:TAG`"));
        }
    };
    let full = ImageRef::parse(&name).map_err(|error| {
        bad("image::bad-name", error.to_string())
            .help("say which name it gets on the nodes: `--as docker.io/library/NAME:TAG`")
    })?;
    Ok(ShipImage { from: From::Archive(path), platform, reference: tagged(&full)? })
}

/// The platform of an image in an engine's store, or why there is none.
fn inspected(engine: &str, name: &str, env: &BTreeMap<OsString, OsString>) -> Result<Platform, String> {
    // Old versions know no variant, and a template that names one fails.
    let templates = match engine {
        "buildah" => [
            "{{.OCIv1.OS}}/{{.OCIv1.Architecture}}{{if .OCIv1.Variant}}/{{.OCIv1.Variant}}{{end}}",
            "{{.OCIv1.OS}}/{{.OCIv1.Architecture}}",
        ],
        _ => ["{{.Os}}/{{.Architecture}}{{if .Variant}}/{{.Variant}}{{end}}", "{{.Os}}/{{.Architecture}}"],
    };
    let words: &[&str] =
        if engine == "buildah" { &["inspect", "--type", "image"] } else { &["image", "inspect"] };
    let ask = |template: &str| {
        let mut command = Command::new(engine);
        command.args(words).args(["--format", template, "--", name]);
        command.env_clear().envs(env).stdin(Stdio::null()).output()
    };
    let output = match ask(templates[0]) {
        Ok(output) if !output.status.success() => ask(templates[1]),
        other => other,
    };
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "not installed".to_owned(),
        _ => error.to_string(),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.trim().lines().last().unwrap_or("no such image").to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Platform::parse(text.trim()).map_err(|_| format!("has it for the unknown platform `{}`", text.trim()))
}
