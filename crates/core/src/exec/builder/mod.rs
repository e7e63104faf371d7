//! Builders in a run: where the images of a platform are built is decided once, told once, and never silently.
//!
//! `look` asks a builder what it is, `bridge` brings its engine's socket here. A builder that cannot be used is a failure,
//! unless the recipe's `fallback` lets its images be emulated here.

mod bridge;
mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use bridge::{Ask, Bridge};

use super::asked::Once;
use super::cancel::Cancel;
use super::connection::Connections;
use super::context::ActionCx;
use crate::event::{EventKind, Failure, FailureKind};
use crate::plan::{Builder, Command, Engine, Place};

type Opened = Arc<Mutex<Option<Result<Arc<Bridge>, Failure>>>>;

/// The ways to builders, by builder and engine: they end with the run's connections.
#[derive(Default)]
pub(super) struct Bridges(Mutex<BTreeMap<(String, Engine), Opened>>);

impl Bridges {
    /// Whoever comes first opens it, and the others wait. One that cannot be opened is not tried again; one that is lost is.
    pub(super) fn get(
        &self,
        ask: &Ask<'_>,
        connections: &Connections,
        folder: &std::path::Path,
        groups: &Arc<Cancel>,
    ) -> Result<Arc<Bridge>, Failure> {
        let key = (ask.builder.platform.to_string(), ask.engine);
        let (opened, number) = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let number = all.len();
            (Arc::clone(all.entry(key).or_default()), number)
        };
        let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            Some(Ok(bridge)) if bridge.has_ended() => {}
            Some(known) => return known.clone(),
            None => {}
        }
        // Its socket's name is free before another one takes it.
        *opened = None;
        let socket: PathBuf = folder.join(format!("engine-{number}"));
        let bridge = Bridge::open(ask, connections, socket, groups).map(Arc::new);
        // Not what is wrong when we ourselves gave up.
        if bridge.is_ok() || !(ask.over)() {
            *opened = Some(bridge.clone());
        }
        bridge
    }

    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Where the images of a platform are built.
#[derive(Clone)]
pub(super) enum Where {
    /// Natively, there.
    There(Arc<Bridge>),
    /// Here: why not there.
    Here(String),
}

/// What was decided in a run, by builder and engine.
#[derive(Default)]
pub(super) struct Decided {
    first: Once<(String, Engine), Result<Option<String>, Failure>>,
    told: Mutex<BTreeSet<(String, Engine)>>,
    /// The engines here, and their versions.
    here: Once<Engine, Option<String>>,
}

/// The recipe allows it, and the builder does not answer. One that answers and will not do is a slip, which nobody shall miss.
pub(crate) fn may_be_emulated(builder: &Builder, failure: &Failure) -> bool {
    builder.fallback && failure.kind == FailureKind::Unreachable
}

