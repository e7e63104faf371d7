//! What is to be seen where there is little room or much to show, and that nothing is left of it.

use std::time::Duration;

use pipeline_core::event::{Event, EventKind, Failure, FailureKind, Part, Status, Stream};
use pipeline_core::plan::{Instance, InstanceId, Plan};
use pipeline_core::platform::Platform;

use super::model::Scene;
use super::replay::Replay;

/// `steps` for each of `targets`.
fn plan(targets: usize, steps: &[&str]) -> Plan {
    let mut plan = Plan { recipe: "many".into(), ..Plan::default() };
    for target in 0..targets {
        for step in steps {
            let target = format!("t{target}");
            let id = InstanceId::new(step, Some(&target), None);
            let mut instance = Instance::new(id, "run", Vec::new());
            instance.platform =
                Some(Platform::parse(if target == "t1" { "linux/arm64" } else { "linux/amd64" }).unwrap());
            instance.target = Some(target.as_str().into());
            plan.graph.add_node(instance);
        }
    }
    plan
}

fn replay(plan: &Plan, columns: u16, rows: u16) -> Replay {
    let usual = vec![Some(Duration::from_mins(1)); plan.graph.node_count()];
    Replay::new(Scene { plan, usual, here: Platform::parse("linux/amd64").unwrap() }, columns, rows)
}

fn id(step: &str, target: usize) -> InstanceId {
    InstanceId::new(step, Some(&format!("t{target}")), None)
}

fn at(seconds: u64, kind: EventKind) -> Event {
    Event { seq: 0, at: jiff::Timestamp::UNIX_EPOCH, elapsed: Duration::from_secs(seconds), kind }
}

fn started(seconds: u64, step: &str, target: usize) -> Event {
    at(seconds, EventKind::Started { instance: id(step, target), attempt: 1 })
}

fn finished(seconds: u64, step: &str, target: usize, status: Status) -> Event {
    let took = Duration::from_secs(1);
    at(seconds, EventKind::Finished { instance: id(step, target), status, took, attempts: 1 })
}

fn line(seconds: u64, step: &str, target: usize, text: &str) -> Event {
    let (instance, text) = (id(step, target), text.into());
    at(seconds, EventKind::Line { instance, stream: Stream::Output, text, painted: None })
}

fn moved(seconds: u64, step: &str, target: usize, sent: u64, (blob, blobs): (usize, usize)) -> Event {
    let part = Part { blob, blobs };
    at(seconds, EventKind::Transfer { instance: id(step, target), sent, total: 200_000_000, part })
}

/// Two targets, of which one delivers and one builds and has said something.
fn two(columns: u16, rows: u16) -> Replay {
    let mut replay = replay(&plan(2, &["build", "deliver", "verify"]), columns, rows);
    replay.on(&finished(0, "build", 0, Status::UpToDate));
    replay.on(&started(0, "deliver", 0));
    replay.on(&started(0, "build", 1));
    let (platform, interpreter) = (Platform::parse("linux/arm64").unwrap(), String::new());
    replay.on(&at(0, EventKind::Emulator { platform, interpreter, version: Some("7.2.22 (Debian)".into()) }));
    for second in 0..3 {
        replay.on(&moved(second, "deliver", 0, second * 4_500_000, (2, 4)));
    }
    replay.on(&line(2, "build", 1, "STEP 2/8: RUN make\t-j2 日本語"));
    replay
}

#[test]
fn lines_at_every_width() {
    let mut all = String::new();
    for columns in [120, 80, 60, 40, 30, 20, 10, 2, 1] {
        let mut replay = two(columns, 24);
        replay.draw(Duration::from_secs(12));
        all += &format!("{columns}\n{}\n", replay.shown());
    }
    insta::assert_snapshot!(all);
}

#[test]
fn how_long_it_takes_and_how_long_it_is_silent() {
    let mut all = String::new();
    for seconds in [2, 30, 58, 60, 70, 80, 200, 7300, 400_000] {
        let mut replay = two(80, 24);
        replay.draw(Duration::from_secs(seconds));
        all += &format!("{}\n", replay.shown().lines().last().unwrap());
    }
    insta::assert_snapshot!(all);
}

