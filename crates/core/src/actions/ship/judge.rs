//! What must be so before anything is sent, and once it is imported.

use super::Ship;
use super::answer::{Answer, Held};
use crate::event::{Failure, FailureKind};
use crate::image::{Digest, LocalImage};
use crate::output::bytes;

impl Ship<'_> {
    pub(super) fn is_right(&self, held: &Held, diff_ids: &[Digest]) -> bool {
        held.current == Some(self.id) && held.layers.as_deref() == Some(diff_ids)
    }

    pub(super) fn must_be_right(&self, held: &Held, diff_ids: &[Digest]) -> Result<(), Failure> {
        let mismatch = |message: String| Err(Failure::new(FailureKind::Mismatch, message));
        match (&held.current, &held.layers) {
            (None, _) => mismatch(format!("{} is not in the store after its import", self.what())).map_err(
                |failure: Failure| {
                    failure.help("does the node's `storage` name the store that its tools use?")
                },
            ),
            (Some(found), _) if *found != self.id => mismatch(format!(
                "{} is another image after its import: it has the id {found}, and {} was built",
                self.what(),
                self.id
            )),
            (_, None) => mismatch(format!("{} has layers that the store does not list", self.what())),
            (_, Some(layers)) if layers != diff_ids => {
                let show = |digests: &[Digest]| {
                    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                };
                mismatch(format!(
                    "{} has the layers {} after its import, and {} were built",
                    self.what(),
                    show(layers),
                    show(diff_ids)
                ))
            }
            _ => Ok(()),
        }
    }

    /// There is room for what is missing, once compressed and once unpacked.
    pub(super) fn must_fit(
        &self,
        image: &LocalImage,
        missing: &[usize],
        answer: &Answer,
    ) -> Result<(), Failure> {
        let needed: u64 = missing.iter().map(|index| image.layers[*index].size).sum();
        let store = answer.get("store").and_then(|line| line.split_once(' ')).map_or("", |(_, root)| root);
        for (word, place) in [("dir", self.node.dir.as_str()), ("room", store)] {
            let Some(free) = answer.free(word) else { continue };
            if free < needed {
                let place = if place.is_empty() { "its store".to_owned() } else { format!("`{place}`") };
                return Err(Failure::new(
                    FailureKind::NoSpace,
                    format!(
                        "node `{}` has {} free in {place}, and the layers that it lacks need {}",
                        self.node.name,
                        bytes(free),
                        bytes(needed)
                    ),
                ));
            }
        }
        Ok(())
    }
}
