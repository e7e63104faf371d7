//! `pipeline graph`

use pipeline_core::graph::{Detail, Drawing, Mermaid, VIEWER_CHARACTERS, VIEWER_EDGES};

use crate::args::{GraphArgs, GraphFormat};
use crate::prepare::{WithoutEngine, prepare};
use crate::{exit_code, terminal};

pub(super) fn graph(args: &GraphArgs) -> u8 {
    let prepared = match prepare(&args.recipe, &args.select, WithoutEngine::Assume) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let detail = if args.expanded { Detail::Instances } else { Detail::Steps };
    let drawing = Drawing::of(&prepared.plan, detail);
    terminal::out(&match args.format {
        GraphFormat::Text => drawing.text(terminal::width()),
        GraphFormat::Dot => drawing.dot(),
        GraphFormat::Mermaid => {
            let mermaid = drawing.mermaid();
            if !mermaid.fits_viewers() {
                too_large(&mermaid);
            }
            mermaid.text
        }
        GraphFormat::Svg => drawing.svg(),
    });
    exit_code::DONE
}

/// The chart itself may not raise the limits of what shows it.
fn too_large(mermaid: &Mermaid) {
    terminal::warning(
        &format!(
            "the chart has {} edges and {} characters; viewers such as GitHub show at most {VIEWER_EDGES} and \
             {VIEWER_CHARACTERS}",
            mermaid.edges,
            mermaid.text.chars().count()
        ),
        "raise `maxEdges` and `maxTextSize` of the viewer, select with `-t`, or use `--format svg`",
    );
}
