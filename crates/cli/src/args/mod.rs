//! The command line.

mod ci;
mod exports;
mod history;
mod manual;
mod proof;
mod report;
mod results;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pipeline_core::steps::parse_duration;

use ci::{CI_HELP, MATRIX_HELP};
pub(crate) use ci::{CiArgs, CiSystem, MatrixArgs, MatrixFormat};
pub(crate) use exports::ExportArgs;
use history::{CLEAN_HELP, LOGS_HELP};
pub(crate) use history::{CleanArgs, DiffArgs, ExportCommandArgs, HistoryArgs, LogsArgs, StatusArgs};
pub(crate) use manual::{ManArgs, ManFormat};
use proof::{AUDIT_HELP, LOCK_HELP, REPRO_HELP, VERIFY_HELP};
pub(crate) use proof::{AuditArgs, EvidenceArgs, LockArgs, ReproArgs, VerifyBundleArgs};
use report::REPORT_HELP;
pub(crate) use report::ReportArgs;
pub(crate) use results::ResultsArgs;

/// From a git commit to verified on the node, for every CPU architecture at once.
#[derive(Debug, Parser)]
#[command(
    name = "pipeline",
    version,
    max_term_width = 100,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a recipe to start from
    Init(InitArgs),
    /// Run a recipe
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Bring an image that is here to nodes, without a recipe: only the layers that they lack
    #[command(after_help = SHIP_HELP)]
    Ship(ShipArgs),
    /// Compare the programs in an image with its label, without running any
    #[command(after_help = AUDIT_HELP)]
    Audit(AuditArgs),
    /// Give names on nodes back to the images that had them before the last `deliver`
    Rollback(RollbackArgs),
    /// Show a run as one HTML file that needs nothing else
    #[command(after_help = REPORT_HELP)]
    Report(ReportArgs),
    /// How things stand: what each step came to when it last ran, what runs now, and where images are
    Status(StatusArgs),
    /// List earlier runs
    History(HistoryArgs),
    /// What steps printed
    #[command(after_help = LOGS_HELP)]
    Logs(LogsArgs),
    /// What is another in a run than in an earlier one
    Diff(DiffArgs),
    /// Remove earlier runs, and what steps made
    #[command(after_help = CLEAN_HELP)]
    Clean(CleanArgs),
    /// Write files about an earlier run, as `run` does with the same options
    Export(ExportCommandArgs),
    /// Put everything that a run can prove into one file
    Evidence(EvidenceArgs),
    /// Check a file of evidence, without a network
    #[command(after_help = VERIFY_HELP)]
    VerifyBundle(VerifyBundleArgs),
    /// Show the exact commands that a run executes, without running any
    Plan(PlanArgs),
    /// The jobs of a CI matrix: one for the chain of each target, on a runner of its architecture
    #[command(after_help = MATRIX_HELP)]
    Matrix(MatrixArgs),
    /// Write the file that makes a CI system run the recipe: one job for the chain of each target, and what joins them
    #[command(after_help = CI_HELP)]
    Ci(CiArgs),
    /// Say for every step whether it would run, and why
    Explain(ExplainArgs),
    /// Show which step waits for which
    Graph(GraphArgs),
    /// Read a recipe and report everything that is wrong with it
    Check(CheckArgs),
    /// Bring recipe files into one layout
    Fmt(FmtArgs),
    /// List recipes, or a recipe's targets, nodes and steps
    List(ListArgs),
    /// Find out what is missing on this machine and on the nodes, and how to get it; with a node in place of RECIPE, one of the
    /// recipe here or any `[RUNTIME://][USER@]HOST[:PORT]`, on that alone
    Doctor(DoctorArgs),
    /// Write down in `pipeline.lock` what branches, tags and base images stand for, build nothing
    #[command(after_help = LOCK_HELP)]
    Lock(LockArgs),
    /// Build the images of a recipe twice, in other folders, at other times and as other users, and compare them
    #[command(after_help = REPRO_HELP)]
    Repro(ReproArgs),
    /// The reference of step kinds
    Steps(StepsArgs),
    /// Print the JSON Schema of `pipeline.toml` or of a run's events, or the reference of the language
    Schema(SchemaArgs),
    /// What an error's code means, and what to do; without CODE, all of them
    ExplainError {
        /// The code, such as `spec::unknown-key`, or what follows its `::`
        code: Option<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a page of the manual, or write all of them
    Man(ManArgs),
    /// Carry out one action of a plan; scripts made by `plan --format sh` call it
    #[command(hide = true)]
    Action {
        /// The action and its nodes
        json: String,
        /// Late values: `INSTANCE.OUTPUT=VALUE`
        values: Vec<String>,
        /// Allow changes to the kernel's table of emulators
        #[arg(long, env = "PIPELINE_ALLOW_PRIVILEGED", value_parser = clap::builder::BoolishValueParser::new())]
        allow_privileged: bool,
    },
}

