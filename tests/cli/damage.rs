//! Archives cut at 200 sizes and with 200 flipped bits, held before whatever reads archives here.

use std::fs;
use std::path::Path;

use pipeline_testkit::TestSpace;

use crate::PIPELINE;
use crate::image::{archive_of, elf, native};
use crate::lab::Ran;

/// The archive cut at this many sizes, and with as many flipped bits, evenly spread over all of it.
fn damaged(sound: &[u8], count: usize) -> Vec<Vec<u8>> {
    let at = |step: usize| step * (sound.len() - 1) / (count - 1);
    let cuts = (0..count).map(|step| sound[..at(step)].to_vec());
    let flips = (0..count).map(|step| {
        let mut bytes = sound.to_vec();
        bytes[at(step)] ^= 1 << (step % 8);
        bytes
    });
    cuts.chain(flips).collect()
}

/// An archive as engines write it, of 300 KB.
fn archive(path: &Path) -> Vec<u8> {
    let text: Vec<u8> =
        (0..300_000_u32).map(|at| u8::try_from(u64::from(at) * u64::from(at) % 251).unwrap()).collect();
    let (_, architecture, _) = native();
    archive_of(path, architecture, &[("bin/a", 0o755, &elf(architecture)), ("data", 0o644, &text)]);
    fs::read(path).unwrap()
}

#[test]
fn none_passes_an_audit() {
    let space = TestSpace::new();
    let path = space.path("app.tar");
    let sound = archive(&path);
    let audit = || Ran::of(space.command(PIPELINE).args(["audit", "app.tar"]));
    audit().must(0);
    let all = damaged(&sound, 200);
    assert_eq!(all.len(), 400);
    for (number, bytes) in all.iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let ran = audit();
        assert!([1, 6].contains(&ran.code), "{number}: {} {}", ran.code, ran.stderr);
        assert!(
            ran.stderr.contains("error[") && !ran.stderr.contains("panicked"),
            "{number}: {}",
            ran.stderr
        );
        assert!(ran.stdout.is_empty(), "{number}: {}", ran.stdout);
    }
}

#[test]
fn none_gets_into_a_recipe() {
    let space = TestSpace::new();
    let path = space.path("app.tar");
    let sound = archive(&path);
    let (platform, ..) = native();
    space.write(
        "pipeline.toml",
        format!(
            "version = 1\n[targets.native]\nplatform = \"{platform}\"\n\
             [[step]]\nuses = \"local-image\"\narchive = \"app.tar\"\nreference = \"app:1\"\n"
        ),
    );
    let run = || Ran::of(space.command(PIPELINE).args(["run", "--progress", "plain"]));
    run().must(0);
    for (number, bytes) in damaged(&sound, 30).iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let ran = run();
        assert!([1, 6].contains(&ran.code), "{number}: {} {}", ran.code, ran.stderr);
    }
}
