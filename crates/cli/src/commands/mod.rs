//! One file a subcommand.

mod action;
mod audit;
mod check;
mod ci;
mod clean;
mod completions;
mod diff;
mod doctor;
mod evidence;
mod explain;
mod explain_error;
mod export;
mod fmt;
mod graph;
mod history;
mod init;
mod list;
mod lock;
mod locked;
mod logs;
mod man;
mod matrix;
mod plan;
mod report;
mod repro;
mod rollback;
mod run;
mod schema;
mod ship;
mod status;
mod steps;
mod verify_bundle;

use crate::args::{Cli, Command};

/// Does what the command line says; the exit code.
pub(crate) fn dispatch(cli: Cli) -> u8 {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Audit(args) => audit::audit(&args),
        Command::Report(args) => report::report(&args),
        Command::Status(args) => status::status(&args),
        Command::History(args) => history::history(&args),
        Command::Logs(args) => logs::logs(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Clean(args) => clean::clean(&args),
        Command::Export(args) => export::export(&args),
        Command::Evidence(args) => evidence::evidence(&args),
        Command::VerifyBundle(args) => verify_bundle::verify_bundle(&args),
        Command::Rollback(args) => rollback::rollback(&args),
        Command::Ship(args) => ship::ship(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Matrix(args) => matrix::matrix(&args),
        Command::Ci(args) => ci::ci(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Graph(args) => graph::graph(&args),
        Command::Check(args) => check::check(&args),
        Command::Fmt(args) => fmt::fmt(&args),
        Command::Init(args) => init::init(&args),
        Command::List(args) => list::list(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Lock(args) => lock::lock(&args),
        Command::Repro(args) => repro::repro(&args),
        Command::Steps(args) => steps::steps(&args),
        Command::Schema(args) => schema::schema(&args),
        Command::ExplainError { code } => explain_error::explain_error(code.as_deref()),
        Command::Man(args) => man::man(&args),
        Command::Completions { shell } => completions::completions(shell),
        Command::Action { json, values, allow_privileged } => {
            action::action(&json, &values, allow_privileged)
        }
    }
}
