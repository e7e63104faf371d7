//! What starts in a container: entrypoint, shell, and the interpreters and loaders that these need.

use super::ImageReport;
use super::config::Start;
use super::judge;
use super::report::{Place, Started};
use super::tree::{Tree, What};
use crate::platform::Platform;

/// Looks each of them up. That one is missing is a remark: a volume may bring it.
pub(super) fn started(report: &mut ImageReport, tree: &Tree, start: &Start, should: Option<&Platform>) {
    let look = Look { tree, start, should };
    let first =
        |words: &Option<Vec<String>>| words.as_ref()?.first().filter(|word| !word.is_empty()).cloned();
    let (role, program) = match first(&start.entrypoint) {
        Some(entrypoint) => ("entrypoint", Some(entrypoint)),
        None => ("cmd", first(&start.cmd)),
    };
    if let Some(program) = program
        && look.follow(report, role, &program, 0).is_none()
    {
        report.remarks.push(format!("its {role} `{}` is no program of the image", program.escape_debug()));
    }
    let shell = first(&start.shell);
    look.follow(report, "shell", shell.as_deref().unwrap_or("/bin/sh"), 0);
}

struct Look<'a> {
    tree: &'a Tree,
    start: &'a Start,
    should: Option<&'a Platform>,
}

impl Look<'_> {
    /// The program, then what it needs in turn. None where there is no program.
    fn follow(&self, report: &mut ImageReport, role: &str, asked: &str, depth: usize) -> Option<()> {
        if report.start.iter().any(|known| known.asked == asked && known.role == role) {
            return Some(());
        }
        let found = self.start.places(asked).into_iter().find_map(|place| self.tree.find(place.as_bytes()));
        let found = found.filter(|found| matches!(found.node.what, What::Program(_) | What::Script(_)));
        let asked = asked.to_owned();
        let Some(found) = found else {
            // A shell is asked for of every image, and few small ones have it.
            if role != "shell" {
                report.start.push(Started { role: role.to_owned(), asked, at: None });
            }
            return None;
        };
        let place = Place::new(&found.path, found.node.layer);
        let (what, next) = match &found.node.what {
            What::Program(program) => (
                judge::called(program, self.should),
                program.loader.as_ref().map(|loader| ("loader", loader)),
            ),
            What::Script(interpreter) => ("script".to_owned(), Some(("interpreter", interpreter))),
            _ => return None,
        };
        let shown = place.to_string();
        report.start.push(Started { role: role.to_owned(), asked, at: Some(place.of(what)) });
        // An interpreter may be a script, a few times.
        if let Some((role, path)) = next.filter(|_| depth < 4) {
            let path = String::from_utf8_lossy(path).into_owned();
            if self.follow(report, role, &path, depth + 1).is_none() {
                let path = path.escape_debug();
                report
                    .remarks
                    .push(format!("{shown} needs the {role} `{path}`, which the image does not hold"));
            }
        }
        Some(())
    }
}