const RUN_HELP: &str = "Exit codes: 0 done, 1 a step failed, 2 usage, 3 recipe invalid, 4 lock stale, 5 preflight failed, \
                        6 verification mismatch, 130 interrupted, 143 terminated";

/// See `rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
}

const SHIP_HELP: &str = "\
Examples:
  pipeline ship registry:2 root@10.23.15.1                     whichever engine here has it
  pipeline ship podman:app:1 cri-o://edge-1 containerd://edge-2
  pipeline ship ./registry.arm64.img edge-1 --as docker.io/library/registry:2

Exit codes are those of `pipeline run`";

/// See `ship`.
#[derive(Debug, Args)]
pub(crate) struct ShipArgs {
    /// A name in docker's, podman's or buildah's store (`docker:NAME` tells which), or the path of a docker archive, an OCI
    /// archive or an OCI layout
    pub(crate) image: String,
    /// `[RUNTIME://][USER@]HOST[:PORT]` or a Host of ssh_config; `RUNTIME://` alone is this machine. The runtime is found
    /// out where it is not told
    #[arg(required = true)]
    pub(crate) nodes: Vec<String>,
    /// The name on the nodes; the image's own when absent
    #[arg(long = "as", value_name = "REFERENCE")]
    pub(crate) reference: Option<String>,
    /// The ssh configuration, instead of the user's own
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// The private key
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// Become root on the nodes with `sudo -n`
    #[arg(long)]
    pub(crate) sudo: bool,
    /// The folder on the nodes for what is on its way; /var/tmp/pipeline when absent
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<String>,
    /// The nodes' containers-storage, as containers-transports(5) writes it; what storage.conf says when absent
    #[arg(long, value_name = "DRIVER@ROOT+RUNROOT")]
    pub(crate) storage: Option<String>,
    /// The nodes' CRI socket, such as unix:///run/crio/crio.sock
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) cri: Option<String>,
    /// Platforms that the nodes execute although they are of another
    #[arg(long, value_delimiter = ',')]
    pub(crate) emulates: Vec<String>,
    /// Do not ask the CRI runtime for the image afterwards
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Ship an archive only with provenance beside it that this public key's owner has signed
    #[arg(long, value_name = "KEY", env = "PIPELINE_REQUIRE_PROVENANCE")]
    pub(crate) require_provenance: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) exports: ExportArgs,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t = Progress::Auto, env = "PIPELINE_PROGRESS")]
    pub(crate) progress: Progress,
    /// Show every line that tools print
    #[arg(short, long, env = "PIPELINE_VERBOSE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) verbose: bool,
}

/// Which recipe, with which values.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RecipeArgs {
    /// A name below `pipelines/`, a folder, a file, or a git URL with `#REF` or `#REF:PATH`; `pipeline.toml` here or above
    /// when absent
    pub(crate) recipe: Option<String>,
    /// The recipe file; more of them, or one beside RECIPE, are laid over it [env: PIPELINE_FILE, where neither this nor
    /// RECIPE is given; several with `:` between them]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Take no notice of `pipeline.local.toml` beside the recipe
    #[arg(long, env = "PIPELINE_NO_LOCAL", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) no_local: bool,
    /// Set a variable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// A file with values of variables, as lines of `NAME = VALUE`; the later over the earlier
    #[arg(long, value_name = "FILE", env = "PIPELINE_VAR_FILE", value_delimiter = ':')]
    pub(crate) var_file: Vec<PathBuf>,
}

/// What of a recipe.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectArgs {
    /// Only these targets: names, globs, or `AXIS=VALUE` of the matrix
    #[arg(short, long, value_name = "TARGET", env = "PIPELINE_TARGET", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// Only these nodes: names, globs, `LABEL=VALUE`, or groups
    #[arg(long, value_name = "GLOB", env = "PIPELINE_NODE", value_delimiter = ',')]
    pub(crate) node: Vec<String>,
    /// Leave these steps out; globs
    #[arg(long, value_name = "STEP", env = "PIPELINE_SKIP", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
}

