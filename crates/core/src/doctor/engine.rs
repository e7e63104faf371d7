//! Which build engine works here: for `engine = "auto"`, and for the report.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use super::{Area, Finding, Subject, needs, one_line};
use crate::diag::Diagnostic;
use crate::exec::{Answer, NoAnswer, Question, ask};
use crate::plan::Engine;

/// dockerd on a loaded machine answers in well under a second, and buildah at once.
const LIMIT: Duration = Duration::from_secs(5);

/// How many of them there may be.
const USER_NAMESPACES: &str = "/proc/sys/user/max_user_namespaces";

const NONE_HELP: &str = "install one that needs no daemon: `apt-get install buildah`; or `apt-get install podman`, or \
     `apt-get install docker.io`, and start it: `systemctl start docker`";

/// The engine that `engine = "auto"` means on this machine, and why, in one line: the first of docker, buildx, podman and
/// buildah that works. None is the error `engine::none`.
pub fn choose_engine(
    env: &BTreeMap<OsString, OsString>,
    here: &Path,
) -> Result<(Engine, String), Diagnostic> {
    let probe = Probe { env, here };
    let mut said: Vec<String> = Vec::new();
    let daemon = probe.daemon();
    for engine in Engine::ALL {
        match probe.engine(engine, &daemon) {
            Ok(works) => {
                said.push(works);
                return Ok((engine, said.join("; ")));
            }
            Err(reason) => said.push(reason),
        }
    }
    let message = format!("no build engine works on this machine: {}", said.join("; "));
    Err(Diagnostic::error("engine::none", message).help(NONE_HELP))
}

/// The report on engines, and without a plan the one that `auto` would take.
pub(super) fn examine(subject: &Subject<'_>) -> (Vec<Finding>, Option<Engine>) {
    // A plan has its engines already: another one is no help.
    if let Some(plan) = subject.plan {
        let probe = Probe { env: subject.env, here: subject.here };
        let needed = needs::engines(plan);
        if needed.is_empty() {
            return (Vec::new(), None);
        }
        let daemon = probe.daemon();
        let findings = needed.into_iter().map(|engine| match probe.engine(engine, &daemon) {
            Ok(works) => Finding::ok(&Area::Engine, engine.name(), works),
            Err(why) => {
                let remedy = probe.remedy(engine, &daemon);
                Finding::missing(&Area::Engine, engine.name(), why).remedy(remedy)
            }
        });
        return (findings.collect(), None);
    }
    match choose_engine(subject.env, subject.here) {
        Ok((engine, why)) => (vec![Finding::ok(&Area::Engine, engine.name(), why)], Some(engine)),
        Err(none) => {
            let finding = Finding::missing(&Area::Engine, "auto", none.message);
            (vec![finding.remedy("apt-get install buildah")], None)
        }
    }
}

/// Whether dockerd is there.
enum Daemon {
    Absent,
    Silent(String),
    Version(String),
}

struct Probe<'p> {
    env: &'p BTreeMap<OsString, OsString>,
    here: &'p Path,
}

