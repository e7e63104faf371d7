//! `pipeline audit`: what an image here is, whatever its label says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use pipeline_core::audit::{Report, Rules, Verdict, Wanted, audit as look};
use pipeline_core::event::{Failure, FailureKind};
use pipeline_core::exec::{Host, Secrets, Signals, perform_one};
use pipeline_core::image::archive::{Seal, seal};
use pipeline_core::image::digest::sha256_file;
use pipeline_core::image::{ArchiveFormat, ImageRef, LocalImage};
use pipeline_core::output::Redactor;
use pipeline_core::plan::{Action, AuditImage, Engine, ImageId, Plan, ShipFrom};
use pipeline_core::platform::Platform;
use pipeline_core::steps::inspect_image;

use crate::args::{AuditArgs, TableFormat};
use crate::contain::{self, Side};
use crate::ship::{Refusal, image};
use crate::{environment, exit_code, prepare, terminal};

pub(super) fn audit(args: &AuditArgs) -> u8 {
    if let Err(code) = super::run::hidden(&args.secret) {
        return code;
    }
    let redactor = environment::redactor(&args.secret, &[]);
    terminal::hide(redactor.clone());
    let wanted = Wanted {
        platform: args.platform.clone(),
        rules: Rules { allow: args.allow.clone(), deny: args.deny.clone() },
        secrets: redactor.finder(),
    };
    let report = match image::archive(&args.image) {
        Some(path) => archived(path, args, &wanted),
        None => match stored(args, &wanted, &redactor) {
            Ok(Ended::Report(report)) => Ok(report),
            Ok(Ended::Parent(code)) => return code,
            Err(refusal) => Err(refusal),
        },
    };
    let told = report.and_then(|report| {
        show(args, &report);
        match args.output.as_deref().filter(|_| args.fix_label) {
            Some(to) => fixed(args, &report, to),
            None if report.verdict.is_good() => Ok(exit_code::DONE),
            None => Ok(exit_code::MISMATCH),
        }
    });
    told.unwrap_or_else(|refusal| refusal.tell())
}

/// How the question about an image in a store went.
enum Ended {
    Report(Report),
    /// This process only waited for the one that asked.
    Parent(u8),
}

fn unreadable(error: &dyn std::error::Error) -> Refusal {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(reason) = source {
        let reason_text = reason.to_string();
        if !message.contains(&reason_text) {
            message = format!("{message}: {reason_text}");
        }
        source = reason.source();
    }
    Refusal::new("image::unreadable", exit_code::STEP_FAILED, message)
}

/// Each image of the archive; with `--platform` those that are for it.
fn archived(path: &Path, args: &AuditArgs, wanted: &Wanted) -> Result<Report, Refusal> {
    if let Some(expected) = args.sha256 {
        let actual = sha256_file(path).map_err(|error| {
            Refusal::new(
                "image::unreadable",
                exit_code::STEP_FAILED,
                format!("cannot read {}: {error}", path.display()),
            )
        })?;
        if actual != expected {
            let message = format!("{} is {actual}, not {expected}", path.display());
            return Err(Refusal::new("image::altered", exit_code::MISMATCH, message)
                .help("it was altered; copy or make it again"));
        }
    }
    let mut images = LocalImage::all_in_archive(path).map_err(|error| {
        unreadable(&error).help("`docker save`, `podman save` and `skopeo copy` write archives")
    })?;
    if let Some(platform) = wanted.platform.as_ref().filter(|_| images.len() > 1) {
        let says = |image: &LocalImage| image.listed().unwrap_or_else(|| image.platform());
        let held: Vec<String> = images.iter().map(says).collect();
        images.retain(|image| Platform::parse(&says(image)).is_ok_and(|listed| listed == *platform));
        if images.is_empty() {
            let message = format!("{} holds no image for {platform}", path.display());
            return Err(Refusal::new("image::wrong-platform", exit_code::MISMATCH, message)
                .help(format!("it holds {}", held.join(", "))));
        }
    }
    let reports = images.iter().map(|image| look(image, wanted)).collect::<Result<_, _>>();
    reports.map(Report::new).map_err(|error| unreadable(&error))
}

/// The image in an engine's store, asked as a step would.
fn stored(args: &AuditArgs, wanted: &Wanted, redactor: &Redactor) -> Result<Ended, Refusal> {
    let usage = |message: &str| Refusal::new("usage::conflict", exit_code::USAGE, message);
    if args.sha256.is_some() || args.fix_label {
        return Err(usage("`--sha256` and `--fix-label` are for archives")
            .help("write one with `docker save`, `podman save` or a `save` step"));
    }
    let env = environment::for_steps(&[]);
    let (engine, name, label) = image::stored(&args.image, &env)?;
    let known = Engine::ALL.into_iter().find(|known| known.name() == engine);
    let known = known.ok_or_else(|| usage("no such engine"))?;
    let cannot = |error: std::io::Error| {
        Refusal::new("run::engine", exit_code::PREFLIGHT_FAILED, format!("no room for the report: {error}"))
    };
    let folder = tempfile::tempdir().map_err(cannot)?;
    match contain::engine().map_err(cannot)? {
        Side::Engine(signals) => {
            let report = asked(folder.path(), (known, name, label), wanted, env, redactor.clone(), &signals);
            report.map(Ended::Report)
        }
        Side::Parent(code) => Ok(Ended::Parent(code)),
    }
}

