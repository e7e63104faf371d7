//! What failed, and every step.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Facts, badge, cut, section, time};
use crate::history::{Course, Link};
use crate::output::seconds;
use crate::report::Plain;
use crate::report::course::Row;
use crate::report::logs::Log;
use crate::report::verdict::Ended;

/// More failures than this are read by nobody: they stand in the table.
const FAILURES: usize = 40;
/// The end of a log.
const LINES: usize = 15;
/// A longer line is cut here; the log has it.
const LETTERS: usize = 400;

/// Something ran.
pub(super) fn ran(facts: &Facts<'_>) -> bool {
    facts.rows.iter().any(|row| row.course.and_then(Course::began).is_some())
}

/// What failed or has no end, each with what to do and how its log ends.
pub(in crate::report) fn failures(facts: &Facts<'_>, log: &dyn Fn(&Row<'_>) -> Option<Log>) -> Markup {
    let failed = |row: &&Row<'_>| matches!(row.ended, Ended::Failed | Ended::Allowed | Ended::Unfinished);
    let all: Vec<&Row<'_>> = facts.rows.iter().filter(failed).collect();
    let body = html! {
        @for row in all.iter().take(FAILURES) { (failure(facts, row, log(row).as_ref())) }
        @if let Some(more) = all.len().checked_sub(FAILURES).filter(|more| *more > 0) {
            p.remark { "And " (more) " more: the table of steps has them." }
        }
    };
    let title =
        if all.iter().all(|row| row.ended == Ended::Unfinished) { "Without an end" } else { "Failures" };
    section("failures", title, Some(all.len()), &body)
}

fn failure(facts: &Facts<'_>, row: &Row<'_>, log: Option<&Log>) -> Markup {
    let behind = facts.outcome.skipped.get(row.id).map(Vec::len).unwrap_or_default();
    let last = log.map(|log| log.last(LINES)).unwrap_or_default();
    html! {
        article class={ "failure " (row.ended.class()) } {
            h3 { (badge(row.ended, row.ended.word())) " " a href={ "#step=" (Plain(row.id.as_str())) } { (Plain(row.id.as_str())) } }
            @if let Some(failure) = row.failure() {
                p.message { (Plain(&failure.message)) }
                @if let Some(help) = &failure.help { p.help { strong { "What to do: " } (Plain(help)) } }
            } @else {
                p.message { "It had begun, and nothing tells how it ended." }
            }
            @if behind > 0 { p { (super::count(behind, "step")) " did not run because of it." } }
            @if let Some(gone) = log.and_then(Log::gone) {
                p.remark { "Its log cannot be shown: " (Plain(gone)) "." }
            }
            @if !last.is_empty() {
                p.below { "The end of its log:" }
                pre.log tabindex="0" aria-label={ "End of the log of " (Plain(row.id.as_str())) } {
                    @for line in last { (Plain(&cut(line, LETTERS))) "\n" }
                }
            }
        }
    }
}

/// The critical path in words, and the place where the script draws all steps.
pub(in crate::report) fn timeline(facts: &Facts<'_>) -> Markup {
    if !ran(facts) {
        return html! {};
    }
    let path = &facts.outcome.critical;
    let body = html! {
        @if !path.is_empty() {
            div.path {
                h3 { "Critical path" }
                p.below { "The chain of steps that the run was as long as: to make it shorter, one of these must become faster." }
                ol { @for link in path { li { (link_of(link)) } } }
            }
        }
        div id="gantt" hidden {}
        noscript { p.remark { "With a script, a drawing of all steps over time stands here; when each began and how long it took is in the table of steps." } }
    };
    section("timeline", "Timeline", None, &body)
}

fn link_of(link: &Link) -> Markup {
    html! {
        a href={ "#step=" (Plain(link.instance.as_str())) } { (Plain(link.instance.as_str())) }
        " " span.number { (seconds(link.took)) }
        @if link.waited.as_millis() >= 100 {
            " " span.waited title="for want of a job, a pool or a mutex" { "after waiting " (seconds(link.waited)) }
        }
    }
}

/// Up to the drawings.
pub(in crate::report) fn graph_begin<'n>(names: impl Iterator<Item = &'n str>) -> Markup {
    html! {
        (maud::PreEscaped("<section id=\"graph\" aria-labelledby=\"graph-title\">"))
        h2 id="graph-title" { "Graph" }
        div.tools id="graph-tools" hidden {
            label { "Show " select id="graph-choice" { @for name in names { option { (Plain(name)) } } } }
            span.zoom {
                button type="button" data-zoom="-1" aria-label="Smaller" { "−" }
                button type="button" data-zoom="1" aria-label="Larger" { "+" }
                button type="button" data-zoom="0" { "Fit" }
            }
        }
        (maud::PreEscaped("<div class=\"canvas\" id=\"canvas\" tabindex=\"0\" role=\"region\" aria-label=\"Drawing of the graph\">"))
    }
}

/// And after them.
pub(in crate::report) fn graph_end() -> Markup {
    html! {
        (maud::PreEscaped("</div>"))
        p.legend.below { "An arrow leads to what waits; a dashed one from a check. Why stands beside it, or shows when the pointer rests on it." }
        (maud::PreEscaped("</section>"))
    }
}

/// Every step in a row.
pub(in crate::report) fn steps(facts: &Facts<'_>) -> Markup {
    let critical: BTreeSet<&str> = facts.outcome.critical.iter().map(|link| link.instance.as_str()).collect();
    let body = html! {
        div.tools id="filters" role="search" aria-label="Steps" hidden {}
        p.none id="none" hidden { "No step is like that." }
        div.wide role="region" tabindex="0" aria-label="Table of steps" {
            table id="table" {
                caption.unseen { "Every step of the run: how it ended, what it is, when it began, how long it took, and why it ran or did not" }
                thead {
                    tr {
                        @for (head, key) in [("Status", "status"), ("Step", "id"), ("Kind", "kind"), ("Platform", "platform"), ("Began", "began"), ("Took", "took"), ("Why", "why")] {
                            th scope="col" data-key=(key) { (head) }
                        }
                    }
                }
                tbody { @for (index, row) in facts.rows.iter().enumerate() { (step(facts, index, row, critical.contains(row.id.as_str()))) } }
            }
        }
    };
    section("steps", "Steps", Some(facts.rows.len()), &body)
}

fn step(facts: &Facts<'_>, index: usize, row: &Row<'_>, is_critical: bool) -> Markup {
    let began = row.course.and_then(Course::began);
    let attempts = row.course.map(|course| course.attempts.len()).unwrap_or_default();
    html! {
        tr id={ "step=" (Plain(row.id.as_str())) } data-i=(index) {
            td { (badge(row.ended, row.ended.word())) }
            th scope="row" {
                a href={ "#step=" (Plain(row.id.as_str())) } { (Plain(row.id.as_str())) }
                @if is_critical { " " span.critical title="on the critical path" { "◆" span.unseen { " on the critical path" } } }
            }
            td { (Plain(row.kind())) }
            td {
                @if let Some(platform) = row.platform() { (platform) }
                @match row.emulated(facts.source) {
                    Some(true) => { " " span.tag { "emulated" } }
                    Some(false) => { " " span.tag.plain { "native" } }
                    None => {}
                }
            }
            td.number data-label="began" { (time(began)) }
            td.number data-label="took" { (time(row.took())) @if attempts > 1 { span.below { (attempts) " attempts" } } }
            td.why { (Plain(&row.why_in_short())) }
        }
    }
}
