//! What is said of an archive is what the events said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{Event, EventKind, Status};
use crate::evidence::{Archive, Provenance, Resource, Statement};
use crate::history::Account;
use crate::image::{Digest, ImageRef};
use crate::lock::{self, Key, Pin};
use crate::plan::{InstanceId, Plan};
use crate::planner::testing::plan_of;
use crate::platform::Platform;

const RECIPE: &str = "[targets.arm64]\nplatform = 'linux/arm64'\n\
    [[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.org/x.git'\nbranch = 'main'\n\
    [[step]]\nid = 'other'\nuses = 'git-checkout'\nurl = 'https://example.org/other.git'\nbranch = 'main'\n\
    [[step]]\nid = 'image'\nuses = 'build'\nsource = 'source'\ntag = 'x:1'\n\
    [[step]]\nuses = 'save'\npath = 'out/x.tar'\n\
    [[step]]\nid = 'scan'\nuses = 'run'\nargv = ['scan', '${steps.save.path}']\noutputs.sbom = 'out/x.spdx.json'\n";

const COMMIT: &str = "0123456789012345678901234567890123456789";

fn id(step: &str) -> InstanceId {
    InstanceId::new(step, if matches!(step, "source" | "other") { None } else { Some("arm64") }, None)
}

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

/// Half a minute between each two events.
fn told(kinds: Vec<EventKind>) -> Account {
    let mut account = Account::default();
    for (seq, kind) in (0..).zip(kinds) {
        let elapsed = Duration::from_secs(seq * 30);
        account.on(&Event { seq, at: jiff::Timestamp::UNIX_EPOCH + elapsed, elapsed, kind });
    }
    account
}

fn events(saved: Status) -> Vec<EventKind> {
    let started = |step| EventKind::Started { instance: id(step), attempt: 1 };
    let finished =
        |step, status| EventKind::Finished { instance: id(step), status, took: Duration::ZERO, attempts: 1 };
    let output =
        |step, name: &str, value: String| EventKind::Output { instance: id(step), name: name.into(), value };
    let pinned = |step, key, pin| EventKind::Pinned { instance: id(step), key, pin, new: true };
    let git = |url: &str| Key::Git { url: url.into(), reference: "refs/heads/main".into() };
    let commit = || Pin::Git(lock::Commit { commit: COMMIT.into(), tree: COMMIT.replace('0', "f") });
    let platform = Platform::parse("linux/arm64").unwrap();
    let base = Key::Image { image: ImageRef::parse("alpine:3.4").unwrap(), platform: platform.clone() };
    let pin = lock::Image { digest: Some(digest("index")), manifest: None, id: digest("base") };
    vec![
        EventKind::RunStarted { version: 1, run: "run-1".into(), recipe: "r".into(), instances: 5, jobs: 1 },
        started("source"),
        pinned("source", git("https://example.org/x.git"), commit()),
        finished("source", Status::Done),
        started("other"),
        pinned("other", git("https://example.org/other.git"), commit()),
        finished("other", Status::Done),
        EventKind::Emulator { platform, interpreter: "/usr/bin/qemu".into(), version: Some("7.2.22".into()) },
        started("image"),
        pinned("image", base, Pin::Image(pin)),
        output("image", "id", digest("image").to_string()),
        finished("image", Status::Done),
        started("save"),
        output("save", "sha256", digest("archive").to_string()),
        finished("save", saved),
        finished("scan", Status::Done),
    ]
}

fn one(account: &Account, plan: &Plan) -> Archive {
    let mut all = Provenance::of(plan, account).archives();
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

#[test]
fn a_statement_names_what_it_was_made_of_and_nothing_else() {
    let (plan, account) = (plan_of(RECIPE), told(events(Status::Done)));
    let archive = one(&account, &plan);
    let provenance = Provenance::of(&plan, &account);
    let expected = Archive {
        instance: id("save"),
        path: "out/x.tar".into(),
        sha256: digest("archive"),
        id: digest("image"),
        is_new: true,
    };
    assert_eq!(archive, expected);
    let versions = BTreeMap::from([("buildah".to_owned(), "1.28".to_owned())]);
    let byproducts = vec![Resource { name: Some("scan@arm64.sbom".into()), ..Resource::default() }];
    let statement = provenance.statement(&archive, Some(&digest("plan")), &versions, byproducts).unwrap();
    insta::assert_snapshot!(statement.to_json());
    let read: Statement = serde_json::from_str(&statement.to_json()).unwrap();
    assert_eq!(read, statement);
    assert!(statement.is_about(&digest("archive").hex()) && statement.is_about(&digest("image").hex()));
    assert!(!statement.is_about(&digest("base").hex()));
    let files = provenance.byproducts(&archive);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
    let audit = ("image@arm64.audit", ".pipeline/work/image@arm64/audit.json");
    assert_eq!(files, [audit, ("scan@arm64.sbom", "out/x.spdx.json")]);
}

#[test]
fn what_was_not_saved_has_no_statement() {
    let plan = plan_of(RECIPE);
    assert!(!one(&told(events(Status::UpToDate)), &plan).is_new);
    for status in [Status::Cancelled, Status::Skipped { because: None }] {
        assert!(Provenance::of(&plan, &told(events(status))).archives().is_empty());
    }
    let early: Vec<EventKind> = events(Status::Done).into_iter().take(13).collect();
    assert!(Provenance::of(&plan, &told(early)).archives().is_empty());
}
