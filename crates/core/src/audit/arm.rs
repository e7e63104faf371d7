//! The float ABI of ARM programs whose header does not tell it: by the attributes near the end of the file.

use object::elf::{FileHeader32, SHT_ARM_ATTRIBUTES, SectionHeader32, Tag_File};
use object::read::elf::{AttributesSection, FileHeader as _, SectionHeader as _};
use object::{Endianness, ReadRef as _};

use super::elf::Float;

/// So many bytes of the end hold the attributes and the table of sections of a stripped program.
pub(super) const TAIL: usize = 64 * 1024;

/// `Tag_ABI_VFP_args` of the ABI's addenda: 0 is the base standard, 1 that arguments are passed in VFP registers.
const ABI_VFP_ARGS: u64 = 28;

/// What the attributes say. `tail` is the end of the file, from the byte `start` on.
pub(super) fn float(head: &[u8], tail: &[u8], start: u64) -> Option<Float> {
    let header = FileHeader32::<Endianness>::parse(head).ok()?;
    let endian = header.endian().ok()?;
    let within = |offset: u32| u64::from(offset).checked_sub(start);
    let (table, count) = (within(header.e_shoff.get(endian))?, usize::from(header.e_shnum.get(endian)));
    let sections: &[SectionHeader32<Endianness>] = tail.read_slice_at(table, count).ok()?;
    let section = sections.iter().find(|section| section.sh_type(endian) == SHT_ARM_ATTRIBUTES)?;
    let size = u64::from(section.sh_size.get(endian));
    let data = tail.read_bytes_at(within(section.sh_offset.get(endian))?, size).ok()?;
    let attributes = AttributesSection::<FileHeader32<Endianness>>::new(endian, data).ok()?;
    let public = attributes.subsections().ok()?.flatten().find(|section| section.vendor() == b"aeabi")?;
    let file = public.subsubsections().flatten().find(|part| part.tag() == Tag_File)?;
    let mut reader = file.attributes();
    while let Some(tag) = reader.read_tag().ok()? {
        match tag {
            ABI_VFP_ARGS => {
                return match reader.read_integer().ok()? {
                    0 => Some(Float::Soft),
                    1 => Some(Float::Hard),
                    _ => None,
                };
            }
            4 | 5 => drop(reader.read_string().ok()?),
            32 => {
                reader.read_integer().ok()?;
                reader.read_string().ok()?;
            }
            _ if tag > 32 && tag % 2 == 1 => drop(reader.read_string().ok()?),
            _ => drop(reader.read_integer().ok()?),
        }
    }
    // What is not said is the base standard.
    Some(Float::Soft)
}
