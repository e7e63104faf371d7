//! Sends what a node lacks of an image, and imports it there.
//!
//! Asked, packed, sent, placed, imported, asked again: each is a session on the node with a script of `scripts/`. What a
//! store lists is taken for there; should its own tools then miss it, the rest follows. Nothing is believed at the end but
//! the store's records: configuration and layers must be those that were built.

mod answer;
mod origin;
mod pack;
mod remedy;
mod send;
mod store;
mod turns;

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::answer::{Answer, Held};
pub use self::pack::Packer;
pub(super) use self::pack::bytes;
use self::send::Sent;
use self::store::{Session, Store};
use self::turns::{Patience, Setback};
use crate::event::{Failure, FailureKind};
use crate::exec::ActionCx;
use crate::image::archive::{LayerBlob, LayerForm};
use crate::image::{Digest, LocalImage};
use crate::plan::{Command, Node, Rollback, ShipMissing, Shipment};

/// The remote command line is one argument of a shell there, of at most 128 KiB, and is quoted.
const LONGEST_WORD: usize = 48 << 10;

/// By which an import tells that a sent layer is not there any more.
const GONE: i32 = 75;

/// By which a script tells that something is other than it must be.
const ALTERED: i32 = 6;

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
    let image = origin::open(wanted, &ship.id, origin::Else::Export, cx)?;
    let sent = ship.deliver(&image)?;
    packer.arrived(&wanted.shipment);
    Ok(sent.to_string())
}

/// What would travel, found out without changing anything. The error says why nobody knows.
pub(super) fn expect(wanted: &ShipMissing, packer: &Packer, cx: &ActionCx<'_>) -> Result<String, Failure> {
    let (name, platform) = (folder(&wanted.shipment, cx), wanted.platform.to_string());
    let ship = Ship::new(wanted, (&name, &platform), packer, cx)?;
    let image = origin::open(wanted, &ship.id, origin::Else::Refuse, cx)?;
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
    // What arrived has left nothing.
    if packer.has_arrived(shipment) {
        return Ok(());
    }
    let node = node(shipment, cx)?;
    let folder = format!("{}/{}", node.dir, folder(shipment, cx));
    cx.run(&Command::new(["rm", "-rf", "--", &folder]).on_node(&node.name)).map(|_| ())
}

