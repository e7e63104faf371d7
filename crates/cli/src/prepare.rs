//! From the command line to a plan: reading, choosing an engine, planning.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use pipeline_core::actions::{Emulators, Packer, Performer};
use pipeline_core::diag::{Diagnostic, Diagnostics};
use pipeline_core::exec::{Actions, Host, Secrets};
use pipeline_core::frozen::Frozen;
use pipeline_core::plan::{Engine, Grammar, Plan, SecretFrom};
use pipeline_core::planner::{Machine, Part, Selection, Wanted, plan};
use pipeline_core::platform::Platform;
use pipeline_core::spec::{CiSpec, Given, Origin, Recipe, Values, examine};
use pipeline_core::{binfmt, doctor};

use crate::args::{PartArgs, RecipeArgs, SelectArgs};
use crate::lock_file::LockFile;
use crate::recipe::Found;
use crate::{cri, environment, exit_code, frozen, recipe, terminal};

/// A plan and what it takes to carry it out.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) found: Found,
    /// The environment of the tools that steps call.
    pub(crate) env: BTreeMap<OsString, OsString>,
    /// What only the recipe's own commands find in theirs: builds are handed it in another way, and nobody else has a use
    /// for it.
    pub(crate) own_env: BTreeMap<OsString, OsString>,
    /// The names that the recipe passes from this environment.
    pub(crate) passed: Vec<String>,
    /// The names of those that nobody may see.
    pub(crate) secret: Vec<String>,
    /// What the names in it stand for.
    pub(crate) lock: LockFile,
    /// What it was planned with, less what the recipe has no use for: variables that are set, by whatever way, as `set`.
    pub(crate) given: Given,
    /// The platform of a recipe without targets.
    pub(crate) platform: Platform,
    /// Where CI runs what.
    pub(crate) ci: CiSpec,
    /// The recipe leaves the engine open, and it was chosen for this machine.
    pub(crate) auto: bool,
    /// Why no engine works here, where the plan takes one for granted all the same.
    pub(crate) no_engine: Option<Diagnostic>,
}

impl Prepared {
    /// This machine, with what the recipe passes and hides.
    pub(crate) fn host<'a>(&self, actions: &'a dyn Actions) -> Host<'a> {
        Host {
            here: self.found.folder.clone(),
            env: self.env.clone(),
            redactor: environment::redactor(&self.secret, &[]),
            secrets: Secrets::default(),
            actions,
        }
    }
}

/// What becomes of `engine = "auto"` on a machine without an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithoutEngine {
    /// There is no plan: it could not be carried out.
    Refuse,
    /// The plan is for looking at, so the embedded default will do.
    Assume,
}

/// This machine's platform.
pub(crate) fn platform() -> Platform {
    let machine = rustix::system::uname();
    let known = Platform::from_uname(&machine.machine().to_string_lossy());
    // A machine that is not in the table cannot be a target by itself; everything else works.
    known.unwrap_or_else(Platform::first)
}

/// This machine's table of emulators.
pub(crate) fn binfmt() -> binfmt::Binfmt {
    binfmt::Binfmt {
        mount: "/proc/sys/fs/binfmt_misc".into(),
        interpreter_dirs: ["/usr/bin", "/usr/local/bin", "/usr/libexec/qemu-binfmt"]
            .map(PathBuf::from)
            .into(),
        scratch: std::env::temp_dir(),
    }
}

/// Carries out actions on this machine.
pub(crate) fn performer(allow_privileged: bool) -> Performer<'static> {
    Performer {
        platform: platform(),
        binfmt: binfmt(),
        allow_privileged,
        cri: &cri::Socket,
        cache: environment::cache(),
        packer: Packer::default(),
        emulators: Emulators::default(),
    }
}

/// What was found in a recipe, shown to nobody yet.
pub(crate) struct Looked {
    /// The recipe's file, where there is one.
    pub(crate) file: Option<String>,
    /// All that was read.
    pub(crate) files: Vec<String>,
    pub(crate) diagnostics: Diagnostics,
    /// The error is the exit code.
    pub(crate) prepared: Result<Prepared, u8>,
}

/// Reads and plans the recipe that the arguments name. What is wrong has been shown; the error is the exit code.
pub(crate) fn prepare(
    args: &RecipeArgs,
    select: &SelectArgs,
    without_engine: WithoutEngine,
) -> Result<Prepared, u8> {
    let looked = look(args, select, without_engine, None);
    terminal::diagnostics(&looked.diagnostics);
    looked.prepared
}

