//! The whole page.

use std::io::{self, Write};

use maud::{DOCTYPE, PreEscaped, html};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::course::{Places, Row, Told, milliseconds, rows};
use super::graphs::{Graph, graphs};
use super::logs::{Log, Room, size};
use super::policy::policy;
use super::proofs::Proofs;
use super::sections::{self, Facts};
use super::verdict::{Ended, verdict};
use super::{Plain, Source, island};
use crate::history::{Link, Outcome};

const STYLE: &str = concat!(
    include_str!("page/base.css"),
    include_str!("page/parts.css"),
    include_str!("page/graph.css"),
    include_str!("page/print.css"),
);

/// One function around all of it, so that nothing of it is to be seen from outside.
const SCRIPT: &str = concat!(
    "(function () {\n'use strict';\n",
    include_str!("page/common.js"),
    include_str!("page/theme.js"),
    include_str!("page/details.js"),
    include_str!("page/timeline.js"),
    include_str!("page/graph.js"),
    include_str!("page/table.js"),
    include_str!("page/start.js"),
    "}());\n",
);

/// A picture for the browser's tab: without one it would ask for it.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='3' \
                    cy='8' r='3' fill='%238250df'/%3E%3Ccircle cx='13' cy='8' r='3' fill='%231a7f37'/%3E%3Cpath d='M6 \
                    8h4' stroke='%23818b98' stroke-width='2'/%3E%3C/svg%3E";

/// Writes the report. Errors are of `out` alone: what cannot be read in the run's folder is said on the page.
pub fn write(out: &mut dyn Write, source: &Source<'_>) -> io::Result<()> {
    let rows = rows(source);
    let outcome = source.plan.map(|plan| Outcome::of(plan, source.account)).unwrap_or_default();
    let proofs = Proofs::read(source.folder);
    let logs = Logs::new(source, &rows);
    let (ended, sentence) = verdict(source.account);
    let graphs = source.plan.map(graphs).unwrap_or_default();
    let facts = Facts { source, rows: &rows, outcome: &outcome, proofs: &proofs, ended, sentence: &sentence };
    out.write_all(head(&facts).as_bytes())?;
    let write = |out: &mut dyn Write, part: maud::Markup| out.write_all(part.into_string().as_bytes());
    write(out, sections::top(&facts, !graphs.is_empty()))?;
    out.write_all(b"<main id=\"main\">")?;
    write(out, sections::failures(&facts, &|row| logs.of(row)))?;
    write(out, sections::results(&facts))?;
    write(out, sections::timeline(&facts))?;
    graph(out, &graphs)?;
    write(out, sections::steps(&facts))?;
    write(out, sections::compared(&facts))?;
    write(out, sections::audits(&facts))?;
    write(out, sections::nodes(&facts))?;
    write(out, sections::provenance(&facts))?;
    write(out, sections::lock(&facts))?;
    write(out, sections::circumstances(&facts))?;
    out.write_all(b"</main>")?;
    write(out, sections::foot())?;
    data(out, "run", &Data::new(&facts))?;
    data(out, "logs", &logs)?;
    out.write_all(b"<script>")?;
    out.write_all(SCRIPT.as_bytes())?;
    out.write_all(b"</script>\n</body>\n</html>\n")
}

fn head(facts: &Facts<'_>) -> String {
    let account = facts.source.account;
    let title = format!("{}: {} · run {}", account.recipe, facts.sentence, account.run);
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy(STYLE, SCRIPT));
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (Plain(&title)) }
            link rel="icon" href=(ICON);
            style { (PreEscaped(STYLE)) }
        }
        (PreEscaped("<body>"))
    }
    .into_string()
}