/// Gives the reference back to the image that had it before; yields its id, as the store calls it.
pub(super) fn rollback(wanted: &Rollback, cx: &ActionCx<'_>) -> Result<(), Failure> {
    let node = node(&wanted.shipment, cx)?;
    let (ship, reference) = (folder(&wanted.shipment, cx), wanted.reference.as_str());
    let session = Store { node, ship: &ship, reference, platform: "", keep: 1 }.rollback();
    let command = Command::new(["sh", "-c", &session.script, "sh"])
        .args(session.args.iter().map(String::as_str))
        .on_node(&node.name);
    let said = cx.run(&Command { mismatch: Some(ALTERED), ..command })?.stdout;
    let said = String::from_utf8_lossy(&said);
    let (from, to) = said.trim().split_once(' ').unwrap_or(("", said.trim()));
    cx.say(format!("`{reference}` on node `{}`: {from} -> {to}", node.name));
    Ok(())
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
        patience.heard(&answer.spool);
        let mut held = self.store.held(&answer, &diff_ids, &self.id);
        if self.is_right(&held, &diff_ids) {
            self.cx.say(format!("{} is there already: nothing is sent", self.what()));
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
                    self.report(image, &held, sent);
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
        if failure.kind == FailureKind::NoSpace && !sent.layers.is_empty() {
            let blobs = sent.layers.iter().map(|name| format!("{}/blobs/{name}", self.node.dir));
            let command = Command::new(["rm", "-f", "--"]).args(blobs).on_node(&self.node.name);
            // It has failed already.
            let _ = self.cx.run(&command);
        }
        remedy::explained(failure, self.node)
    }

    fn what(&self) -> String {
        format!("`{}` on node `{}`", self.wanted.reference, self.node.name)
    }

    fn run(&self, session: &Session) -> Result<Vec<u8>, Failure> {
        self.cx.run(&self.command(session)).map(|captured| captured.stdout)
    }

    fn command(&self, session: &Session) -> Command {
        let command = Command::new(["sh", "-c", &session.script, "sh"])
            .args(session.args.iter().map(String::as_str))
            .on_node(&self.node.name);
        Command { mismatch: Some(ALTERED), ..command }
    }

    fn ask(&self, diff_ids: &[Digest]) -> Result<Answer, Failure> {
        Answer::read(&self.node.name, &self.run(&self.store.ask(diff_ids))?)
    }

    fn is_right(&self, held: &Held, diff_ids: &[Digest]) -> bool {
        held.current == Some(self.id) && held.layers.as_deref() == Some(diff_ids)
    }

    fn must_be_right(&self, held: &Held, diff_ids: &[Digest]) -> Result<(), Failure> {
        let mismatch = |message: String| Err(Failure::new(FailureKind::Mismatch, message));
        match (&held.current, &held.layers) {
            (None, _) => mismatch(format!("{} is not in the store after its import", self.what())).map_err(
                |failure: Failure| {
                    failure.help("does the node's `storage` name the store that its tools use?")
                },
            ),
            (Some(found), _) if *found != self.id => mismatch(format!(
                "{} is another image after its import: it has the id {found}, and {} was built",
                self.what(),
                self.id
            )),
            (_, None) => mismatch(format!("{} has layers that the store does not list", self.what())),
            (_, Some(layers)) if layers != diff_ids => {
                let show = |digests: &[Digest]| {
                    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                };
                mismatch(format!(
                    "{} has the layers {} after its import, and {} were built",
                    self.what(),
                    show(layers),
                    show(diff_ids)
                ))
            }
            _ => Ok(()),
        }
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

    /// There is room for what is missing, once compressed and once unpacked.
    fn must_fit(&self, image: &LocalImage, missing: &[usize], answer: &Answer) -> Result<(), Failure> {
        let needed: u64 = missing.iter().map(|index| image.layers[*index].size).sum();
        let store = answer.get("store").and_then(|line| line.split_once(' ')).map_or("", |(_, root)| root);
        for (word, place) in [("dir", self.node.dir.as_str()), ("room", store)] {
            let Some(free) = answer.free(word) else { continue };
            if free < needed {
                let place = if place.is_empty() { "its store".to_owned() } else { format!("`{place}`") };
                return Err(Failure::new(
                    FailureKind::NoSpace,
                    format!(
                        "node `{}` has {} free in {place}, and the layers that it lacks need {}",
                        self.node.name,
                        bytes(free),
                        bytes(needed)
                    ),
                )
                .help("make room there: `crictl rmi --prune` removes images that nothing uses"));
            }
        }
        Ok(())
    }

    /// Puts the documents and the sent layers into place, and imports them.
    fn import(
        &self,
        image: &LocalImage,
        held: &Held,
        blobs: &BTreeMap<Digest, LayerBlob>,
        answer: &Answer,
        diff_ids: &[Digest],
    ) -> Result<Answer, Failure> {
        let input = |error: serde_json::Error| Failure::new(FailureKind::Internal, error.to_string());
        let documents = if self.store.takes_docker_archive() {
            image.docker_documents(&self.wanted.reference).map_err(input)?.to_vec()
        } else {
            let layers: Vec<LayerBlob> = image
                .layers
                .iter()
                .filter_map(|layer| {
                    let blob = blobs.get(&layer.diff_id).or_else(|| held.there.get(&layer.diff_id));
                    blob.copied().map(|blob| sized(blob, layer.size))
                })
                .collect();
            image.layout(&self.wanted.reference, &layers).map_err(input)?
        };
        let no_room = |error: std::io::Error| {
            Failure::new(FailureKind::Io, format!("no room for temporary files: {error}"))
        };
        let tar = tarred(&documents).map_err(no_room)?;
        let mut words = vec![Self::documents(&tar).map_err(no_room)?];
        if words[0].is_none() {
            let mut file = tempfile::tempfile().map_err(no_room)?;
            file.write_all(&tar).and_then(|()| file.rewind()).map_err(no_room)?;
            let args = vec![self.node.dir.clone(), self.store.ship.to_owned()];
            let place = Session { script: include_str!("scripts/place.sh").to_owned(), args };
            self.cx.feed(&self.command(&place), &file)?;
        }
        words
            .extend(blobs.iter().map(|(layer, blob)| Some(format!("{}={}", blob.digest.hex(), layer.hex()))));
        let said = self.run(&self.store.import(diff_ids, words.into_iter().flatten(), answer))?;
        Answer::read(&self.node.name, &said)
    }

    /// The layout's documents as a word of the command line, where they fit into one.
    fn documents(tar: &[u8]) -> std::io::Result<Option<String>> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(tar)?;
        let word = format!("documents={}", STANDARD.encode(encoder.finish()?));
        Ok(Some(word).filter(|word| word.len() <= LONGEST_WORD))
    }

    fn report(&self, image: &LocalImage, held: &Held, sent: &Sent) {
        let mut avoided = (0, 0);
        for layer in image.layers.iter().filter(|layer| held.there.contains_key(&layer.diff_id)) {
            avoided = (avoided.0 + 1, avoided.1 + layer.size);
        }
        self.cx.say(format!(
            "{}: {} sent for {}; {} of {} not sent, being there",
            self.what(),
            bytes(sent.bytes),
            layers(sent.layers.len()),
            layers(avoided.0),
            bytes(avoided.1)
        ));
    }
}

fn layers(count: usize) -> String {
    if count == 1 { "1 layer".into() } else { format!("{count} layers") }
}

/// A tool on the node failed, and the node could be reached.
fn failed_itself(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Exit { .. })
}

/// A plain layer has the size of its tar file; a store that does not know it leaves it out.
fn sized(blob: LayerBlob, size: u64) -> LayerBlob {
    match blob {
        LayerBlob { form: LayerForm::Plain, size: 0, .. } => LayerBlob { size, ..blob },
        other => other,
    }
}

fn tarred(documents: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in documents {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        builder.append_data(&mut header, name, content.as_slice())?;
    }
    builder.into_inner()
}
