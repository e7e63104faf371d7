//! Only the final file system counts.

use super::*;

/// The programs of the final file system, on an image for ARM64.
fn left(layers: &[&[File]]) -> Vec<String> {
    let report = verdict("linux/s390x", "linux/arm64", layers).1;
    let mut paths: Vec<String> =
        report.foreign.files.into_iter().map(|file| format!("{} {}", file.path, file.layer)).collect();
    paths.sort();
    paths
}

fn x(name: &str) -> File {
    program(name, &Elf::amd64())
}

fn empty(name: &str) -> File {
    File::new(name, b"")
}

#[test]
fn what_is_above_hides_what_is_below() {
    let below: &[File] = &[folder("d", 0o755), x("d/a"), x("d/sub/b"), x("d0"), x("e")];
    let all = ["/d/a 1", "/d/sub/b 1", "/d0 1", "/e 1"];
    let cases: Vec<(Vec<File>, Vec<&str>)> = vec![
        (vec![], all.to_vec()),
        (vec![empty("d/.wh.a")], vec!["/d/sub/b 1", "/d0 1", "/e 1"]),
        (vec![empty(".wh.d")], vec!["/d0 1", "/e 1"]),
        (vec![empty("d/.wh..wh..opq")], vec!["/d0 1", "/e 1"]),
        (vec![x("d/c"), empty("d/.wh..wh..opq")], vec!["/d/c 2", "/d0 1", "/e 1"]),
        (vec![empty(".wh..wh..opq")], vec![]),
        (vec![empty(".wh..wh.plnk")], all.to_vec()),
        (vec![folder("d", 0o700)], all.to_vec()),
        // A file over a folder, a folder over a file, a text over a program.
        (vec![File::new("d", b"text")], vec!["/d0 1", "/e 1"]),
        (vec![x("e/inner")], vec!["/d/a 1", "/d/sub/b 1", "/d0 1", "/e/inner 2"]),
        (vec![File::new("e", b"text")], vec!["/d/a 1", "/d/sub/b 1", "/d0 1"]),
        (vec![symlink("e", "d/a")], vec!["/d/a 1", "/d/sub/b 1", "/d0 1"]),
        (vec![symlink("d", "elsewhere")], vec!["/d0 1", "/e 1"]),
        // It only hides what is below, whatever comes first in its layer.
        (vec![x("e"), empty(".wh.e")], vec!["/d/a 1", "/d/sub/b 1", "/d0 1", "/e 2"]),
        (vec![empty(".wh.e"), x("e")], vec!["/d/a 1", "/d/sub/b 1", "/d0 1", "/e 2"]),
        // The last of two of one name.
        (vec![x("e"), File::new("e", b"text")], vec!["/d/a 1", "/d/sub/b 1", "/d0 1"]),
        (vec![x("./d//./a"), x("/e")], vec!["/d/a 2", "/d/sub/b 1", "/d0 1", "/e 2"]),
    ];
    for (above, expected) in cases {
        let names: Vec<_> = above.iter().map(|file| file.name.clone()).collect();
        assert_eq!(left(&[below, &above]), expected, "{names:?}");
    }
}

#[test]
fn a_hidden_program_decides_nothing() {
    let wrong: &[File] = &[x("bin/a")];
    let right: &[File] = &[empty("bin/.wh.a"), program("bin/b", &Elf::arm64())];
    assert_eq!(verdict("linux/arm64", "linux/arm64", &[wrong, right]).0, Verdict::Right);
    assert_eq!(verdict("linux/arm64", "linux/arm64", &[right, wrong]).0, Verdict::Mixed);
}

#[test]
fn a_hard_link_is_the_file_that_it_was_made_of() {
    let below: &[File] = &[x("a"), hardlink("b", "a"), hardlink("c", "nowhere")];
    assert_eq!(left(&[below]), ["/a 1", "/b 1"]);
    assert_eq!(left(&[below, &[empty(".wh.a")]]), ["/b 1"]);
    assert_eq!(left(&[below, &[hardlink("d", "b"), File::new("b", b"text")]]), ["/a 1", "/d 2"]);
    let setuid = File { mode: 0o4755, ..x("a") };
    let report = verdict("linux/amd64", "", &[&[setuid, hardlink("b", "a")]]).1;
    assert_eq!(report.setuid.count, 2);
}

#[test]
fn links_of_the_layer_are_followed_within_the_root() {
    let within: &[File] = &[symlink("bin", "usr/bin"), x("bin/a"), symlink("out", "/../../etc"), x("out/b")];
    assert_eq!(left(&[within]), ["/etc/b 1", "/usr/bin/a 1"]);
    // Those of a layer below are hidden by the folder, as engines unpack each layer by itself.
    assert_eq!(
        left(&[&[symlink("bin", "usr/bin"), x("usr/bin/a")], &[x("bin/b")]]),
        ["/bin/b 2", "/usr/bin/a 1"]
    );
    let round: &[File] = &[symlink("x", "y"), symlink("y", "x"), x("x/a")];
    assert_eq!(left(&[round]).len(), 1, "a circle ends");
}

#[test]
fn the_loader_is_found_through_links() {
    let files = [
        symlink("bin", "/usr/bin"),
        symlink("usr/bin/sh", "busybox"),
        program("usr/bin/busybox", &Elf::arm64()),
    ];
    let report = verdict("linux/arm64", "", &[&files]).1;
    assert_eq!(report.start[0].at.as_ref().unwrap().path, "/usr/bin/busybox");
    let round = [symlink("bin", "sbin"), symlink("sbin", "bin")];
    assert!(verdict("linux/arm64", "", &[&round]).1.start.is_empty());
}
