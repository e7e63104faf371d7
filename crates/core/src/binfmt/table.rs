//! What `binfmt_misc` should say for each platform, derived from its ELF facts.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::platform::Platform;

/// The flags of a registration, those of Debian's packages.
///
/// `F` pins the interpreter when it is registered, so that containers, which do not have the file, can use it.
/// `P` hands over the caller's `argv[0]`: without it busybox run under another name and login shells break.
/// `O` hands over the opened program: images have programs that may be executed but not read (mode 4111), and
/// without it QEMU, running as their user, cannot open them.
/// Not `C`: it would let the set-user-id bit of a file in an image raise privileges through the interpreter,
/// and a build does not need that. Debian leaves it out as well.
pub const FLAGS: &str = "OPF";

/// The flags for a kernel before 5.12, which does not tell the interpreter that `P` is set.
///
/// QEMU would then take `argv[0]` for an argument. Chosen only after a proof has failed that way.
pub const FLAGS_OLD_KERNEL: &str = "OF";

/// The kernel refuses a registration of more bytes than this.
const MAX_LINE: usize = 1920;

/// One line of the kernel's table: which files, by magic and mask, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The entry, such as `qemu-aarch64`.
    pub name: String,
    /// The first twenty bytes of the ELF header, through `e_machine`.
    pub magic: [u8; 20],
    /// Which bits of the magic count.
    pub mask: [u8; 20],
}

impl Registration {
    /// The registration of a platform. Never free text: everything follows from the table of platforms.
    pub fn of(platform: &Platform) -> Self {
        let (machine, is_64, little) = platform.elf();
        let half = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let mut magic = [0; 20];
        magic[..4].copy_from_slice(b"\x7fELF");
        magic[4] = if is_64 { 2 } else { 1 };
        magic[5] = if little { 1 } else { 2 };
        magic[6] = 1;
        magic[16..18].copy_from_slice(&half(2));
        magic[18..].copy_from_slice(&half(machine));
        let mut mask = [0xff; 20];
        // The last bit of `e_type` tells an executable (2) from a position independent one (3).
        mask[16..18].copy_from_slice(&half(0xfffe));
        // Any OS ABI for ARM and RISC-V, 0 to 3 (System V to GNU) for the others: the values of Debian's files,
        // whose entries must count as equal to ours. The same for the looser rows of the older architectures.
        mask[7] = match platform.arch() {
            "arm64" | "arm" | "riscv64" => 0,
            _ => 0xfc,
        };
        match platform.arch() {
            "amd64" | "386" => mask[5..7].copy_from_slice(&[0xfe, 0xfe]),
            "ppc64le" => mask[19] = 0,
            _ => {}
        }
        Self { name: format!("qemu-{}", platform.qemu()), magic, mask }
    }

    /// File names of the interpreter, best first.
    ///
    /// Newer distributions build `qemu-<arch>` statically and drop the suffix; older ones have a dynamic
    /// program under that name, which is why the suffix comes first and linkage is always checked.
    pub fn interpreter_files(&self) -> [String; 2] {
        [format!("{}-static", self.name), self.name.clone()]
    }

    /// The line for `register`, which is also the content of a file in `/etc/binfmt.d` that survives a reboot.
    ///
    /// `None` for a path the kernel's format cannot carry: relative, with `:` or a newline, or too long.
    pub fn line(&self, interpreter: &Path, flags: &str) -> Option<Vec<u8>> {
        let path = interpreter.as_os_str().as_bytes();
        if !interpreter.is_absolute() || path.iter().any(|byte| matches!(byte, b':' | b'\n' | 0)) {
            return None;
        }
        let mut line =
            format!(":{}:M::{}:{}:", self.name, escaped(&self.magic), escaped(&self.mask)).into_bytes();
        line.extend_from_slice(path);
        line.push(b':');
        line.extend_from_slice(flags.as_bytes());
        (line.len() <= MAX_LINE).then_some(line)
    }
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_files_say_the_same() {
        let mut compared = 0;
        for platform in Platform::all() {
            let registration = Registration::of(&platform);
            let Ok(theirs) = std::fs::read_to_string(format!("/usr/lib/binfmt.d/{}.conf", registration.name))
            else {
                continue;
            };
            let path = theirs.trim().split(':').nth(6).unwrap();
            let ours = registration.line(Path::new(path), FLAGS).unwrap();
            assert_eq!(String::from_utf8(ours).unwrap(), theirs.trim());
            compared += 1;
        }
        if compared == 0 {
            println!("skipped: no qemu-*.conf in /usr/lib/binfmt.d (qemu-user-static is not installed)");
        }
    }

    #[test]
    fn no_registration_takes_another_platforms_programs() {
        for ours in Platform::all() {
            let Registration { magic, mask, .. } = Registration::of(&ours);
            for other in Platform::all() {
                let header = Registration::of(&other).magic;
                let taken = (0..20).all(|at| (header[at] ^ magic[at]) & mask[at] == 0);
                assert_eq!(taken, ours == other, "{ours} {other}");
            }
        }
    }

    #[test]
    fn a_path_cannot_add_a_field() {
        let registration = Registration::of(&Platform::parse("arm64").unwrap());
        for path in ["/a:b", "/a\nb", "a", "", &format!("/{}", "a".repeat(2000))] {
            assert_eq!(registration.line(Path::new(path), FLAGS), None, "{path:?}");
        }
    }
}
