//! An interpreter's file: fit for containers, safe to hand every foreign program to, and of which version.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use object::elf::{FileHeader32, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader as _};
use object::{Endianness, FileKind, ReadCache};

use super::problem::Problem;
use super::run;
use crate::platform::Platform;

/// How long `--version` may take.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// What is wrong with an opened interpreter; `path` is what it is called in messages.
pub(super) fn inspect(file: &File, path: &Path, host: &Platform) -> Result<(), Problem> {
    let unreadable = |reason: String| Problem::Unreadable { path: path.to_owned(), reason };
    let metadata = file.metadata().map_err(|error| unreadable(error.to_string()))?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() || mode & 0o111 == 0 {
        return Err(unreadable("is not an executable file".into()));
    }
    if metadata.uid() != 0 || mode & 0o022 != 0 {
        return Err(Problem::NotTrusted { interpreter: path.to_owned(), owner: metadata.uid(), mode });
    }
    let wrong =
        |found: String| Problem::WrongMachine { interpreter: path.to_owned(), found, host: host.to_string() };
    // Only what is needed of the file is read.
    let data = ReadCache::new(file);
    let facts = match FileKind::parse(&data) {
        Ok(FileKind::Elf32) => facts::<FileHeader32<Endianness>>(&data),
        Ok(FileKind::Elf64) => facts::<FileHeader64<Endianness>>(&data),
        _ => return Err(wrong("no ELF program".into())),
    };
    let Ok((elf, dynamic)) = facts else { return Err(wrong("a damaged ELF file".into())) };
    match Platform::all().find(|platform| platform.elf() == elf) {
        Some(platform) if host.runs_natively(&platform) => {}
        Some(platform) => return Err(wrong(format!("one for {platform}"))),
        None => return Err(wrong(format!("one for ELF machine {}", elf.0))),
    }
    if dynamic {
        return Err(Problem::NotStatic { interpreter: path.to_owned() });
    }
    Ok(())
}

/// Machine, class and encoding of an ELF file, and whether it asks for a dynamic loader.
fn facts<H>(data: &ReadCache<&File>) -> object::read::Result<((u16, bool, bool), bool)>
where
    H: FileHeader<Endian = Endianness>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let dynamic =
        header.program_headers(endian, data)?.iter().any(|segment| segment.p_type(endian) == PT_INTERP);
    Ok(((header.e_machine(endian).0, header.is_class_64(), header.is_little_endian()), dynamic))
}

/// What QEMU calls its version, such as `7.2.22 (Debian 1:7.2+dfsg-7)`; `None` if `program` is not QEMU.
pub(super) fn version(program: &Path, scratch: &Path) -> Option<String> {
    let mut output = tempfile::tempfile_in(scratch).ok()?;
    let deadline = Instant::now() + VERSION_TIMEOUT;
    let mut child = Command::new(program)
        // Debian registers QEMU under a name ending in `-binfmt-P`, by which it refuses to be run directly.
        .arg0("qemu")
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(output.try_clone().ok()?)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    run::wait(&mut child, deadline).ok()??.success().then_some(())?;
    output.rewind().ok()?;
    let mut text = Vec::new();
    output.take(4096).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (name, version) = text.lines().next()?.split_once(" version ")?;
    name.starts_with("qemu").then(|| version.trim().to_owned())
}