impl Probe<'_> {
    /// Why the engine will do, or why not.
    fn engine(&self, engine: Engine, daemon: &Daemon) -> Result<String, String> {
        let root = rustix::process::geteuid().is_root();
        match engine {
            Engine::Docker => match daemon {
                Daemon::Absent => Err("docker is not installed".into()),
                Daemon::Silent(why) => {
                    Err(format!("docker: the client is there but no daemon answers ({why})"))
                }
                // The client tells without asking the daemon when it has no builder: `DOCKER_BUILDKIT=1` and no buildx.
                Daemon::Version(version) => match self.first_line(&["docker", "build", "--help"], LIMIT) {
                    Ok(_) => Ok(format!("docker {version} works")),
                    Err(why) => Err(format!("docker: `docker build` cannot be used ({why})")),
                },
            },
            // An image that buildx has built is loaded into dockerd, which smoke tests and archives take it from: without
            // that daemon buildx is of no use, and with it `docker build` works too, and is first. So `auto` takes buildx
            // only where the client's own `build` is broken or switched off.
            Engine::Buildx => match daemon {
                Daemon::Absent => Err("buildx is not there either".into()),
                Daemon::Silent(_) => Err("buildx needs the same daemon".into()),
                Daemon::Version(_) => self
                    .first_line(&["docker", "buildx", "version"], LIMIT)
                    .map(|line| format!("buildx works ({line})"))
                    .map_err(|why| format!("buildx cannot be used ({why})")),
            },
            // `podman info` would say more, but it makes the storage folders where there are none, and without root starts
            // a process that stays; with throw-away folders it says nothing about the real ones. A plan writes nothing,
            // so only this is asked, and what podman cannot do without where it runs without root.
            Engine::Podman => self
                .first_line(&["podman", "--version"], LIMIT)
                .and_then(|line| rootless(root, Path::new(USER_NAMESPACES)).map(|()| works(&line)))
                .map_err(|why| {
                    if why == NOT_INSTALLED {
                        format!("podman {why}")
                    } else {
                        format!("podman does not work ({why})")
                    }
                }),
            Engine::Buildah => {
                self.first_line(&["buildah", "--version"], LIMIT).map(|line| works(&line)).map_err(|why| {
                    if why == NOT_INSTALLED {
                        format!("buildah {why}")
                    } else {
                        format!("buildah does not work ({why})")
                    }
                })
            }
        }
    }

    /// What to type when an engine does not work.
    fn remedy(&self, engine: Engine, daemon: &Daemon) -> &'static str {
        match (engine, daemon) {
            (Engine::Docker | Engine::Buildx, Daemon::Absent) => "apt-get install docker.io",
            (Engine::Docker | Engine::Buildx, Daemon::Silent(why)) if why.contains("permission denied") => {
                "sudo usermod -aG docker \"$USER\", and log in again"
            }
            (Engine::Docker | Engine::Buildx, Daemon::Silent(_)) => {
                let elsewhere = self.env.contains_key(OsStr::new("DOCKER_HOST"));
                if elsewhere {
                    "docker version, with DOCKER_HOST as it is now"
                } else {
                    "systemctl start docker"
                }
            }
            (Engine::Docker, Daemon::Version(_)) => "unset DOCKER_BUILDKIT",
            (Engine::Buildx, Daemon::Version(_)) => "apt-get install docker-buildx",
            (Engine::Podman, _) => "apt-get install podman",
            (Engine::Buildah, _) => "apt-get install buildah",
        }
    }

    fn daemon(&self) -> Daemon {
        match self.first_line(&["docker", "version", "--format", "{{.Server.Version}}"], LIMIT) {
            Ok(version) if version.starts_with(|c: char| c.is_ascii_digit()) => Daemon::Version(version),
            Ok(line) => Daemon::Silent(format!("it says `{line}` where a version should be")),
            Err(why) if why == NOT_INSTALLED => Daemon::Absent,
            Err(why) => Daemon::Silent(why),
        }
    }

    /// The first line of stdout of a command that succeeds, or why there is none.
    fn first_line(&self, argv: &[&str], within: Duration) -> Result<String, String> {
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        let question = Question { argv: &argv, dir: self.here, env: self.env, hold_stdin: false, within };
        match ask(&question) {
            Ok(Answer { status, stdout, .. }) if status.success() => {
                Ok(one_line(stdout.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()))
            }
            // The first line says what, those after it what to do; a note on something else may come before it.
            Ok(Answer { status, stderr, .. }) => {
                let line =
                    stderr.iter().find(|line| line.to_lowercase().contains("error")).or(stderr.first());
                Err(line.map_or_else(|| status.to_string(), |line| one_line(line)))
            }
            Err(NoAnswer::NotFound) => Err(NOT_INSTALLED.into()),
            Err(NoAnswer::Io(error)) => Err(error.to_string()),
            Err(NoAnswer::TooLate(_)) => Err(format!("no answer within {} s", within.as_secs())),
        }
    }
}

const NOT_INSTALLED: &str = "is not installed";

/// Without root, podman's storage needs user namespaces.
fn rootless(root: bool, limit: &Path) -> Result<(), String> {
    let none = std::fs::read_to_string(limit).is_ok_and(|text| text.trim() == "0");
    if root || !none { Ok(()) } else { Err("this machine allows no user namespaces".into()) }
}

/// `buildah version 1.28.2 (image-spec …, runtime-spec …)`, `podman version 4.3.1`
fn works(line: &str) -> String {
    let version = line.split(" (").next().unwrap_or_default().replace(" version ", " ");
    format!("{version} works")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podman_needs_user_namespaces_without_root() {
        let folder = tempfile::tempdir().unwrap();
        let limit = folder.path().join("max");
        assert!(rootless(false, &limit).is_ok(), "where the kernel does not say, it may work");
        std::fs::write(&limit, "0\n").unwrap();
        assert!(rootless(false, &limit).is_err());
        assert!(rootless(true, &limit).is_ok());
        std::fs::write(&limit, "15000\n").unwrap();
        assert!(rootless(false, &limit).is_ok());
    }
}