impl ActionCx<'_> {
    /// Where what is meant for a builder's engine is done, decided once in a run.
    pub(super) fn at(&self, name: &str, engine: Engine) -> Result<Where, Failure> {
        let builder = self.shared.plan.builders.get(name).ok_or_else(|| {
            Failure::new(FailureKind::Internal, format!("the plan has no builder of {name}"))
        })?;
        let key = (name.to_owned(), engine);
        // None: there. What was lost later is never emulated instead: that would be another thing than was told.
        let first = self.shared.decided.first.get(key.clone(), || match self.bridge(builder, engine) {
            Ok(_) => Ok(None),
            Err(failure) if may_be_emulated(builder, &failure) && !self.cancelled() => {
                Ok(Some(failure.message))
            }
            Err(failure) => Err(failure),
        })?;
        let place = match first {
            Some(why) => Where::Here(why),
            None => Where::There(self.bridge(builder, engine)?),
        };
        self.tell(builder, &key, &place);
        Ok(place)
    }

    fn tell(&self, builder: &Builder, key: &(String, Engine), place: &Where) {
        // What is only looked at is no news.
        if self.log.is_none() {
            return;
        }
        let mut told = self.shared.decided.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.insert(key.clone()) {
            return;
        }
        let (native, engine, why) = match place {
            Where::There(bridge) => (
                true,
                Some(bridge.version().to_owned()),
                format!("native on {}, by [builders]", builder.name()),
            ),
            Where::Here(why) => {
                (false, None, format!("emulated here: {why}, and `fallback = \"emulate\"` allows it"))
            }
        };
        let (platform, builder) = (builder.platform.clone(), builder.name().to_owned());
        self.event(EventKind::Builder { platform, builder, native, engine, why });
    }

    fn bridge(&self, builder: &Builder, engine: Engine) -> Result<Arc<Bridge>, Failure> {
        let Some(connections) = self.shared.connections else {
            return Err(Failure::new(
                FailureKind::Internal,
                "builders are reached by a run's connections, and there are none",
            ));
        };
        let over = || self.cancelled() || self.late();
        let ask = Ask { builder, engine, here: self.here(), env: self.env(), over: &over };
        connections.bridge(&ask)
    }

    /// The way for a command that is meant for a builder; none where it is done here.
    pub(super) fn bridge_for(&self, command: &Command) -> Result<Option<(String, Arc<Bridge>)>, Failure> {
        let Place::Builder(name) = &command.place else { return Ok(None) };
        let tool = command.argv.first().and_then(|tool| tool.as_literal()).unwrap_or_default();
        let engine = if tool == Engine::Podman.tool() { Engine::Podman } else { Engine::Docker };
        match self.at(name, engine)? {
            Where::There(bridge) => Ok(Some((name.clone(), bridge))),
            Where::Here(_) => Ok(None),
        }
    }

    /// Whether images of that builder are built there; else they are here.
    pub fn builds_there(&self, builder: &str, engine: Engine) -> Result<bool, Failure> {
        Ok(matches!(self.at(builder, engine)?, Where::There(_)))
    }

    /// The version of the engine that builds, as [`Asked`](super::asked::Asked) has it for the one here. An error where
    /// the builder cannot be asked.
    pub(super) fn engine_version(
        &self,
        builder: &str,
        engine: Engine,
    ) -> Result<Option<(String, String)>, Failure> {
        let here = || self.shared.asked.version(self, engine);
        match self.at(builder, engine)? {
            Where::Here(_) => Ok(here()),
            Where::There(bridge) => {
                // What is on record of the engine here counts, where the one there is of the same version.
                let same = self.engine_here(engine).as_deref() == Some(bridge.version());
                let there = (engine.tool().to_owned(), bridge.version().to_owned());
                Ok(here().filter(|_| same).or(Some(there)))
            }
        }
    }

    /// The engine here and its version, as a builder's is told: of docker that of the daemon.
    fn engine_here(&self, engine: Engine) -> Option<String> {
        self.shared.decided.here.get(engine, || {
            let tool = engine.tool();
            let field = if engine == Engine::Podman { "{{.Client.Version}}" } else { "{{.Server.Version}}" };
            let told = self.run(&Command::new([tool, "version", "--format", field])).ok()?.stdout;
            Some(format!("{tool} {}", String::from_utf8_lossy(&told).trim()))
        })
    }

    /// The failure of a command whose way to its builder is gone.
    pub(super) fn lost(&self, name: &str, shown: &dyn std::fmt::Display, said: &[String]) -> Failure {
        let called = self.shared.plan.builders.get(name).map_or(name, Builder::name);
        let key = format!("builder {name}");
        let master = self.shared.connections.and_then(|connections| connections.last_words(&key));
        let said: Vec<String> =
            master.as_deref().unwrap_or(said).iter().map(|line| self.hide(line)).collect();
        let words = said.last().map_or_else(String::new, |last| format!("ssh says: {}\n", last.trim()));
        let cause = super::refusal::cause(&said);
        let remedy = cause.remedy(&said);
        Failure::new(FailureKind::Unreachable, format!("builder `{called}` was lost while {shown} ran")).help(format!(
            "{words}{remedy}; what was under way there ends within 40 s, and the next run begins this step again"
        ))
    }
}
