//! What is another than in the run before.

use maud::{Markup, html};

use super::{Facts, digest, section, table};
use crate::history::{Change, Section, difference};
use crate::report::Plain;

/// More changes are told by `pipeline diff`.
const CHANGES: usize = 300;
/// A longer value is cut: a whole script may be one.
const LETTERS: usize = 200;

/// Beside the run before, where there is one.
pub(in crate::report) fn compared(facts: &Facts<'_>) -> Markup {
    let Some(before) = facts.source.before else { return html! {} };
    let old = (&before.account, before.plan.as_ref());
    let mut changes = difference(old, (facts.source.account, facts.source.plan)).changes;
    // What took the most longer or shorter is what one looks for.
    let by = |change: &Change| change.seconds.map_or(0.0, f64::abs);
    changes.sort_by(|a, b| a.section.cmp(&b.section).then(by(b).total_cmp(&by(a))));
    let body = html! {
        p.remark { "The run before is " code { (Plain(&before.account.run)) } "." }
        @if changes.is_empty() { p { "Nothing is another than it was then." } }
        @else {
            (table("Changes since the run before", &["What", "Step", "Of it", "Before", "Now"], &html! {
                @for one in changes.iter().take(CHANGES) { (change(one)) }
            }))
        }
        @if let Some(more) = changes.len().checked_sub(CHANGES).filter(|more| *more > 0) {
            p.remark { "And " (more) " more: " code { "pipeline diff" } " has them." }
        }
    };
    section("compared", "Compared", Some(changes.len()), &body)
}

fn change(change: &Change) -> Markup {
    let name = match change.section {
        Section::Results => "result",
        Section::Inputs => "input",
        Section::Configuration => "configuration",
        Section::Tools => "program",
        Section::Emulators => "emulator",
        Section::Outputs => "output",
        Section::Times => "time",
    };
    let value = |value: Option<&String>| {
        html! { @match value { Some(value) => (digest(&super::cut(value, LETTERS))), None => "not there" } }
    };
    html! {
        tr {
            td { (name) }
            th scope="row" {
                @if let Some(id) = &change.instance { a href={ "#step=" (Plain(id.as_str())) } { (Plain(id.as_str())) } }
            }
            td { (Plain(&change.what)) }
            td { (value(change.old.as_ref())) }
            td { (value(change.new.as_ref())) }
        }
    }
}
