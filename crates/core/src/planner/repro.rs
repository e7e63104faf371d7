//! The part of a plan that builds images and writes them to archives, made fit for being done twice.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::visit::EdgeRef;

use crate::git::is_relative_path;
use crate::lock::Key;
use crate::plan::{
    Action, Artifact, Command, Edge, Engine, Grammar, Instance, InstanceId, NodeIndex, Output, Plan, Pool,
    SealArchive, Text, Value,
};
use crate::steps::{export_image, remove_image};

/// Kinds that make something of which images are built. Others look at images or take them somewhere.
const MAKERS: [&str; 6] = ["binfmt-register", "git-checkout", "patch-FROM", "build", "save", "run"];

/// See [`repro`].
pub struct Repro {
    /// What is upstream of images and their archives. Paths in it are relative to whichever folder it is done in.
    pub plan: Plan,
    /// What is to be compared, as the plan lists it.
    pub archives: Vec<Archive>,
    /// Builds of it that need what only a node, or another kind of step, can give.
    pub left_out: Vec<InstanceId>,
    /// Takes the images out of engines' stores that are the user's.
    pub clean_up: Plan,
}

/// An archive that the plan writes.
pub struct Archive {
    /// The build.
    pub image: InstanceId,
    /// Its engine.
    pub engine: Engine,
    /// docker's classic builder may be the one.
    pub may_be_classic: bool,
    /// Where it is, relative to the folder that the plan is done in.
    pub path: String,
}

/// Where the recipe lies.
pub struct Origin<'o> {
    /// Its folder, absolute: where relative urls of repositories begin.
    pub folder: &'o str,
    /// The root of buildah's store there, where there is one: it has base images, and nothing is written to it.
    pub store: Option<&'o str>,
}

/// Cuts a plan down to its images. Builds take nothing from caches and give nothing to any, have names of their own in the
/// stores of the user's engines, and each ends as an archive.
pub fn repro(plan: &Plan, origin: &Origin<'_>) -> Repro {
    let fit = fit(plan);
    let is_build = |node: &NodeIndex| &*plan.graph[*node].kind == "build";
    let builds: Vec<NodeIndex> = plan.order().into_iter().filter(is_build).collect();
    let (images, unfit): (Vec<_>, Vec<_>) = builds.into_iter().partition(|node| fit.contains(node));
    let saves = |node: &NodeIndex| {
        let edges = plan.graph.edges_directed(*node, Outgoing);
        let saves = edges.filter(|edge| matches!(edge.weight(), Edge::Artifact(Artifact::Image)));
        let saves = saves.map(|edge| edge.target());
        saves.filter(|to| &*plan.graph[*to].kind == "save" && fit.contains(to)).collect::<Vec<_>>()
    };
    let mut kept = BTreeSet::new();
    images.iter().chain(images.iter().flat_map(saves).collect::<Vec<_>>().iter()).for_each(|node| {
        upstream(plan, *node, &fit, &mut kept);
    });
    let mut cut = plan.clone();
    for builder in cut.builders.values_mut() {
        // Files of the recipe, which is done elsewhere.
        for file in [&mut builder.ssh.config, &mut builder.ssh.identity].into_iter().flatten() {
            if !file.starts_with(['/', '~']) {
                *file = format!("{}/{file}", origin.folder);
            }
        }
    }
    let mut archives = Vec::new();
    for image in &images {
        let instance = &mut cut.graph[*image];
        let Some(engine) = instance.basis.engine else { continue };
        let may_be_classic = build_anew(instance);
        let mut paths: Vec<String> =
            saves(image).iter().filter_map(|save| sealed(&plan.graph[*save])).collect();
        if paths.is_empty() {
            paths.extend(archive(instance, engine));
        }
        let image = &instance.id;
        archives.extend(paths.into_iter().map(|path| Archive {
            image: image.clone(),
            engine,
            may_be_classic,
            path,
        }));
    }
    for instance in cut.graph.node_weights_mut() {
        instance.actions.retain(|action| !matches!(action, Action::Audit(_)));
        if let Some(store) = origin.store {
            instance.actions.iter_mut().chain(&mut instance.cleanup).for_each(|action| see(action, store));
        }
    }
    absolute(&mut cut, origin.folder);
    cut.graph.retain_nodes(|_, node| kept.contains(&node));
    let clean_up = rename(&mut cut);
    let left_out = unfit.into_iter().map(|node| plan.graph[node].id.clone()).collect();
    Repro { plan: cut, archives, left_out, clean_up }
}

