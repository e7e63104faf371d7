//! Layers on their way: packed while earlier ones travel, resumed where a connection broke.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom};
use std::sync::mpsc;
use std::time::Duration;

use super::Ship;
use super::answer::Answer;
use super::pack::Packed;
use super::store::Session;
use super::turns::Setback;
use crate::event::{Failure, FailureKind, Part};
use crate::image::archive::{LayerBlob, LayerForm};
use crate::image::{Digest, LocalImage};
use crate::output::bytes;

/// What crossed the wire.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    /// The digits of their blobs.
    pub(super) layers: BTreeMap<Digest, String>,
    /// How long it took, without what else was done meanwhile.
    pub(super) time: Duration,
}

/// How often a layer may arrive as something else.
const TRIES: usize = 3;

impl Ship<'_> {
    /// Sends the layers of these numbers; the blobs, by layer.
    pub(super) fn send_layers(
        &self,
        image: &LocalImage,
        missing: &[usize],
        form: LayerForm,
        answer: &Answer,
        sent: &mut Sent,
    ) -> Result<BTreeMap<Digest, LayerBlob>, Setback> {
        let (packer, folder) = (self.packer, self.cx.scratch());
        let mut blobs = BTreeMap::new();
        std::thread::scope(|scope| {
            // One ahead: while a layer travels the next is packed.
            let (ready, packed) = mpsc::sync_channel(1);
            scope.spawn(move || {
                for index in missing {
                    let packed = packer.pack(image, *index, form, &folder);
                    let failed = packed.is_err();
                    if ready.send((*index, packed)).is_err() || failed {
                        return;
                    }
                }
            });
            for (number, (index, packed)) in packed.into_iter().enumerate() {
                let (packed, layer) = (packed?, image.layers[index].diff_id);
                let part = Part { blob: number + 1, blobs: missing.len() };
                self.send_layer(&packed, layer, part, answer, sent)?;
                blobs.insert(layer, packed.blob);
            }
            Ok::<(), Setback>(())
        })?;
        Ok(blobs)
    }

    fn send_layer(
        &self,
        packed: &Packed,
        layer: Digest,
        part: Part,
        answer: &Answer,
        sent: &mut Sent,
    ) -> Result<(), Setback> {
        let LayerBlob { digest, size, .. } = &packed.blob;
        let (name, partial) = (digest.hex(), format!("{}.partial", digest.hex()));
        if answer.spool.get(&name) == Some(size) {
            return Ok(());
        }
        let others = |what: &str| {
            let message = format!("another delivery {what} a layer on node `{}`", self.node.name);
            Setback::Others(
                Failure::new(FailureKind::Io, message).help("let one of them end before the other begins"),
            )
        };
        if answer.busy.contains(&partial) {
            return Err(others("sends"));
        }
        let mut offset = answer.spool.get(&partial).copied().unwrap_or_default();
        if offset > 0 {
            self.cx.say(format!("{} of {} of a layer had arrived before", bytes(offset), bytes(*size)));
        }
        sent.layers.insert(layer, name.clone());
        for _ in 0..TRIES {
            match &*self.attempt(packed, &name, (offset, part), sent)? {
                "" => return Ok(()),
                "busy" => return Err(others("sends")),
                "moved" => return Err(others("has sent")),
                "cut" => {
                    let message = format!("node `{}` has lost the rest of a layer", self.node.name);
                    return Err(Setback::Broken(Failure::new(FailureKind::Unreachable, message)));
                }
                said => {
                    self.cx.say(format!("a layer arrived as something else ({said}): it is sent again"));
                    offset = 0;
                }
            }
        }
        let message =
            format!("the layer {digest} does not arrive on node `{}` as it was sent", self.node.name);
        let failure = Failure::new(FailureKind::Mismatch, message);
        Err(failure.help("the node's disk or memory alters data, or others write below its `dir`").into())
    }

    /// Sends a blob from `offset` on; what the node says, which is nothing when it is there and right.
    fn attempt(
        &self,
        packed: &Packed,
        name: &str,
        (offset, part): (u64, Part),
        sent: &mut Sent,
    ) -> Result<String, Failure> {
        let gone = |error: std::io::Error| {
            Failure::new(FailureKind::Io, format!("a compressed layer cannot be read any more: {error}"))
        };
        let mut file = packed.open().map_err(gone)?;
        file.seek(SeekFrom::Start(offset)).map_err(gone)?;
        let numbers = [packed.blob.size.to_string(), offset.to_string()];
        let [size, from] = numbers;
        let session = Session {
            script: include_str!("scripts/receive.sh").to_owned(),
            args: vec![self.node.dir.clone(), name.to_owned(), size, from],
        };
        let begun = self.cx.now();
        let fed = self.cx.feed_telling(&session.on(self.node), &file, part);
        sent.time += self.cx.now() - begun;
        // What ssh has read it may have sent.
        sent.bytes += file.stream_position().map_err(gone)?.saturating_sub(offset);
        Ok(String::from_utf8_lossy(&fed?.stdout).trim().to_owned())
    }
}
