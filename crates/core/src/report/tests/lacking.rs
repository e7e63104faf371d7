//! Runs that were killed, and folders that somebody has cleared.

use std::fs;
use std::path::Path;

use super::kit::{account, begun, data, finished, folder, over, page, plan, started};
use crate::event::{EventKind, Status};
use crate::report::{Source, write};

#[test]
fn a_run_that_was_killed_says_what_has_no_end() {
    let account = account(vec![begun("made"), started("one"), finished("one", Status::Done), started("two")]);
    let folder = folder(&[("one", b"x\n"), ("two", b"last words\n")]);
    let page = page(Some(&plan(&["one", "two", "three"])), &account, folder.path());
    assert!(page.contains("No end on record: the run was killed, or it still goes on"));
    assert!(page.contains(">Without an end <") && page.contains("last words"));
    let run = data(&page, "run");
    let status: Vec<&str> = (0..3).map(|index| run["instances"][index]["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["done", "unfinished", "not-started"]);
    assert!(run["instances"][1]["ended"].is_null());
}

#[test]
fn what_is_not_there_any_more_is_said() {
    let account = account(vec![begun("made"), started("one"), finished("one", Status::Done), over()]);
    let empty = folder(&[]);
    let made = page(Some(&plan(&["one"])), &account, empty.path());
    assert_eq!(data(&made, "logs")["0"]["log"]["gone"], "it is not there any more");
    // The folder itself, its plan.
    let made = page(None, &account, Path::new("/nonexistent"));
    assert!(made.contains("The plan of this run is not there"), "{made}");
    assert!(!made.contains("id=\"canvas\""));
    assert_eq!(data(&made, "run")["instances"][0]["id"], "one");
    // Documents that are none, and folders in their places.
    for part in ["audit", "nodes", "provenance"] {
        fs::create_dir_all(empty.path().join(part).join("folder.json")).unwrap();
        fs::write(empty.path().join(part).join("cut.json"), "{\"version\":").unwrap();
    }
    fs::write(empty.path().join("lock"), "<<<<<<< ours").unwrap();
    let made = page(Some(&plan(&["one"])), &account, empty.path());
    assert_eq!(made.matches("it cannot be read").count(), 7, "{made}");
}

#[test]
fn a_run_with_nothing_to_do_and_one_without_anything() {
    let idle = account(vec![begun("made"), finished("one", Status::UpToDate), over()]);
    let folder = folder(&[]);
    let made = page(None, &idle, folder.path());
    assert!(made.contains("Nothing had to be done") && made.contains("keeps no plan"));
    assert!(!made.contains("id=\"gantt\""));
    let stopped = account(vec![begun("made"), EventKind::Interrupted { signal: 2 }, over()]);
    assert!(page(Some(&plan(&["one"])), &stopped, folder.path()).contains("Stopped by Ctrl-C"));
    // Not even a first event.
    let nothing = page(None, &account(Vec::new()), folder.path());
    assert_eq!(data(&nothing, "run")["instances"], serde_json::json!([]));
}

#[test]
fn no_id_leads_out_of_the_folder() {
    let outside = folder(&[("secret", b"secret words")]);
    let inside = outside.path().join("runs/r1");
    fs::create_dir_all(inside.join("logs")).unwrap();
    let step = "../../../logs/secret";
    let account = account(vec![begun("made"), started(step), finished(step, Status::Done), over()]);
    assert!(!page(None, &account, &inside).contains("secret words"));
}

/// All that is written to it, counted and thrown away.
struct Count(u64);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_longest_logs_make_no_longer_report() {
    let steps: Vec<String> = (0..40).map(|number| format!("s{number}")).collect();
    let mut kinds = vec![begun("made")];
    for step in &steps {
        kinds.extend([started(step), finished(step, Status::Done)]);
    }
    let folder = folder(&[]);
    for step in &steps {
        // A gigabyte that takes no room on the disk.
        let log = fs::File::create(folder.path().join(format!("logs/{step}.log"))).unwrap();
        log.set_len(1 << 30).unwrap();
    }
    let names: Vec<&str> = steps.iter().map(String::as_str).collect();
    let (plan, account) = (plan(&names), account(kinds));
    let mut count = Count(0);
    write(&mut count, &Source { plan: Some(&plan), account: &account, folder: folder.path(), before: None })
        .unwrap();
    // A zero byte is shown by five characters, one of which takes two.
    assert!((6 << 20..40 << 20).contains(&count.0), "{}", count.0);
}
