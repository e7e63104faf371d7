//! Every sort of image, with its verdict.

use super::*;
use crate::audit::{Deny, Rules, SecretAt};
use crate::output::Redactor;
use Verdict::{ContentWrong, Forbidden, LabelWrong, Mixed, NothingToTell, Right};

const AMD64: &str = "linux/amd64";
const ARM64: &str = "linux/arm64";
const ARMV7: &str = "linux/arm/v7";
const ARMV5: &str = "linux/arm/v5";

fn a(elf: &Elf) -> [File; 1] {
    [program("bin/a", elf)]
}

/// Label, what it should be, files, verdict, what the programs are for.
type Case = (&'static str, &'static str, Vec<File>, Verdict, Option<&'static str>);

#[test]
fn label_and_content_one_by_one() {
    let soft = || Elf::armel().loader("/lib/ld-linux.so.3");
    let hard = || Elf::armhf().loader("/lib/ld-linux-armhf.so.3");
    let empty = [File::new("etc/motd", b"hello")];
    let texts = [script("bin/run", "#!/bin/sh\nexit 0\n")];
    let cases: Vec<Case> = vec![
        (ARM64, ARM64, a(&Elf::arm64()).into(), Right, Some(ARM64)),
        (ARM64, "", a(&Elf::arm64()).into(), Right, Some(ARM64)),
        ("linux/arm64/v8", ARM64, a(&Elf::arm64()).into(), Right, Some(ARM64)),
        // atmos#2931: the label says ARM, the userland is another.
        (ARM64, ARM64, a(&Elf::amd64()).into(), ContentWrong, Some(AMD64)),
        // descheduler#1886, cri-o#3233: right programs, wrong label.
        (AMD64, ARM64, a(&Elf::arm64()).into(), LabelWrong, Some(ARM64)),
        (AMD64, "", a(&Elf::arm64()).into(), LabelWrong, Some(ARM64)),
        (AMD64, ARM64, a(&Elf::amd64()).into(), ContentWrong, Some(AMD64)),
        ("", ARM64, a(&Elf::arm64()).into(), LabelWrong, Some(ARM64)),
        ("", "", a(&Elf::arm64()).into(), LabelWrong, Some(ARM64)),
        ("windows/amd64", "", a(&Elf::amd64()).into(), LabelWrong, Some(AMD64)),
        (ARM64, ARM64, [a(&Elf::arm64()), [program("bin/b", &Elf::amd64())]].concat(), Mixed, None),
        (ARM64, "", [a(&Elf::arm64()), [program("bin/b", &Elf::amd64())]].concat(), Mixed, None),
        (ARM64, ARM64, [a(&Elf::s390x()), [program("bin/b", &Elf::amd64())]].concat(), Mixed, None),
        (ARM64, ARM64, empty.to_vec(), NothingToTell, None),
        (ARM64, ARM64, texts.to_vec(), NothingToTell, None),
        (ARM64, "", Vec::new(), NothingToTell, None),
        (AMD64, ARM64, texts.to_vec(), LabelWrong, None),
        // armel and armhf.
        (ARMV7, ARMV7, a(&hard()).into(), Right, Some(ARMV7)),
        ("linux/arm", ARMV7, a(&hard()).into(), Right, Some(ARMV7)),
        ("linux/arm/v6", "linux/arm/v6", a(&hard()).into(), Right, Some("linux/arm/v6")),
        (ARMV7, ARMV7, a(&soft()).into(), ContentWrong, Some(ARMV5)),
        (ARMV5, ARMV5, a(&soft()).into(), Right, Some(ARMV5)),
        (ARMV5, ARMV5, a(&hard()).into(), ContentWrong, Some(ARMV7)),
        (ARMV5, "", a(&Elf::armhf()).into(), LabelWrong, Some(ARMV7)),
        (ARMV7, "", a(&Elf::armel()).into(), LabelWrong, Some(ARMV5)),
        (ARMV7, ARMV7, [a(&hard()), [program("lib/b.so", &Elf::armel().kind(3))]].concat(), Mixed, None),
        // A static program brings its own, and what Go builds tells nothing.
        (ARMV7, ARMV7, [a(&hard()), [program("bin/b", &Elf::armel())]].concat(), Right, None),
        (ARMV7, ARMV7, [a(&hard()), [program("bin/b", &Elf::arm())]].concat(), Right, Some(ARMV7)),
        (ARMV5, ARMV5, a(&Elf::arm()).into(), Right, Some(ARMV5)),
        ("linux/arm/v6", "", a(&Elf::arm()).into(), Right, Some("linux/arm/v6")),
        (ARM64, ARM64, a(&hard()).into(), ContentWrong, Some(ARMV7)),
        // i386 runs on amd64, and is not it.
        (AMD64, AMD64, [a(&Elf::amd64()), [program("bin/b", &Elf::i386())]].concat(), Right, None),
        (AMD64, "", a(&Elf::i386()).into(), LabelWrong, Some("linux/386")),
        ("linux/386", "", [a(&Elf::i386()), [program("bin/b", &Elf::amd64())]].concat(), Mixed, None),
        ("linux/s390x", "", a(&Elf::s390x()).into(), Right, Some("linux/s390x")),
        ("linux/ppc64le", "", a(&Elf::ppc64le()).into(), Right, Some("linux/ppc64le")),
    ];
    for (platform, wanted, files, expected, content) in cases {
        let (found, report) = verdict(platform, wanted, &[&files]);
        let names: Vec<_> = files.iter().map(|file| &file.name).collect();
        assert_eq!(found, expected, "{platform} {wanted} {names:?}: {:?}", report.failures);
        assert_eq!(report.content.as_deref(), content, "{platform} {wanted} {names:?}");
        assert_eq!(
            report.failures.is_empty(),
            expected.is_good(),
            "{platform} {wanted} {:?}",
            report.failures
        );
    }
}

#[test]
fn a_foreign_file_is_told_with_its_layer() {
    let good = a(&Elf::arm64());
    let (found, report) = verdict(ARM64, ARM64, &[&good, &[program("opt/tool", &Elf::amd64())]]);
    assert_eq!(found, Mixed);
    assert_eq!(report.failures, ["of 2 programs 1 are not for linux/arm64: `/opt/tool` (layer 2)"]);
    assert_eq!(report.foreign.files[0].what.as_deref(), Some(AMD64));
}

#[test]
fn what_may_be_of_another_platform() {
    let emulator = program("usr/bin/qemu-aarch64-static", &Elf::amd64());
    let carried = [
        emulator.clone(),
        program("lib/firmware/modem.elf", &Elf::armhf()),
        program("usr/arm-linux-gnueabihf/lib/libc.so.6", &Elf::armhf().kind(3)),
        program("usr/x86_64-linux-gnu/lib/libc.so.6", &Elf::amd64().kind(3)),
        program("app/node_modules/usb/prebuilds/linux-x64/node.node", &Elf::amd64().kind(3)),
        program("app/node_modules/usb/prebuilds/linux-arm/armv7.node", &Elf::armhf().kind(3)),
        // No programs at all.
        program("lib/modules/6.1/fs.ko", &Elf::amd64().kind(1)),
        program("usr/lib/bpf/trace.o", &Elf::bpf().kind(1)),
    ];
    let (found, report) = verdict(ARM64, ARM64, &[&[a(&Elf::arm64()).to_vec(), carried.to_vec()].concat()]);
    assert_eq!((found, report.carried.count), (Right, 6), "{:?}", report.foreign);
    assert_eq!(report.programs[0].files, 1);
    // Alone it tells nothing, and hides no wrong userland.
    assert_eq!(verdict(ARM64, ARM64, &[std::slice::from_ref(&emulator)]).0, NothingToTell);
    let with_wrong = [emulator, program("bin/a", &Elf::amd64())];
    assert_eq!(verdict(ARM64, ARM64, &[&with_wrong]).0, ContentWrong);
    for not in [
        program("usr/bin/qemu-aarch64-static", &Elf::amd64().loader("/lib64/ld-linux-x86-64.so.2")),
        program("usr/aarch64-linux-gnu/lib/libc.so.6", &Elf::amd64().kind(3)),
        program("prebuilds/linux-arm64/node.node", &Elf::amd64().kind(3)),
        program("usr/lib/x86_64-linux-gnu/libc.so.6", &Elf::amd64().kind(3)),
    ] {
        let name = not.name.clone();
        assert_eq!(
            verdict(ARM64, ARM64, &[&[a(&Elf::arm64()).to_vec(), vec![not]].concat()]).0,
            Mixed,
            "{name}"
        );
    }
}

fn ruled(rules: Rules, files: &[File]) -> ImageReport {
    let wanted = Wanted { platform: Platform::parse(ARM64).ok(), rules, ..Wanted::default() };
    look(label(ARM64), &[files], &wanted).unwrap()
}

#[test]
fn what_the_recipe_allows() {
    let files = [a(&Elf::arm64()).to_vec(), vec![program("opt/x/y/dsp", &Elf::armhf())]].concat();
    let allow = |glob: &str| ruled(Rules { allow: vec![glob.into()], deny: Vec::new() }, &files).verdict;
    for glob in ["opt/**", "/opt/x/y/dsp", "opt/*/*/dsp", "**/dsp"] {
        assert_eq!(allow(glob), Right, "{glob}");
    }
    for glob in ["opt/*", "dsp", "bin/**", "opt/x/y"] {
        assert_eq!(allow(glob), Mixed, "{glob}");
    }
}

#[test]
fn setuid_and_world_writable_are_told_and_can_be_forbidden() {
    let with = |mode: u32, file: File| File { mode, ..file };
    let files = [
        with(0o4755, program("bin/su", &Elf::arm64())),
        with(0o2755, File::new("bin/mail", b"text")),
        with(0o666, File::new("etc/open", b"")),
        folder("srv", 0o777),
        folder("tmp", 0o1777),
        folder("home", 0o2775),
        symlink("var", "srv"),
    ];
    let report = ruled(Rules::default(), &files);
    let names =
        |files: &super::super::Files| files.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert_eq!(report.verdict, Right);
    assert_eq!(names(&report.setuid), ["/bin/mail", "/bin/su"]);
    assert_eq!(names(&report.world_writable), ["/etc/open", "/srv"]);
    for (deny, told) in [(Deny::Setuid, "/bin/su"), (Deny::WorldWritable, "/etc/open")] {
        let report = ruled(Rules { allow: Vec::new(), deny: vec![deny] }, &files);
        assert_eq!(report.verdict, Forbidden);
        assert!(report.failures[0].contains(told), "{:?}", report.failures);
    }
}

#[test]
fn secrets_are_found_wherever_they_are_and_never_told() {
    const SECRET: &str = "hunter2-hunter2";
    let wanted = Wanted {
        platform: Platform::parse(ARM64).ok(),
        secrets: Redactor::new([SECRET.as_bytes()]).finder(),
        ..Wanted::default()
    };
    let mut config = label(ARM64);
    config["config"] = json!({ "Env": ["A=b", format!("TOKEN={SECRET}")], "Labels": { SECRET: "x" } });
    config["history"] = json!([{ "created_by": format!("/bin/sh -c curl -u me:{SECRET}") }]);
    let long = [vec![b'x'; 600_000], SECRET.into(), vec![b'y'; 9]].concat();
    let encoded = "{\"auth\":\"bWU6aHVudGVyMi1odW50ZXIy\"}";
    let layers: [&[File]; 2] = [
        &[File::new("app/.env", &long), File::new("root/.docker/config.json", encoded.as_bytes())],
        &[File::new("app/.wh..env", b""), program("bin/a", &Elf::arm64())],
    ];
    let report = look(config, &layers, &wanted).unwrap();
    let places: Vec<String> = report.secrets.iter().map(ToString::to_string).collect();
    let expected = [
        "`/app/.env` (layer 1)",
        "`/root/.docker/config.json` (layer 1)",
        "the configuration, `config.Env[1]`",
        "the configuration, `config.Labels.***`",
        "the configuration, `history[0].created_by`",
    ];
    assert_eq!(places, expected);
    assert!(matches!(report.secrets[0], SecretAt::File(_)));
    assert_eq!((report.verdict, report.failures.len()), (Forbidden, 5));
    assert!(!super::super::Report::new(vec![report]).to_json().contains(SECRET));
}

#[test]
fn a_secret_hides_no_wrong_platform() {
    let wanted = Wanted {
        platform: Platform::parse(ARM64).ok(),
        secrets: Redactor::new([b"hunter2-hunter2".as_slice()]).finder(),
        ..Wanted::default()
    };
    let files = [program("bin/a", &Elf::amd64()), File::new("x", b"hunter2-hunter2")];
    let report = look(label(ARM64), &[&files], &wanted).unwrap();
    assert_eq!((report.verdict, report.failures.len()), (ContentWrong, 2));
}

#[test]
fn what_starts_is_told_with_what_it_needs() {
    let mut config = label(ARM64);
    config["config"] = json!({ "Entrypoint": ["run"], "Env": ["PATH=/nowhere:/opt/bin"], "Shell": null });
    let files = [
        script("opt/bin/run.sh", "#! /usr/bin/env bash\n"),
        symlink("opt/bin/run", "../../opt/bin/run.sh"),
        program("usr/bin/env", &Elf::arm64().loader("/lib/ld-linux-aarch64.so.1")),
        program("usr/lib/ld.so", &Elf::arm64().kind(3)),
        symlink("usr/lib/ld-linux-aarch64.so.1", "ld.so"),
        symlink("lib", "usr/lib"),
    ];
    let report = look(config.clone(), &[&files], &Wanted::default()).unwrap();
    let start: Vec<String> = report
        .start
        .iter()
        .map(|one| {
            let at = one.at.as_ref().unwrap();
            format!("{} {} = {} {}", one.role, one.asked, at.path, at.what.as_deref().unwrap_or_default())
        })
        .collect();
    let expected = [
        "entrypoint run = /opt/bin/run.sh script",
        "interpreter /usr/bin/env = /usr/bin/env linux/arm64",
        "loader /lib/ld-linux-aarch64.so.1 = /usr/lib/ld.so linux/arm64",
    ];
    assert_eq!((start, report.remarks), (expected.map(str::to_owned).to_vec(), Vec::<String>::new()));
    // Without the loader, and without the program.
    let report = look(config.clone(), &[&files[..3]], &Wanted::default()).unwrap();
    assert!(
        report.remarks[0].contains("needs the loader `/lib/ld-linux-aarch64.so.1`"),
        "{:?}",
        report.remarks
    );
    config["config"]["Entrypoint"] = json!(["/absent"]);
    let report = look(config, &[&files], &Wanted::default()).unwrap();
    assert_eq!(report.remarks, ["its entrypoint `/absent` is no program of the image"]);
    assert_eq!(report.verdict, Right, "a volume may bring it");
}
