//! Actions of our own, in one line each.

use super::{cri, shown_line, shown_word, visible};
use crate::plan::{
    Action, Checkout, DigestOf, EnsureBinfmt, Expect, FromRules, HandSecrets, Instance, Register, ShipFrom,
    Signature, Way,
};

/// What an instance does, in order, each in a line: a command as it is typed where it runs, all else in words.
pub fn actions(instance: &Instance) -> Vec<String> {
    instance.actions.iter().map(|action| visible(&describe(action)).into_owned()).collect()
}

/// What an action that is no command does.
pub(super) fn describe(action: &Action) -> String {
    match action {
        Action::Command(command) => shown_line(&command.argv),
        Action::CopyFile(copy) => format!(
            "where a part of it is there: sftp reput of {} to {}, and scp if the digest then differs",
            copy.from, copy.part
        ),
        Action::Checkout(checkout) => checkout_line(checkout),
        Action::WriteFile(file) => {
            format!("write {}: {}", file.path, shown_word(&file.contents).replace('\n', "\\n"))
        }
        Action::RewriteFrom(rewrite) => {
            let what = match &rewrite.rules {
                FromRules::From(from) => format!("FROM -> {from}"),
                FromRules::All(from) => format!("every FROM -> {from}"),
                FromRules::Stage { stage, from } => format!("FROM of stage {stage} -> {from}"),
                FromRules::Replace(map) => map
                    .iter()
                    .map(|(image, from)| format!("FROM {image} -> {from}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            format!("patch {what} in {}", rewrite.dockerfile)
        }
        Action::EnsureBinfmt(ensure) => binfmt(ensure),
        Action::PinBases(bases) => {
            format!(
                "write {} as {} with the digests of its base images for {}, from the lock, else: {} BASE, skopeo inspect --raw docker://BASE",
                bases.dockerfile,
                bases.to,
                bases.platform,
                shown_line(&bases.inspect.argv)
            )
        }
        Action::CheckFrontend(check) if check.runs => {
            let allowed = if check.allow.is_empty() { "nobody".into() } else { check.allow.join(", ") };
            format!("check that a `# syntax=` in {} names nobody but {allowed}", check.dockerfile)
        }
        Action::CheckFrontend(check) => {
            format!(
                "look for a `# syntax=` in {}, which {} does not run",
                check.dockerfile,
                check.engine.name()
            )
        }
        Action::HandSecrets(hand) => secrets(hand),
        Action::MoveImage(image) => {
            let what = format!("{} (`{}`)", image.tag, image.handle);
            match image.way {
                Way::Home => {
                    format!("bring {what} home from the builder of {}, unless it is here", image.builder)
                }
                Way::There => format!("send {what} to the builder of {}, unless it is there", image.builder),
            }
        }
        Action::ImageId(id) => {
            format!(
                "read the config digest, for {}: {} {}",
                id.platform,
                shown_line(&id.inspect.argv),
                id.handle
            )
        }
        Action::SealArchive(seal) => format!(
            "check {} against {} and {}, write it as {} {} named {}",
            seal.from,
            seal.id,
            seal.platform,
            seal.format.transport(),
            seal.to,
            seal.reference
        ),
        Action::JoinIndex(join) => {
            let images = join.images.iter().map(|image| format!("{} as {}", image.from, image.platform));
            format!(
                "join {} into {} {}{}",
                images.collect::<Vec<_>>().join(", "),
                join.format.transport(),
                join.to,
                if join.gzip { ", compressed" } else { "" }
            )
        }
        Action::CheckIndex(check) => {
            let images = check.images.iter().map(|(platform, id)| format!("{id} for {platform}"));
            let images: Vec<_> = images.collect();
            format!("read {} back: {}, {}", check.dest, check.digest, images.join(", "))
        }
        Action::ArchiveDigest(digest) => match digest.of {
            DigestOf::File => format!("sha256 of {}", digest.path),
            DigestOf::Config => format!("check the image in {} against {}", digest.path, digest.platform),
        },
        Action::CheckProvenance(check) => {
            format!("check that the provenance beside {} is signed by {}", check.archive, check.key)
        }
        Action::Audit(audit) => {
            let (allow, deny) = (&audit.rules.allow, &audit.rules.deny);
            let deny: Vec<&str> = deny.iter().map(|deny| deny.name()).collect();
            let list = |what: &str, words: &[&str]| match words {
                [] => String::new(),
                words => format!(", {what} {}", words.join(" ")),
            };
            let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
            format!(
                "audit {} for {}{}{}, report to {}",
                place(&audit.from),
                audit.platform.as_ref().map_or("its label".to_owned(), ToString::to_string),
                list("allow", &allow),
                list("deny", &deny),
                audit.report
            )
        }
        Action::ShipMissing(ship) => {
            let from = place(&ship.from);
            format!(
                "send what {} lacks of {from} ({}, {}), import it as {}, check configuration and layers",
                ship.shipment.node, ship.id, ship.platform, ship.reference
            )
        }
        Action::Rollback(back) => {
            format!("give {} on {} back to the image that had it before", back.reference, back.shipment.node)
        }
        Action::EndShipment(shipment) => format!("remove what the shipment left on {}", shipment.node),
        Action::Check(check) => match &check.expect {
            Expect::Text(text) => format!("check that {} is {text}", check.what),
            Expect::Regex(regex) => format!("check that {} matches {regex}", check.what),
            Expect::ManifestConfig(id) => format!("check that {} is the image {id}", check.what),
        },
        Action::Receive(receive) => {
            let what = if receive.folder { "unpack" } else { "copy" };
            format!("{what} {} to {}, {}", receive.from, receive.to, receive.sha256)
        }
        Action::Yield(known) => format!("take {} as it was: {}", known.output, known.value),
        Action::CriVerify(verify) => cri::verify(verify),
        Action::CriRun(run) => cri::run(run),
        Action::EndCriRun(pod) => format!("remove the pod {} from {}", pod.name, pod.node),
    }
}

fn secrets(hand: &HandSecrets) -> String {
    let mut told: Vec<String> =
        hand.from.iter().map(|(id, from)| format!("{from} as {}/{id}", hand.dir)).collect();
    if hand.agent {
        told.push("the ssh agent".into());
    }
    format!("hold ready for the engine, in memory alone: {}", told.join(", "))
}

fn checkout_line(checkout: &Checkout) -> String {
    let Checkout { url, wanted, dir, depth, filter, .. } = checkout;
    let mut how = Vec::new();
    how.extend(depth.map(|depth| format!("--depth={depth}")));
    how.extend(filter.as_ref().map(|filter| format!("--filter={filter}")));
    how.extend(checkout.submodules.then(|| "with submodules".to_owned()));
    how.extend(checkout.lfs.then(|| "with LFS files".to_owned()));
    how.extend(checkout.keep_git_dir.then(|| "with .git".to_owned()));
    how.extend(checkout.signed.as_ref().map(|signed| {
        let with = match signed.with {
            Signature::Ssh => "ssh",
            Signature::Gpg => "gpg",
        };
        format!("signed by {with} as {} says", signed.keyring)
    }));
    let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
    format!("git fetch {wanted} of {url} into the shared mirror, check the commit out in {dir}{how}")
}

/// Where an image lies here.
fn place(from: &ShipFrom) -> String {
    match from {
        ShipFrom::Archive(path) => path.to_string(),
        ShipFrom::Engine { engine, handle, .. } => format!("{} in {}", handle, engine.name()),
    }
}

fn binfmt(ensure: &EnsureBinfmt) -> String {
    let platforms = ensure.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if ensure.builder.is_some() {
        return format!("check that the builder of {platforms} answers, and is of it");
    }
    match &ensure.register {
        Register::Never => format!("check that this machine executes {platforms}"),
        Register::Host => {
            format!("register QEMU for {platforms} where it is missing: /proc/sys/fs/binfmt_misc/register")
        }
        Register::Container(command) => {
            format!("register QEMU for {platforms} where it is missing: {}", shown_line(&command.argv))
        }
    }
}