#[test]
fn two_hundred_targets_are_counted_where_there_is_no_room() {
    let mut all = String::new();
    for (columns, rows) in [(80, 24), (80, 10), (80, 3), (80, 2), (80, 1), (20, 10), (200, 50)] {
        let mut replay = replay(&plan(200, &["build", "check"]), columns, rows);
        for target in 0..12 {
            replay.on(&started(1, "build", target * 10));
            replay.on(&started(1, "check", target * 10));
        }
        let failure = Failure::new(FailureKind::Timeout, "x");
        replay.on(&finished(2, "build", 7, Status::Failed(failure)));
        for step in ["build", "check"] {
            replay.on(&finished(2, step, 8, Status::Done));
        }
        replay.draw(Duration::from_secs(9));
        let shown = replay.shown();
        let block: Vec<&str> = shown.lines().skip_while(|line| !line.contains("3/400")).collect();
        assert!(block.len() <= usize::from(rows * 2 / 3).max(1), "{shown}");
        all += &format!("{columns}x{rows}\n{}\n", block.join("\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn lines_go_above_and_nothing_is_left_whatever_the_size() {
    for columns in [20, 40, 80, 200] {
        for rows in [3, 5, 10, 24] {
            let mut replay = two(columns, rows);
            replay.draw(Duration::from_secs(1));
            for number in 0..50 {
                // Somebody presses Ctrl-C.
                replay.terminal.process(b"^C");
                replay.print(&format!("line {number}\n"));
                replay.draw(Duration::from_secs(2));
                // What was printed last is above the block, if there is room for both.
                assert!(
                    replay.shown().contains(&format!("line {number}\n")),
                    "{columns}x{rows}: {}",
                    replay.shown()
                );
                replay.draw(Duration::from_secs(3 + number));
            }
            replay.model = None;
            replay.draw(Duration::from_secs(99));
            // All of it, once, and nothing else: also what has scrolled away.
            let mut lines = Vec::new();
            for back in (0..=60).rev() {
                replay.terminal.screen_mut().set_scrollback(back);
                let first = replay.terminal.screen().contents().lines().next().unwrap_or_default().to_owned();
                lines.push(first);
            }
            lines.extend(replay.shown().lines().skip(1).map(str::to_owned));
            lines.dedup();
            lines.retain(|line| line.starts_with("line ") || line.contains(['[', '%', '/']));
            let wanted: Vec<String> = (0..50).map(|number| format!("line {number}")).collect();
            assert_eq!(lines[lines.len() - 50..], wanted, "{columns}x{rows}");
            assert!(!lines.iter().any(|line| line.contains(['[', '%', '/'])), "{columns}x{rows}: {lines:?}");
        }
    }
}

#[test]
fn a_terminal_that_changes_its_size_has_one_block() {
    let mut replay = two(120, 24);
    for (number, (rows, columns)) in
        [(24, 120), (24, 50), (10, 20), (6, 200), (40, 80), (3, 30)].into_iter().enumerate()
    {
        replay.terminal.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        replay.print(&format!("size {number}\n"));
        replay.draw(Duration::from_secs(5));
        let shown = replay.shown();
        assert_eq!(shown.matches("many").count(), 1, "{columns}x{rows}: {shown}");
    }
    replay.model = None;
    replay.draw(Duration::from_secs(6));
    assert!(!replay.shown().contains("many"), "{}", replay.shown());
}

#[test]
fn what_stands_still_is_not_drawn_again() {
    let mut replay = two(80, 24);
    replay.draw(Duration::from_millis(5100));
    let before = replay.terminal.screen().contents();
    replay.terminal.process(b"X");
    replay.draw(Duration::from_millis(5900));
    assert_eq!(replay.terminal.screen().contents(), before.replacen('m', "X", 1));
    replay.draw(Duration::from_secs(6));
    assert!(replay.shown().starts_with("many"));
}

#[test]
fn a_bar_goes_when_its_transfer_does() {
    let plan = plan(1, &["a"]);
    let bar = |replay: &mut Replay, event: Event| {
        replay.on(&event);
        replay.draw(Duration::from_secs(3));
        replay.shown().contains(" of 200.0 MB")
    };
    let command = || at(2, EventKind::Command { instance: id("a", 0), argv: vec!["ssh".into()] });
    let mut replay = replay(&plan, 80, 24);
    replay.on(&started(0, "a", 0));
    assert!(bar(&mut replay, moved(0, "a", 0, 0, (1, 2))));
    // Its own command, and what a tool prints meanwhile.
    assert!(bar(&mut replay, command()));
    assert!(bar(&mut replay, line(1, "a", 0, "x")));
    // The next blob is told of before its command, so the bar stays between two.
    assert!(bar(&mut replay, moved(1, "a", 0, 200_000_000, (1, 2))));
    assert!(bar(&mut replay, moved(1, "a", 0, 0, (2, 2))));
    assert!(bar(&mut replay, command()));
    // The import.
    assert!(bar(&mut replay, moved(2, "a", 0, 200_000_000, (2, 2))));
    assert!(!bar(&mut replay, command()));
    let said =
        |stream| at(2, EventKind::Line { instance: id("a", 0), stream, text: "waits".into(), painted: None });
    let again = at(2, EventKind::Started { instance: id("a", 0), attempt: 2 });
    for end in [said(Stream::Engine), again, finished(2, "a", 0, Status::Cancelled)] {
        assert!(bar(&mut replay, moved(2, "a", 0, 1, (1, 1))), "{end:?}");
        assert!(!bar(&mut replay, end.clone()), "{end:?}");
    }
}

#[test]
fn nothing_acts_on_the_terminal_and_colours_are_a_choice() {
    let mut replay = replay(&plan(1, &["a"]), 80, 24);
    replay.on(&started(0, "a", 0));
    replay.on(&line(0, "a", 0, "x\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}b\rc"));
    // What the terminal draws has no colours and no other sequences: `draw` looks.
    replay.draw(Duration::from_secs(1));
    assert!(replay.shown().contains("x\\u{202e}bc"), "{}", replay.shown());
    let plain = replay.terminal.screen().contents_formatted();
    assert!(!plain.contains("\x1b[1m"));
    replay.colours = true;
    replay.draw(Duration::from_secs(2));
    let bold = replay.terminal.screen().contents_formatted();
    assert!(bold.contains("\x1b[1m"), "{bold:?}");
}

#[test]
fn a_hundred_thousand_lines_cost_one() {
    let mut replay = replay(&plan(1, &["a"]), 80, 24);
    replay.on(&started(0, "a", 0));
    let long = "é".repeat(100_000);
    for number in 0..100_000 {
        replay.on(&line(0, "a", 0, &format!("line {number}")));
    }
    replay.on(&line(0, "a", 0, &long));
    replay.draw(Duration::from_secs(1));
    let model = replay.model.as_ref().unwrap();
    assert!(model.blocks[0].running[0].line.len() <= 2000);
    assert!(replay.shown().contains("ééé…"), "{}", replay.shown());
}
