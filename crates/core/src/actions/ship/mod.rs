//! Sends what a node lacks of an image, and imports it there.
//!
//! Asked, packed, sent, placed, imported, asked again: each is a session on the node with a script of `scripts/`. What a
//! store lists is taken for there; should its own tools then miss it, the rest follows. Nothing is believed at the end but
//! the store's records: configuration and layers must be those that were built.

mod answer;
mod import;
mod judge;
mod pack;
mod remedy;
mod rollback;
mod send;
mod store;
mod turns;

use std::collections::BTreeMap;

use self::answer::{Answer, Held};
pub use self::pack::Packer;
pub(super) use self::rollback::rollback;
use self::send::Sent;
use self::store::{Session, Store};
use self::turns::{Patience, Setback};
use super::origin;
use crate::event::{Failure, FailureKind, Traffic};
use crate::exec::ActionCx;
use crate::image::archive::LayerBlob;
use crate::image::{Digest, LocalImage};
use crate::output::bytes;
use crate::plan::{Command, Node, ShipMissing, Shipment};

/// By which an import tells that a sent layer is not there any more.
const GONE: i32 = 75;

/// One shipment under way.
struct Ship<'a> {
    wanted: &'a ShipMissing,
    node: &'a Node,
    store: Store<'a>,
    cx: &'a ActionCx<'a>,
    packer: &'a Packer,
    id: Digest,
}

/// Sends and imports; yields the bytes that were sent.
pub(super) fn perform(wanted: &ShipMissing, packer: &Packer, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let (name, platform) = (folder(&wanted.shipment, cx), wanted.platform.to_string());
    let ship = Ship::new(wanted, (&name, &platform), packer, cx)?;
    packer.begins(&wanted.shipment);
    let image = open(wanted, &ship.id, origin::Else::Export, cx)?;
    let sent = ship.deliver(&image)?;
    packer.arrived(&wanted.shipment);
    Ok(sent.to_string())
}

/// What would travel, found out without changing anything. The error says why nobody knows.
pub(super) fn expect(wanted: &ShipMissing, packer: &Packer, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let (name, platform) = (folder(&wanted.shipment, cx), wanted.platform.to_string());
    let ship = Ship::new(wanted, (&name, &platform), packer, cx)?;
    let image = open(wanted, &ship.id, origin::Else::Refuse, cx)?;
    let diff_ids: Vec<Digest> = image.layers.iter().map(|layer| layer.diff_id).collect();
    let answer = Answer::read(&ship.node.name, &ship.run(&ship.store.look(&diff_ids))?)?;
    let held = ship.store.held(&answer, &diff_ids, &ship.id);
    let size = |indexes: &[usize]| bytes(indexes.iter().map(|index| image.layers[*index].size).sum());
    let missing = missing(&image, &held);
    let all: Vec<usize> = (0..image.layers.len()).collect();
    Ok(format!(
        "{} of {} travel, {} of {} before compression",
        missing.len(),
        layers(all.len()),
        size(&missing),
        size(&all)
    ))
}

/// The image that is meant, which must be of the platform.
fn open(
    wanted: &ShipMissing,
    id: &Digest,
    otherwise: origin::Else,
    cx: &ActionCx<'_>,
) -> Result<LocalImage, Failure> {
    let image = origin::open(&wanted.from, id, otherwise, cx)?;
    if image.is_for(&wanted.platform) {
        return Ok(image);
    }
    let message = format!("the image here is for {}, not for {}", image.platform(), wanted.platform);
    Err(Failure::new(FailureKind::Mismatch, message).help("build it for the target's platform"))
}

/// The layers that the node lacks, each once.
fn missing(image: &LocalImage, held: &Held) -> Vec<usize> {
    let mut missing: Vec<usize> = Vec::new();
    for (index, layer) in image.layers.iter().enumerate() {
        let is_known = missing.iter().any(|other| image.layers[*other].diff_id == layer.diff_id);
        if !held.there.contains_key(&layer.diff_id) && !is_known {
            missing.push(index);
        }
    }
    missing
}

/// Removes the shipment's folder, whatever is in it.
pub(super) fn end(shipment: &Shipment, packer: &Packer, cx: &ActionCx<'_>) -> Result<(), Failure> {
    if packer.left_nothing(shipment) {
        return Ok(());
    }
    let node = node(shipment, cx)?;
    let folder = format!("{}/{}", node.dir, folder(shipment, cx));
    cx.run(&Command::new(["rm", "-rf", "--", &folder]).on_node(&node.name)).map(|_| ())
}

fn node<'a>(shipment: &Shipment, cx: &'a ActionCx<'_>) -> Result<&'a Node, Failure> {
    cx.nodes().get(&shipment.node).ok_or_else(|| {
        Failure::new(FailureKind::Internal, format!("the plan has no node `{}`", shipment.node))
    })
}

/// The folder's name: of this shipment and this workspace alone, and the same in the next run, which removes it.
fn folder(shipment: &Shipment, cx: &ActionCx<'_>) -> String {
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let mut whose = machine;
    whose.extend(rustix::system::uname().nodename().to_bytes());
    whose.extend(cx.here().as_os_str().as_encoded_bytes());
    // podman makes a name of the path, in which `@` would begin a digest.
    format!("ship-{}-{}", &Digest::of(&whose).hex()[..12], shipment.name.replace('@', "_"))
}

impl<'a> Ship<'a> {
    /// `name` of the folder there, and the platform.
    fn new(
        wanted: &'a ShipMissing,
        (ship, platform): (&'a str, &'a str),
        packer: &'a Packer,
        cx: &'a ActionCx<'a>,
    ) -> Result<Self, Failure> {
        let id = cx.resolve(&wanted.id)?.to_string_lossy().into_owned();
        let id = Digest::parse(&id).map_err(|error| Failure::new(FailureKind::Input, error.to_string()))?;
        let node = node(&wanted.shipment, cx)?;
        let store = Store { node, ship, reference: &wanted.reference, platform, keep: wanted.keep };
        Ok(Self { wanted, node, store, cx, packer, id })
    }
}

