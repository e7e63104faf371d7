//! Programs of any machine, made of their headers.

use crate::audit::elf::{Class, Float, program};

/// An ELF file to be made.
#[derive(Debug, Clone)]
pub(super) struct Elf {
    machine: u16,
    is_64: bool,
    is_little: bool,
    kind: u16,
    flags: u32,
    loader: Option<&'static str>,
    attributes: Option<u8>,
}

impl Elf {
    fn of(machine: u16, is_64: bool, is_little: bool) -> Self {
        Self { machine, is_64, is_little, kind: 2, flags: 0, loader: None, attributes: None }
    }

    pub(super) fn amd64() -> Self {
        Self::of(62, true, true)
    }

    pub(super) fn arm64() -> Self {
        Self::of(183, true, true)
    }

    pub(super) fn i386() -> Self {
        Self::of(3, false, true)
    }

    pub(super) fn s390x() -> Self {
        Self::of(22, true, false)
    }

    pub(super) fn ppc64le() -> Self {
        Self::of(21, true, true)
    }

    /// Nothing tells its float ABI, as in what Go builds.
    pub(super) fn arm() -> Self {
        Self { flags: 0x0500_0002, ..Self::of(40, false, true) }
    }

    pub(super) fn armhf() -> Self {
        Self { flags: 0x0500_0400, ..Self::arm() }
    }

    pub(super) fn armel() -> Self {
        Self { flags: 0x0500_0200, ..Self::arm() }
    }

    pub(super) fn loader(self, loader: &'static str) -> Self {
        Self { loader: Some(loader), ..self }
    }

    /// 1 relocatable, 2 executable, 3 shared, 4 core.
    pub(super) fn kind(self, kind: u16) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn bpf() -> Self {
        Self::of(247, true, true)
    }

    /// `Tag_ABI_VFP_args` in a section near the end.
    fn attributes(self, vfp_args: u8) -> Self {
        Self { attributes: Some(vfp_args), ..self }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let (mut out, little) = (Vec::new(), self.is_little);
        let put = |out: &mut Vec<u8>, value: u64, size: usize| {
            let bytes = value.to_le_bytes();
            if little {
                out.extend(&bytes[..size]);
            } else {
                out.extend(bytes[..size].iter().rev());
            }
        };
        let word = if self.is_64 { 8 } else { 4 };
        let header = if self.is_64 { 64 } else { 52 };
        let segment = if self.is_64 { 56 } else { 32 };
        let segments = 1 + u64::from(self.loader.is_some());
        let text = header + segment * segments;
        let loader = self.loader.map(|loader| [loader.as_bytes(), &[0]].concat()).unwrap_or_default();
        // Long enough that a tail has to be kept, and not the whole file.
        let padding: u32 = if self.attributes.is_some() { 300_000 } else { 8 };
        let attributes = self.attributes.map(|value| {
            let tags = [6, 10, 5, b'7', 0, 28, value];
            let length = |bytes: &[u8], more| u8::try_from(bytes.len() + more).unwrap();
            let file = [&[1, length(&tags, 5), 0, 0, 0][..], &tags].concat();
            let section = [&b"aeabi\0"[..], &file].concat();
            [&[b'A', length(&section, 4), 0, 0, 0][..], &section].concat()
        });
        let at_attributes = text + loader.len() as u64 + u64::from(padding);
        let sections = attributes.as_ref().map_or(0, |data| at_attributes + data.len() as u64);

        out.extend(b"\x7fELF");
        out.extend([if self.is_64 { 2 } else { 1 }, if little { 1 } else { 2 }, 1, 0]);
        out.extend([0; 8]);
        put(&mut out, self.kind.into(), 2);
        put(&mut out, self.machine.into(), 2);
        put(&mut out, 1, 4);
        put(&mut out, 0, word);
        put(&mut out, header, word);
        put(&mut out, sections, word);
        put(&mut out, self.flags.into(), 4);
        put(&mut out, header, 2);
        put(&mut out, segment, 2);
        put(&mut out, segments, 2);
        put(&mut out, if self.is_64 { 64 } else { 40 }, 2);
        put(&mut out, if sections > 0 { 2 } else { 0 }, 2);
        put(&mut out, 0, 2);
        assert_eq!(out.len() as u64, header);
        let mut one = |kind: u64, offset: u64, size: u64| {
            put(&mut out, kind, 4);
            if self.is_64 {
                put(&mut out, 5, 4);
            }
            for value in [offset, offset, offset, size, size] {
                put(&mut out, value, word);
            }
            if !self.is_64 {
                put(&mut out, 5, 4);
            }
            put(&mut out, 4096, word);
        };
        one(1, 0, text);
        if self.loader.is_some() {
            one(3, text, loader.len() as u64);
        }
        out.extend(&loader);
        out.resize(out.len() + usize::try_from(padding).unwrap(), 0x90);
        if let Some(data) = attributes {
            out.extend(&data);
            out.extend([0; 40]);
            for value in [0, 0x7000_0003, 0, 0, at_attributes, data.len() as u64, 0, 0, 1, 0] {
                put(&mut out, value, 4);
            }
        }
        out
    }
}

