//! `pipeline init`

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::schema;
use crate::args::InitArgs;
use crate::init::{Answers, Field, SCHEMA, ask, defaults, faults, starter};
use crate::recipe::FILE;
use crate::{exit_code, files, terminal};

pub(super) fn init(args: &InitArgs) -> u8 {
    match write(args) {
        Ok(()) => exit_code::DONE,
        Err(code) => code,
    }
}

fn write(args: &InitArgs) -> Result<(), u8> {
    let folder = args.folder.clone().unwrap_or_default();
    let (recipe, schema_file) = (folder.join(FILE), folder.join(SCHEMA));
    let schema = schema::text();
    // Before anything is asked.
    if !args.force {
        let other = |path: &Path| fs::read(path).map_or(true, |there| there != schema.as_bytes());
        absent(&recipe, |_| true)?;
        if !args.no_schema {
            absent(&schema_file, other)?;
        }
    }
    let text = compose(args, &folder)?;
    fs::create_dir_all(if folder.as_os_str().is_empty() { Path::new(".") } else { &folder })
        .map_err(|error| cannot("make the folder", &folder, &error))?;
    let mut written = Vec::new();
    // The recipe comes last: where it is, all of it is.
    if !args.no_schema && fs::read(&schema_file).map_or(true, |there| there != schema.as_bytes()) {
        files::create(&schema_file, &schema, args.force)
            .map_err(|error| cannot("write", &schema_file, &error))?;
        written.push(schema_file);
    }
    if let Err(error) = files::create(&recipe, &text, args.force) {
        if !args.force {
            for file in &written {
                let _ = fs::remove_file(file);
            }
        }
        return Err(cannot("write", &recipe, &error));
    }
    written.insert(0, recipe);
    tell(&written, &folder);
    Ok(())
}

/// An error where there is a file already that is `other` than what would be written.
fn absent(path: &Path, other: impl Fn(&Path) -> bool) -> Result<(), u8> {
    if fs::symlink_metadata(path).is_ok() && other(path) {
        terminal::error(
            "usage::exists",
            &format!("`{}` is there already", path.display()),
            Some("`--force` replaces it; another folder can be named: `pipeline init FOLDER`"),
        );
        return Err(exit_code::USAGE);
    }
    Ok(())
}

/// The starter of what was answered, by options and on the terminal.
fn compose(args: &InitArgs, folder: &Path) -> Result<String, u8> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let whole = fs::canonicalize(here).or_else(|_| std::path::absolute(here));
    let mut answers = defaults(&whole.unwrap_or_else(|_| here.to_owned()));
    let answered = options(args, &mut answers)?;
    if !args.yes
        && io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && ask(&mut answers, &answered).is_none()
    {
        terminal::error(
            "usage::no-answer",
            "the answers ended early: nothing was written",
            Some("`--yes` asks nothing"),
        );
        return Err(exit_code::USAGE);
    }
    let text = starter(&answers, !args.no_schema);
    // Each answer was accepted with all before it; this is about all of them and the text itself.
    let faults = faults(&text);
    if faults.has_errors() {
        terminal::diagnostics(&faults);
        terminal::error("usage::bad-value", "nothing was written: these answers make no valid recipe", None);
        return Err(exit_code::USAGE);
    }
    Ok(text)
}

/// Takes what options answer; which they were.
fn options(args: &InitArgs, answers: &mut Answers) -> Result<Vec<Field>, u8> {
    let mut answered = Vec::new();
    for field in Field::ALL {
        let one = |given: &Option<String>| given.iter().cloned().collect::<Vec<_>>();
        let given = match field {
            Field::Name => one(&args.name),
            Field::Url => one(&args.url),
            Field::Branch => one(&args.branch),
            Field::Platforms => args.platform.clone(),
            Field::Engine => one(&args.engine),
            Field::Image => one(&args.image),
            Field::Nodes => args.node.clone(),
            Field::Runtime => one(&args.runtime),
        };
        if given.is_empty() {
            continue;
        }
        answers.set(field, &given).map_err(|rejected| {
            terminal::error(
                "usage::bad-value",
                &format!("`{}`: {}", field.option(), rejected.problem),
                rejected.help.as_deref(),
            );
            exit_code::USAGE
        })?;
        answered.push(field);
    }
    Ok(answered)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> u8 {
    let help = match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => "another file is in its place",
        _ => "name a folder that is writable: `pipeline init FOLDER`",
    };
    terminal::error("place::unwritable", &format!("cannot {what} `{}`: {error}", path.display()), Some(help));
    exit_code::PREFLIGHT_FAILED
}

/// What was written, and what to type next.
fn tell(written: &[PathBuf], folder: &Path) {
    let mut text: String = written.iter().map(|path| format!("wrote {}\n", path.display())).collect();
    let folder = shell_word(&folder.display().to_string());
    text += "\nNext, after a look at it:\n";
    for (command, does) in [
        ("check", "says what is wrong with it"),
        ("plan", "shows the commands of a run"),
        ("doctor", "says what is missing here and on the nodes"),
        ("run", "does it"),
    ] {
        let line = format!("pipeline {command} {folder}");
        text += &format!("  {:<34} {does}\n", line.trim_end());
    }
    terminal::note(&terminal::clean(&text));
}

/// As it would be typed.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "._-/+:@%,=".contains(c);
    if text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    format!("'{}'", text.replace('\'', "'\\''"))
}
