//! What /proc tells.

use std::fs;

use rustix::process::Pid;

/// State, parent.
fn stat(pid: Pid) -> Option<(char, i32)> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

pub(crate) fn children(of: Pid) -> Vec<Pid> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    all.filter(|pid| stat(*pid).is_some_and(|(_, parent)| parent == of.as_raw_pid())).collect()
}

/// It stands still.
pub(crate) fn stopped(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| state == 'T')
}
