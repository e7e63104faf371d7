//! What each build engine is asked, as commands. One file an engine.

mod buildah;
mod docker;
mod podman;

use std::collections::BTreeMap;

use crate::plan::{Action, Command, Engine, MoveImage, ShipFrom, Store, Text, Way};
use crate::platform::Platform;

/// A build, engine apart.
#[derive(Debug)]
pub(super) struct Build<'b> {
    pub(super) platform: &'b Platform,
    pub(super) context: &'b Text,
    pub(super) dockerfile: &'b Text,
    /// The private name in the engine's store.
    pub(super) tag: &'b str,
    /// The engine writes its id of the image here.
    pub(super) iidfile: &'b Text,
    pub(super) args: BTreeMap<String, Text>,
    pub(super) labels: BTreeMap<String, Text>,
    /// By name, for engines that keep manifests.
    pub(super) annotations: &'b BTreeMap<String, Text>,
    /// The folder where they are held ready, and their ids: the names there.
    pub(super) secrets: (&'b str, &'b [String]),
    /// Ids for which the ssh agent answers.
    pub(super) ssh: &'b [String],
    pub(super) stage: Option<&'b str>,
    pub(super) network: Option<&'b str>,
    pub(super) isolation: Option<&'b str>,
    /// Flags that bound what it takes.
    pub(super) limits: &'b [String],
    pub(super) no_cache: bool,
    pub(super) cache_from: &'b [String],
    pub(super) cache_to: &'b [String],
    /// The flag for when bases are pulled.
    pub(super) pull: Option<&'b str>,
    /// More contexts, by name.
    pub(super) contexts: &'b BTreeMap<String, Text>,
    /// `oci` or `docker`, for engines that have the choice.
    pub(super) format: &'b str,
    /// Seconds since the epoch that the image's timestamps are set to.
    pub(super) epoch: Text,
    /// BuildKit (`true`), the classic builder (`false`), or as the docker client decides.
    pub(super) buildkit: Option<bool>,
}

/// A command to run in a built image.
#[derive(Debug)]
pub(super) struct Smoke<'b> {
    pub(super) handle: &'b Text,
    pub(super) platform: &'b Platform,
    /// The container's name.
    pub(super) name: &'b str,
    pub(super) argv: Vec<Text>,
    /// It must print something.
    pub(super) talks: bool,
    pub(super) network: Option<&'b str>,
    pub(super) isolation: Option<&'b str>,
}

/// The commands around a container: before, the one that counts, and after in any case.
#[derive(Debug)]
pub(super) struct SmokeCommands {
    pub(super) before: Vec<Action>,
    pub(super) run: Command,
    pub(super) after: Vec<Action>,
}

/// `engine build`
pub(super) fn build(engine: Engine, build: &Build<'_>) -> Command {
    match engine {
        Engine::Docker => docker::build(build),
        Engine::Buildx => docker::buildx(build),
        Engine::Podman => podman::build(build),
        Engine::Buildah => buildah::build(build),
    }
}

/// Prints an image's configuration as JSON; the image is appended.
pub(super) fn inspect(engine: Engine) -> Command {
    match engine {
        Engine::Docker | Engine::Buildx => Command::new(["docker", "image", "inspect", "--"]),
        Engine::Podman => Command::new(["podman", "image", "inspect", "--"]),
        Engine::Buildah => buildah::command(&["inspect", "--type", "image", "--"]),
    }
}

/// The command that prints the configuration of an image in the user's own store as JSON; the image is appended.
pub fn inspect_users(engine: Engine) -> Command {
    match engine {
        Engine::Buildah => Command::new(["buildah", "inspect", "--type", "image", "--"]),
        other => inspect(other),
    }
}

/// Tells which images there are.
pub(super) fn store(engine: Engine) -> Store {
    let listed = |tool: &str| {
        Store::Listed([tool, "image", "ls", "--all", "--quiet", "--no-trunc"].map(Text::from).into())
    };
    match engine {
        Engine::Docker | Engine::Buildx => listed("docker"),
        Engine::Podman => listed("podman"),
        // `buildah images` leaves a mount behind.
        Engine::Buildah => Store::Containers(Text::here(buildah::ROOT)),
    }
}

/// An image on its way to a builder or home from there, where there is one. `format`: the one that it was built in.
pub(super) fn moved(
    builder: Option<&str>,
    way: Way,
    engine: Engine,
    handle: &Text,
    tag: &str,
    format: Option<&str>,
) -> Option<Action> {
    Some(Action::MoveImage(MoveImage {
        builder: builder?.to_owned(),
        way,
        engine,
        handle: handle.clone(),
        tag: tag.to_owned(),
        format: format.filter(|_| engine == Engine::Podman).map(str::to_owned),
    }))
}

/// Writes an image as a docker-archive; from the user's own store, or from the recipe's where the engine has one.
pub(crate) fn export(engine: Engine, users: bool, handle: &Text, to: &str) -> Command {
    match engine {
        Engine::Docker | Engine::Buildx => {
            Command::new(["docker", "save", "--output", to, "--"]).arg(handle.clone())
        }
        Engine::Podman => {
            Command::new(["podman", "save", "--quiet", "--format", "docker-archive", "--output", to, "--"])
                .arg(handle.clone())
        }
        Engine::Buildah => buildah_on(users, &["push", "--quiet", "--"])
            .arg(handle.clone())
            .arg(Text::from("docker-archive:").lit(to)),
    }
}

