//! Handmade archives that differ in one thing each.

use serde_json::{Value, json};
use tar::{EntryType, Header};

use super::*;
use crate::image::archive::tests::fixtures::{File, Image, Lab, append, pax, tar};

fn archived(lab: &Lab, name: &str, config: &Value, layers: Vec<Vec<u8>>) -> std::path::PathBuf {
    lab.write(name, &tar(&Image::of(config.clone(), layers).skopeo()))
}

fn of_images(configs: &[Value; 2], layers: [Vec<Vec<u8>>; 2]) -> Comparison {
    let lab = Lab::new();
    let [one, other] = layers;
    let first = archived(&lab, "first.tar", &configs[0], one);
    let second = archived(&lab, "second.tar", &configs[1], other);
    compare(&first, &second).unwrap()
}

fn config() -> Value {
    json!({ "os": "linux", "architecture": "arm64", "created": "1980-01-01T00:00:00Z" })
}

/// Of two layers on a common one: what differs, a line a file.
fn of_layers(one: Vec<u8>, other: Vec<u8>) -> (Files, Vec<String>) {
    let below = tar(&[File::new("below", b"x")]);
    let found = of_images(&[config(), config()], [vec![below.clone(), one], vec![below, other]]);
    assert!(!found.is_same());
    assert_eq!(found.layers.iter().map(|layer| layer.number).collect::<Vec<_>>(), [2]);
    assert!(found.fields.is_empty(), "digests of layers are told as layers: {:?}", found.fields);
    let files = found.files.unwrap();
    let lines = files.differ.told.iter().map(line).collect();
    (files, lines)
}

fn line(file: &FileDiffers) -> String {
    let parts = file.parts.iter().map(|part| format!(" {} {}/{}", part.name, part.values[0], part.values[1]));
    let only = file.only_in.map_or_else(String::new, |only| format!(" only in {only}"));
    format!("{}{only}{}", file.path, parts.collect::<String>())
}

/// A layer of one entry, whose header was changed.
fn entry(kind: EntryType, change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = File { kind, ..File::new("f", b"") }.header();
    change(&mut header);
    header.set_cksum();
    let mut bytes = Vec::new();
    append(&mut bytes, &header, b"");
    bytes.extend([0; 1024]);
    bytes
}

#[test]
fn the_same_is_the_same() {
    let layer = || vec![tar(&[File::new("f", b"x")])];
    let found = of_images(&[config(), config()], [layer(), layer()]);
    assert!(found.is_same() && found.layers.is_empty() && found.files.is_none() && found.fields.is_empty());
    // The same image, and other bytes around it.
    let (lab, image) = (Lab::new(), Image::of(config(), layer()));
    let first = lab.write("first.tar", &tar(&image.skopeo()));
    let second = lab.write("second.tar", &tar(&image.docker_24()));
    let found = compare(&first, &second).unwrap();
    assert!(!found.is_same() && found.ids[0] == found.ids[1] && found.layers.is_empty());
    assert!(found.fields.is_empty());
}

