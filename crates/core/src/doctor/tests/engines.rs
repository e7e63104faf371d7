//! `engine = "auto"` with tools that are there, broken, mute or absent.

use std::time::{Duration, Instant};

use super::kit::Space;
use crate::doctor::choose_engine;
use crate::plan::Engine;

const DAEMON: &str =
    "[ \"$1\" = version ] && { echo 20.10.24; exit; }; [ \"$1 $2\" = 'build --help' ] && exit 0; exit 9";
const NO_DAEMON: &str =
    "echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2; exit 1";

fn chosen(space: &Space) -> (Engine, String) {
    choose_engine(&space.env, space.here()).unwrap()
}

#[test]
fn docker_is_first() {
    let space = Space::new();
    space.script("bin/docker", DAEMON);
    space.tool("podman");
    space.tool("buildah");
    assert_eq!(chosen(&space), (Engine::Docker, "docker 20.10.24 works".into()));
}

#[test]
fn without_a_daemon_the_next_is_taken_and_the_reason_said() {
    let space = Space::new();
    space.script("bin/docker", NO_DAEMON);
    space.script(
        "bin/buildah",
        "echo 'buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)'",
    );
    let why = "docker: the client is there but no daemon answers (Cannot connect to the Docker daemon at unix:///x. \
               Is the docker daemon running?); buildx needs the same daemon; podman is not installed; \
               buildah 1.28.2 works";
    assert_eq!(chosen(&space), (Engine::Buildah, why.into()));
}

#[test]
fn podman_is_asked_for_nothing_that_opens_its_storage() {
    let space = Space::new();
    space.script(
        "bin/podman",
        "[ \"$*\" = --version ] || { echo storage >> opened; exit 125; }; echo podman version 4.3.1",
    );
    space.tool("buildah");
    assert_eq!(
        chosen(&space),
        (Engine::Podman, "docker is not installed; buildx is not there either; podman 4.3.1 works".into())
    );
    assert!(!space.file("opened").exists());
    space.script("bin/podman", "echo 'Error: cannot load libgpgme' >&2; exit 127");
    let (engine, why) = chosen(&space);
    assert_eq!(engine, Engine::Buildah);
    assert!(why.contains("podman does not work (Error: cannot load libgpgme)"), "{why}");
}

#[test]
fn buildx_where_the_clients_own_build_is_broken() {
    let space = Space::new();
    let broken = "[ \"$1\" = version ] && { echo 28.2.2; exit; }; \
                  [ \"$1 $2\" = 'buildx version' ] && { echo 'github.com/docker/buildx v0.30.0 x'; exit; }; \
                  echo 'ERROR: BuildKit is enabled but the buildx component is missing or broken.' >&2; exit 1";
    space.script("bin/docker", broken);
    let (engine, why) = chosen(&space);
    assert_eq!(engine, Engine::Buildx);
    assert!(why.contains("`docker build` cannot be used (ERROR: BuildKit is enabled"), "{why}");
    assert!(why.ends_with("buildx works (github.com/docker/buildx v0.30.0 x)"), "{why}");
}

#[test]
fn none_is_an_error_that_says_what_to_install() {
    let space = Space::new();
    let error = choose_engine(&space.env, space.here()).unwrap_err();
    assert_eq!(error.code, "engine::none");
    assert!(error.message.contains("docker is not installed; "), "{error}");
    assert!(error.message.ends_with("podman is not installed; buildah is not installed"), "{error}");
    assert!(error.help.unwrap().contains("apt-get install buildah"));
}

#[test]
fn a_mute_daemon_is_not_waited_for() {
    let space = Space::new();
    space.real(&["sleep"]);
    space.script("bin/docker", "exec sleep 60");
    space.tool("buildah");
    let begun = Instant::now();
    let (engine, why) = chosen(&space);
    assert_eq!(engine, Engine::Buildah);
    assert!(why.contains("no answer within 5 s"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn odd_words_of_a_tool_stay_one_line() {
    let space = Space::new();
    space.script("bin/docker", "printf 'bad \\033[31mthing\\r\\n' >&2; exit 1");
    space.tool("buildah");
    let (_, why) = chosen(&space);
    assert!(!why.contains(char::is_control) && why.contains("bad"), "{why:?}");
}