/// The first drawing stands there as it is; the others wait until they are asked for.
fn graph(out: &mut dyn Write, graphs: &[Graph]) -> io::Result<()> {
    let Some((first, others)) = graphs.split_first() else { return Ok(()) };
    let begin = sections::graph_begin(graphs.iter().map(|graph| graph.name.as_str()));
    out.write_all(begin.into_string().as_bytes())?;
    let of = |graph: &Graph| if graph.of_steps { "steps" } else { "instances" };
    write!(out, "<div class=\"sheet\" data-of=\"{}\">{}</div>", of(first), first.svg)?;
    for graph in others {
        write!(out, "<template data-of=\"{}\">{}</template>", of(graph), graph.svg)?;
    }
    out.write_all(sections::graph_end().into_string().as_bytes())
}

fn data(out: &mut dyn Write, id: &str, value: &impl Serialize) -> io::Result<()> {
    write!(out, "<script type=\"application/json\" id=\"{id}\">")?;
    island(out, value)?;
    out.write_all(b"</script>\n")
}

/// What the script knows.
#[derive(Serialize)]
struct Data<'s> {
    elapsed: u64,
    instances: Vec<Told<'s>>,
    /// Of the critical path: which row, how long it waited, how long it took.
    path: Vec<(usize, u64, u64)>,
    /// Class, word and sign of each status, the worst first.
    words: [(&'static str, &'static str, &'static str); Ended::ALL.len()],
}

impl<'s> Data<'s> {
    fn new(facts: &Facts<'s>) -> Self {
        let places = Places::new(facts.rows);
        let index = |link: &Link| facts.rows.iter().position(|row| *row.id == link.instance);
        let step = |link: &Link| Some((index(link)?, milliseconds(link.waited), milliseconds(link.took)));
        Self {
            elapsed: milliseconds(facts.source.account.elapsed),
            instances: facts.rows.iter().map(|row| Told::new(row, facts.source, &places)).collect(),
            path: facts.outcome.critical.iter().filter_map(step).collect(),
            words: Ended::ALL.map(|ended| (ended.class(), ended.word(), ended.sign())),
        }
    }
}

/// Reads a log when it is its turn.
struct Logs<'l, 's> {
    source: &'l Source<'s>,
    rows: &'l [Row<'s>],
    room: Room,
}

impl<'l, 's> Logs<'l, 's> {
    fn new(source: &'l Source<'s>, rows: &'l [Row<'s>]) -> Self {
        let logs = Self { source, rows, room: Room::new(&[], &[]) };
        let sizes = |failed: bool| -> Vec<u64> {
            let some = rows.iter().filter(|row| has_failed(row) == failed && has_log(row));
            some.map(|row| size(&logs.path(row))).collect()
        };
        Self { room: Room::new(&sizes(true), &sizes(false)), ..logs }
    }

    fn path(&self, row: &Row<'_>) -> std::path::PathBuf {
        self.source.folder.join("logs").join(format!("{}.log", row.id))
    }

    /// None of what never ran.
    fn of(&self, row: &Row<'_>) -> Option<Log> {
        let shown = format!("logs/{}.log", row.id);
        has_log(row).then(|| Log::read(&self.path(row), shown, self.room.of(has_failed(row))))
    }
}

fn has_log(row: &Row<'_>) -> bool {
    // An id out of a damaged record may be any text, and must not lead out of the folder.
    let is_name = !row.id.as_str().contains(['/', '\0']);
    is_name && row.course.is_some_and(|course| course.began().is_some() || course.reason.is_some())
}

fn has_failed(row: &Row<'_>) -> bool {
    matches!(row.ended, Ended::Failed | Ended::Allowed | Ended::Unfinished)
}

impl Serialize for Logs<'_, '_> {
    /// By the row's number: the log, and the commands word for word where they are shown shortened.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Kept {
            #[serde(skip_serializing_if = "Option::is_none")]
            log: Option<Log>,
            exact: Vec<Option<String>>,
        }
        let mut map = serializer.serialize_map(None)?;
        for (index, row) in self.rows.iter().enumerate() {
            let (log, exact) = (self.of(row), row.exact());
            if log.is_some() || !exact.is_empty() {
                map.serialize_entry(&index, &Kept { log, exact })?;
            }
        }
        map.end()
    }
}
