//! Layers made ready to travel: compressed once, for however many nodes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::origin::unreadable;
use crate::event::{Failure, FailureKind};
use crate::image::archive::{LayerBlob, LayerForm};
use crate::image::digest::HashingWriter;
use crate::image::{Digest, LocalError, LocalImage};
use crate::plan::Shipment;

/// Fast, and for layers as small as what slower levels make of them.
const ZSTD_LEVEL: i32 = 3;

/// A layer as it travels.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) blob: LayerBlob,
    path: PathBuf,
}

impl Packed {
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The layers of a run that are packed, or being packed: whoever wants one that another packs waits for it.
#[derive(Debug, Default)]
pub struct Packer {
    layers: Mutex<HashMap<(Digest, LayerForm), Slot>>,
    /// Shipments of this run, and whether something of them may be on their nodes.
    shipments: Mutex<Vec<(Shipment, bool)>>,
}

type Slot = Arc<Mutex<Option<Arc<Packed>>>>;

impl Packer {
    /// Nothing has been said to the node yet.
    pub(super) fn begins(&self, shipment: &Shipment) {
        let mut shipments = self.shipments.lock().unwrap_or_else(PoisonError::into_inner);
        if !shipments.iter().any(|(known, _)| known == shipment) {
            shipments.push((shipment.clone(), false));
        }
    }

    /// Something of it may be on the node from here on.
    pub(super) fn may_leave(&self, shipment: &Shipment) {
        self.know(shipment, true);
    }

    /// It has arrived, and left nothing else.
    pub(super) fn arrived(&self, shipment: &Shipment) {
        self.know(shipment, false);
    }

    fn know(&self, shipment: &Shipment, something: bool) {
        let mut shipments = self.shipments.lock().unwrap_or_else(PoisonError::into_inner);
        shipments.retain(|(known, _)| known != shipment);
        shipments.push((shipment.clone(), something));
    }

    /// Nothing of it is on the node. Of an earlier run's nobody knows.
    pub(super) fn left_nothing(&self, shipment: &Shipment) -> bool {
        let shipments = self.shipments.lock().unwrap_or_else(PoisonError::into_inner);
        shipments.iter().any(|(known, something)| known == shipment && !something)
    }

    /// The layer `index` of the image, compressed in the folder for temporary files.
    pub(super) fn pack(
        &self,
        image: &LocalImage,
        index: usize,
        form: LayerForm,
        folder: &Path,
    ) -> Result<Arc<Packed>, Failure> {
        let key = (image.layers[index].diff_id, form);
        let slot = self.layers.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        let mut packed = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packed) = &*packed {
            return Ok(packed.clone());
        }
        let new = Arc::new(compress(image, index, form, folder).map_err(|error| {
            match error {
                LocalError::Write(error) => {
                    Failure::new(FailureKind::Io, format!("cannot write to {}: {error}", folder.display()))
                        .help("layers are compressed there before they travel: make room, or set TMPDIR")
                }
                other => unreadable(&other),
            }
        })?);
        *packed = Some(new.clone());
        Ok(new)
    }
}

fn compress(image: &LocalImage, index: usize, form: LayerForm, folder: &Path) -> Result<Packed, LocalError> {
    let write = LocalError::Write;
    let file = tempfile::Builder::new().prefix("layer-").tempfile_in(folder).map_err(write)?;
    let mut sink = HashingWriter::new(BufWriter::new(file));
    match form {
        LayerForm::Plain => {
            image.copy_layer(index, &mut sink)?;
        }
        LayerForm::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(&mut sink, flate2::Compression::fast());
            image.copy_layer(index, &mut encoder)?;
            encoder.finish().map_err(write)?;
        }
        LayerForm::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(&mut sink, ZSTD_LEVEL).map_err(write)?;
            image.copy_layer(index, &mut encoder)?;
            encoder.finish().map_err(write)?;
        }
    }
    sink.flush().map_err(write)?;
    let (writer, digest, size) = sink.finish();
    let file = writer.into_inner().map_err(|error| write(error.into_error()))?;
    let (_, path) = file.keep().map_err(|error| write(error.error))?;
    Ok(Packed { blob: LayerBlob { form, digest, size }, path })
}
