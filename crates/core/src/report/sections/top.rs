//! What the run was, in a few lines; and at the end, what it ran with.

use maud::{Markup, html};

use super::{Facts, badge, section, table};
use crate::history::Account;
use crate::output::{bytes, seconds};
use crate::report::Plain;
use crate::report::verdict::Ended;

/// Everything above the sections.
pub(in crate::report) fn top(facts: &Facts<'_>, has_graph: bool) -> Markup {
    let account = facts.source.account;
    let links = [
        ("failures", "Failures", !facts.outcome.failed.is_empty()),
        ("results", "Results", !facts.outcome.targets.is_empty()),
        ("timeline", "Timeline", super::steps::ran(facts)),
        ("graph", "Graph", has_graph),
        ("steps", "Steps", true),
        ("compared", "Compared", facts.source.before.is_some()),
        ("audits", "Audits", !facts.proofs.audits.is_empty()),
        ("nodes", "Nodes", facts.source.plan.is_some_and(|plan| !plan.nodes.is_empty())),
        ("provenance", "Provenance", !facts.proofs.statements.is_empty()),
        ("lock", "Lock", super::proofs::has_lock(facts)),
        ("circumstances", "Circumstances", true),
    ];
    html! {
        a.skip href="#steps" { "Skip to the steps" }
        header.top {
            p.eyebrow { "pipeline · run report" }
            div.title {
                h1 { (Plain(&account.recipe)) }
                p.verdict { (badge(facts.ended, facts.sentence)) }
            }
            p.when {
                "Run " code { (Plain(&account.run)) }
                @if let Some(began) = account.began {
                    " · began " time datetime=(began.to_string()) { (began.strftime("%-d %B %Y, %H:%M:%S UTC")) }
                }
                " · took " (seconds(account.elapsed))
                " · up to " (account.jobs) " at once"
            }
            (numbers(facts))
            @if facts.source.plan.is_none() {
                p.remark { (without_plan(account)) }
            }
            @for warning in &account.warnings {
                p.remark.warning { strong { "Warning: " } (Plain(warning)) }
            }
        }
        nav.sections aria-label="Sections" {
            ul { @for (id, name, _) in links.iter().filter(|link| link.2) { li { a href={ "#" (id) } { (name) } } } }
            button.quiet type="button" id="theme" hidden { "Dark" }
        }
    }
}

fn without_plan(account: &Account) -> &'static str {
    if account.courses.values().any(|course| course.began().is_some()) {
        "The plan of this run is not there: kinds, platforms and the graph are left out."
    } else {
        "A run that has nothing to do keeps no plan: kinds, platforms and the graph stand in the report of the run before."
    }
}

/// How many of everything.
fn numbers(facts: &Facts<'_>) -> Markup {
    let of = |ended: Ended| facts.rows.iter().filter(|row| row.ended == ended).count();
    let chain: std::time::Duration = facts.outcome.critical.iter().map(|link| link.took).sum();
    let known = facts.rows.len().max(facts.source.account.total);
    html! {
        dl.numbers {
            div { dt { "steps" } dd { (known) } }
            @for ended in Ended::ALL {
                @let number = of(ended) + if ended == Ended::NotStarted { known - facts.rows.len() } else { 0 };
                @if number > 0 {
                    div class=(ended.class()) {
                        dt { span.sign aria-hidden="true" { (ended.sign()) } (ended.word()) }
                        dd { (number) }
                    }
                }
            }
            @if !facts.outcome.critical.is_empty() { div { dt { "critical path" } dd { (seconds(chain)) } } }
            @if let Some(traffic) = facts.outcome.traffic {
                div { dt { "sent" } dd { (bytes(traffic.sent)) } }
                div { dt { "not sent again" } dd { (bytes(traffic.avoided)) } }
            }
        }
    }
}

/// Programs, emulators, and what the plan had to say.
pub(in crate::report) fn circumstances(facts: &Facts<'_>) -> Markup {
    let account = facts.source.account;
    let notes = facts.source.plan.map(|plan| plan.notes.as_slice()).unwrap_or_default();
    let body = html! {
        (table("Programs", &["Program", "Version"], &html! {
            tr { th scope="row" { "pipeline" } td { (env!("CARGO_PKG_VERSION")) " (made this report)" } }
            @for (name, version) in &account.tools {
                tr { th scope="row" { (Plain(name)) } td { (Plain(version)) } }
            }
            @for (platform, built) in &account.builders {
                tr {
                    th scope="row" { "builder of " (platform) }
                    td {
                        @if let Some(engine) = &built.engine { (Plain(engine)) " · " }
                        (Plain(&built.why))
                    }
                }
            }
            @for (platform, emulated) in &account.emulators {
                tr {
                    th scope="row" { "emulator of " (platform) }
                    td {
                        @if let Some(version) = &emulated.version { "QEMU " (Plain(version)) " · " }
                        code { (Plain(&emulated.interpreter)) }
                    }
                }
            }
        }))
        @if !notes.is_empty() { ul.notes { @for note in notes { li { (Plain(note)) } } } }
    };
    section("circumstances", "Circumstances", None, &body)
}

/// Below everything.
pub(in crate::report) fn foot() -> Markup {
    html! {
        footer {
            p {
                "Made by pipeline " (env!("CARGO_PKG_VERSION")) ". This file needs no network, and lets nothing out. "
                span.keys { kbd { "/" } " searches, " kbd { "←" } " " kbd { "→" } " go through the steps, " kbd { "Esc" } " closes." }
            }
        }
        dialog id="details" aria-labelledby="details-title" {}
        p.unseen id="told" role="status" {}
    }
}
