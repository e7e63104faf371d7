//! What a run can prove, kept in its folder when it has ended: nothing beside the folder is needed from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use pipeline_core::evidence::{
    Archive, Envelope, PAYLOAD_TYPE, Provenance, Resource, SigningKey, Statement, beside,
};
use pipeline_core::history::Account;
use pipeline_core::image::Digest;
use pipeline_core::image::digest::sha256_file;
use pipeline_core::plan::Engine;

use crate::prepare::Prepared;
use crate::{exit_code, terminal};

/// Reads the key that signs, or says why it cannot.
pub(crate) fn signer(path: &Path) -> Result<SigningKey, u8> {
    SigningKey::read(path).map_err(|error| {
        terminal::error("evidence::key", &error.to_string(), Some(error.help()));
        exit_code::USAGE
    })
}

/// Copies what the run's folder lacks, and writes a statement for each archive; the error says what cannot be written.
pub(crate) fn keep(
    prepared: &Prepared,
    account: &Account,
    run: &Path,
    signer: Option<&SigningKey>,
) -> Result<(), String> {
    // A run that had nothing to do keeps no plan, and says nothing new.
    let Ok(plan_digest) = sha256_file(&run.join("plan.json")) else { return Ok(()) };
    let here = &prepared.found.folder;
    let provenance = Provenance::of(&prepared.plan, account);
    let cannot = |path: &Path, error: io::Error| format!("cannot write {}: {error}", path.display());
    let copy = |from: &Path, to: &Path| {
        let folder = to.parent().unwrap_or(run);
        match fs::create_dir_all(folder).and_then(|()| fs::copy(from, to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot(to, error)),
            _ => Ok(()),
        }
    };
    copy(&here.join(&prepared.lock.name), &run.join("lock"))?;
    for (instance, report) in provenance.audits() {
        copy(&here.join(report), &run.join("audit").join(format!("{instance}.json")))?;
    }
    for instance in provenance.answers() {
        let answer = here.join(".pipeline/work").join(instance.as_str()).join("node.json");
        copy(&answer, &run.join("nodes").join(format!("{instance}.json")))?;
    }
    let folder = run.join("provenance");
    for archive in provenance.archives() {
        let to = folder.join(format!("{}.json", archive.instance));
        let envelope = folder.join(format!("{}.dsse.json", archive.instance));
        if !archive.is_new {
            if let Some(earlier) = earlier(run, &archive) {
                copy(&earlier, &to)?;
                copy(&earlier.with_extension("dsse.json"), &envelope)?;
            }
            continue;
        }
        let versions = versions(prepared, &provenance.untold(&archive));
        let byproducts = provenance.byproducts(&archive).into_iter();
        let byproducts = byproducts.filter_map(|(name, path)| byproduct(name, &path, here)).collect();
        let statement = provenance.statement(&archive, Some(&plan_digest), &versions, byproducts);
        let Some(statement) = statement else { continue };
        let json = statement.to_json();
        write(&to, &json)?;
        if let Some(key) = signer {
            let signed = Envelope::sign(PAYLOAD_TYPE, json.as_bytes(), key).to_json();
            write(&envelope, &signed)?;
            write(&here.join(beside(&archive.path)), &signed)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The statement about this archive that an earlier run made.
fn earlier(run: &Path, archive: &Archive) -> Option<std::path::PathBuf> {
    let name = format!("provenance/{}.json", archive.instance);
    let mut runs: Vec<_> = fs::read_dir(run.parent()?).ok()?.flatten().map(|entry| entry.path()).collect();
    runs.sort();
    runs.into_iter().rev().filter(|other| other != run).map(|run| run.join(&name)).find(|path| {
        let statement = fs::read(path).ok().and_then(|json| serde_json::from_slice::<Statement>(&json).ok());
        statement.is_some_and(|statement| statement.is_about(&archive.sha256.hex()))
    })
}

/// What the programs call themselves.
fn versions(prepared: &Prepared, engines: &BTreeSet<Engine>) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::from([("pipeline".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    for engine in engines {
        let mut command = Command::new(engine.tool());
        command.arg("--version").env_clear().envs(&prepared.env).stdin(Stdio::null());
        let said = command.output().ok().filter(|output| output.status.success());
        let said =
            said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        if let Some(line) = said.lines().next() {
            versions.insert(engine.tool().to_owned(), terminal::clean(line.trim()));
        }
    }
    versions
}

/// A file that tells of the archive, by its digest.
fn byproduct(name: String, path: &str, here: &Path) -> Option<Resource> {
    let digest: Digest = sha256_file(&here.join(path)).ok()?;
    let digest = BTreeMap::from([("sha256".to_owned(), digest.hex())]);
    Some(Resource { name: Some(name), digest, ..Resource::default() })
}