/// What can be done here, all that it needs included.
fn fit(plan: &Plan) -> BTreeSet<NodeIndex> {
    let mut fit = BTreeSet::new();
    for node in plan.order() {
        let instance = &plan.graph[node];
        let local =
            instance.pool == Pool::Local && instance.actions.iter().all(|action| action.node().is_none());
        let mut needs = plan.graph.edges_directed(node, Incoming);
        let has_all = needs.all(|edge| {
            !matches!(edge.weight(), Edge::Artifact(_) | Edge::Output(_)) || fit.contains(&edge.source())
        });
        if local && has_all && MAKERS.contains(&&*instance.kind) {
            fit.insert(node);
        }
    }
    fit
}

fn upstream(plan: &Plan, node: NodeIndex, fit: &BTreeSet<NodeIndex>, kept: &mut BTreeSet<NodeIndex>) {
    if fit.contains(&node) && kept.insert(node) {
        // Of checks that only had to come first nothing is needed.
        plan.graph.neighbors_directed(node, Incoming).for_each(|source| upstream(plan, source, fit, kept));
    }
}

/// Its build takes and gives no layers. Whether docker's classic builder may be the one.
fn build_anew(instance: &mut Instance) -> bool {
    let mut may_be_classic = false;
    for action in &mut instance.actions {
        let Action::Command(command) = action else { continue };
        let place = |argv: &[Text], words: &[&str]| {
            argv.iter().position(|text| text.as_literal().is_some_and(|word| words.contains(&word)))
        };
        if place(&command.argv, &["--iidfile"]).is_none() {
            continue;
        }
        while let Some(at) = place(&command.argv, &["--cache-from", "--cache-to"]) {
            command.argv.drain(at..command.argv.len().min(at + 2));
        }
        if place(&command.argv, &["--no-cache"]).is_none() {
            let end = place(&command.argv, &["--"]).unwrap_or(command.argv.len());
            command.argv.insert(end, "--no-cache".into());
        }
        let buildkit = command.env.get("DOCKER_BUILDKIT").and_then(Text::as_literal);
        may_be_classic = instance.basis.engine == Some(Engine::Docker) && buildkit != Some("1");
    }
    may_be_classic
}

/// Where a `save` writes to.
fn sealed(save: &Instance) -> Option<String> {
    save.actions.iter().find_map(|action| match action {
        Action::SealArchive(seal) => seal.to.as_literal().map(str::to_owned),
        _ => None,
    })
}

/// Lets a build that nobody saves write an archive; where.
fn archive(instance: &mut Instance, engine: Engine) -> Option<String> {
    let known = |name: &str| {
        instance.outputs.iter().find(|output| output.name == name).and_then(|output| match &output.value {
            Value::Known(text) => text.as_literal().map(str::to_owned),
            Value::Late(_) => None,
        })
    };
    let (reference, platform) = (known("reference")?, instance.platform.clone()?);
    let late = |output: &str| Text::late(instance.id.as_str(), output, Grammar::Digest);
    let file = |name: &str| format!(".pipeline/work/{}/{name}", instance.id);
    let (exported, to) = (file("exported.tar"), file("image.tar"));
    let (handle, id) = (late("handle"), late("id"));
    instance.actions.extend([
        Command::new(["rm", "-f", "--", &exported]).into(),
        export_image(engine, false, &handle, &exported).into(),
        Action::SealArchive(SealArchive {
            from: exported.as_str().into(),
            to: to.as_str().into(),
            format: crate::image::ArchiveFormat::DockerArchive,
            reference,
            tags: Vec::new(),
            annotations: None,
            id,
            platform,
            output: "sha256".into(),
        }),
    ]);
    instance.outputs.push(Output { name: "sha256".into(), value: Value::Late(Grammar::Digest) });
    instance.cleanup.push(Command::new(["rm", "-f", "--", &exported]).into());
    Some(to)
}

/// Lets buildah, in a store of its own, find the images of another one.
fn see(action: &mut Action, store: &str) {
    let command = match action {
        Action::Command(command) => command,
        Action::PinBases(pins) => &mut pins.inspect,
        Action::ImageId(id) => &mut id.inspect,
        _ => return,
    };
    let is = |at: usize, word: &str| command.argv.get(at).and_then(Text::as_literal) == Some(word);
    if is(0, "buildah") && is(1, "--root") {
        let option = ["--storage-opt".into(), format!(".imagestore={store}").as_str().into()];
        command.argv.splice(1..1, option);
    }
}

