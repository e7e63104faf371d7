//! What we see in a Dockerfile, beside what BuildKit does.

use pipeline_core::dockerfile::{Base, BaseKind};

use crate::reference::Answer;

/// What we and BuildKit see differently in a text that both read.
pub(crate) fn differences(ours: &[Base], theirs: &Answer) -> Vec<String> {
    let mut said = Vec::new();
    let froms: Vec<_> = ours.iter().filter(|base| base.kind == BaseKind::From).collect();
    if froms.len() != theirs.stages.len() {
        said.push(format!("{} stages, theirs {}", froms.len(), theirs.stages.len()));
    }
    for (base, stage) in froms.iter().zip(&theirs.stages) {
        let name = base.name.as_deref().unwrap_or_default().to_lowercase();
        let platform = base.platform.as_deref().unwrap_or_default();
        // Which of its stages an unknown name means is for the build to say.
        let is_external = stage.expanded.as_ref().map_or(base.external, |_| stage.external());
        let our = (&*name, &base.image, platform, &base.expanded, base.external);
        let their = (&*stage.name, &stage.base, &*stage.platform, &stage.expanded, is_external);
        if our != their {
            said.push(format!("{our:?}, theirs {their:?}"));
        }
        if !(stage.first..=stage.last).contains(&base.line) {
            said.push(format!("line {}, theirs {}-{}", base.line, stage.first, stage.last));
        }
    }
    let our: Vec<_> = ours.iter().filter_map(other).collect();
    let their: Vec<_> =
        theirs.others.iter().map(|other| (other.stage, &*other.kind, &*other.image)).collect();
    if our != their {
        said.push(format!("{our:?}, theirs {their:?}"));
    }
    said
}

fn other(base: &Base) -> Option<(usize, &'static str, &str)> {
    match base.kind {
        BaseKind::From => None,
        BaseKind::CopyFrom => Some((base.stage, "copy", &*base.image)),
        BaseKind::MountFrom => Some((base.stage, "mount", &*base.image)),
    }
}