#[test]
fn fields_of_the_configuration_are_told_by_their_path() {
    let mut one = config();
    one["config"] = json!({ "Env": ["A=1", "B=2"], "Labels": { "org.example.x": "y" } });
    one["history"] = json!([{ "created": "a" }, { "created": "b", "comment": "c" }]);
    let mut other = one.clone();
    other["created"] = "1980-01-02T00:00:00Z".into();
    other["config"]["Env"][1] = "B=3".into();
    other["config"]["Labels"]["org.example.x"] = "z".into();
    other["history"][1] = json!({ "created": "d" });
    other["history"].as_array_mut().unwrap().push("x".repeat(200).into());
    let layers = || vec![tar(&[File::new("f", b"x")])];
    let found = of_images(&[one.clone(), other], [layers(), layers()]);
    let told: Vec<String> = found
        .fields
        .told
        .iter()
        .map(|field| {
            let value = |at: usize| field.values[at].as_deref().unwrap_or("-");
            format!("{} {} {}", field.path, value(0), value(1).chars().take(12).collect::<String>())
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"config.Env[1] "B=2" "B=3""#,
            r#"config.Labels["org.example.x"] "y" "z""#,
            r#"created "1980-01-01T00:00:00Z" "1980-01-02T"#,
            r#"history[1].comment "c" -"#,
            r#"history[1].created "b" "d""#,
            r#"history[2] - "xxxxxxxxxxx"#,
        ]
    );
    assert_eq!(found.fields.told[5].values[1].as_ref().unwrap().chars().count(), VALUE_MAX + 1);
    // Of long values that begin alike, the part that differs.
    let long = |end: &str| {
        let mut config = config();
        config["author"] = format!("{}{end}", "a".repeat(300)).into();
        config
    };
    let found = of_images(&[long("one"), long("two")], [layers(), layers()]);
    let ended = format!("…{}two\"", "a".repeat(VALUE_MAX / 4));
    assert_eq!(found.fields.told[0].values[1].as_ref(), Some(&ended));
    // Written in another way: another id, and no field says why.
    let (lab, image) = (Lab::new(), Image::of(one, layers()));
    let mut spaced = Image { config: image.config.clone(), layers: image.layers.clone() };
    spaced.config.push(b'\n');
    let [first, second] = [("first.tar", &image), ("second.tar", &spaced)]
        .map(|(name, image)| lab.write(name, &tar(&image.skopeo())));
    let found = compare(&first, &second).unwrap();
    assert_eq!(found.fields.told, [FieldDiffers { path: String::new(), values: [None, None] }]);
}

#[test]
fn each_part_of_a_file_is_told() {
    let plain = || entry(EntryType::Regular, |_| {});
    for (one, other, told) in [
        (plain(), entry(EntryType::Regular, |header| header.set_mode(0o4755)), "/f mode 0644/4755"),
        (plain(), entry(EntryType::Regular, |header| header.set_uid(0)), "/f uid 1000/0"),
        (plain(), entry(EntryType::Regular, |header| header.set_gid(7)), "/f gid 1000/7"),
        (plain(), entry(EntryType::Regular, |header| header.set_mtime(0)), "/f mtime 1700000000/0"),
        (plain(), entry(EntryType::Directory, |_| {}), "/f type file/directory"),
        (
            tar(&[File::link(EntryType::Symlink, "f", "a")]),
            tar(&[File::link(EntryType::Symlink, "f", "b")]),
            "/f target a/b",
        ),
        (
            tar(&[File::link(EntryType::Link, "f", "a")]),
            tar(&[File::link(EntryType::Symlink, "f", "a")]),
            "/f type hardlink/symlink",
        ),
        (
            entry(EntryType::Char, |header| header.set_device_minor(3).unwrap()),
            entry(EntryType::Char, |header| header.set_device_minor(5).unwrap()),
            "/f device 0,3/0,5",
        ),
        (
            tar(&[File::new("f", b"abc")]),
            tar(&[File::new("f", b"abcdef")]),
            "/f size 3/6 content from byte 3 on /def",
        ),
        (
            tar(&[File::new("f", b"abc\n")]),
            tar(&[File::new("f", b"abX\n")]),
            r"/f content from byte 2 on c\n/X\n",
        ),
        (tar(&[File::new("f", b"")]), tar(&[]), "/f only in 0"),
        (tar(&[]), tar(&[File::new("a b\n", b"")]), r"/a b\n only in 1"),
    ] {
        assert_eq!(of_layers(one, other).1, [told]);
    }
}

#[test]
fn extended_attributes_are_told_by_their_names() {
    let with = |value: &str| {
        let record = pax("SCHILY.xattr.user.note", value);
        let header = File { kind: EntryType::XHeader, ..File::new("h", &record) };
        tar(&[header, File::new("f", b"")])
    };
    assert_eq!(of_layers(with("one"), with("two")).1, ["/f user.note one/two"]);
    assert_eq!(of_layers(with("one"), tar(&[File::new("f", b"")])).1, ["/f user.note one/absent"]);
}

