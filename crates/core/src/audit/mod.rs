//! Whether an image is what its label says: the machines of its programs, read from the layers while they pass by.
//!
//! Nothing is unpacked and nothing is run. Each layer is read once, from the lowest up, and believed by its digest; of all
//! that passes, only programs, links and what has a telling mode is kept, in bounded memory. Only the final file system counts, but a
//! secret counts wherever it lies: who has the image can read it. Knows no engines and no runs.

mod arm;
mod config;
mod elf;
mod judge;
mod layer;
mod report;
mod rules;
mod start;
#[cfg(test)]
mod tests;
mod tree;

pub use report::{Count, Files, ImageReport, Place, Report, SecretAt, Started, VERSION, Verdict};
pub use rules::{Deny, Rules, glob};

use self::config::Config;
use self::layer::LayerLook;
use self::tree::{Tree, What};
use crate::image::tar_stream::TarStream;
use crate::image::{LocalError, LocalImage};
use crate::output::Finder;
use crate::platform::Platform;

const SETID: u32 = 0o6000;
const STICKY: u32 = 0o1000;
const ALL_WRITE: u32 = 0o002;

/// What an image is held against.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The platform that it should be of; that of the index, else its own label, when absent.
    pub platform: Option<Platform>,
    /// What it may and may not hold.
    pub rules: Rules,
    /// The secrets that must not be in it.
    pub secrets: Finder,
}

/// Reads all layers of the image and judges it. An error says why it cannot be read; what is wrong with it stands in the report.
pub fn audit(image: &LocalImage, wanted: &Wanted) -> Result<ImageReport, LocalError> {
    let (mut tree, mut secrets) = (Tree::default(), Vec::new());
    for index in 0..image.layers.len() {
        let look = LayerLook::new(&mut tree, index + 1, &wanted.secrets, &mut secrets);
        let mut stream = TarStream::new(look);
        let copied = image.copy_layer(index, &mut stream);
        // What is wrong with the layer comes before the write that it ended.
        let of_layer = |flaw| LocalError::Layer { number: index + 1, flaw };
        match copied {
            Err(LocalError::Write(_)) | Ok(_) => stream.finish().map_err(of_layer)?,
            Err(error) => return Err(error),
        }
    }
    let nonsense = |error: serde_json::Error| LocalError::Config { id: image.id, reason: error.to_string() };
    let value: serde_json::Value = serde_json::from_slice(&image.config).map_err(nonsense)?;
    let is_meant = |text: &str| wanted.secrets.is_in(text.as_bytes());
    config::places(&value, "", &is_meant, &mut |place| secrets.push(SecretAt::Config(place.to_owned())));
    let config: Config = serde_json::from_value(value).map_err(nonsense)?;
    let mut report = ImageReport {
        id: image.id,
        names: image.names(),
        label: image.platform(),
        listed: image.listed(),
        wanted: wanted.platform.as_ref().map(ToString::to_string),
        content: None,
        verdict: Verdict::NothingToTell,
        failures: Vec::new(),
        layers: image.layers.len(),
        programs: Vec::new(),
        start: Vec::new(),
        foreign: Files::default(),
        carried: Files::default(),
        setuid: Files::default(),
        world_writable: Files::default(),
        secrets,
        remarks: Vec::new(),
    };
    modes(&mut report, &tree);
    let label = Platform::parse(&report.label).ok();
    let listed = report.listed.as_deref().and_then(|listed| Platform::parse(listed).ok());
    let should = wanted.platform.as_ref().or(listed.as_ref());
    judge::judge(&mut report, &tree, label.as_ref(), should, &wanted.rules);
    start::started(&mut report, &tree, &config.config.unwrap_or_default(), should.or(label.as_ref()));
    if tree.is_full {
        report
            .remarks
            .push("it has more links and files with odd modes than are kept; some were left out".into());
    }
    if wanted.secrets.left_out > 0 {
        let count = wanted.secrets.left_out;
        report.remarks.push(format!("{count} declared secrets are too short to be looked for in files"));
    }
    Ok(report)
}

/// Files with telling modes.
fn modes(report: &mut ImageReport, tree: &Tree) {
    for (path, node) in tree.iter() {
        let is_folder = node.what == What::Folder;
        if node.mode & SETID != 0 && !is_folder {
            report.setuid.push(Place::new(path, node.layer).of(format!("mode {:o}", node.mode)));
        }
        if node.mode & ALL_WRITE != 0 && (!is_folder || node.mode & STICKY == 0) {
            report.world_writable.push(Place::new(path, node.layer).of(format!("mode {:o}", node.mode)));
        }
    }
}