/// Which part of a plan, and what of it whatever the records say.
#[derive(Debug, Default, Args)]
pub(crate) struct PartArgs {
    /// Run what is up to date as well
    #[arg(long, env = "PIPELINE_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    /// From these steps on, up to date or not; globs. What they need is made when it is not up to date
    #[arg(long, value_name = "STEP", env = "PIPELINE_FROM", value_delimiter = ',')]
    pub(crate) from: Vec<String>,
    /// These steps and what they need, and no further; globs
    #[arg(long, value_name = "STEP", env = "PIPELINE_UNTIL", value_delimiter = ',')]
    pub(crate) until: Vec<String>,
    /// These steps alone, which fail where what they need is not up to date; globs
    #[arg(long, value_name = "STEP", env = "PIPELINE_ONLY", value_delimiter = ',', conflicts_with_all = ["from", "until"])]
    pub(crate) only: Vec<String>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// Run what `plan -o FILE` has frozen, and refuse if the recipe, its lock or its steps are not the same any more; `-t` and
    /// `--node` take a part of it
    #[arg(long, value_name = "FILE", env = "PIPELINE_PLAN", conflicts_with_all = ["file", "set", "var_file", "skip"])]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) results: ResultsArgs,
    #[command(flatten)]
    pub(crate) part: PartArgs,
    /// Steps on this machine at once; the number of processors when absent
    #[arg(short, long, value_name = "N", env = "PIPELINE_JOBS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// After a failure, run everything that does not need what failed
    #[arg(short, long, env = "PIPELINE_KEEP_GOING", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) keep_going: bool,
    /// Show the plan and stop
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Run a recipe from a git URL without asking
    #[arg(short, long, env = "PIPELINE_YES", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) yes: bool,
    /// Take only what `pipeline.lock` says of branches, tags and base images, and fail where it does not say it, or says more;
    /// so it is where `CI` is set, and `--locked=false` is the way out
    #[arg(long, env = "PIPELINE_LOCKED", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) locked: Option<bool>,
    /// Allow changes to the kernel's table of emulators, without asking
    #[arg(long, env = "PIPELINE_ALLOW_PRIVILEGED", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) allow_privileged: bool,
    /// Refuse what this machine could run only under emulation
    #[arg(long, env = "PIPELINE_NO_EMULATION", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) no_emulation: bool,
    /// As root, run a recipe that belongs to another user, as in a container of CI
    #[arg(long, env = "PIPELINE_ALLOW_OWNER", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) allow_owner: bool,
    /// Run in a folder on NFS, a Windows share or AFS, where another machine's run may not be noticed
    #[arg(long, env = "PIPELINE_ALLOW_NETWORK_DISK", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) allow_network_disk: bool,
    /// Wait for another run in the folder to end; `--wait-lock=10m` waits at most so long
    #[arg(long, value_name = "DURATION", env = "PIPELINE_WAIT_LOCK", num_args = 0..=1, require_equals = true,
          default_value = "0", default_missing_value = "1", hide_default_value = true, value_parser = patience)]
    pub(crate) wait_lock: Duration,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t = Progress::Auto, env = "PIPELINE_PROGRESS")]
    pub(crate) progress: Progress,
    /// Show every line that tools print
    #[arg(short, long, env = "PIPELINE_VERBOSE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) exports: ExportArgs,
    /// Keep the folders of so many runs, and remove older ones that nobody needs, see `clean`; 0 keeps all
    #[arg(long, value_name = "N", env = "PIPELINE_KEEP_RUNS", default_value_t = crate::retention::KEEP)]
    pub(crate) keep_runs: usize,
    /// Sign the provenance of archives with this Ed25519 key, and leave it beside them as `ARCHIVE.intoto.jsonl`
    #[arg(long, value_name = "KEY", env = "PIPELINE_SIGN")]
    pub(crate) sign: Option<PathBuf>,
    /// Take archives from elsewhere only with provenance beside them that this public key's owner has signed
    #[arg(long, value_name = "KEY", env = "PIPELINE_REQUIRE_PROVENANCE")]
    pub(crate) require_provenance: Option<PathBuf>,
    /// What is missing is looked for first; `ship` does without, as its steps ask for all that they need.
    #[arg(skip = true)]
    pub(crate) look_ahead: bool,
}

/// A switch like the others, or a duration.
fn patience(text: &str) -> Result<Duration, String> {
    match text {
        "" | "0" | "false" | "no" | "off" => Ok(Duration::ZERO),
        "1" | "true" | "yes" | "on" => Ok(Duration::MAX),
        _ => parse_duration(text).ok_or_else(|| "write a duration such as `90s` or `10m`".into()),
    }
}

