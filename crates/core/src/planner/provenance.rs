//! Only what somebody vouches for is delivered: `--require-provenance`.

use crate::plan::{Action, CheckProvenance, DigestOf, Instance, InstanceId, Plan, Text};

/// Adds to each instance that takes an archive from elsewhere the check of its provenance, against the public key in this
/// file. The error names those that take an image that has no archive.
pub fn require_provenance(plan: &mut Plan, key: &str) -> Result<(), Vec<InstanceId>> {
    let mut without = Vec::new();
    for instance in plan.graph.node_weights_mut() {
        let Some(path) = archive(instance) else {
            if instance.kind == "local-image" {
                without.push(instance.id.clone());
            }
            continue;
        };
        let digests = instance.actions.iter().filter_map(|action| match action {
            Action::ArchiveDigest(digest) => {
                Some(Text::late(instance.id.as_str(), &digest.output, action.grammar()))
            }
            _ => None,
        });
        let check = CheckProvenance { archive: path, key: key.to_owned(), digests: digests.collect() };
        // Afterwards: what was read is what must be vouched for.
        instance.actions.push(Action::CheckProvenance(check));
    }
    if without.is_empty() { Ok(()) } else { Err(without) }
}

/// The archive that an instance did not save itself.
fn archive(instance: &Instance) -> Option<Text> {
    instance.actions.iter().find_map(|action| match action {
        Action::ArchiveDigest(digest) if digest.of == DigestOf::Config => Some(digest.path.clone()),
        _ => None,
    })
}
