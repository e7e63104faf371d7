mod corpus;
mod damage;
mod elf_files;
mod hostile;
mod layers;
mod places;

use std::path::PathBuf;

use serde_json::{Value, json};
use tar::EntryType;

use self::elf_files::Elf;
use super::{ImageReport, Verdict, Wanted, audit};
use crate::image::archive::tests::fixtures::{File, Image, Lab, tar};
use crate::image::{LocalError, LocalImage};
use crate::platform::Platform;

/// A program with execute permission.
fn program(name: &str, elf: &Elf) -> File {
    File { mode: 0o755, ..File::new(name, &elf.bytes()) }
}

fn script(name: &str, text: &str) -> File {
    File { mode: 0o755, ..File::new(name, text.as_bytes()) }
}

fn symlink(name: &str, to: &str) -> File {
    File::link(EntryType::Symlink, name, to)
}

fn hardlink(name: &str, to: &str) -> File {
    File::link(EntryType::Link, name, to)
}

fn folder(name: &str, mode: u32) -> File {
    File { kind: EntryType::Directory, mode, ..File::new(name, b"") }
}

/// `os/arch/variant` as a configuration has it.
fn label(platform: &str) -> Value {
    let parts = platform.split('/').filter(|part| !part.is_empty());
    ["os", "architecture", "variant"].into_iter().map(str::to_owned).zip(parts.map(Value::from)).collect()
}

/// Looks into a docker archive with this configuration and layers.
fn look(config: Value, layers: &[&[File]], wanted: &Wanted) -> Result<ImageReport, LocalError> {
    let image = Image::of(config, layers.iter().map(|files| tar(files)).collect());
    let lab = Lab::new();
    let path: PathBuf = lab.write("image.tar", &tar(&image.skopeo()));
    audit(&LocalImage::in_archive(&path).unwrap(), wanted)
}

/// The verdict on an image labelled for a platform, held against another, or its label alone.
#[track_caller]
fn verdict(platform: &str, wanted: &str, layers: &[&[File]]) -> (Verdict, ImageReport) {
    let wanted = Wanted { platform: Platform::parse(wanted).ok(), ..Wanted::default() };
    let report = look(label(platform), layers, &wanted).unwrap();
    (report.verdict, report)
}