/// The same, and nothing has been shown. A frozen plan says what is otherwise taken from this machine.
pub(crate) fn look(
    args: &RecipeArgs,
    select: &SelectArgs,
    without_engine: WithoutEngine,
    frozen: Option<&Frozen>,
) -> Looked {
    let mut diagnostics = Diagnostics::default();
    let chosen = recipe::choose(args);
    let file = chosen.as_ref().ok().map(|chosen| chosen.recipe.display().to_string());
    let mut files = Vec::new();
    let prepared = match chosen.and_then(|chosen| recipe::gather(chosen, args)) {
        Ok(found) => {
            files.extend(found.files.sources.files().map(|file| file.name().to_owned()));
            match frozen.map(|frozen| frozen::same_files(frozen, &found)) {
                Some(Err(diagnostic)) => {
                    diagnostics.push(diagnostic);
                    Err(exit_code::LOCK_STALE)
                }
                Some(Ok(())) | None => planned(args, select, without_engine, frozen, found, &mut diagnostics),
            }
        }
        Err(diagnostic) => {
            let code = not_found(&diagnostic);
            diagnostics.push(diagnostic);
            Err(code)
        }
    };
    Looked { file, files, diagnostics, prepared }
}

fn planned(
    args: &RecipeArgs,
    select: &SelectArgs,
    without_engine: WithoutEngine,
    frozen: Option<&Frozen>,
    found: Found,
    all: &mut Diagnostics,
) -> Result<Prepared, u8> {
    let files = found.files.clone();
    let (recipe, mut diagnostics) = examine(&files);
    let Some(recipe) = recipe else {
        all.extend(diagnostics);
        return Err(exit_code::RECIPE_INVALID);
    };
    let passed = passed(&recipe);
    let secret: Vec<String> = recipe.secret_env().into_iter().map(str::to_owned).collect();
    terminal::hide(environment::redactor(&secret, &[]));
    // Whoever is asked before there is a plan has no use for secrets.
    let asking = environment::for_steps(&passed);
    let given = match given(args, &recipe, &found, &asking) {
        Ok(given) => match frozen {
            Some(Frozen { set, env, .. }) => {
                Given { set: set.clone(), env: env.clone(), env_vars: BTreeMap::new(), ..given }
            }
            None => given,
        },
        Err(diagnostic) => {
            all.push(diagnostic);
            return Err(exit_code::USAGE);
        }
    };
    let lock = match LockFile::read(Path::new(found.name())) {
        Ok(lock) => lock,
        Err(diagnostic) => {
            all.push(*diagnostic);
            return Err(exit_code::LOCK_STALE);
        }
    };
    let (no_engine, auto) = (RefCell::new(None), Cell::new(false));
    let choose = || {
        auto.set(true);
        match doctor::choose_engine(&asking, &found.folder) {
            Err(none) if without_engine == WithoutEngine::Assume => {
                no_engine.replace(Some(none));
                Ok((
                    Engine::Buildah,
                    "none works on this machine, so the default is taken for granted".into(),
                ))
            }
            chosen => chosen,
        }
    };
    let platform = frozen.map_or_else(platform, |frozen| frozen.platform.clone());
    let folder = frozen.map_or_else(|| name_without_one(&found), |frozen| frozen.recipe.clone());
    let machine = Machine { platform: platform.clone(), folder, choose_engine: &choose };
    let selection =
        Selection { targets: select.target.clone(), nodes: select.node.clone(), skip: select.skip.clone() };
    let (plan, more) = plan(&recipe, &given, &lock.lock, &selection, &machine);
    diagnostics.extend(more);
    let diagnostics = diagnostics.finish(&files.sources);
    let without_plan = code(&diagnostics);
    all.extend(diagnostics);
    match plan {
        Some(mut plan) => {
            plan.notes.extend(found.local.iter().map(|local| format!("`{local}` is laid over the recipe")));
            let no_engine = no_engine.into_inner();
            let mut env = environment::for_steps(&[passed.as_slice(), &secret].concat());
            let own_env = handed(&plan).filter_map(|name| env.remove_entry(OsStr::new(name))).collect();
            let (given, auto, ci) = (used(&recipe, &given), auto.get(), recipe.ci.clone());
            Ok(Prepared {
                plan,
                found,
                env,
                own_env,
                passed,
                secret,
                lock,
                given,
                platform,
                ci,
                auto,
                no_engine,
            })
        }
        None => Err(without_plan),
    }
}

/// The variables that builds are handed as secrets.
fn handed(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.secrets().into_iter().filter_map(|from| match from {
        SecretFrom::Env(name) => Some(name.as_str()),
        SecretFrom::File(_) => None,
    })
}