fn asked(
    folder: &Path,
    (engine, name, label): (Engine, &str, Platform),
    wanted: &Wanted,
    env: BTreeMap<OsString, OsString>,
    redactor: Redactor,
    signals: &Signals,
) -> Result<Report, Refusal> {
    let performer = prepare::performer(false);
    let host =
        Host { here: folder.to_owned(), env, redactor, secrets: Secrets::default(), actions: &performer };
    let perform = |action: &Action| {
        perform_one(action, Plan::default(), None, &host, &BTreeMap::new(), Some(signals), &mut |_| {})
    };
    let refused = |failure: Failure| Refusal {
        code: failure.kind.code(),
        exit: if failure.kind == FailureKind::Mismatch {
            exit_code::MISMATCH
        } else {
            exit_code::STEP_FAILED
        },
        message: failure.message,
        help: failure.help,
    };
    let inspect = inspect_image(engine);
    let id = ImageId {
        engine,
        handle: name.into(),
        inspect: inspect.clone(),
        platform: label,
        output: "id".into(),
    };
    let id = perform(&Action::ImageId(id)).map_err(refused)?.unwrap_or_default();
    let from = ShipFrom::Engine { engine, handle: name.into(), inspect: inspect.into(), store: None };
    let action = Action::Audit(AuditImage {
        from,
        id: id.as_str().into(),
        sha256: None,
        platform: wanted.platform.clone(),
        rules: wanted.rules.clone(),
        report: "audit.json".into(),
    });
    let ended = perform(&action);
    // A failure with a report is a verdict.
    match std::fs::read(folder.join("audit.json")) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            Refusal::new("step::internal", exit_code::STEP_FAILED, format!("the report is none: {error}"))
        }),
        Err(error) => Err(ended.err().map_or_else(
            || Refusal::new("step::internal", exit_code::STEP_FAILED, format!("there is no report: {error}")),
            refused,
        )),
    }
}

fn show(args: &AuditArgs, report: &Report) {
    if args.format == TableFormat::Json {
        terminal::out(&report.to_json());
        return;
    }
    for image in &report.images {
        for line in image.lines() {
            terminal::out(&format!("{}\n", terminal::clean(&line)));
        }
        for (at, failure) in image.failures.iter().enumerate() {
            let is_last = at + 1 == image.failures.len();
            terminal::error("image::wrong-platform", failure, is_last.then(|| image.verdict.remedy()));
        }
    }
}

/// Writes the archive again, with the label that its programs ask for.
fn fixed(args: &AuditArgs, report: &Report, to: &Path) -> Result<u8, Refusal> {
    let mismatch = |message: String| Refusal::new("image::not-fixable", exit_code::MISMATCH, message);
    let [image] = report.images.as_slice() else {
        return Err(mismatch("a label is fixed in an archive of one image".into()));
    };
    let content = image.content.as_deref().and_then(|content| Platform::parse(content).ok());
    let (Verdict::LabelWrong, Some(platform)) = (image.verdict, content) else {
        let message = match image.verdict {
            Verdict::Right => "the label is right: nothing was written",
            Verdict::NothingToTell => "there are no programs to tell the platform from: nothing was written",
            _ => "not only the label is wrong: nothing was written",
        };
        return if image.verdict.is_good() {
            terminal::note(&format!("{message}\n"));
            Ok(exit_code::DONE)
        } else {
            Err(mismatch(message.into()))
        };
    };
    let from = image::archive(&args.image).unwrap_or(Path::new(&args.image));
    let format = LocalImage::in_archive(from).map_err(|error| unreadable(&error))?.format();
    let name = match (&args.reference, image.names.as_slice()) {
        (Some(reference), _) => reference.clone(),
        (None, [name]) => name.clone(),
        (None, names) => {
            let named = if names.is_empty() {
                "no name".to_owned()
            } else {
                format!("the names {}", names.join(", "))
            };
            let message = format!("{} gives its image {named}", from.display());
            return Err(Refusal::new("image::bad-name", exit_code::USAGE, message)
                .help("say which it gets: `--as docker.io/library/NAME:TAG`"));
        }
    };
    let reference = ImageRef::parse(&name).map_err(|error| {
        Refusal::new("image::bad-name", exit_code::USAGE, error.to_string())
            .help("say which it gets: `--as docker.io/library/NAME:TAG`")
    })?;
    let sealed = seal(&Seal {
        from: from.to_owned(),
        to: to.to_owned(),
        format: format.unwrap_or(ArchiveFormat::DockerArchive),
        reference,
        tags: Vec::new(),
        annotations: BTreeMap::new(),
        expect_id: None,
        platform: Some(platform.clone()),
        label: Some(platform.clone()),
    })
    .map_err(|error| unreadable(&error))?;
    terminal::note(&format!(
        "{} is labelled {platform}: image {}, {}\n",
        to.display(),
        sealed.id,
        sealed.sha256
    ));
    Ok(exit_code::DONE)
}
