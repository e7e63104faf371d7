//! Layers on their way: packed while earlier ones travel, resumed where a connection broke.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom};
use std::sync::mpsc;
use std::time::Duration;

use super::answer::Answer;
use super::pack::Packed;
use super::store::Session;
use super::{Ship, bytes};
use crate::event::{Failure, FailureKind};
use crate::image::archive::{LayerBlob, LayerForm};
use crate::image::{Digest, LocalImage};

/// What crossed the wire.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    pub(super) layers: usize,
}

/// Waits between attempts at a layer whose connection breaks.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// How often a layer may arrive as something else, or be moved by another sender.
const TURNS: usize = 8;

impl Ship<'_> {
    /// Sends the layers of these numbers; the blobs, by layer.
    pub(super) fn send_layers(
        &self,
        image: &LocalImage,
        missing: &[usize],
        form: LayerForm,
        answer: &Answer,
        sent: &mut Sent,
    ) -> Result<BTreeMap<Digest, LayerBlob>, Failure> {
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
            for (index, packed) in packed {
                let packed = packed?;
                self.send_layer(&packed, answer, sent)?;
                blobs.insert(image.layers[index].diff_id, packed.blob);
            }
            Ok(())
        })?;
        Ok(blobs)
    }

    fn send_layer(&self, packed: &Packed, answer: &Answer, sent: &mut Sent) -> Result<(), Failure> {
        let LayerBlob { digest, size, .. } = &packed.blob;
        let name = digest.hex();
        if answer.spool.get(&name) == Some(size) {
            return Ok(());
        }
        let mut offset = answer.spool.get(&format!("{name}.partial")).copied().unwrap_or_default().min(*size);
        if offset > 0 {
            self.cx.say(format!("{} of {} of a layer had arrived before", bytes(offset), bytes(*size)));
        }
        let mut waits = WAITS.iter();
        sent.layers += 1;
        for _ in 0..TURNS {
            match self.attempt(packed, &name, offset, sent) {
                Ok(None) => return Ok(()),
                Ok(Some(said)) => offset = self.again(&said, *size),
                Err(failure) if failure.kind == FailureKind::Unreachable => {
                    let Some(wait) = waits.next().filter(|_| !self.cx.cancelled()) else {
                        return Err(failure);
                    };
                    self.cx.say(format!("{}: once more in {} s", failure.message, wait.as_secs()));
                    self.cx.pause(*wait)?;
                    offset = self.arrived(&name, *size).unwrap_or(offset);
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::new(
            FailureKind::Mismatch,
            format!("the layer {digest} does not arrive on node `{}` as it was sent", self.node.name),
        )
        .help("the node's disk or memory alters data, or others write below its `dir`"))
    }

    /// Sends a blob from `offset` on. None when it is there and right; otherwise what the node says.
    fn attempt(
        &self,
        packed: &Packed,
        name: &str,
        offset: u64,
        sent: &mut Sent,
    ) -> Result<Option<String>, Failure> {
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
        let fed = self.cx.feed_telling(&self.command(&session), &file);
        // What ssh has read it may have sent.
        sent.bytes += file.stream_position().map_err(gone)?.saturating_sub(offset);
        let said = String::from_utf8_lossy(&fed?.stdout).trim().to_owned();
        Ok(Some(said).filter(|said| !said.is_empty()))
    }

    /// Where to go on after `moved N`, `cut N` or `bad`.
    fn again(&self, said: &str, size: u64) -> u64 {
        match said.split_once(' ') {
            Some((_, there)) => there.parse::<u64>().unwrap_or_default().min(size),
            None => {
                self.cx.say("a layer arrived as something else: it is sent again");
                0
            }
        }
    }

    /// How much of a blob is there.
    fn arrived(&self, name: &str, size: u64) -> Option<u64> {
        let path = format!("{}/blobs/{name}.partial", self.node.dir);
        let command = crate::plan::Command::new(["stat", "-c", "%s", "--", &path]).on_node(&self.node.name);
        let said = self.cx.run(&command).ok()?.stdout;
        Some(String::from_utf8_lossy(&said).trim().parse::<u64>().ok()?.min(size))
    }
}
