//! What came of a comparison, for people and for programs.

use pipeline_core::image::compare::{Comparison, FileDiffers, Files};
use pipeline_core::plan::Engine;
use pipeline_core::planner::Archive;
use serde_json::{Value, json};

use crate::args::TableFormat;
use crate::terminal;

/// docker's classic builder is told no time.
const CLASSIC: &str = "docker's classic builder writes the time of the build into the configuration and the layers: it cannot be \
                       told another; use buildx, podman or buildah, or `buildkit = true`";

/// An archive that was made twice.
pub(crate) struct Compared<'a> {
    pub(crate) archive: &'a Archive,
    pub(crate) found: Comparison,
}

impl Compared<'_> {
    /// Why no better can be had of this engine.
    fn reason(&self) -> Option<&'static str> {
        // BuildKit writes the time that it is told.
        let times = || self.found.fields.told.iter().any(|field| field.path == "created");
        (self.archive.engine == Engine::Docker && self.archive.may_be_classic && times()).then_some(CLASSIC)
    }

    fn lines(&self) -> Vec<String> {
        let Compared { archive: Archive { image, path, .. }, found } = self;
        let [id, other] = found.ids;
        let [archive, other_archive] = found.archives;
        if found.is_same() {
            return vec![format!("same     {image}  {id}  {path} {archive}")];
        }
        let mut lines =
            vec![format!("differs  {image}  {id} and {other}  {path} {archive} and {other_archive}")];
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        for field in &found.fields.told {
            lines.push(if field.path.is_empty() {
                "configuration: the same fields, written in another way".into()
            } else {
                format!(
                    "configuration, {}: {} and {}",
                    field.path,
                    shown(&field.values[0]),
                    shown(&field.values[1])
                )
            });
        }
        more(&mut lines, "fields", found.fields.more);
        let most = found.layer_counts[0].max(found.layer_counts[1]);
        for layer in &found.layers {
            let digest =
                |at: usize| layer.diff_ids[at].map_or_else(|| "nothing".into(), |digest| digest.to_string());
            lines.push(format!("layer {} of {most}: {} and {}", layer.number, digest(0), digest(1)));
        }
        if let Some(files) = &found.files {
            lines.extend(files.differ.told.iter().map(|file| file_line(files, file)));
            more(&mut lines, "files", files.differ.more);
            if files.differ.is_empty() {
                let what = if files.is_order {
                    "come in another order"
                } else {
                    "have headers written in another way"
                };
                lines.push(format!("layer {}: its files are the same and {what}", files.layer));
            }
        }
        if found.fields.is_empty() && found.layers.is_empty() {
            lines.push("the image is the same, and the archive's own documents are not".into());
        }
        lines.extend(self.reason().map(|reason| format!("why: {reason}")));
        lines.extend(found.causes().into_iter().map(|cause| format!("may be: {cause}")));
        lines
    }

    fn json(&self) -> Value {
        json!({
            "image": self.archive.image,
            "engine": self.archive.engine,
            "archive": self.archive.path,
            "same": self.found.is_same(),
            "reason": self.reason(),
            "causes": self.found.causes(),
            "found": self.found,
        })
    }
}

fn more(lines: &mut Vec<String>, what: &str, more: usize) {
    if more > 0 {
        lines.push(format!("and {more} more {what}"));
    }
}

fn file_line(files: &Files, file: &FileDiffers) -> String {
    let what = match file.only_in {
        Some(0) => "only in the first".to_owned(),
        Some(_) => "only in the second".to_owned(),
        None => {
            let part = |part: &pipeline_core::image::compare::Part| {
                format!("{}: `{}` and `{}`", part.name, part.values[0], part.values[1])
            };
            file.parts.iter().map(part).collect::<Vec<_>>().join(", ")
        }
    };
    format!("layer {}, {}: {what}", files.layer, file.path)
}

/// Shows all of them.
pub(crate) fn show(format: TableFormat, compared: &[Compared<'_>]) {
    if format == TableFormat::Json {
        let images: Vec<Value> = compared.iter().map(Compared::json).collect();
        terminal::out(&format!("{:#}\n", json!({ "version": 1, "images": images })));
        return;
    }
    for one in compared {
        for (at, line) in one.lines().iter().enumerate() {
            let indent = if at == 0 { "" } else { "         " };
            terminal::out(&format!("{indent}{}\n", terminal::clean(line)));
        }
    }
}
