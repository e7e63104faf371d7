//! The images that a Dockerfile builds on: to be had for the platform, and those that the lock names.

mod local;
mod registry;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use self::local::Store;
use self::registry::Answer;
use super::Performer;
use super::rewrite_from::read;
use super::write_file::write_file;
use crate::dockerfile::{self, Base, BuildArgs, Rules};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::{Digest, ImageRef};
use crate::lock::{Image, Key, Pin};
use crate::plan::PinBases;
use crate::platform::Platform;

/// What steps build for each other is named so; it changes with every build, and no lock knows it.
const OURS: &str = "localhost/pipeline/";

/// Files beside a Dockerfile that tell what is left out of its context.
const IGNORE: [&str; 2] = [".dockerignore", ".containerignore"];

pub(super) fn perform(pin: &PinBases, performer: &Performer<'_>, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let shown = pin.dockerfile.to_string();
    let (from, to) = (cx.resolve_path(&pin.dockerfile)?, cx.resolve_path(&pin.to)?);
    let text = read(&from, &shown)?;
    let bad =
        |error: &dockerfile::DockerfileError| Failure::new(FailureKind::Input, format!("{shown}: {error}"));
    let args = args(pin, &performer.platform, cx)?;
    let bases = dockerfile::bases_given(&text, &args).map_err(|error| bad(&error))?;
    let mut names = BTreeMap::new();
    for base in bases.iter().filter(|base| base.external) {
        let place = format!("{shown}, line {}", base.line);
        let Some((image, platform)) = meaning(base, &pin.platform, &place, cx) else { continue };
        let store = Store { pin, cx };
        if let Some(name) = one(&store, &image, &platform, &place)? {
            names.insert(base.image.clone(), name);
        }
    }
    let pinned = if names.is_empty() {
        text
    } else {
        let rewritten =
            dockerfile::rewrite_given(&text, &Rules::Replace(names), &args).map_err(|error| bad(&error))?;
        rewritten.diff().lines().for_each(|line| cx.say(line));
        rewritten.bytes
    };
    write_file(&to, &pinned)?;
    IGNORE.iter().try_for_each(|suffix| ignore(&from, &to, suffix))
}

/// What tells a builder which files are no part of the context lies beside the Dockerfile, and must here too.
fn ignore(from: &Path, to: &Path, suffix: &str) -> Result<(), Failure> {
    let beside = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        std::path::PathBuf::from(name)
    };
    match read(&beside(from), suffix) {
        Ok(text) => write_file(&beside(to), &text),
        Err(_) => {
            let _ = std::fs::remove_file(beside(to));
            Ok(())
        }
    }
}

/// What the recipe gives, and what builders know by themselves.
fn args(pin: &PinBases, here: &Platform, cx: &ActionCx<'_>) -> Result<BuildArgs, Failure> {
    let mut given = HashMap::new();
    for (name, value) in &pin.args {
        given.insert(name.clone(), cx.resolve(value)?.to_string_lossy().into_owned());
    }
    let mut automatic = HashMap::new();
    for (prefix, platform) in [("TARGET", &pin.platform), ("BUILD", here)] {
        let parts = [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os().to_owned()),
            ("ARCH", platform.arch().to_owned()),
            ("VARIANT", platform.variant().unwrap_or_default().to_owned()),
        ];
        automatic.extend(parts.into_iter().map(|(part, value)| (format!("{prefix}{part}"), value)));
    }
    Ok(BuildArgs { given, automatic })
}

/// The image and the platform that a line asks for; none where only the build will know.
fn meaning(base: &Base, target: &Platform, place: &str, cx: &ActionCx<'_>) -> Option<(String, Platform)> {
    let platform = match (&base.platform, &base.expanded_platform) {
        (None, _) => Some(target.clone()),
        (Some(_), known) => known.as_ref().and_then(|text| Platform::parse(text).ok()),
    };
    let known = base.expanded.clone().zip(platform);
    if known.is_none() {
        cx.say(format!(
            "{place}: which image `{}` is, only the build will know; no lock holds it",
            base.image.escape_debug()
        ));
    }
    known
}

