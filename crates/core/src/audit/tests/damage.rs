//! Cut and altered archives: none passes with another image than it had. What no digest protects is the document that names the
//! image.

use super::*;
use crate::image::ArchiveFormat;
use crate::image::archive::seal;

/// A sealed archive of two layers.
fn sealed(format: ArchiveFormat) -> Vec<u8> {
    let layers = vec![
        tar(&[folder("bin", 0o755), program("bin/a", &Elf::arm64()), symlink("bin/sh", "a")]),
        tar(&[File::new("etc/motd", &[b'x'; 1500])]),
    ];
    let image = Image::of(label("linux/arm64"), layers);
    let lab = Lab::new();
    let from = lab.write("from.tar", &tar(&image.skopeo()));
    let request = lab.seal(&from, "to.tar", format);
    seal(&request).unwrap();
    std::fs::read(&request.to).unwrap()
}

/// The report on an archive, where it can be read.
fn read(lab: &Lab, bytes: &[u8]) -> Option<ImageReport> {
    let path = lab.write("image.tar", bytes);
    let images = LocalImage::all_in_archive(&path).ok()?;
    let [image] = images.as_slice() else { return None };
    audit(image, &Wanted::default()).ok()
}

#[test]
fn no_cut_and_no_flipped_bit_passes() {
    for format in [ArchiveFormat::DockerArchive, ArchiveFormat::OciArchive] {
        let (lab, sound) = (Lab::new(), sealed(format));
        let expected = read(&lab, &sound).unwrap();
        assert_eq!(expected.verdict, Verdict::Right);
        for length in 0..sound.len() {
            if length % 7 == 0 || sound.len() - length < 1100 {
                assert_eq!(read(&lab, &sound[..length]), None, "cut at {length}");
            }
        }
        let index = if format == ArchiveFormat::DockerArchive { "manifest.json" } else { "index.json" };
        let index = sound.windows(index.len()).position(|window| window == index.as_bytes()).unwrap() + 512;
        let mut renamed = 0;
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << (at % 8);
            let Some(report) = read(&lab, &damaged) else { continue };
            assert!((index..index + 600).contains(&at), "{format:?}: byte {at} was altered");
            let (names, listed) = (expected.names.clone(), expected.listed.clone());
            assert_eq!(ImageReport { names, listed, ..report }, expected);
            renamed += 1;
        }
        assert!(renamed < 250, "{format:?}: {renamed}");
    }
}
