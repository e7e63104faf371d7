//! `pipeline fmt`

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use pipeline_core::format::{FormatError, format};
use pipeline_core::spec::{File, RecipeFiles, Role, examine};
use similar::TextDiff;

use crate::args::{FmtArgs, RecipeArgs};
use crate::{exit_code, files, prepare, recipe, terminal};

const STDIN: &str = "-";

/// After that a difference may be shown longer than it is.
const DIFF_TIME: Duration = Duration::from_secs(2);

pub(super) fn fmt(args: &FmtArgs) -> u8 {
    let named = args.recipes.iter().map(|name| Some(name.as_str()));
    let names: Vec<Option<&str>> = if args.recipes.is_empty() { vec![None] } else { named.collect() };
    // One bad file keeps no other from being formatted.
    let codes = names.into_iter().map(|name| one(name, args.check).unwrap_or_else(|code| code));
    codes.max().unwrap_or(exit_code::DONE)
}

fn one(name: Option<&str>, check: bool) -> Result<u8, u8> {
    let source = if name == Some(STDIN) {
        stdin()?
    } else {
        let args = RecipeArgs { recipe: name.map(str::to_owned), ..RecipeArgs::default() };
        let file = recipe::choose(&args).and_then(|chosen| recipe::read(&chosen.recipe, Role::Recipe));
        file.map_err(|diagnostic| {
            terminal::diagnostic(&diagnostic);
            prepare::not_found(&diagnostic)
        })?
    };
    let shown = terminal::clean(&source.name);
    let formatted = format(&source.text).map_err(|error| refused(&source, error))?;
    let same = formatted == source.text;
    if check && same {
        terminal::note(&format!("{shown} is formatted\n"));
    } else if check {
        show_difference(&source, &formatted);
        terminal::note(&format!("{shown} is not formatted\n"));
        return Ok(exit_code::NOT_FORMATTED);
    } else if name == Some(STDIN) {
        match terminal::out_whole(&formatted) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                terminal::error("place::unwritable", &format!("cannot write to stdout: {error}"), None);
                return Err(exit_code::PREFLIGHT_FAILED);
            }
            _ => {}
        }
    } else if same {
        terminal::note(&format!("{shown} is formatted already\n"));
    } else {
        files::replace(Path::new(&source.name), &formatted).map_err(|error| {
            terminal::error(
                "place::unwritable",
                &format!("cannot write `{shown}`: {error}"),
                Some("it is as it was: the file and its folder must be writable"),
            );
            exit_code::PREFLIGHT_FAILED
        })?;
        terminal::note(&format!("{shown}: formatted\n"));
    }
    Ok(exit_code::DONE)
}

fn stdin() -> Result<File, u8> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| {
        terminal::error("place::unreadable", &format!("cannot read stdin: {error}"), None);
        exit_code::USAGE
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        terminal::error(
            "spec::not-utf8",
            &format!("stdin is not UTF-8: the byte at offset {offset} is not"),
            Some("save it as UTF-8"),
        );
        exit_code::RECIPE_INVALID
    })?;
    Ok(File { role: Role::Recipe, name: "stdin".into(), text })
}

/// Shows why a file stays as it is.
fn refused(source: &File, error: FormatError) -> u8 {
    let shown = terminal::clean(&source.name);
    match error {
        FormatError::Syntax => {
            // Of a text that is no TOML nothing else is known.
            let files = RecipeFiles::one(&source.name, source.text.clone());
            let (_, diagnostics) = examine(&files);
            terminal::diagnostics(&diagnostics);
            if diagnostics.is_empty() {
                terminal::error("spec::syntax", &format!("cannot format `{shown}`: {error}"), None);
            }
            exit_code::RECIPE_INVALID
        }
        FormatError::TooDeep => {
            terminal::error(
                "spec::too-nested",
                &format!("cannot format `{shown}`: {error}"),
                Some("name things with fewer dots"),
            );
            exit_code::RECIPE_INVALID
        }
        FormatError::Changed | FormatError::Unstable => {
            terminal::error(
                "fmt::defect",
                &format!("cannot format `{shown}`: {error}; it is as it was"),
                Some("this is a defect of `pipeline`: please report it with the file"),
            );
            exit_code::STEP_FAILED
        }
    }
}

/// The difference as `patch` takes it.
fn show_difference(source: &File, formatted: &str) {
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(source.text.as_str(), formatted);
    let text = diff.unified_diff().header(&source.name, &source.name).to_string();
    terminal::out(&if io::stdout().is_terminal() { terminal::clean(&text) } else { text });
}
