//! Actions that are not a command: each in a file of its own, carried out by the engine through [`exec::Actions`].
//!
//! [`exec::Actions`]: crate::exec::Actions

mod archive_digest;
mod audit;
mod bases;
pub(crate) mod check;
mod check_frontend;
mod check_provenance;
mod checkout;
mod copy_file;
mod cri;
mod cri_verify;
mod ensure_binfmt;
mod hand_secrets;
mod image_id;
mod inspected;
mod join_index;
mod move_image;
mod origin;
mod receive;
mod rewrite_from;
mod seal_archive;
mod ship;
pub(crate) mod write_file;

pub use cri::{ContainerState, Cri, CriImage, PodSpec, Pods};
pub use ensure_binfmt::Emulators;
pub use ship::Packer;

use std::path::PathBuf;

use crate::binfmt::{self, Assessment, Binfmt};
use crate::event::{Failure, FailureKind};
use crate::exec::{ActionCx, Actions};
use crate::plan::{Action, Presence};
use crate::platform::Platform;

/// Everything that the actions need of this machine.
pub struct Performer<'p> {
    /// This machine's platform.
    pub platform: Platform,
    /// Its table of emulators.
    pub binfmt: Binfmt,
    /// The user allows changes to the kernel's table of emulators.
    pub allow_privileged: bool,
    /// A client of the CRI socket.
    pub cri: &'p dyn Cri,
    /// The user's folder for what can be fetched again, if there is one.
    pub cache: Option<PathBuf>,
    /// The layers of this run that travel.
    pub packer: Packer,
    /// The emulators that the run has told of.
    pub emulators: Emulators,
}

impl Actions for Performer<'_> {
    fn perform(&self, action: &Action, cx: &ActionCx<'_>) -> Result<Option<String>, Failure> {
        match action {
            Action::CopyFile(copy) => copy_file::perform(copy, cx).map(|()| None),
            Action::Checkout(wanted) => checkout::perform(wanted, self, cx).map(Some),
            Action::RewriteFrom(rewrite) => rewrite_from::perform(rewrite, cx).map(|()| None),
            Action::EnsureBinfmt(ensure) => ensure_binfmt::perform(ensure, self, cx).map(|()| None),
            Action::PinBases(bases) => bases::perform(bases, self, cx).map(|()| None),
            Action::CheckFrontend(check) => check_frontend::perform(check, cx).map(|()| None),
            Action::HandSecrets(hand) => hand_secrets::perform(hand, cx).map(|()| None),
            Action::MoveImage(image) => move_image::perform(image, cx).map(|()| None),
            Action::ImageId(id) => image_id::perform(id, cx).map(Some),
            Action::SealArchive(seal) => seal_archive::perform(seal, cx).map(Some),
            Action::JoinIndex(wanted) => join_index::perform(wanted, cx).map(Some),
            Action::CheckIndex(wanted) => join_index::check(wanted, cx).map(|()| None),
            Action::ArchiveDigest(digest) => archive_digest::perform(digest, cx).map(Some),
            Action::CheckProvenance(wanted) => check_provenance::perform(wanted, cx).map(|()| None),
            Action::Audit(wanted) => audit::perform(wanted, cx).map(|()| None),
            Action::CriVerify(verify) => cri_verify::perform(verify, self, cx),
            Action::CriRun(wanted) => cri_verify::run::perform(wanted, self, cx).map(|()| None),
            Action::EndCriRun(pod) => cri_verify::run::end(pod, self, cx).map(|()| None),
            Action::ShipMissing(wanted) => ship::perform(wanted, &self.packer, cx).map(Some),
            Action::Rollback(wanted) => ship::rollback(wanted, cx).map(|()| None),
            Action::EndShipment(shipment) => ship::end(shipment, &self.packer, cx).map(|()| None),
            Action::WriteFile(file) => write_file::perform(file, cx).map(|()| None),
            Action::Check(check) => check::perform(check, cx).map(|()| None),
            Action::Receive(wanted) => receive::perform(wanted, cx).map(|()| None),
            Action::Yield(known) => Ok(Some(known.value.clone())),
            Action::Command(_) => Err(Failure::new(FailureKind::Internal, "commands belong to the engine")),
        }
    }

    fn expects(&self, action: &Action, cx: &ActionCx<'_>) -> Option<String> {
        match action {
            Action::ShipMissing(wanted) => ship::expect(wanted, &self.packer, cx).ok(),
            _ => None,
        }
    }

    fn is_foreign(&self, platform: &Platform) -> bool {
        !self.platform.runs_natively(platform)
    }

    fn emulates(&self, platforms: &[Platform]) -> Presence {
        let ready = |platform: &Platform| {
            matches!(
                binfmt::assess(&self.binfmt, platform, &self.platform),
                Assessment::Native | Assessment::Ready { .. }
            )
        };
        if platforms.iter().all(ready) { Presence::Present } else { Presence::Absent }
    }
}