impl Ship<'_> {
    fn deliver(&self, image: &LocalImage) -> Result<u64, Failure> {
        let (mut sent, mut patience) = (Sent::default(), Patience::default());
        loop {
            let Err(setback) = self.turn(image, &mut sent, &mut patience) else { return Ok(sent.bytes) };
            let (failure, wait) = patience.after(setback).map_err(|failure| self.given_up(failure, &sent))?;
            self.cx.say(format!("{}: once more in {} s", failure.message, wait.as_secs()));
            self.cx.pause(wait)?;
        }
    }

    fn turn(&self, image: &LocalImage, sent: &mut Sent, patience: &mut Patience) -> Result<(), Setback> {
        let diff_ids: Vec<Digest> = image.layers.iter().map(|layer| layer.diff_id).collect();
        let mut answer = self.ask(&diff_ids)?;
        self.packer.may_leave(&self.wanted.shipment);
        patience.heard(&answer.spool);
        let mut held = self.store.held(&answer, &diff_ids, &self.id);
        if self.is_right(&held, &diff_ids) {
            self.cx.say(format!("{} is there already", self.what()));
            self.remove(sent, |_| true);
            self.cx.delivered(traffic(image, sent));
            return Ok(());
        }
        if self.store.takes_docker_archive() && answer::docker_is_whole(&answer) {
            self.cx.say("docker keeps its images in containerd's store there: all layers are sent");
            held.there.clear();
        }
        // The second time nothing is left out.
        for trusting in [true, false] {
            if !trusting {
                held.there.clear();
            }
            let blobs = self.send(image, &held, &answer, sent)?;
            match self.import(image, &held, &blobs, &answer, &diff_ids) {
                Ok(after) => {
                    self.must_be_right(&self.store.held(&after, &diff_ids, &self.id), &diff_ids)?;
                    self.remove(sent, |layer| !blobs.contains_key(layer));
                    self.cx.delivered(traffic(image, sent));
                    return Ok(());
                }
                Err(failure) if failure.kind == FailureKind::Exit { code: GONE } => {
                    let message =
                        format!("another delivery has removed a layer on node `{}`", self.node.name);
                    return Err(Setback::Others(Failure { message, kind: FailureKind::Io, ..failure }));
                }
                Err(failure) if trusting && !held.there.is_empty() && failed_itself(&failure) => {
                    self.cx.say(format!(
                        "the store lists layers that it cannot use ({}): the whole image is sent",
                        failure.message
                    ));
                    answer = self.ask(&diff_ids)?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(Failure::new(FailureKind::Internal, "an import that neither worked nor failed").into())
    }

    /// What to do, and on a full disk nothing is kept for the next run.
    fn given_up(&self, failure: Failure, sent: &Sent) -> Failure {
        if failure.kind == FailureKind::NoSpace {
            self.remove(sent, |_| true);
        }
        remedy::explained(failure, self.node)
    }

    /// Removes what was sent of these layers. An import removes what it takes; one that was cut may have brought a layer into
    /// the store, and nobody needs what was sent of it then.
    fn remove(&self, sent: &Sent, which: impl Fn(&Digest) -> bool) {
        let blobs = sent.layers.iter().filter(|(layer, _)| which(layer));
        let blobs: Vec<String> = blobs.map(|(_, name)| format!("{}/blobs/{name}", self.node.dir)).collect();
        if !blobs.is_empty() {
            let command = Command::new(["rm", "-f", "--"]).args(blobs).on_node(&self.node.name);
            // It has ended already, and what stays goes after a day.
            let _ = self.cx.run(&command);
        }
    }

    fn what(&self) -> String {
        format!("`{}` on node `{}`", self.wanted.reference, self.node.name)
    }

    fn run(&self, session: &Session) -> Result<Vec<u8>, Failure> {
        self.cx.run(&session.on(self.node)).map(|captured| captured.stdout)
    }

    fn ask(&self, diff_ids: &[Digest]) -> Result<Answer, Failure> {
        Answer::read(&self.node.name, &self.run(&self.store.ask(diff_ids))?)
    }

    /// Packs and sends each layer that is not there, once; where each layer of the image is then to be found.
    fn send(
        &self,
        image: &LocalImage,
        held: &Held,
        answer: &Answer,
        sent: &mut Sent,
    ) -> Result<BTreeMap<Digest, LayerBlob>, Setback> {
        let form = self.store.form(answer);
        let missing = missing(image, held);
        self.must_fit(image, &missing, answer)?;
        self.send_layers(image, &missing, form, answer, sent)
    }
}

/// Whatever was not sent was avoided: it was in the store, or had arrived before.
fn traffic(image: &LocalImage, sent: &Sent) -> Traffic {
    let sizes: BTreeMap<Digest, u64> = image.layers.iter().map(|layer| (layer.diff_id, layer.size)).collect();
    let avoided = || sizes.iter().filter(|(layer, _)| !sent.layers.contains_key(layer));
    Traffic {
        sent: sent.bytes,
        sent_layers: sent.layers.len(),
        avoided: avoided().map(|(_, size)| size).sum(),
        avoided_layers: avoided().count(),
        sending: sent.time,
    }
}

fn layers(count: usize) -> String {
    if count == 1 { "1 layer".into() } else { format!("{count} layers") }
}

/// A tool on the node failed, and the node could be reached.
fn failed_itself(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Exit { .. })
}
