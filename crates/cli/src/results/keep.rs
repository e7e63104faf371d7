//! What other machines get, when the run has ended: also of a run that failed, so that the next attempt goes on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_core::event::{EventKind, Status};
use pipeline_core::exec::{self, Host, Options, Signals, Summary};
use pipeline_core::image::digest::sha256_file;
use pipeline_core::plan::{Grammar, Instance, InstanceId, Late, Plan, Text, Value};
use pipeline_core::results::{
    FILE, Kept, Lies, Made, RUNS, Results, Wanted, exports, file_name, pack, wanted,
};

use super::Outgoing;
use crate::files;

/// Leaves it in the folder. The error says what could not be.
pub(crate) fn keep(
    outgoing: &Outgoing,
    summary: &Summary,
    run: &Path,
    host: &Host<'_>,
    options: &Options,
    signals: Option<&Signals>,
) -> Result<(), String> {
    let Outgoing { folder, whole, apart, taken, there, goes_on, .. } = outgoing;
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    if !goes_on {
        for of_another_plan in ["files", RUNS] {
            let path = folder.join(of_another_plan);
            gone(fs::remove_dir_all(&path))
                .map_err(|error| format!("cannot clear {}: {error}", path.display()))?;
        }
        // Of this plan from now on: also should nothing of what follows come to its end.
        write(outgoing, there.clone())?;
    }
    // Beside those of earlier attempts: what they did is not done again.
    let to = folder.join(RUNS).join(run.file_name().unwrap_or_default());
    copy(run, &to).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    let is_done = |status: &Status| matches!(status, Status::Done | Status::UpToDate | Status::Allowed(_));
    let done: BTreeSet<InstanceId> =
        summary.results.iter().filter(|(_, (status, _))| is_done(status)).map(|(id, _)| id.clone()).collect();
    let known: BTreeSet<InstanceId> = done.iter().chain(there.keys()).chain(apart).cloned().collect();
    let mut travels = wanted(whole, &known);
    travels.retain(|wanted| done.contains(&wanted.id) && !taken.contains(&wanted.id));
    let mut made = there.clone();
    let instances: BTreeMap<&InstanceId, &Instance> =
        whole.graph.node_weights().map(|instance| (&instance.id, instance)).collect();
    // One image that cannot be kept is no reason to keep nothing.
    let (images, problem) = stored(&travels, folder, summary, host, options, signals)?;
    for Wanted { id, lies } in &travels {
        let files = match lies {
            Lies::Elsewhere | Lies::Machine => Vec::new(),
            Lies::Here(paths) => {
                let paths = paths.iter().map(|path| at_home(path, summary, host)).collect::<Option<Vec<_>>>();
                // A value that a path has in it is not known: nobody can have read it.
                let Some(paths) = paths else { continue };
                let kept = paths.iter().enumerate().map(|(number, path)| file(folder, id, number, path));
                kept.collect::<Result<Vec<_>, _>>()?
            }
            Lies::Store { .. } if images.contains(id) => {
                vec![described(folder, file_name(id, 0, IMAGE), false)?]
            }
            Lies::Store { .. } => continue,
        };
        made.insert(id.clone(), Made { values: values(instances[id], summary), files });
    }
    write(outgoing, made)?;
    problem.map_or(Ok(()), Err)
}

fn write(outgoing: &Outgoing, made: BTreeMap<InstanceId, Made>) -> Result<(), String> {
    let text = Results::new(outgoing.frozen, made).to_json();
    let file = outgoing.folder.join(FILE);
    files::write(&file, &mut |out| out.write_all(text.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

const IMAGE: &str = "image.tar";

/// Writes images out of their stores; yields those that were, and what became of the others.
fn stored(
    travels: &[Wanted],
    folder: &Path,
    summary: &Summary,
    host: &Host<'_>,
    options: &Options,
    signals: Option<&Signals>,
) -> Result<(BTreeSet<InstanceId>, Option<String>), String> {
    let place = |id: &InstanceId| folder.join(file_name(id, 0, IMAGE));
    let plan: Plan = exports(travels, &|id| place(id).to_string_lossy().into_owned());
    // Whoever stopped the run does not wait for this.
    if plan.graph.node_count() == 0 || summary.interrupted.is_some() {
        return Ok((BTreeSet::new(), None));
    }
    for instance in plan.graph.node_weights() {
        let to = place(&instance.id);
        let cleared =
            fs::create_dir_all(to.parent().unwrap_or(folder)).and_then(|()| gone(fs::remove_file(&to)));
        cleared.map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    }
    let mut problem = None;
    let options = Options { connections: None, keep_going: true, ..options.clone() };
    let ended = exec::run_after(&plan, host, &options, signals, &summary.values, &mut |event| {
        if let EventKind::Finished { instance, status: Status::Failed(failure), .. } = &event.kind {
            problem.get_or_insert(format!("the image of `{instance}` cannot be kept: {}", failure.message));
        }
    });
    let done = ended.results.into_iter().filter(|(_, (status, _))| *status == Status::Done);
    Ok((done.map(|(id, _)| id).collect(), problem))
}

/// What was not there is gone.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A path of the plan with the run's values put in.
fn at_home(text: &Text, summary: &Summary, host: &Host<'_>) -> Option<PathBuf> {
    let value =
        |late: &Late| summary.values.get(&(late.instance.clone(), late.output.clone())).map(String::as_str);
    text.resolve(&host.here, &value).ok().map(|path| host.here.join(path))
}

/// Brings a file or folder into the folder of results.
fn file(folder: &Path, id: &InstanceId, number: usize, path: &Path) -> Result<Kept, String> {
    let is_folder = path.is_dir();
    let mut name = file_name(id, number, &path.to_string_lossy());
    if is_folder {
        name.push_str(".tar");
    }
    let to = folder.join(&name);
    let brought = fs::create_dir_all(to.parent().unwrap_or(folder)).and_then(|()| {
        gone(fs::remove_file(&to))?;
        if is_folder { pack(path, &to) } else { fs::copy(path, &to).map(drop) }
    });
    brought.map_err(|error| format!("cannot keep {} as {}: {error}", path.display(), to.display()))?;
    described(folder, name, is_folder)
}

fn described(folder: &Path, name: String, is_folder: bool) -> Result<Kept, String> {
    let path = folder.join(&name);
    let sha256 = sha256_file(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(Kept { name, sha256, folder: is_folder })
}

/// The values that others may use: those of a known shape.
fn values(instance: &Instance, summary: &Summary) -> BTreeMap<String, String> {
    let late = instance
        .outputs
        .iter()
        .filter(|output| matches!(output.value, Value::Late(grammar) if grammar != Grammar::Any));
    late.filter_map(|output| {
        let value = summary.values.get(&(instance.id.as_str().to_owned(), output.name.clone()))?;
        Some((output.name.clone(), value.clone()))
    })
    .collect()
}

/// A run's folder: files, and folders of files.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()? {
            kind if kind.is_dir() => copy(&entry.path(), &to)?,
            kind if kind.is_file() => drop(fs::copy(entry.path(), to)?),
            _ => {}
        }
    }
    Ok(())
}
