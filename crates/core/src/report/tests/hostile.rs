//! Texts that want to be more than texts.

use std::fs;

use regex::Regex;

use super::kit::{account, begun, data, finished, folder, id, over, page, plan, started};
use crate::event::{EventKind, Failure, FailureKind, Status};
use crate::fresh::Reason;
use crate::lock::{Key, Pin};
use crate::output::is_hidden;
use crate::plan::{Action, Command, Node, Output, Value};

/// Ends elements, attributes, comments and strings, turns what follows, and is not to be seen.
const EVIL: &str = "</script></pre><!--<script>alert(1)</script>\"'><img src=x onerror=alert(2)>]]>&lt;\u{202e}\u{2066}\u{200b}\u{feff}\u{1b}[31m\u{0}\u{9b}\u{2028}\u{e0041}${x}";

/// Every field that anybody but us writes has it.
fn everywhere() -> String {
    let mut plan = plan(&["one"]);
    plan.recipe = EVIL.into();
    plan.notes.push(EVIL.into());
    plan.nodes.insert(EVIL.into(), Node::new(EVIL));
    let first = petgraph::graph::NodeIndex::new(0);
    let instance = &mut plan.graph[first];
    instance.kind = EVIL.into();
    instance.step = EVIL.into();
    instance.target = Some(EVIL.into());
    instance.node = Some(EVIL.into());
    instance.platform = Some(crate::platform::Platform::parse("linux/arm64").unwrap());
    instance.actions.push(Action::Command(Command::new([EVIL])));
    instance.outputs.push(Output { name: EVIL.into(), value: Value::Known(EVIL.into()) });
    let failure = Failure::new(FailureKind::Internal, EVIL).help(EVIL);
    let key: Key = "git https://example.com/a refs/heads/main".parse().unwrap();
    let pin: Pin = serde_json::from_value(serde_json::json!({ "commit": EVIL, "tree": EVIL })).unwrap();
    plan.lock.keep(&key, pin.clone());
    let instance = || id("one");
    let account = account(vec![
        begun(EVIL),
        EventKind::Tool { name: EVIL.into(), version: EVIL.into() },
        EventKind::Emulator {
            platform: crate::platform::Platform::parse("linux/arm64").unwrap(),
            interpreter: EVIL.into(),
            version: Some(EVIL.into()),
        },
        EventKind::Warning { message: EVIL.into() },
        EventKind::Due { instance: instance(), reason: Reason::OutputUnknown { why: EVIL.into() } },
        started("one"),
        EventKind::Command { instance: instance(), argv: vec![EVIL.into(), EVIL.into()] },
        EventKind::Pinned { instance: instance(), key, pin, new: true },
        EventKind::Output { instance: instance(), name: EVIL.into(), value: EVIL.into() },
        finished("one", Status::Failed(failure.clone())),
        started(EVIL),
        finished(EVIL, Status::Allowed(failure)),
        EventKind::Finished {
            instance: id("two"),
            status: Status::Skipped { because: Some(id(EVIL)) },
            took: std::time::Duration::ZERO,
            attempts: 0,
        },
        over(),
    ]);
    let folder = folder(&[("one", EVIL.as_bytes())]);
    for part in ["nodes", "provenance", "audit"] {
        fs::create_dir(folder.path().join(part)).unwrap();
    }
    let put = |name: &str, value: serde_json::Value| {
        fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    put(
        "nodes/one.json",
        serde_json::json!({ "node": EVIL, "machine": EVIL, "reference": EVIL, "image": { "id": EVIL, "size": 1, "pinned": true } }),
    );
    put(
        "provenance/one.json",
        serde_json::json!({
            "_type": EVIL, "predicateType": EVIL,
            "subject": [{ "name": EVIL, "digest": { "sha256": EVIL } }],
            "predicate": {
                "buildDefinition": { "buildType": EVIL, "externalParameters": {}, "internalParameters": {},
                    "resolvedDependencies": [{ "uri": EVIL, "digest": { EVIL: EVIL } }] },
                "runDetails": { "builder": { "id": EVIL }, "metadata": { "invocationId": EVIL, "startedOn": EVIL, "finishedOn": EVIL } },
            },
        }),
    );
    put(
        "audit/one.json",
        serde_json::json!({
            "version": 1, "verdict": "mixed",
            "images": [{ "id": format!("sha256:{}", "0".repeat(64)), "names": [EVIL], "label": EVIL, "wanted": EVIL, "verdict": "mixed",
                "failures": [EVIL], "layers": 1, "programs": [{ "platform": EVIL, "files": 1 }], "remarks": [EVIL] }],
        }),
    );
    // What cannot be read is told with a reason, which quotes it.
    fs::write(folder.path().join("nodes/two.json"), EVIL).unwrap();
    fs::write(folder.path().join("lock"), format!("version = 1\n[git]\n\"{EVIL}\" = 1")).unwrap();
    page(Some(&plan), &account, folder.path())
}

#[test]
fn nothing_ends_what_it_stands_in_and_nothing_acts() {
    let page = everywhere();
    assert!(
        !page.contains(is_hidden),
        "{:?}",
        page.find(is_hidden).map(|at| &page[at.saturating_sub(80)..at])
    );
    for evil in ["<img", "<script>alert", "<!--", "]]><"] {
        assert!(!page.contains(evil), "{evil}");
    }
    // One script, two islands, one style; and nothing else that the policy would have to refuse.
    let count = |what: &str| page.matches(what).count();
    assert_eq!((count("<script>"), count("<script "), count("</script>"), count("<style>")), (1, 2, 3, 1));
    // In a tag, behind what is quoted, begins no attribute that acts.
    let tags = Regex::new(r#"<[a-zA-Z][^<>"']*(?:"[^"]*"[^<>"']*)*>"#).unwrap();
    let bare = Regex::new(r#""[^"]*""#).unwrap();
    let markup = page.split("<script type=").next().unwrap();
    for tag in tags.find_iter(markup) {
        let names = bare.replace_all(tag.as_str(), "");
        assert!(!names.contains(" on") && !names.contains(" style"), "{}", tag.as_str());
    }
    // It is there all the same, to be seen.
    let shown = "\\u{202e}\\u{2066}\\u{200b}\\u{feff}\\u{1b}[31m\\u{0}\\u{9b}\\u{2028}\\u{e0041}${x}";
    let run = data(&page, "run");
    for field in ["kind", "step", "target", "node", "message", "help"] {
        let text = run["instances"][0][field].as_str().unwrap();
        assert!(text.starts_with("</script></pre><!--<script>") && text.ends_with(shown), "{field}: {text}");
    }
    assert!(data(&page, "logs")["0"]["log"]["head"].as_str().unwrap().ends_with(shown));
    assert!(markup.contains("&lt;/script&gt;&lt;/pre&gt;&lt;!--"));
}

#[test]
fn the_policy_lets_only_what_is_there_through() {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use sha2::{Digest as _, Sha256};

    let page = everywhere();
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1;
    let policy = policy.split_once('"').unwrap().0;
    let hash = |begin: &str, end: &str| {
        let text = page.split_once(begin).unwrap().1.split_once(end).unwrap().0;
        format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
    };
    let (style, script) = (hash("<style>", "</style>"), hash("<script>", "</script>"));
    let wanted = format!(
        "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; base-uri 'none'; form-action 'none'"
    );
    assert_eq!(policy.replace("&#39;", "'"), wanted);
}

#[test]
fn bytes_that_are_no_text_and_a_log_without_lines_are_shown() {
    let account = account(vec![begun("made"), started("one"), finished("one", Status::Done), over()]);
    let folder = folder(&[("one", b"a\xff\xfe\xed\xa0\x80b\x00\r\n")]);
    let page = page(Some(&plan(&["one"])), &account, folder.path());
    let log = &data(&page, "logs")["0"]["log"];
    assert_eq!(log["head"], "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}b\\u{0}\\u{d}\n");
}