/// Takes an image out of a docker-archive into the user's own store, or into the recipe's where the engine has one.
pub(crate) fn import(engine: Engine, users: bool, from: &str) -> Command {
    match engine {
        Engine::Docker | Engine::Buildx => Command::new(["docker", "load", "--quiet", "--input", from]),
        Engine::Podman => Command::new(["podman", "load", "--quiet", "--input", from]),
        Engine::Buildah => {
            buildah_on(users, &["pull", "--quiet", "--"]).arg(Text::from("docker-archive:").lit(from))
        }
    }
}

/// Gives an image a name there.
pub(crate) fn tag(engine: Engine, users: bool, id: &str, name: &Text) -> Command {
    match engine {
        Engine::Docker | Engine::Buildx => Command::new(["docker", "image", "tag", "--", id]),
        Engine::Podman => Command::new(["podman", "image", "tag", "--", id]),
        Engine::Buildah => buildah_on(users, &["tag", "--", id]),
    }
    .arg(name.clone())
}

/// `buildah` on the user's own store, or on the recipe's.
fn buildah_on(users: bool, args: &[&str]) -> Command {
    if users { Command::new(["buildah"]).args(args.iter().copied()) } else { buildah::command(args) }
}

/// Takes a name and what only it names out of the user's own store; nothing where the engine's is the recipe's.
pub(crate) fn remove(engine: Engine, name: &str) -> Option<Command> {
    let tool = match engine {
        Engine::Docker | Engine::Buildx => "docker",
        Engine::Podman => "podman",
        Engine::Buildah => return None,
    };
    // 1: there is none. 2: podman's, for what is in use.
    Some(Command { ok: (&[0, 1, 2]).into(), ..Command::new([tool, "image", "rm", "--", name]) })
}

/// Where an image lies, by what the engine calls it; in the user's own store, or in the recipe's where the engine has one.
pub(super) fn origin(engine: Engine, handle: Text, users: bool) -> ShipFrom {
    ShipFrom::Engine {
        engine,
        handle,
        inspect: if users { inspect_users(engine) } else { inspect(engine) }.into(),
        store: own_store(engine).filter(|_| !users),
    }
}

/// The root of the engine's store, where it is the recipe's own.
fn own_store(engine: Engine) -> Option<Text> {
    (engine == Engine::Buildah).then(|| Text::here(buildah::ROOT))
}

/// Runs a command in an image.
pub(super) fn smoke(engine: Engine, smoke: &Smoke<'_>) -> SmokeCommands {
    match engine {
        Engine::Docker | Engine::Buildx => docker::smoke("docker", smoke),
        Engine::Podman => docker::smoke("podman", smoke),
        Engine::Buildah => buildah::smoke(smoke),
    }
}

/// The image as skopeo names it, where skopeo can read the engine's store without being told where the daemon is. By its
/// private name: an id would have to be without `sha256:` there. What arrives is compared with the id.
pub(super) fn skopeo_source(engine: Engine, name: &Text) -> Option<Text> {
    match engine {
        Engine::Docker | Engine::Buildx => None,
        Engine::Podman => Some(Text::from("containers-storage:").then(name)),
        Engine::Buildah => Some(
            Text::from("containers-storage:[")
                .then(&Text::here(buildah::ROOT))
                .lit("+")
                .then(&Text::here(buildah::RUNROOT))
                .lit("]")
                .then(name),
        ),
    }
}

/// `--flag name=value` for each.
fn pairs<'m>(flag: &'m str, map: &'m BTreeMap<String, Text>) -> impl Iterator<Item = Text> + 'm {
    map.iter().flat_map(move |(name, value)| [Text::from(flag), Text::from(format!("{name}=")).then(value)])
}

/// Flags that podman and buildah share besides.
fn containers(command: Command, build: &Build<'_>) -> Command {
    common(command, build)
        .args(pairs("--annotation", build.annotations))
        .args(["--format", build.format])
        .arg("--timestamp")
        .arg(build.epoch.clone())
}

/// Flags that docker, podman and buildah share.
fn common(mut command: Command, build: &Build<'_>) -> Command {
    command = command
        .args(["--platform".to_owned(), build.platform.to_string()])
        .args(["--tag", build.tag, "--iidfile"])
        .arg(build.iidfile.clone())
        .arg("--file")
        .arg(build.dockerfile.clone());
    command = command.args(pairs("--build-arg", &build.args)).args(pairs("--label", &build.labels));
    command = command.args(pairs("--build-context", build.contexts));
    let (held, ids) = build.secrets;
    for id in ids {
        command = command
            .arg("--secret")
            .arg(Text::from(format!("id={id},src=")).then(&Text::here(held)).lit(&format!("/{id}")));
    }
    for (flag, values) in
        [("--ssh", build.ssh), ("--cache-from", build.cache_from), ("--cache-to", build.cache_to)]
    {
        command = command.args(values.iter().flat_map(|value| [flag, value.as_str()]));
    }
    command = command.args(build.limits.iter().map(String::as_str));
    if let Some(pull) = build.pull {
        command = command.arg(pull);
    }
    if let Some(stage) = build.stage {
        command = command.args(["--target", stage]);
    }
    if let Some(network) = build.network {
        command = command.args(["--network", network]);
    }
    if build.no_cache {
        command = command.arg("--no-cache");
    }
    command
}