#[test]
fn the_first_byte_that_differs_is_found_in_large_files() {
    let content = |change: Option<usize>| {
        let mut bytes: Vec<u8> = (0_u8..251).cycle().take(300_000).collect();
        if let Some(at) = change {
            bytes[at] ^= 0xff;
        }
        tar(&[File::new("before", b"x"), File::new("f", &bytes), File::new("after", b"y")])
    };
    for at in [0, 65_535, 65_536, 200_001, 299_999] {
        let (files, _) = of_layers(content(None), content(Some(at)));
        let [file] = files.differ.told.as_slice() else { panic!("{files:?}") };
        assert_eq!((file.path.as_str(), file.parts.len()), ("/f", 1));
        assert_eq!(file.parts[0].name, PartName::Content(at as u64));
    }
}

#[test]
fn order_and_headers_are_what_is_left() {
    let (a, b) = (File::new("a", b"1"), File::new("b", b"2"));
    let (files, _) = of_layers(tar(&[a.clone(), b.clone()]), tar(&[b, a]));
    assert!(files.is_order && files.differ.is_empty());
    let (files, _) = of_layers(
        entry(EntryType::Regular, |_| {}),
        entry(EntryType::Regular, |header| header.set_username("root").unwrap()),
    );
    assert!(!files.is_order && files.differ.is_empty());
}

#[test]
fn twenty_are_told_and_the_others_counted() {
    let layer = |text: &str| {
        let files: Vec<File> = (0..33).map(|at| File::new(&format!("{at:02}"), text.as_bytes())).collect();
        tar(&files)
    };
    let (files, lines) = of_layers(layer("a"), layer("b"));
    assert_eq!((lines.len(), files.differ.more), (20, 13));
    assert_eq!(lines[19], "/19 content from byte 0 on a/b");
}

#[test]
fn usual_causes_are_told_once() {
    let layer = |text: &str| {
        let names = ["a.pyc", "b.pyc", "etc/machine-id", "lib/x.jar", "var/log/dpkg.log", "x"];
        tar(&names.map(|name| File::new(name, text.as_bytes())))
    };
    let below = vec![tar(&[])];
    let found = of_images(
        &[config(), config()],
        [[below.clone(), vec![layer("a")]].concat(), [below, vec![layer("b")]].concat()],
    );
    let causes = found.causes();
    assert_eq!(causes.len(), 5, "{causes:#?}");
    for (cause, word) in
        causes.iter().zip(["pyc", "random", "SOURCE_DATE_EPOCH", "package managers", "pin versions"])
    {
        assert!(cause.contains(word), "{cause}");
    }
}

#[test]
fn one_may_have_more_layers() {
    let layer = |text: &[u8]| tar(&[File::new("f", text)]);
    let found = of_images(&[config(), config()], [vec![layer(b"1")], vec![layer(b"1"), layer(b"2")]]);
    assert_eq!((found.layer_counts, found.files), ([1, 2], None));
    let [more] = found.layers.as_slice() else { panic!("{:?}", found.layers) };
    assert!(more.number == 2 && more.diff_ids[0].is_none() && more.diff_ids[1].is_some());
}

#[test]
fn what_is_no_archive_is_told() {
    let lab = Lab::new();
    let good = archived(&lab, "good.tar", &config(), vec![tar(&[File::new("f", b"x")])]);
    let bad = lab.write("bad.tar", b"no tar");
    assert!(compare(&good, &bad).unwrap_err().to_string().contains("bad.tar"));
    // Two layers that are no tar files.
    let one = archived(&lab, "one.tar", &config(), vec![vec![1; 512]]);
    let other = archived(&lab, "other.tar", &config(), vec![vec![2; 512]]);
    assert!(compare(&one, &other).unwrap_err().to_string().contains("layer 1"));
}
