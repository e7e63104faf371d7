use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use petgraph::visit::EdgeRef;

use super::{Kept, Lies, Made, Received, file_name, prove, take, wanted};
use crate::image::Digest;
use crate::plan::{Action, Instance, InstanceId, Plan};
use crate::planner::testing::plan_of;
use crate::planner::{Stage, stages};

/// An archive goes to a node by `scp`; that it is the right one is looked at with the id of the image, which no edge brings there.
const RECIPE: &str = "[targets.a]\nplatform = 'linux/arm64'\nnodes = ['n1']\n\
    [nodes.n1]\nhost = 'n1'\nruntime = 'containerd'\n\
    [[step]]\nuses = 'binfmt-register'\n\
    [[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = 'https://example.com/a'\nbranch = 'main'\n\
    [[step]]\nid = 'image'\nuses = 'build'\ntag = 'example.com/x:1'\n\
    [[step]]\nid = 'try'\nuses = 'smoke'\nargv = ['true']\n\
    [[step]]\nid = 'save'\nuses = 'save'\n\
    [[step]]\nid = 'scp'\nuses = 'scp'\n\
    [[step]]\nid = 'load'\nuses = 'load'\n\
    [[step]]\nid = 'verify'\nuses = 'crictl-verify'\n";

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn kept(name: &str) -> Kept {
    Kept { name: name.into(), sha256: Digest::of(b"x"), folder: false }
}

/// What a job of builds left.
fn built() -> BTreeMap<InstanceId, Received> {
    let digest = format!("sha256:{HEX}");
    let values = |names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), digest.clone())).collect::<BTreeMap<_, _>>()
    };
    let mut source = values(&[]);
    source.insert("commit".into(), HEX[..40].into());
    source.insert("tree".into(), HEX[..40].into());
    source.insert("epoch".into(), "1".into());
    let made = [
        ("source", source, None),
        ("image@a", values(&["id", "handle"]), None),
        ("try@a", values(&[]), None),
        ("save@a", values(&["sha256"]), Some(kept("files/save@a/image.tar"))),
    ];
    let received = made.into_iter().map(|(id, values, file)| {
        let made = Made { values, files: file.into_iter().collect() };
        let id = serde_json::from_value(id.into()).unwrap();
        (id, Received { made, folder: PathBuf::from("/came") })
    });
    received.collect()
}

fn id(plan: &Plan, of: &str) -> InstanceId {
    plan.find(of).unwrap().id.clone()
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.order().into_iter().map(|node| plan.graph[node].id.to_string()).collect()
}

#[test]
fn what_goes_to_nodes_takes_the_archive_and_the_values_it_uses() {
    let mut plan = plan_of(RECIPE);
    let stages = stages(&plan);
    let taken = take(&mut plan, &stages, Some(Stage::Deliver), &built()).unwrap();
    assert_eq!(taken.len(), 4);
    assert_eq!(ids(&plan), ["image@a", "save@a", "scp@a@n1", "load@a@n1", "verify@a@n1"]);
    let save = plan.find("save@a").unwrap();
    assert!(
        save.is_received()
            && matches!(&save.actions[0], Action::Receive(it) if it.from == "/came/files/save@a/image.tar")
    );
    let image = plan.find("image@a").unwrap();
    assert!(image.actions.iter().all(|action| matches!(action, Action::Yield(_))), "{:?}", image.actions);
    // Whoever uses the id waits for it.
    let uses = |instance: &Instance| {
        let texts = instance.actions.iter().flat_map(Action::texts);
        texts.flat_map(crate::plan::Text::lates).any(|late| late.instance == "image@a")
    };
    let mut users = 0;
    for node in plan.graph.node_indices().filter(|node| uses(&plan.graph[*node])) {
        users += 1;
        let mut before = plan.graph.edge_references().filter(|edge| edge.target() == node);
        assert!(
            before.any(|edge| plan.graph[edge.source()].id.as_str() == "image@a"),
            "{} does not wait",
            plan.graph[node].id
        );
    }
    assert!(users > 0);
}

#[test]
fn what_is_needed_and_did_not_come_is_missing() {
    let plan = plan_of(RECIPE);
    let stages = stages(&plan);
    let missing = |spoil: &dyn Fn(&mut BTreeMap<InstanceId, Received>)| {
        let (mut plan, mut received) = (plan.clone(), built());
        spoil(&mut received);
        let missing = take(&mut plan, &stages, Some(Stage::Deliver), &received).unwrap_err();
        missing.iter().map(|one| format!("{} for {}", one.id, one.by)).collect::<Vec<_>>()
    };
    let save = id(&plan, "save@a");
    assert_eq!(missing(&|all| drop(all.remove(&save))), ["save@a for scp@a@n1"]);
    assert_eq!(missing(&|all| all.get_mut(&save).unwrap().made.files.clear()), ["save@a for scp@a@n1"]);
    let not_a_digest = |all: &mut BTreeMap<InstanceId, Received>| {
        all.get_mut(&save).unwrap().made.values.insert("sha256".into(), "$(reboot)".into());
    };
    assert_eq!(missing(&not_a_digest), ["save@a for scp@a@n1"]);
    // Nobody but the archive reads the sources, so they need not come.
    let mut received = built();
    received.remove(&id(&plan, "source"));
    assert!(take(&mut plan.clone(), &stages, Some(Stage::Deliver), &received).is_ok());
}

#[test]
fn only_what_others_read_travels() {
    let mut plan = plan_of(RECIPE);
    let all = plan.clone();
    let travels = |done: &[&str]| {
        let done: BTreeSet<InstanceId> = done.iter().map(|one| id(&all, one)).collect();
        let wanted = wanted(&all, &done);
        let there = wanted.into_iter().filter(|wanted| wanted.lies != Lies::Elsewhere);
        there.map(|wanted| wanted.id.to_string()).collect::<Vec<_>>()
    };
    let built = ["binfmt-register", "source", "image@a", "try@a", "save@a"];
    assert_eq!(travels(&built), ["save@a"]);
    // Where the archive could not be written, the image does.
    assert_eq!(travels(&built[..4]), ["image@a"]);
    assert_eq!(travels(&built[..2]), ["source"]);
    assert!(plan.find("save@a").unwrap().basis.intermediate);
    let whole = plan.clone();
    plan.graph.retain_nodes(|graph, node| graph[node].node.is_none());
    prove(&whole, &mut plan, &BTreeSet::new());
    assert!(!plan.find("save@a").unwrap().basis.intermediate, "it is looked at, as it travels");
}

#[test]
fn names_of_files_stay_in_their_folder() {
    let id = InstanceId::new("save", Some("a"), None);
    assert_eq!(file_name(&id, 0, "out/app.img"), "files/save@a/app.img");
    assert_eq!(file_name(&id, 2, "out/dir/"), "files/save@a/2-dir");
    for odd in ["..", ".hidden", "", "/", "a\nb"] {
        assert_eq!(file_name(&id, 0, odd), "files/save@a/it");
    }
}
