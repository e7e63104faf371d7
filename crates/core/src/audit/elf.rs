//! For which machine a program is, by the head of its file.

use object::elf::{
    EF_ARM_ABI_FLOAT_HARD, EF_ARM_ABI_FLOAT_SOFT, ELFCLASS64, ELFDATA2LSB, EM_ARM, EM_BPF, EM_NONE, ET_DYN,
    ET_EXEC, FileHeader32, FileHeader64, PT_INTERP, PT_LOAD,
};
use object::read::elf::{FileHeader, ProgramHeader as _};
use object::{Endianness, ReadRef as _};

/// So many bytes from the start of a file tell all but an old ARM program's float ABI.
pub(super) const HEAD: usize = 4096;

/// The machine of 32-bit ARM.
pub(super) const ARM: u16 = EM_ARM.0;

const MAGIC: &[u8; 4] = b"\x7fELF";

/// How floating-point arguments are passed on 32-bit ARM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Float {
    /// In general registers: Debian's armel.
    Soft,
    /// In those of the VFP: armhf.
    Hard,
}

/// What a program can run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    pub(super) machine: u16,
    pub(super) is_64: bool,
    pub(super) is_little: bool,
    /// Of ARM programs that tell.
    pub(super) float: Option<Float>,
}

/// A program or a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) class: Class,
    /// The loader that it asks for: none for static programs and for libraries.
    pub(super) loader: Option<Box<[u8]>>,
    /// It is a library, or a program that can lie anywhere.
    pub(super) is_dyn: bool,
}

/// It begins like an ELF file.
pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// The program whose file begins with these bytes. Object files, kernel modules, BPF and core files are none.
pub(super) fn program(head: &[u8]) -> Option<Program> {
    if !is_elf(head) {
        return None;
    }
    match head.get(4) {
        Some(class) if *class == ELFCLASS64.0 => read::<FileHeader64<Endianness>>(head),
        _ => read::<FileHeader32<Endianness>>(head),
    }
}

fn read<H: FileHeader<Endian = Endianness>>(head: &[u8]) -> Option<Program> {
    let header = H::parse(head).ok()?;
    let endian = header.endian().ok()?;
    let (kind, machine) = (header.e_type(endian), header.e_machine(endian));
    if !matches!(kind, ET_EXEC | ET_DYN) || matches!(machine, EM_NONE | EM_BPF) {
        return None;
    }
    // patchelf moves them to the end of the file; then the loader stays unknown.
    let segments = header.program_headers(endian, head).unwrap_or_default();
    if !segments.is_empty() && !segments.iter().any(|segment| segment.p_type(endian) == PT_LOAD) {
        return None;
    }
    let loader = segments.iter().find(|segment| segment.p_type(endian) == PT_INTERP).and_then(|segment| {
        let (offset, size) = (segment.p_offset(endian).into(), segment.p_filesz(endian).into());
        let path = head.read_bytes_at(offset, size).ok()?;
        Some(path.split(|byte| *byte == 0).next().unwrap_or_default().into())
    });
    let mut class = Class {
        machine: machine.0,
        is_64: header.is_class_64(),
        is_little: header.e_ident().data == ELFDATA2LSB,
        float: None,
    };
    if machine == EM_ARM {
        class.float = float(header.e_flags(endian).0, loader.as_deref());
    }
    Some(Program { class, loader, is_dyn: kind == ET_DYN })
}

/// By what the linker says since 2013, or by the loader's name.
fn float(flags: u32, loader: Option<&[u8]>) -> Option<Float> {
    if flags & EF_ARM_ABI_FLOAT_HARD != 0 {
        return Some(Float::Hard);
    }
    if flags & EF_ARM_ABI_FLOAT_SOFT != 0 {
        return Some(Float::Soft);
    }
    let loader = String::from_utf8_lossy(loader?);
    if loader.contains("armhf") {
        Some(Float::Hard)
    } else if loader.ends_with("/ld-linux.so.3") || loader.ends_with("/ld-musl-arm.so.1") {
        Some(Float::Soft)
    } else {
        None
    }
}
