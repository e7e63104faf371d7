//! The arguments of commands about what images are made of, and what proves it.

use std::path::PathBuf;

use clap::Args;
use pipeline_core::audit::{Deny, glob};
use pipeline_core::image::Digest;
use pipeline_core::platform::Platform;

use super::{RecipeArgs, SelectArgs, TableFormat};

pub(super) const LOCK_HELP: &str = "\
Examples:
  pipeline lock                          what is not in the lock yet; what nobody asks for any more goes
  pipeline lock --update                 everything as it is now, upstream
  pipeline lock --update '*alpine*'      the names that this glob matches
  pipeline lock --check                  what has moved; changes nothing

Exit codes: 0 done, 1 something could not be asked, 4 with --check: the lock is not what the recipe asks for now";

/// See `lock`.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// Only for these targets: names, globs, or `AXIS=VALUE` of the matrix
    #[arg(short, long, value_name = "TARGET", env = "PIPELINE_TARGET", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// Ask again for names that are there: those that the glob matches, or all
    #[arg(long, value_name = "PATTERN", num_args = 0..=1, default_missing_value = "*", conflicts_with = "check")]
    pub(crate) update: Vec<String>,
    /// Change nothing: say what stands for something else now, and exit with 4 if anything does
    #[arg(long)]
    pub(crate) check: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
    /// Show what is asked, and what tools print
    #[arg(short, long, env = "PIPELINE_VERBOSE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) verbose: bool,
}

pub(super) const REPRO_HELP: &str = "\
Touches no node and no registry but to fetch; pipeline.lock stays as it is. What differs is told by layer, file and field.

Exit codes: 0 each image is the same, 1 a build failed, 2 usage, 3 recipe invalid, 4 lock stale, 5 preflight failed, 6 an image \
differs, 130 interrupted, 143 terminated";

/// See `repro`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct ReproArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Build a recipe from a git URL without asking
    #[arg(short, long, env = "PIPELINE_YES", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) yes: bool,
    /// Leave both builds in `.pipeline/repro`, until the next `repro`
    #[arg(long)]
    pub(crate) keep: bool,
    /// Allow changes to the kernel's table of emulators, without asking
    #[arg(long, env = "PIPELINE_ALLOW_PRIVILEGED", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) allow_privileged: bool,
    /// As root, build a recipe that belongs to another user, as in a container of CI
    #[arg(long, env = "PIPELINE_ALLOW_OWNER", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) allow_owner: bool,
    /// How what was found is shown
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
    /// Show every line that tools print
    #[arg(short, long, env = "PIPELINE_VERBOSE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) verbose: bool,
}

pub(super) const AUDIT_HELP: &str = "\
Examples:
  pipeline audit registry:2                                    whichever engine here has it
  pipeline audit --platform linux/arm64 ./registry.arm64.img
  pipeline audit --fix-label -o fixed.img ./registry.arm64.img

Exit codes: 0 it is what it should be, 1 it cannot be read, 2 usage, 6 it is something else";

/// See `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// A name in docker's, podman's or buildah's store (`docker:NAME` tells which), or the path of a docker archive, an OCI
    /// archive or an OCI layout, of one image or several
    pub(crate) image: String,
    /// The platform that it should be of; without it, the label is compared with the programs
    #[arg(long, value_parser = platform)]
    pub(crate) platform: Option<Platform>,
    /// Paths of programs that may be of any platform: globs
    #[arg(long, value_name = "GLOB", value_parser = pattern)]
    pub(crate) allow: Vec<String>,
    /// What is a failure and not only told
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = deny)]
    pub(crate) deny: Vec<Deny>,
    /// An environment variable whose value must not be in the image
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: Vec<String>,
    /// The digest that the archive's file must have
    #[arg(long, value_name = "DIGEST")]
    pub(crate) sha256: Option<Digest>,
    /// Write an archive whose label is what the programs are for
    #[arg(long, requires = "output")]
    pub(crate) fix_label: bool,
    /// The archive that `--fix-label` writes
    #[arg(short, long, value_name = "FILE", requires = "fix_label")]
    pub(crate) output: Option<PathBuf>,
    /// The name in that archive; the one in the first when absent
    #[arg(long = "as", value_name = "REFERENCE", requires = "fix_label")]
    pub(crate) reference: Option<String>,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

fn platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).map_err(|error| error.reason)
}

fn pattern(text: &str) -> Result<String, String> {
    glob(text).map(|_| text.to_owned())
}

fn deny(text: &str) -> Result<Deny, String> {
    let known = Deny::ALL.into_iter().find(|deny| deny.name() == text);
    known.ok_or_else(|| format!("the words are {}", Deny::ALL.map(Deny::name).join(", ")))
}

/// See `evidence`.
#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// The run's id, how that begins, or `^1` for the one before the newest; the newest that did something when absent
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) file: EvidenceRecipe,
    /// The file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Sign the list of what is in it with this Ed25519 key
    #[arg(long, value_name = "KEY", env = "PIPELINE_SIGN")]
    pub(crate) sign: Option<PathBuf>,
}

/// Whose runs.
#[derive(Debug, Args)]
pub(crate) struct EvidenceRecipe {
    /// The recipe: a name below `pipelines/`, a folder or a file; `pipeline.toml` here or above when absent
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<String>,
}

pub(super) const VERIFY_HELP: &str = "\
Exit codes: 0 it is what it was, 1 it cannot be read, 2 usage, 6 something in it was altered, or does not fit the rest";

/// See `verify-bundle`.
#[derive(Debug, Args)]
pub(crate) struct VerifyBundleArgs {
    /// A file that `pipeline evidence` wrote
    pub(crate) file: PathBuf,
    /// The list and all provenance in it must be signed by the owner of this public key
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<PathBuf>,
}
