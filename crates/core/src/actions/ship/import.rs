//! The image into the node's store, of layers that were sent and layers that are there.

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Ship;
use super::answer::{Answer, Held};
use super::store::Session;
use crate::event::{Failure, FailureKind};
use crate::image::archive::{LayerBlob, LayerForm};
use crate::image::{Digest, LocalImage};

/// The remote command line is one argument of a shell there, of at most 128 KiB, and is quoted.
const LONGEST_WORD: usize = 48 << 10;

impl Ship<'_> {
    /// Puts the documents and the sent layers into place, and imports them.
    pub(super) fn import(
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
                    blob.copied().map(|blob| self.store.named(sized(blob, layer.size)))
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
            self.cx.feed(&place.on(self.node), &file)?;
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
