//! The recipe's `.pipeline` folder: records, archives and the embedded engine's images.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::{Area, Finding, shell};

/// Less is no room for an image, its archive and its layers.
pub(super) const ROOM: u64 = 2 << 30;

/// `.pipeline`, or while there is none the folder that it will be made in.
fn place(here: &Path) -> PathBuf {
    let folder = here.join(".pipeline");
    if folder.symlink_metadata().is_ok() { folder } else { here.to_owned() }
}

/// It can be written to.
pub(super) fn folder(here: &Path) -> Finding {
    let place = place(here);
    let shown = place.display().to_string();
    let name = ".pipeline";
    if !place.is_dir() {
        return Finding::missing(&Area::Workspace, name, format!("{shown} is not a folder"))
            .remedy(shell(["rm", "--", &shown]));
    }
    match access(&place, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok(&Area::Workspace, name, format!("{shown} can be written to")),
        Err(error) => {
            let error = std::io::Error::from(error);
            Finding::missing(&Area::Workspace, name, format!("{shown} cannot be written to: {error}"))
                .remedy(shell(["ls", "-ld", "--", &shown]))
        }
    }
}

/// There is room, on a file system that keeps what it promises.
pub(super) fn file_system(here: &Path) -> Vec<Finding> {
    let place = place(here);
    let mut findings = Vec::new();
    match statvfs(&place) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let look = shell(["df", "-h", &place.to_string_lossy()]);
            findings.push(room(&Area::Workspace, "free space", free, look));
        }
        Err(error) => findings.push(Finding::warning(
            &Area::Workspace,
            "free space",
            format!("cannot be told: {}", std::io::Error::from(error)),
        )),
    }
    findings.extend(network_disk(here).map(|kind| {
        Finding::warning(
            &Area::Workspace,
            "file system",
            format!(
                "{} is on {kind}: slow, container storage does not work on it, and locks may not hold",
                place.display()
            ),
        )
        .remedy("keep the recipe on a local disk")
    }));
    findings
}

/// What free space means.
pub(super) fn room(area: &Area, name: impl Into<String>, free: u64, remedy: String) -> Finding {
    let detail = format!("{}.{} GiB", free >> 30, ((free % (1 << 30)) * 10) >> 30);
    if free < ROOM {
        Finding::warning(area, name, format!("only {detail}")).remedy(remedy)
    } else {
        Finding::ok(area, name, detail)
    }
}

/// The name of a network's file system, where the `.pipeline` of this folder is on one: locks may not hold there against
/// other machines.
#[cfg(target_os = "linux")]
pub fn network_disk(here: &Path) -> Option<&'static str> {
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "its type depends on the architecture"
    )]
    let kind = rustix::fs::statfs(place(here)).ok()?.f_type as i64;
    named(kind)
}

/// See [`network_disk`]; there is nobody to ask here.
#[cfg(not(target_os = "linux"))]
pub fn network_disk(_: &Path) -> Option<&'static str> {
    None
}

/// By the number that statfs(2) gives.
#[cfg(target_os = "linux")]
fn named(kind: i64) -> Option<&'static str> {
    match kind & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => Some("a Windows share"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn networks_are_known_by_their_numbers() {
        const EXT4: i64 = 0xef53;
        // Where the number has 32 bits, its sign comes along.
        let sign = i64::from(0xfe53_4d42_u32.cast_signed());
        assert_eq!(
            [0x6969, 0xfe53_4d42, sign, EXT4].map(named),
            [Some("NFS"), Some("a Windows share"), Some("a Windows share"), None]
        );
        assert_eq!(network_disk(Path::new("/proc")), None);
    }
}
