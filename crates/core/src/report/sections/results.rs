//! What the run was for: the images, and where they arrived.

use maud::{Markup, html};

use super::{Facts, badge, count, digest, section, table, time};
use crate::history::{Arrival, Image, Target};
use crate::output::bytes;
use crate::report::Plain;
use crate::report::verdict::Ended;

/// Target by target.
pub(in crate::report) fn results(facts: &Facts<'_>) -> Markup {
    let targets = &facts.outcome.targets;
    if targets.is_empty() {
        return html! {};
    }
    // A recipe need not build anything.
    let has_images = targets.iter().any(|target| !target.images.is_empty());
    let heads = ["Target", "Steps there", "Took", "Image", "Archive", "On nodes"];
    let heads = if has_images { &heads[..] } else { &heads[..3] };
    let body = table(
        "Results by target",
        heads,
        &html! { @for one in targets { (target(facts, one, has_images)) } },
    );
    section("results", "Results", Some(targets.len()), &body)
}

fn target(facts: &Facts<'_>, target: &Target, has_images: bool) -> Markup {
    let is_whole = target.there == target.total;
    let state = if is_whole { Ended::Done } else { Ended::Failed };
    html! {
        tr {
            th scope="row" { (Plain(&target.name)) span.below { (target.platform) } }
            td { (badge(state, &format!("{} of {}", target.there, target.total))) }
            td.number { (time(target.took)) }
            @if has_images {
                td { @for one in &target.images { (image(facts, one)) } }
                td { @for one in &target.images { @for path in &one.archives { div { code { (Plain(path)) } } } } }
                td { @for one in &target.images { @for node in &one.nodes { (arrival(node)) } } }
            }
        }
    }
}

fn image(facts: &Facts<'_>, image: &Image) -> Markup {
    let audit = facts.proofs.audits.iter().find(|(id, _)| id == image.instance.as_str());
    html! {
        div.image {
            code { (Plain(&image.reference)) }
            span.below {
                (digest(&image.id))
                @if image.is_new { " · built in this run" } @else { " · there before" }
                @if let Some((_, Ok(report))) = audit {
                    " · "
                    @if report.verdict.is_good() { a href="#audits" { "audit right" } }
                    @else { a href="#audits" { "audit: not right" } }
                }
            }
        }
    }
}

fn arrival(arrival: &Arrival) -> Markup {
    html! {
        div {
            @if arrival.is_verified { (badge(Ended::Done, &format!("{}, verified", arrival.node))) }
            @else { (badge(Ended::NotStarted, &format!("{}, not asked", arrival.node))) }
            @if let Some(traffic) = &arrival.traffic {
                span.below {
                    (bytes(traffic.sent)) " sent, " (bytes(traffic.avoided)) " of "
                    (count(traffic.avoided_layers, "layer")) " avoided"
                }
            }
        }
    }
}
