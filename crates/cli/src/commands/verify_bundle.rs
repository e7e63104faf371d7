//! `pipeline verify-bundle`: is a file of evidence what it was, and does it hold together?

use std::collections::BTreeMap;

use pipeline_core::event::{Event, EventKind};
use pipeline_core::evidence::{
    Bundle, BundleError, Envelope, PAYLOAD_TYPE, Part, PublicKey, Statement, read_bundle,
};

use crate::args::VerifyBundleArgs;
use crate::{exit_code, terminal};

pub(super) fn verify_bundle(args: &VerifyBundleArgs) -> u8 {
    let key = match args.key.as_deref().map(PublicKey::read).transpose() {
        Ok(key) => key,
        Err(error) => {
            terminal::error("evidence::key", &error.to_string(), Some(error.help()));
            return exit_code::USAGE;
        }
    };
    let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut keep = |part: &Part| part.name.starts_with("provenance/") || part.name == "events.jsonl";
    let mut take = |part: &Part, content| drop(parts.insert(part.name.clone(), content));
    let list = match read_bundle(&args.file, key.as_ref(), &mut keep, &mut take) {
        Ok(list) => list,
        Err(error) => {
            let (code, exit, help) = match &error {
                BundleError::Io { .. } | BundleError::None(_) | BundleError::Version(_) => {
                    ("evidence::unreadable", exit_code::STEP_FAILED, None)
                }
                BundleError::Unsigned => (
                    "evidence::unsigned",
                    exit_code::MISMATCH,
                    Some("`pipeline evidence --sign KEY` signs it; is this the right key?"),
                ),
                _ => (
                    "evidence::altered",
                    exit_code::MISMATCH,
                    Some("get the file again from who made it; do not trust this one"),
                ),
            };
            terminal::error(code, &error.to_string(), help);
            return exit;
        }
    };
    match fits(&list, &parts, key.as_ref()) {
        Ok(told) => {
            let signed = if key.is_some() { ", signed by the key" } else { "" };
            terminal::out(&format!("run {}: {} parts as they were{signed}\n", list.run, list.parts.len()));
            for line in told {
                terminal::out(&format!("{}\n", terminal::clean(&line)));
            }
            exit_code::DONE
        }
        Err((part, reason)) => {
            terminal::error(
                "evidence::altered",
                &format!("`{part}`: {reason}"),
                Some("its parts are not of one run; do not trust it"),
            );
            exit_code::MISMATCH
        }
    }
}

/// The statements say what the plan and the events say; a line for each. The error names the part that does not.
fn fits(
    list: &Bundle,
    parts: &BTreeMap<String, Vec<u8>>,
    key: Option<&PublicKey>,
) -> Result<Vec<String>, (String, String)> {
    let wrong = |part: &str, reason: &str| (part.to_owned(), reason.to_owned());
    let empty = Vec::new();
    let events = parts.get("events.jsonl").unwrap_or(&empty);
    let mut saved: BTreeMap<(String, String), String> = BTreeMap::new();
    for line in events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Event = serde_json::from_slice(line)
            .map_err(|error| wrong("events.jsonl", &format!("a line is no event: {error}")))?;
        if let EventKind::Output { instance, name, value } = event.kind {
            saved.insert((instance.to_string(), name), value);
        }
    }
    let plan = list.parts.iter().find(|part| part.name == "plan.json").map(|part| part.sha256.hex());
    let mut told = Vec::new();
    for (name, json) in parts {
        let Some(instance) = name.strip_prefix("provenance/").and_then(|name| name.strip_suffix(".json"))
        else {
            continue;
        };
        if let Some(instance) = instance.strip_suffix(".dsse") {
            if !parts.contains_key(&format!("provenance/{instance}.json")) {
                return Err(wrong(name, "an envelope without its statement"));
            }
            continue;
        }
        let statement: Statement =
            serde_json::from_slice(json).map_err(|error| wrong(name, &format!("no statement: {error}")))?;
        let sha256 = saved.get(&(instance.to_owned(), "sha256".into()));
        let sha256 = sha256.map(|sha256| sha256.trim_start_matches("sha256:"));
        if !sha256.is_some_and(|sha256| statement.is_about(sha256)) {
            return Err(wrong(name, "it is not about the archive that the events tell of"));
        }
        let run = &statement.predicate.run_details.metadata.invocation_id;
        let internal = &statement.predicate.build_definition.internal_parameters;
        let of_plan = internal["plan"]["sha256"].as_str();
        // An archive that was up to date has the statement of the run that made it.
        if *run == list.run && of_plan != plan.as_deref() {
            return Err(wrong(name, "it is of another plan"));
        }
        let envelope = format!("provenance/{instance}.dsse.json");
        if let Some(key) = key {
            let signed = parts.get(&envelope).ok_or_else(|| wrong(name, "nobody has signed it"))?;
            let payload = Envelope::open(signed, PAYLOAD_TYPE, key)
                .map_err(|error| wrong(&envelope, &error.to_string()))?;
            if payload != *json {
                return Err(wrong(&envelope, "it is of another statement"));
            }
        }
        let subject = &statement.subject[0];
        told.push(format!("{instance}: {} is sha256:{}", subject.name, sha256.unwrap_or_default()));
    }
    Ok(told)
}
