//! `pipeline man`: the manual, made of the same texts as `--help`.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;
use pipeline_core::diag::{did_you_mean, list_names};

use crate::args::{Cli, ManArgs, ManFormat};
use crate::{exit_code, terminal};

pub(super) fn man(args: &ManArgs) -> u8 {
    let mut program = Cli::command();
    // Gives every command its full name, `pipeline-run`.
    program.build();
    if args.format == ManFormat::Markdown {
        terminal::out(&markdown(&program));
        return exit_code::DONE;
    }
    let written = match (&args.output, &args.command) {
        (Some(folder), _) => write_all(&program, folder),
        (None, None) => page(&program).map(|page| terminal::out(&page)),
        (None, Some(name)) => {
            let Some(command) = program.find_subcommand(name) else { return unknown(name, &program) };
            page(command).map(|page| terminal::out(&page))
        }
    };
    match written {
        Ok(()) => exit_code::DONE,
        Err(error) => {
            let message = format!("the pages cannot be written: {error}");
            terminal::error("place::unwritable", &message, Some("name a folder that can be written to"));
            exit_code::PREFLIGHT_FAILED
        }
    }
}

fn unknown(name: &str, program: &Command) -> u8 {
    let names: Vec<&str> = visible(program).map(Command::get_name).collect();
    let help = did_you_mean(name, names.iter().copied())
        .unwrap_or_else(|| format!("the commands are {}", list_names(&names)));
    terminal::error("usage::unknown-name", &format!("no command is called `{name}`"), Some(&help));
    exit_code::USAGE
}

fn visible(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|command| !command.is_hide_set())
}

fn write_all(program: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for command in std::iter::once(program).chain(visible(program)) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    }
    Ok(())
}

const HEAD: &str = "# Commands

Made by `pipeline man --format markdown` from the texts of `--help`; a test keeps it true. Most options have a variable as well, which
counts where the option is not given.
";

/// All commands on one page.
fn markdown(program: &Command) -> String {
    let mut text = HEAD.to_owned();
    for command in visible(program) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        text += &format!("\n## pipeline {}\n\n{about}.\n\n```text\n{usage}\n```\n", command.get_name());
        let rows: String = command.get_arguments().filter(|one| !one.is_hide_set()).filter_map(row).collect();
        if !rows.is_empty() {
            text += &format!("\n| | variable | meaning |\n| --- | --- | --- |\n{rows}");
        }
        if let Some(more) = command.get_after_help() {
            text += &format!("\n```text\n{}\n```\n", more.to_string().trim());
        }
    }
    text
}

/// An option or argument, as the row of a table; none for what every command has.
fn row(one: &Arg) -> Option<String> {
    if ["help", "version"].contains(&one.get_id().as_str()) {
        return None;
    }
    let values = one.get_value_names().unwrap_or_default();
    let value = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let takes = one.get_action().takes_values();
    let name = match (one.get_short(), one.get_long()) {
        (_, None) => value.clone(),
        (short, Some(long)) => {
            let short = short.map(|short| format!("-{short}, ")).unwrap_or_default();
            let value = if takes { format!(" {value}") } else { String::new() };
            format!("{short}--{long}{value}")
        }
    };
    let variable = one.get_env().map(|env| format!("`{}`", env.to_string_lossy())).unwrap_or_default();
    let mut help = one.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<String> = one
        .get_possible_values()
        .iter()
        .filter(|_| takes)
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    // Switches with a variable take `true` and `false` in it, which goes without saying.
    if possible.len() > 1 && possible.first().is_none_or(|first| first != "`true`") {
        help += &format!(": {}", possible.join(", "));
    }
    let help = help.replace('\n', " ").replace('|', "\\|");
    Some(format!("| `{name}` | {variable} | {help} |\n"))
}

/// One page in roff.
fn page(command: &Command) -> io::Result<String> {
    let mut bytes = Vec::new();
    let source = format!("pipeline {}", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(source).manual("User Commands").render(&mut bytes)?;
    // Examples and exit codes.
    let mut text = String::from_utf8_lossy(&bytes).replace(".SH EXTRA", ".SH NOTES");
    text += if command.get_display_name().is_none_or(|name| name == "pipeline") { MORE } else { SEE_ALSO };
    Ok(text)
}

/// What the program has to say besides its options.
const MORE: &str = r#".SH "EXIT STATUS"
.TP
0
done
.TP
1
a step failed
.TP
2
the command line cannot be read, or names what is not there
.TP
3
the recipe is invalid
.TP
4
\fIpipeline.lock\fR does not say what a name stands for, or is not true any more
.TP
5
something that the run needs is missing: a tool, a node, a permission, the lock
.TP
6
a digest, an architecture or a reference is other than what was built
.TP
130, 143
ended by Ctrl\-C, by SIGTERM
.SH ENVIRONMENT
Most options of \fBpipeline run\fR have a variable, such as \fBPIPELINE_JOBS\fR: \fBpipeline\-run\fR(1) names them.
\fBPIPELINE_VAR_\fR\fINAME\fR sets a variable of the recipe. \fBNO_COLOR\fR and \fBCI\fR are honoured.
.SH FILES
.TP
\fIpipeline.toml\fR, \fIpipelines/NAME/pipeline.toml\fR
recipes
.TP
\fIpipeline.lock\fR
what branches, tags and base images of the recipe beside it stand for; belongs into git
.TP
\fI.pipeline/\fR
records, logs and what runs leave; may be deleted while nothing runs
.SH "SEE ALSO"
\fBpipeline explain\-error\fR \fICODE\fR, \fBpipeline steps\fR \fIKIND\fR,
\fBbuildah\fR(1), \fBdocker\fR(1), \fBpodman\fR(1), \fBskopeo\fR(1), \fBssh\fR(1)
"#;

const SEE_ALSO: &str = ".SH \"SEE ALSO\"\n\\fBpipeline\\fR(1)\n";
