//! `pipeline ship`: `deliver` without a recipe. It writes the recipe, in a folder of its own, and runs it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use pipeline_core::image::Digest;

use crate::args::{PartArgs, RecipeArgs, ResultsArgs, RunArgs, SelectArgs, ShipArgs};
use crate::ship::{Refusal, image, node, recipe};
use crate::{environment, exit_code};

pub(super) fn ship(args: &ShipArgs) -> u8 {
    match prepared(args) {
        Ok(file) => super::run::run(&run_args(args, file)),
        Err(refusal) => refusal.tell(),
    }
}

/// The written recipe.
fn prepared(args: &ShipArgs) -> Result<PathBuf, Refusal> {
    // ssh says of a missing key that it is denied, and of a missing configuration that the node is not reached.
    for (option, file) in [("--ssh-config", &args.ssh_config), ("--identity", &args.identity)] {
        if let Some(file) = file.as_ref().filter(|file| !file.is_file()) {
            return Err(Refusal::new(
                "usage::bad-value",
                exit_code::USAGE,
                format!("there is no file {} for `{option}`", file.display()),
            ));
        }
    }
    let env = environment::for_steps(&[]);
    let image = image::find(&args.image, args.reference.as_deref(), &env)?;
    let nodes: Vec<node::ShipNode> =
        args.nodes.iter().map(|text| node::parse(text)).collect::<Result<_, _>>()?;
    for (index, node) in nodes.iter().enumerate() {
        if nodes[..index].contains(node) {
            let text = args.nodes[index].escape_debug();
            return Err(Refusal::new(
                "usage::bad-value",
                exit_code::USAGE,
                format!("the node `{text}` is named twice"),
            ));
        }
    }
    let folder = folder(args)?;
    let nodes = node::with_runtimes(nodes, args, &folder, &env)?;
    let text = recipe::text(&image, &nodes, args)?;
    let file = folder.join("pipeline.toml");
    fs::write(&file, text).map_err(|error| {
        Refusal::new(
            "place::unwritable",
            exit_code::PREFLIGHT_FAILED,
            format!("cannot write {}: {error}", file.display()),
        )
    })?;
    Ok(file)
}

/// A folder for this image and these nodes: the next time, what a killed one left is found there.
fn folder(args: &ShipArgs) -> Result<PathBuf, Refusal> {
    let cache = crate::environment::cache().ok_or_else(|| {
        Refusal::new(
            "place::unwritable",
            exit_code::PREFLIGHT_FAILED,
            "neither HOME nor XDG_CACHE_HOME says where files may lie",
        )
        .help("set HOME")
    })?;
    let here = std::env::current_dir().unwrap_or_default();
    let key = format!("{} {:?} {:?} {:?}", here.display(), args.image, args.nodes, args.reference);
    let folder = cache.join("ship").join(&Digest::of(key.as_bytes()).hex()[..16]);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| {
        Refusal::new(
            "place::unwritable",
            exit_code::PREFLIGHT_FAILED,
            format!("cannot make {}: {error}", folder.display()),
        )
    })?;
    Ok(folder)
}

fn run_args(args: &ShipArgs, file: PathBuf) -> RunArgs {
    RunArgs {
        plan: None,
        exports: args.exports.clone(),
        recipe: RecipeArgs { file: vec![file], no_local: true, ..RecipeArgs::default() },
        select: SelectArgs::default(),
        part: PartArgs::default(),
        results: ResultsArgs::default(),
        jobs: None,
        // A node that fails keeps no other from its image.
        keep_going: true,
        dry_run: false,
        yes: true,
        locked: Some(false),
        allow_privileged: false,
        no_emulation: false,
        allow_owner: false,
        allow_network_disk: true,
        wait_lock: Duration::MAX,
        keep_runs: crate::retention::KEEP,
        sign: None,
        require_provenance: args.require_provenance.clone(),
        progress: args.progress,
        verbose: args.verbose,
        look_ahead: false,
    }
}