/// Relative urls that lead out of the recipe's folder, or to the repository that it is, begin there wherever the plan is done.
fn absolute(plan: &mut Plan, folder: &str) {
    let whole = |url: &str| format!("{folder}/{url}");
    let is_away = |url: &str| is_relative_path(url) && !is_below(url);
    for action in plan.graph.node_weights_mut().flat_map(|instance| &mut instance.actions) {
        if let Action::Checkout(checkout) = action
            && is_away(&checkout.url)
        {
            checkout.url = whole(&checkout.url);
        }
    }
    for (key, pin) in plan.lock.clone().iter() {
        if let Key::Git { url, reference } = key
            && is_away(url)
        {
            plan.lock.keep(&Key::Git { url: whole(url), reference: reference.clone() }, pin.clone());
        }
    }
}

/// A relative path leads to something in the folder where it begins.
fn is_below(path: &str) -> bool {
    let mut depth = 0_i32;
    let stays = path.split('/').all(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth >= 0
    });
    stays && depth > 0
}

/// Gives images in the stores of the user's engines other names than a run gives them, and says how they go.
fn rename(plan: &mut Plan) -> Plan {
    let mut names = BTreeMap::new();
    let mut remove = Vec::new();
    for instance in plan.graph.node_weights() {
        let name = instance.outputs.iter().find_map(|output| match &output.value {
            Value::Known(text) if output.name == "ref" => text.as_literal(),
            _ => None,
        });
        let Some((engine, name)) = instance.basis.engine.filter(|_| &*instance.kind == "build").zip(name)
        else {
            continue;
        };
        let own = name.replacen("localhost/pipeline/", "localhost/pipeline/repro/", 1);
        if let Some(command) = remove_image(engine, &own) {
            if let Some(builder) = &instance.basis.builder {
                remove.push(command.clone().with_builder(Some(builder)).into());
            }
            remove.push(command.into());
            names.insert(name.to_owned(), own);
        }
    }
    for instance in plan.graph.node_weights_mut() {
        // Through their JSON, so that no place of a name is forgotten.
        let Ok(json) = serde_json::to_string(instance) else { continue };
        let renamed = names.iter().fold(json.clone(), |json, (name, own)| json.replace(name, own));
        if renamed != json
            && let Ok(renamed) = serde_json::from_str(&renamed)
        {
            *instance = renamed;
        }
    }
    let mut clean_up =
        Plan { recipe: plan.recipe.clone(), builders: plan.builders.clone(), ..Plan::default() };
    if !remove.is_empty() {
        clean_up.graph.add_node(Instance::new(InstanceId::new("clean-up", None, None), "run", remove));
    }
    clean_up
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::testing::plan_of;

    const RECIPE: &str = "[targets.a]\nplatform = 'linux/arm64'\nnodes = ['n']\n[nodes.n]\nhost = 'n'\nruntime = 'docker'\n\
        [[step]]\nid = 'source'\nuses = 'git-checkout'\nurl = '../app'\nallow-protocols = ['file']\nbranch = 'main'\n\
        [[step]]\nid = 'base'\nuses = 'build'\ntag = 'base'\nsource = 'source'\nengine = 'ENGINE'\nCACHE\n\
        [[step]]\nid = 'image'\nuses = 'build'\ntag = 'x'\nsource = 'source'\nengine = 'ENGINE'\nbases = { 'b:1' = 'base' }\n\
        [[step]]\nuses = 'smoke'\nimage = 'image'\nargv = ['true']\n\
        [[step]]\nid = 'archive'\nuses = 'save'\nimage = 'image'\npath = 'out/x.tar'\n\
        [[step]]\nuses = 'deliver'\nimage = 'archive'\n\
        [[step]]\nid = 'remote'\nuses = 'run'\nscope = 'node'\nargv = ['true']\n\
        [[step]]\nid = 'after'\nuses = 'run'\nneeds = ['image']\nargv = ['true']\n";

    fn cut(engine: &str, cache: &str) -> Repro {
        let origin = Origin { folder: "/home/recipe", store: Some("/home/recipe/.pipeline/store/root") };
        repro(&plan_of(&RECIPE.replace("ENGINE", engine).replace("CACHE", cache)), &origin)
    }

    fn ids(repro: &Repro) -> Vec<&str> {
        repro.plan.order().into_iter().map(|node| repro.plan.graph[node].id.as_str()).collect()
    }

    fn lines(repro: &Repro, id: &str) -> String {
        let commands = repro.plan.find(id).unwrap().actions.iter().flat_map(Action::commands);
        commands.flat_map(|command| &command.argv).map(|text| format!("{text} ")).collect()
    }

    #[test]
    fn images_and_what_they_are_made_of_are_kept() {
        let repro = cut("buildah", "");
        assert_eq!(ids(&repro), ["source", "base@a", "image@a", "archive@a"]);
        let archives: Vec<&str> = repro.archives.iter().map(|archive| archive.path.as_str()).collect();
        assert_eq!(archives, [".pipeline/work/base@a/image.tar", "out/x.tar"]);
        assert!(repro.left_out.is_empty() && repro.clean_up.graph.node_count() == 0);
        let base = lines(&repro, "base@a");
        assert!(
            base.contains("buildah --storage-opt .imagestore=/home/recipe/.pipeline/store/root --root"),
            "{base}"
        );
        assert!(
            base.contains(" --no-cache -- ")
                && base.contains("docker-archive:.pipeline/work/base@a/exported.tar")
        );
        let actions: Vec<&Action> =
            repro.plan.graph.node_weights().flat_map(|instance| &instance.actions).collect();
        assert!(!actions.iter().any(|action| matches!(action, Action::Audit(_))));
        assert!(
            actions
                .iter()
                .any(|action| matches!(action, Action::Checkout(c) if c.url == "/home/recipe/../app"))
        );
    }

    #[test]
    fn images_of_users_engines_have_names_of_their_own_that_go() {
        let repro = cut("podman", "cache-from = ['example.org/c']\ncache-to = ['example.org/c']");
        let base = lines(&repro, "base@a");
        assert!(
            base.contains("--tag localhost/pipeline/repro/recipe/base/a:latest") && !base.contains("--cache"),
            "{base}"
        );
        let image = repro.plan.find("image@a").unwrap();
        let rewritten = image.actions.iter().find_map(|action| match action {
            Action::RewriteFrom(rewrite) => Some(format!("{:?}", rewrite.rules)),
            _ => None,
        });
        assert!(rewritten.unwrap().contains("localhost/pipeline/repro/recipe/base/a:latest"));
        let clean_up = repro.clean_up.graph.node_weights().next().unwrap();
        assert_eq!(clean_up.actions.len(), 2);
        assert!(!repro.archives[0].may_be_classic);
    }

    #[test]
    fn what_lies_in_the_recipes_folder_is_in_each_copy() {
        for below in ["a", "./a/b", ".pipeline/out/upstream", "a/../b"] {
            assert!(is_below(below), "{below}");
        }
        for away in [".", "./", "../a", "a/..", "a/../../b"] {
            assert!(!is_below(away), "{away}");
        }
    }

    #[test]
    fn which_builder_of_docker_it_is_counts() {
        assert!(cut("docker", "").archives.iter().all(|archive| archive.may_be_classic));
        assert!(!cut("docker", "buildkit = true").archives[0].may_be_classic);
        assert!(!cut("buildx", "").archives[0].may_be_classic);
    }

    #[test]
    fn what_needs_a_node_is_left_out() {
        let plan = plan_of(
            "[targets.a]\nplatform = 'linux/arm64'\n\
             [[step]]\nid = 'made'\nuses = 'run'\nargv = ['true']\nscope = 'target'\noutputs = { context = 'c' }\n\
             [[step]]\nid = 'image'\nuses = 'build'\ntag = 'x'\nsource = 'made'\n\
             [[step]]\nid = 'says'\nuses = 'smoke'\nimage = 'image'\nargv = ['true']\n\
             [[step]]\nid = 'other'\nuses = 'run'\nneeds = ['says']\nargv = ['true']\nscope = 'target'\noutputs = { context = 'd' }\n\
             [[step]]\nid = 'second'\nuses = 'build'\ntag = 'y'\nsource = 'other'\n",
        );
        let repro = repro(&plan, &Origin { folder: "/", store: None });
        assert_eq!(
            ids(&repro),
            ["made@a", "image@a", "other@a", "second@a"],
            "a check that came first is not needed"
        );
        let mut plan = plan;
        let made = plan.graph.node_indices().find(|node| plan.graph[*node].id.as_str() == "made@a").unwrap();
        plan.graph[made].pool = Pool::Node;
        let repro = super::repro(&plan, &Origin { folder: "/", store: None });
        assert_eq!(repro.left_out.iter().map(InstanceId::as_str).collect::<Vec<_>>(), ["image@a"]);
        assert_eq!(ids(&repro), ["other@a", "second@a"]);
    }
}
