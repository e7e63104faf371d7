//! Tiny foreign programs, made in memory, that tell by their exit status how they were started.

use super::code::code;
use crate::platform::Platform;

/// Where the program is loaded: above every `vm.mmap_min_addr`, within 32 bits.
const BASE: u32 = 0x40_0000;

/// A static ELF executable of the platform that waits for the end of its standard input and then exits with
/// `argc + argv[0][0]`. `None` for a platform no program was written for.
///
/// Waiting lets the parent look at the process. The sum tells whether the arguments arrived as they were given.
pub(super) fn image(platform: &Platform) -> Option<Vec<u8>> {
    code(platform).map(|code| elf(platform, code))
}

/// An executable of one segment with this code.
pub(super) fn elf(platform: &Platform, code: &[u8]) -> Vec<u8> {
    let (machine, is_64, little) = platform.elf();
    let mut file = Writer { bytes: Vec::new(), is_64, little };
    let (header, segment) = if is_64 { (64_u16, 56_u16) } else { (52, 32) };
    let start = u32::from(header) + u32::from(segment);
    let size = start.saturating_add(u32::try_from(code.len()).unwrap_or(u32::MAX));
    file.bytes.extend_from_slice(b"\x7fELF");
    file.bytes.extend_from_slice(&[if is_64 { 2 } else { 1 }, if little { 1 } else { 2 }, 1, 0]);
    file.bytes.extend_from_slice(&[0; 8]);
    file.half(2); // e_type: ET_EXEC
    file.half(machine);
    file.word(1); // e_version
    file.address(BASE + start); // e_entry
    file.address(header.into()); // e_phoff
    file.address(0); // e_shoff
    file.word(match platform.arch() {
        "arm" => 0x0500_0000, // EABI version 5: without it the old calling convention is assumed
        "ppc64le" => 2,       // ELFv2: without it `e_entry` is the address of a function descriptor
        _ => 0,
    });
    file.half(header); // e_ehsize
    file.half(segment); // e_phentsize
    file.half(1); // e_phnum
    file.half(0); // e_shentsize
    file.half(0); // e_shnum
    file.half(0); // e_shstrndx
    file.word(1); // p_type: PT_LOAD
    if is_64 {
        file.word(5); // p_flags: read, execute
    }
    file.address(0); // p_offset
    file.address(BASE); // p_vaddr
    file.address(BASE); // p_paddr
    file.address(size); // p_filesz
    file.address(size); // p_memsz
    if !is_64 {
        file.word(5); // p_flags
    }
    file.address(0x1_0000); // p_align: the largest page size in use
    file.bytes.extend_from_slice(code);
    file.bytes
}

struct Writer {
    bytes: Vec<u8>,
    is_64: bool,
    little: bool,
}

impl Writer {
    fn half(&mut self, value: u16) {
        self.bytes.extend_from_slice(&if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend_from_slice(&if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn address(&mut self, value: u32) {
        match (self.is_64, self.little) {
            (false, _) => self.word(value),
            (true, true) => self.bytes.extend_from_slice(&u64::from(value).to_le_bytes()),
            (true, false) => self.bytes.extend_from_slice(&u64::from(value).to_be_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use object::read::elf::{FileHeader as _, ProgramHeader as _};

    use super::*;

    #[test]
    fn every_platform_has_a_program_that_parses_as_elf() {
        for platform in Platform::all() {
            let image = image(&platform).unwrap();
            let (machine, is_64, _) = platform.elf();
            let (found, loads) = if is_64 {
                let header = object::elf::FileHeader64::<object::Endianness>::parse(&*image).unwrap();
                let endian = header.endian().unwrap();
                let segments = header.program_headers(endian, &*image).unwrap();
                (header.e_machine(endian).0, segments[0].p_filesz(endian))
            } else {
                let header = object::elf::FileHeader32::<object::Endianness>::parse(&*image).unwrap();
                let endian = header.endian().unwrap();
                let segments = header.program_headers(endian, &*image).unwrap();
                (header.e_machine(endian).0, segments[0].p_filesz(endian).into())
            };
            assert_eq!((found, loads), (machine, image.len() as u64), "{platform}");
        }
    }

    #[test]
    fn every_program_exits_as_computed_under_its_emulator() {
        let dir = tempfile::tempdir().unwrap();
        for platform in Platform::all() {
            let path = dir.path().join(platform.qemu());
            std::fs::write(&path, image(&platform).unwrap()).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
            // `-0` sets `argv[0]`: 40 for `(`, 2 arguments with `x`.
            let status = Command::new(format!("qemu-{}-static", platform.qemu()))
                .args(["-0", "("])
                .args([path.as_os_str(), "x".as_ref()])
                .stdin(Stdio::null())
                .status();
            match status {
                Ok(status) => assert_eq!(status.code(), Some(42), "{platform}"),
                Err(error) => println!("skipped: qemu-{}-static: {error}", platform.qemu()),
            }
        }
    }
}
