//! Cut and altered archives: refused, or without any effect.

use std::fs;

use proptest::prelude::*;

use super::fixtures::{Image, Lab, tar};
use crate::image::archive::{ArchiveFormat, seal};

/// Seals what `damage` makes of each engine's archive, and counts how often that is accepted.
///
/// # Panics
///
/// When an accepted archive gives other bytes than the sound one, or a refused one leaves anything behind.
fn accepted(damage: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> (usize, usize) {
    let lab = Lab::new();
    let image = Image::new(&["one", "two", "one"]);
    let (mut tried, mut accepted) = (0, 0);
    for files in [image.docker_24(), image.docker_25(), image.skopeo()] {
        let sound = tar(&files);
        let from = lab.write("in", &sound);
        let request = lab.seal(&from, "out", ArchiveFormat::DockerArchive);
        let expected = seal(&request).unwrap();
        fs::remove_file(&request.to).unwrap();
        for damaged in damage(&sound) {
            assert_ne!(damaged, sound);
            fs::write(&from, damaged).unwrap();
            tried += 1;
            if let Ok(sealed) = seal(&request) {
                assert_eq!(sealed, expected);
                fs::remove_file(&request.to).unwrap();
                accepted += 1;
            }
            assert_eq!(lab.names(), ["in"]);
        }
    }
    (tried, accepted)
}

#[test]
fn no_cut_is_accepted() {
    let cuts = |sound: &[u8]| {
        let near_blocks = (0..sound.len()).step_by(512).flat_map(|at| [at, at + 1, at + 511]);
        near_blocks.chain(sound.len() - 1030..sound.len()).map(|length| sound[..length].to_vec()).collect()
    };
    let (tried, accepted) = accepted(cuts);
    assert!(tried > 3000, "{tried}");
    assert_eq!(accepted, 0);
}

#[test]
fn no_flipped_bit_changes_what_is_sealed() {
    // Every 7th byte, another bit each time, is every kind of place: headers, documents, layers, padding.
    let flips = |sound: &[u8]| {
        let flip = |at: usize| {
            let mut damaged = sound.to_vec();
            damaged[at] ^= 1 << (at % 8);
            damaged
        };
        (0..sound.len()).step_by(7).map(flip).collect()
    };
    let (tried, accepted) = accepted(flips);
    assert!(tried > 3000, "{tried}");
    // Padding, and documents that no part of the image depends on, are most of these small archives.
    assert!(accepted < tried / 2, "{accepted} of {tried}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_is_done_to_an_archive_changes_what_is_sealed(
        at in 0..1_000_000_usize, length in 0..3000_usize, with in proptest::collection::vec(any::<u8>(), 0..600)
    ) {
        accepted(|sound| {
            let start = at % sound.len();
            let end = (start + length).min(sound.len());
            let damaged = [&sound[..start], &with, &sound[end..]].concat();
            if damaged == sound { Vec::new() } else { vec![damaged] }
        });
    }
}