/// Takes out of the plan what the command line leaves out.
pub(crate) fn cut(prepared: &mut Prepared, args: &PartArgs) -> Result<Wanted, u8> {
    let part = Part {
        from: args.from.clone(),
        until: args.until.clone(),
        only: args.only.clone(),
        force: args.force,
    };
    let mut diagnostics = Diagnostics::default();
    let wanted = part.cut(&mut prepared.plan, &mut diagnostics);
    if diagnostics.has_errors() {
        terminal::diagnostics(&diagnostics);
        return Err(exit_code::USAGE);
    }
    Ok(wanted)
}

/// The name of a recipe that gives itself none.
fn name_without_one(found: &Found) -> String {
    match &found.fetched {
        Some(fetched) => folder_name(Path::new(&fetched.name)),
        None => folder_name(&found.folder),
    }
}

/// The name of a recipe that gives itself none: its folder's, as far as names go.
pub(crate) fn folder_name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let plain = plain.trim_start_matches(['.', '_', '-']);
    if plain.is_empty() { "recipe".into() } else { plain.chars().take(64).collect() }
}

/// Finds the recipe, or shows why not.
pub(crate) fn find(args: &RecipeArgs) -> Result<Found, u8> {
    recipe::find(args).map_err(|diagnostic| {
        terminal::diagnostic(&diagnostic);
        not_found(&diagnostic)
    })
}

/// The exit code where no recipe could be read.
pub(crate) fn not_found(diagnostic: &Diagnostic) -> u8 {
    if diagnostic.code.starts_with("spec::") { exit_code::RECIPE_INVALID } else { exit_code::USAGE }
}

/// The exit code for a recipe without a plan.
fn code(diagnostics: &Diagnostics) -> u8 {
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).collect();
    if errors.iter().all(|diagnostic| diagnostic.code.starts_with("select::")) {
        exit_code::USAGE
    } else if errors.iter().all(|diagnostic| diagnostic.code.starts_with("engine::")) {
        exit_code::PREFLIGHT_FAILED
    } else {
        exit_code::RECIPE_INVALID
    }
}

pub(crate) fn passed(recipe: &Recipe<'_>) -> Vec<String> {
    recipe.passed_env().into_iter().map(str::to_owned).collect()
}

fn given(
    args: &RecipeArgs,
    recipe: &Recipe<'_>,
    found: &Found,
    env: &BTreeMap<OsString, OsString>,
) -> Result<Given, Diagnostic> {
    let wants_commit = || found.files.sources.files().any(|file| file.text().contains("recipe.commit"));
    Ok(Given {
        env: environment::values(&passed(recipe)),
        recipe_commit: match &found.fetched {
            Some(fetched) => Some(fetched.commit.clone()),
            None => wants_commit().then(|| commit(&found.folder, env)).flatten(),
        },
        ..given_vars(args)?
    })
}

/// See [`Prepared::given`].
fn used(recipe: &Recipe<'_>, given: &Given) -> Given {
    let values = Values::new(recipe, given);
    let set = recipe.vars.iter().filter_map(|(name, _)| match values.given(&name.value)? {
        (_, Origin::File(_)) => None,
        (value, Origin::Set | Origin::Environment(_)) => Some((name.value.clone(), value.to_owned())),
    });
    let says = |words: &str| recipe.files.sources.files().any(|file| file.text().contains(words));
    let env = given.env.iter().filter(|(name, _)| says(&format!("env.{name}")));
    Given {
        set: set.collect(),
        env: env.map(|(name, value)| (name.clone(), value.clone())).collect(),
        env_vars: BTreeMap::new(),
        recipe_commit: given.recipe_commit.clone(),
    }
}

/// The values of variables that the command line and the environment give.
pub(crate) fn given_vars(args: &RecipeArgs) -> Result<Given, Diagnostic> {
    let mut set = BTreeMap::new();
    for pair in &args.set {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Diagnostic::error("select::bad-variable", format!("`--set {pair}` has no `=`"))
                .help("write `--set NAME=VALUE`"));
        };
        set.insert(name.to_owned(), value.to_owned());
    }
    Ok(Given { set, env_vars: environment::variables(), ..Given::default() })
}

/// The commit of the repository that holds the recipe.
fn commit(folder: &Path, env: &BTreeMap<OsString, OsString>) -> Option<String> {
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["rev-parse", "--verify", "HEAD"])
        .env_clear()
        .envs(env)
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|commit| Grammar::Hex.accepts(commit))
}
