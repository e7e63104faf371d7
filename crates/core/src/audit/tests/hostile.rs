//! Layers that nobody should unpack: a clear error or a right answer, in bounded memory.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::image::archive::tests::fixtures::{append, pax};
use crate::image::tar_stream::{Entries, Entry, TarStream};

fn of_layer(layer: Vec<u8>) -> Result<ImageReport, LocalError> {
    let image = Image::of(label("linux/arm64"), vec![layer]);
    let lab = Lab::new();
    let path = lab.write("image.tar", &tar(&image.skopeo()));
    let found = audit(&LocalImage::in_archive(&path).unwrap(), &Wanted::default());
    assert_eq!(lab.names(), ["image.tar"], "nothing is written");
    found
}

#[track_caller]
fn refused(layer: Vec<u8>, reason: &str) {
    let error = of_layer(layer).unwrap_err().to_string();
    assert!(error.contains("layer 1") && error.contains(reason), "{error}");
}

#[test]
fn names_that_lead_outside() {
    for name in ["../x", "a/../../x", ".."] {
        refused(tar(&[File::new(name, b"x")]), "an entry is named");
    }
    refused(tar(&[hardlink("a", "../../etc/passwd")]), "an entry is named");
    // A link is a text: it is followed within the image, where anything does.
    let files = [symlink("a", "../../../etc/passwd"), symlink("bin", "/"), script("sh", "#!../../x\n")];
    assert!(of_layer(tar(&files)).unwrap().verdict.is_good());
}

#[test]
fn sizes_that_lie() {
    let mut header = File::new("a", b"1234567890").header();
    let mut bytes = Vec::new();
    let mut extension = File::new("pax", b"").header();
    extension.set_entry_type(EntryType::XHeader);
    let record = pax("size", "512");
    extension.set_size(record.len() as u64);
    extension.set_cksum();
    append(&mut bytes, &extension, &record);
    // The content is a header, which readers of the small size would take for an entry.
    let hidden = program("hidden", &Elf::amd64());
    header.set_size(0);
    header.set_cksum();
    append(&mut bytes, &header, hidden.header().as_bytes());
    let report = of_layer([bytes.clone(), vec![0; 1024]].concat()).unwrap();
    assert!(report.programs.is_empty(), "the larger size counts");
    refused(bytes[..bytes.len() - 512].to_vec(), "cut short");
    let mut huge = File::new("a", b"").header();
    huge.set_size(u64::MAX - 5);
    huge.set_cksum();
    refused(huge.as_bytes().to_vec(), "its size is too large");
    let mut long = File::new("a", b"").header();
    long.set_entry_type(EntryType::GNULongName);
    long.set_size(1 << 40);
    long.set_cksum();
    refused(long.as_bytes().to_vec(), "bytes, more than");
}

#[test]
fn a_layer_that_is_cut_or_no_tar() {
    let layer = tar(&[program("bin/a", &Elf::amd64()), File::new("b", &[7; 2000])]);
    for length in [1, 511, 513, 1000, 2100] {
        refused(layer[..length].to_vec(), "cut short");
    }
    refused(vec![b'x'; 5000], "its checksum is wrong");
    let mut altered = layer.clone();
    altered[3] ^= 1;
    refused(altered, "its checksum is wrong");
    // Without the end mark readers do all the same, and after it comes nothing.
    assert_eq!(of_layer(layer[..layer.len() - 1024].to_vec()).unwrap().verdict, Verdict::LabelWrong);
    let after = [layer.clone(), tar(&[program("bin/c", &Elf::arm64())])].concat();
    assert_eq!(of_layer(after).unwrap().programs.len(), 1);
    let between = [layer[..layer.len() - 512].to_vec(), layer].concat();
    refused(between, "it is empty");
}

#[test]
fn very_many_entries_take_little_room() {
    let mut layer = Vec::new();
    for index in 0..150_000 {
        append(&mut layer, &symlink(&format!("links/number-{index}"), "elsewhere").header(), b"");
    }
    let report = of_layer(layer).unwrap();
    assert!(report.remarks.iter().any(|remark| remark.contains("were left out")), "{:?}", report.remarks);
}

struct Nothing(usize);

impl Entries for Nothing {
    fn begin(&mut self, _: Entry) -> Result<(), crate::image::archive::Flaw> {
        self.0 += 1;
        Ok(())
    }

    fn content(&mut self, _: &[u8]) {}

    fn end(&mut self) -> Result<(), crate::image::archive::Flaw> {
        Ok(())
    }
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same(cuts in proptest::collection::vec(1..700_usize, 1..60)) {
        let layer = tar(&[program("a", &Elf::amd64()), folder("b", 0o755), File::new("c", &[1; 1024]), File::new("d", b"")]);
        let mut stream = TarStream::new(Nothing(0));
        let (mut rest, mut cuts) = (&layer[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            stream.write_all(piece).unwrap();
            rest = after;
        }
        stream.finish().unwrap();
        prop_assert_eq!(stream.entries.0, 4);
    }

    #[test]
    fn no_bytes_bring_it_down(at in 0..3000_usize, with in proptest::collection::vec(any::<u8>(), 1..600)) {
        let mut layer = tar(&[program("a", &Elf::armhf()), symlink("b", "a"), File::new("c", &[1; 700])]);
        let end = (at + with.len()).min(layer.len());
        let start = at.min(end);
        layer[start..end].copy_from_slice(&with[..end - start]);
        let _ = of_layer(layer);
    }
}