/// The name that stands in the Dockerfile instead of this one, if another does.
fn one(store: &Store<'_>, image: &str, platform: &Platform, place: &str) -> Result<Option<String>, Failure> {
    let (pin, cx) = (store.pin, store.cx);
    if image.starts_with(OURS) {
        if !pin.only_ask && store.look(image, platform)?.is_none() {
            return Err(store.missing(image, platform, place, None, "it is another step's"));
        }
        return Ok(None);
    }
    // An id says by itself what is meant.
    if Digest::from_hex(image).is_some() {
        return Ok(None);
    }
    let reference = ImageRef::parse(image)
        .map_err(|error| Failure::new(FailureKind::Input, format!("{place}: {error}")))?;
    if reference.digest().is_some() {
        to_be_had(store, &reference, image, platform, place)?;
        return Ok(None);
    }
    let key = Key::Image { image: reference.clone(), platform: platform.clone() };
    match cx.pin(&key)? {
        Some(Pin::Image(pinned)) => locked(store, &reference, image, platform, &pinned, place),
        _ => match to_be_had(store, &reference, image, platform, place)? {
            Some(found) => match cx.pinned(&key, Pin::Image(found)) {
                Pin::Image(pinned) => Ok(pinned.digest.map(|digest| by_digest(&reference, &digest))),
                Pin::Git(_) => Ok(None),
            },
            None => Ok(None),
        },
    }
}

fn by_digest(reference: &ImageRef, digest: &Digest) -> String {
    format!("{}@{digest}", reference.name())
}

/// The image that the lock names is what is built on, under whichever name it is to be had.
fn locked(
    store: &Store<'_>,
    reference: &ImageRef,
    image: &str,
    platform: &Platform,
    pinned: &Image,
    place: &str,
) -> Result<Option<String>, Failure> {
    let cx = store.cx;
    if let Some(digest) = &pinned.digest {
        let name = by_digest(reference, digest);
        if store.look(&name, platform)?.is_none()
            && let Some(found) = store.look(image, platform)?
            && found.id == Some(pinned.id)
        {
            cx.say(format!(
                "base `{image}` is the one that the lock names; {} does not know it by its digest",
                store.engine()
            ));
            return Ok(None);
        }
        cx.say(format!("base `{image}` is {digest} for {platform}, by the lock"));
        return Ok(Some(name));
    }
    let here = store.look(image, platform)?;
    let id = here.as_ref().and_then(|found| found.id);
    if id == Some(pinned.id) {
        cx.say(format!("base `{image}` is {} for {platform}, by the lock", pinned.id));
        return Ok(None);
    }
    let what = match id {
        Some(id) => format!("{}'s store has {id}", store.engine()),
        None => format!("{}'s store does not have it", store.engine()),
    };
    let message = format!(
        "{place}: the lock says that the base image `{image}` for {platform} is {}, and {what}",
        pinned.id
    );
    Err(Failure::new(FailureKind::Lock, message).help(format!(
        "bring that image into {}'s store, or take another one for good: `pipeline lock --update '*{image}*'`",
        store.engine()
    )))
}

/// What the image is: by the engine's store, else by its registry. None where neither tells, and the engine has the last word.
fn to_be_had(
    store: &Store<'_>,
    reference: &ImageRef,
    image: &str,
    platform: &Platform,
    place: &str,
) -> Result<Option<Image>, Failure> {
    let cx = store.cx;
    if store.pin.upstream
        && reference.registry() != "localhost"
        && let Answer::Has(remote) = registry::ask(cx, reference, platform)?
    {
        return Ok(Some(remote));
    }
    let here = store.look(image, platform)?;
    if let Some(found) = &here {
        cx.say(format!("base `{image}` is in {}'s store, for {platform}", store.engine()));
        let Some(id) = found.id else { return Ok(None) };
        let alone = Image { digest: None, manifest: None, id };
        if let Some((digest, manifest)) = found.digests(reference) {
            return Ok(Some(Image { digest: Some(digest), manifest, id }));
        }
        if reference.registry() == "localhost" {
            return Ok(Some(alone));
        }
        return Ok(Some(match registry::ask(cx, reference, platform)? {
            Answer::Has(remote) if remote.id == id => remote,
            Answer::Has(_) | Answer::Lacks(_) => {
                cx.say(format!("base `{image}`: its registry has another one under this name"));
                alone
            }
            Answer::Silent(_) => alone,
        }));
    }
    if reference.registry() == "localhost" {
        return Err(store.missing(image, platform, place, Some("`localhost` is no registry"), ""));
    }
    match registry::ask(cx, reference, platform)? {
        Answer::Has(remote) => Ok(Some(remote)),
        Answer::Lacks(known) => {
            let known = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let registry = format!("its registry has it only for {known}");
            Err(store.missing(image, platform, place, Some(&registry), ""))
        }
        // The engine may know a mirror, or trust a registry that skopeo does not.
        Answer::Silent(why) => {
            cx.say(format!("base `{image}` is not in {}'s store for {platform}, and {why}", store.engine()));
            Ok(None)
        }
    }
}