fn float(elf: &Elf) -> Option<Float> {
    program(&elf.bytes()).unwrap().class.float
}

#[test]
fn what_a_head_tells() {
    let class = |elf: Elf| program(&elf.bytes()).unwrap().class;
    let of = |machine, is_64, is_little| Class { machine, is_64, is_little, float: None };
    assert_eq!(class(Elf::amd64()), of(62, true, true));
    assert_eq!(class(Elf::s390x()), of(22, true, false));
    assert_eq!(class(Elf::i386()), of(3, false, true));
    assert_eq!(float(&Elf::armhf()), Some(Float::Hard));
    assert_eq!(float(&Elf::armel()), Some(Float::Soft));
    assert_eq!(float(&Elf::arm()), None);
    assert_eq!(float(&Elf::arm().loader("/lib/ld-linux-armhf.so.3")), Some(Float::Hard));
    assert_eq!(float(&Elf::arm().loader("/lib/ld-musl-armhf.so.1")), Some(Float::Hard));
    assert_eq!(float(&Elf::arm().loader("/lib/ld-linux.so.3")), Some(Float::Soft));
    let dynamic = program(&Elf::amd64().loader("/lib64/ld-linux-x86-64.so.2").bytes()).unwrap();
    assert_eq!(dynamic.loader.as_deref(), Some(&b"/lib64/ld-linux-x86-64.so.2"[..]));
}

#[test]
fn what_is_no_program() {
    for bytes in [
        Elf::amd64().kind(1).bytes(),
        Elf::amd64().kind(4).bytes(),
        Elf::bpf().kind(2).bytes(),
        b"\x7fELF".to_vec(),
        b"\x7fELF\x02\x01\x01 and more text than a header has, which is sixty-four bytes".to_vec(),
        b"#!/bin/sh\n".to_vec(),
        Vec::new(),
    ] {
        assert_eq!(program(&bytes), None, "{bytes:?}");
    }
    // A head that was cut anywhere is a program or none, and no panic.
    let whole = Elf::armhf().loader("/lib/ld-linux-armhf.so.3").bytes();
    (0..whole.len()).for_each(|length| drop(program(&whole[..length])));
}

#[test]
fn attributes_tell_what_the_header_of_an_old_program_does_not() {
    use crate::audit::arm;
    for (value, expected) in [(0, Some(Float::Soft)), (1, Some(Float::Hard)), (3, None)] {
        let bytes = Elf::arm().attributes(value).bytes();
        let start = bytes.len() - arm::TAIL;
        assert_eq!(arm::float(&bytes[..4096], &bytes[start..], start as u64), expected, "{value}");
        for cut in 1..200 {
            arm::float(&bytes[..4096], &bytes[start..bytes.len() - cut], start as u64);
        }
    }
    // The whole way, through a layer.
    let file = |value| super::program("bin/a", &Elf::arm().attributes(value));
    let (verdict, report) = super::verdict("linux/arm/v7", "linux/arm/v7", &[&[file(1)]]);
    assert_eq!((verdict, report.content.as_deref()), (super::Verdict::Right, Some("linux/arm/v7")));
    let (verdict, report) = super::verdict("linux/arm/v7", "", &[&[file(0)]]);
    assert_eq!((verdict, report.content.as_deref()), (super::Verdict::LabelWrong, Some("linux/arm/v5")));
}
