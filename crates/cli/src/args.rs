//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Run a recipe
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Show the exact commands that a run executes, without running any
    Plan(PlanArgs),
    /// Show which step waits for which
    Graph(GraphArgs),
    /// Read a recipe and report everything that is wrong with it
    Check(CheckArgs),
    /// List recipes, or a recipe's targets, nodes and steps
    List(ListArgs),
    /// Find out what is missing on this machine and on the nodes, and how to get it
    Doctor(DoctorArgs),
    /// The reference of step kinds
    Steps(StepsArgs),
    /// Print the JSON Schema of `pipeline.toml`
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
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

const RUN_HELP: &str = "Exit codes: 0 done, 1 a step failed, 2 usage, 3 recipe invalid, 5 preflight failed, \
                        6 verification mismatch, 130 interrupted, 143 terminated";

/// Which recipe, with which values, and what of it.
#[derive(Debug, Args)]
pub(crate) struct RecipeArgs {
    /// A name below `pipelines/`, a folder, or a file; `pipeline.toml` here or above when absent
    pub(crate) recipe: Option<String>,
    /// The recipe file [env: PIPELINE_FILE, where neither this nor RECIPE is given]
    #[arg(short, long, value_name = "FILE", conflicts_with = "recipe")]
    pub(crate) file: Option<PathBuf>,
    /// Set a variable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

/// What of a recipe.
#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Only these targets; globs
    #[arg(short, long, value_name = "GLOB", env = "PIPELINE_TARGET", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// Only these nodes; globs
    #[arg(long, value_name = "GLOB", env = "PIPELINE_NODE", value_delimiter = ',')]
    pub(crate) node: Vec<String>,
    /// Leave these steps out; globs
    #[arg(long, value_name = "STEP", env = "PIPELINE_SKIP", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Steps on this machine at once; the number of processors when absent
    #[arg(short, long, value_name = "N", env = "PIPELINE_JOBS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// After a failure, run everything that does not need what failed
    #[arg(short, long, env = "PIPELINE_KEEP_GOING", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) keep_going: bool,
    /// Show the plan and stop
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Allow changes to the kernel's table of emulators, without asking
    #[arg(long, env = "PIPELINE_ALLOW_PRIVILEGED", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) allow_privileged: bool,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t = Progress::Auto, env = "PIPELINE_PROGRESS")]
    pub(crate) progress: Progress,
    /// Show every line that tools print
    #[arg(short, long, env = "PIPELINE_VERBOSE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) verbose: bool,
}

/// See `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// As fits the output
    Auto,
    /// A line for each thing that happens, on stderr
    Plain,
    /// Events as JSON lines, on stdout
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// For people, for programs, or as a script that does the job
    #[arg(long, value_enum, default_value_t = PlanFormat::Text, env = "PIPELINE_FORMAT")]
    pub(crate) format: PlanFormat,
    /// Also look which outputs are there already; only reads
    #[arg(long)]
    pub(crate) probe: bool,
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
