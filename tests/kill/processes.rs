//! What /proc tells.

use std::fs;

use rustix::process::Pid;

struct Stat {
    state: char,
    parent: i32,
    group: i32,
    session: i32,
}

fn stat(pid: Pid) -> Option<Stat> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    Some(Stat { state, parent: number()?, group: number()?, session: number()? })
}

pub(crate) fn children(of: Pid) -> Vec<Pid> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    all.filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == of.as_raw_pid())).collect()
}

/// The process that the engine started for its one step, among those that it adopted. By its group and session: numbers
/// begin anew.
pub(crate) fn step(engine: Pid) -> Pid {
    let session = stat(engine).unwrap().session;
    let leads =
        |pid: &Pid| stat(*pid).is_some_and(|stat| stat.group == pid.as_raw_pid() && stat.session == session);
    children(engine).into_iter().find(leads).expect("a step")
}

/// It stands still.
pub(crate) fn stopped(pid: Pid) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'T')
}