/// See `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// As `tty` on a terminal that can, outside of CI; otherwise as `plain`
    Auto,
    /// What is under way at the bottom of the terminal, lines above it for what is done
    Tty,
    /// A line for each thing that happens, on stderr
    Plain,
    /// Events as JSON lines, on stdout
    Json,
    /// Only what goes wrong
    Quiet,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) part: PartArgs,
    /// For people, for programs, or as a script that does the job
    #[arg(long, value_enum, default_value_t = PlanFormat::Text, env = "PIPELINE_FORMAT")]
    pub(crate) format: PlanFormat,
    /// Also say which steps are up to date, and why the others must run; only reads
    #[arg(long)]
    pub(crate) probe: bool,
    /// Show instead which file and line every value of the recipe comes from
    #[arg(long, conflicts_with = "probe")]
    pub(crate) show_origin: bool,
    /// Freeze the plan in a file, for `run --plan` here or on another machine; `-` is stdout
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["probe", "show_origin", "format", "force", "from", "until", "only"])]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) part: PartArgs,
    /// As lines or as one document
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

/// See `plan --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Every step with its commands
    Text,
    /// Everything, with stable keys
    Json,
    /// A POSIX shell script
    Sh,
    /// The recipe in one file: includes, overlays, `extends`, defaults and variables resolved
    Toml,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// For the terminal, or for what draws it
    #[arg(long, value_enum, default_value_t = GraphFormat::Text, env = "PIPELINE_GRAPH_FORMAT")]
    pub(crate) format: GraphFormat,
    /// Each step for every target and node, grouped by target
    #[arg(long, env = "PIPELINE_GRAPH_EXPANDED", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) expanded: bool,
}

/// See `graph --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A list with lines
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown on GitHub and GitLab
    Mermaid,
    /// A picture for browsers
    Svg,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// For people on stderr, or for programs on stdout
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
}

/// See `check --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    Text,
    /// One document with all places
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Workflow commands of GitHub Actions, which become annotations
    Github,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where it goes, such as `pipelines/app`; here when absent
    pub(crate) folder: Option<PathBuf>,
    /// The recipe's name; the folder's when absent
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The git repository with the Dockerfile; the `origin` of this one when absent
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// The branch; the repository's default when absent
    #[arg(long)]
    pub(crate) branch: Option<String>,
    /// A platform to build for; `linux/arm64` when absent
    #[arg(long, value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// What builds images; `auto` when absent
    #[arg(long, value_parser = crate::init::ENGINES)]
    pub(crate) engine: Option<String>,
    /// The image's name, such as `example.com/team/app:1`
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) image: Option<String>,
    /// A node that gets the image, as ssh knows it
    #[arg(long, value_name = "[NAME=]HOST", value_delimiter = ',')]
    pub(crate) node: Vec<String>,
    /// What runs containers on the nodes; `cri-o` when absent
    #[arg(long, value_parser = crate::init::RUNTIMES)]
    pub(crate) runtime: Option<String>,
    /// Write no JSON Schema for editors beside it
    #[arg(long)]
    pub(crate) no_schema: bool,
    /// Replace the files that are there
    #[arg(long)]
    pub(crate) force: bool,
    /// Ask nothing
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Names below `pipelines/`, folders or files, `-` for stdin to stdout; `pipeline.toml` here or above when absent
    #[arg(value_name = "RECIPE")]
    pub(crate) recipes: Vec<String>,
    /// Change nothing: show what would change, and exit with 1 if anything would
    #[arg(long)]
    pub(crate) check: bool,
}

/// See `--format` of `list`, `doctor` and `steps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    /// The recipe's variables: types, values, and what they are for
    #[arg(long)]
    pub(crate) vars: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub(crate) format: TableFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of recipes, of the events of a run, or of frozen plans
    #[arg(long = "for", value_enum, default_value_t = SchemaOf::Recipe)]
    pub(crate) of: SchemaOf,
    /// For editors, or for readers
    #[arg(long, value_enum, default_value_t = SchemaFormat::Json)]
    pub(crate) format: SchemaFormat,
}

/// See `schema --for`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// `pipeline.toml`
    Recipe,
    /// A line of `run --progress json` and of `events.jsonl`
    Events,
    /// What `plan -o` writes
    Plan,
}

/// See `schema --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// JSON Schema, draft-07
    Json,
    /// For docs/language.md
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct StepsArgs {
    /// Only this kind
    pub(crate) kind: Option<String>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = StepsFormat::Text)]
    pub(crate) format: StepsFormat,
}

/// See `steps --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StepsFormat {
    /// For the terminal
    Text,
    /// For docs/steps.md
    Markdown,
}
