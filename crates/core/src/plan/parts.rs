//! What an action is made of: its commands, its texts, the value that it yields.

use super::action::{Action, Command, CopyFile, Expect, FromRules, Place, Register, ShipFrom};
use super::cri::{CriExpect, CriRun};
use super::text::{Grammar, Text};

impl Action {
    /// The commands that it is made of; a script that runs them one after the other does the same.
    pub fn commands(&self) -> Vec<&Command> {
        match self {
            Self::Command(command) => vec![command],
            Self::CopyFile(copy) => vec![&copy.enter, &copy.whole, &copy.land],
            _ => Vec::new(),
        }
    }

    /// The tools that it runs besides [`commands`](Self::commands).
    pub fn tools(&self) -> Vec<&'static str> {
        match self {
            Self::Checkout(checkout) => checkout.tools(),
            _ => Vec::new(),
        }
    }

    /// Every text in it.
    pub fn texts(&self) -> Vec<&Text> {
        match self {
            Self::Command(command) => command.texts(),
            Self::CopyFile(copy) => {
                let CopyFile { from, part, enter, whole, rest, land, discard } = &**copy;
                let commands = [enter, whole, rest, land, discard];
                [from, part].into_iter().chain(commands.into_iter().flat_map(Command::texts)).collect()
            }
            Self::Checkout(checkout) => {
                checkout.signed.iter().map(|signed| &signed.keyring).chain(checkout.env.values()).collect()
            }
            Self::WriteFile(file) => vec![&file.path, &file.contents],
            Self::RewriteFrom(rewrite) => {
                let mut texts = vec![&rewrite.dockerfile];
                match &rewrite.rules {
                    FromRules::From(from) | FromRules::All(from) | FromRules::Stage { from, .. } => {
                        texts.push(from);
                    }
                    FromRules::Replace(map) => texts.extend(map.values()),
                }
                texts
            }
            Self::EnsureBinfmt(ensure) => match &ensure.register {
                Register::Container(command) => command.texts(),
                Register::Never | Register::Host => Vec::new(),
            },
            Self::PinBases(bases) => {
                let files = [&bases.dockerfile, &bases.to].into_iter();
                files.chain(bases.args.values()).chain(bases.inspect.texts()).collect()
            }
            Self::CheckFrontend(check) => vec![&check.dockerfile],
            Self::HandSecrets(hand) => vec![&hand.dir],
            Self::ImageId(id) => {
                let mut texts = id.inspect.texts();
                texts.push(&id.handle);
                texts
            }
            Self::MoveImage(image) => vec![&image.handle],
            Self::ArchiveDigest(digest) => vec![&digest.path],
            Self::SealArchive(seal) => {
                [&seal.from, &seal.to, &seal.id].into_iter().chain(&seal.annotations).collect()
            }
            Self::CheckProvenance(check) => check.digests.iter().chain([&check.archive]).collect(),
            Self::JoinIndex(join) => {
                let images = join
                    .images
                    .iter()
                    .flat_map(|image| [&image.from, &image.id].into_iter().chain(&image.annotations));
                std::iter::once(&join.to).chain(images).collect()
            }
            Self::CheckIndex(check) => {
                let mut texts = check.skopeo.texts();
                texts.extend([&check.dest, &check.digest]);
                texts.extend(check.images.iter().map(|(_, id)| id));
                texts
            }
            Self::Audit(audit) => {
                let mut texts = vec![&audit.id, &audit.report];
                texts.extend(&audit.sha256);
                texts.extend(audit.from.texts());
                texts
            }
            Self::Check(check) => match &check.expect {
                Expect::Text(text) | Expect::ManifestConfig(text) => vec![&check.value, text],
                Expect::Regex(_) => vec![&check.value],
            },
            Self::CriVerify(verify) => vec![&verify.id],
            Self::CriRun(run) => {
                let mut texts: Vec<&Text> = run.argv.iter().chain(run.env.values()).collect();
                if let CriExpect::Exit { stdout: Some(Expect::Text(text)), .. } = &run.expect {
                    texts.push(text);
                }
                texts
            }
            Self::ShipMissing(ship) => {
                let mut texts = vec![&ship.id];
                texts.extend(ship.from.texts());
                texts
            }
            Self::Receive(receive) => vec![&receive.to],
            Self::EndShipment(_) | Self::Rollback(_) | Self::EndCriRun(_) | Self::Yield(_) => Vec::new(),
        }
    }

    /// What the output that it yields looks like.
    pub fn grammar(&self) -> Grammar {
        match self {
            Self::Command(command) => {
                command.capture.as_ref().map_or(Grammar::Any, |capture| capture.grammar)
            }
            Self::ShipMissing(_) | Self::CriVerify(_) => Grammar::Number,
            Self::Checkout(_) => Grammar::Hex,
            Self::Yield(known) => known.grammar,
            _ => Grammar::Digest,
        }
    }

    /// The node that it asks or changes.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Command(Command { place: Place::Node(node), .. }) => Some(node),
            Self::CopyFile(copy) => match &copy.enter.place {
                Place::Node(node) => Some(node),
                Place::Here | Place::Builder(_) => None,
            },
            Self::CriVerify(verify) => Some(&verify.node),
            Self::CriRun(CriRun { pod, .. }) | Self::EndCriRun(pod) => Some(&pod.node),
            Self::ShipMissing(ship) => Some(&ship.shipment.node),
            Self::EndShipment(shipment) => Some(&shipment.node),
            Self::Rollback(rollback) => Some(&rollback.shipment.node),
            _ => None,
        }
    }

    /// The builder that it asks or changes, by its platform.
    pub fn builder(&self) -> Option<&str> {
        let place = match self {
            Self::Command(command) => &command.place,
            Self::PinBases(bases) => &bases.inspect.place,
            Self::EnsureBinfmt(ensure) => return Some(&ensure.builder.as_ref()?.builder),
            Self::MoveImage(image) => return Some(&image.builder),
            _ => return None,
        };
        match place {
            Place::Builder(builder) => Some(builder),
            Place::Here | Place::Node(_) => None,
        }
    }

    /// The output that it yields.
    pub fn yields(&self) -> Option<&str> {
        match self {
            Self::Command(command) => command.capture.as_ref().map(|capture| capture.output.as_str()),
            Self::Checkout(checkout) => Some(&checkout.output),
            Self::ImageId(id) => Some(&id.output),
            Self::SealArchive(seal) => Some(&seal.output),
            Self::JoinIndex(join) => Some(&join.output),
            Self::ArchiveDigest(digest) => Some(&digest.output),
            Self::ShipMissing(ship) => Some(&ship.output),
            Self::Yield(known) => Some(&known.output),
            Self::CriVerify(verify) => verify.report.as_ref().map(|report| report.output.as_str()),
            Self::PinBases(_)
            | Self::MoveImage(_)
            | Self::CheckFrontend(_)
            | Self::HandSecrets(_)
            | Self::CopyFile(_)
            | Self::WriteFile(_)
            | Self::RewriteFrom(_)
            | Self::EnsureBinfmt(_)
            | Self::Audit(_)
            | Self::CheckProvenance(_)
            | Self::Check(_)
            | Self::CheckIndex(_)
            | Self::CriRun(_)
            | Self::EndCriRun(_)
            | Self::EndShipment(_)
            | Self::Receive(_)
            | Self::Rollback(_) => None,
        }
    }
}

impl ShipFrom {
    fn texts(&self) -> Vec<&Text> {
        match self {
            Self::Archive(path) => vec![path],
            Self::Engine { handle, inspect, store, .. } => {
                let mut texts = vec![handle];
                texts.extend(inspect.texts());
                texts.extend(store);
                texts
            }
        }
    }
}

impl Command {
    fn texts(&self) -> Vec<&Text> {
        self.argv.iter().chain(&self.dir).chain(self.env.values()).collect()
    }
}
