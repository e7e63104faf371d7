//! What can be proved of the run: audits, nodes, provenance, lock.

use maud::{Markup, html};

use super::{Facts, badge, count, digest, section, table};
use crate::audit::{Report, Verdict};
use crate::evidence::Statement;
use crate::lock::Lock;
use crate::output::bytes;
use crate::plan::Node;
use crate::report::Plain;
use crate::report::proofs::Answer;
use crate::report::verdict::Ended;

fn unread(id: &str, why: &str) -> Markup {
    html! { p.remark { "Of " (Plain(id)) " it cannot be read: " (Plain(why)) } }
}

/// The images as they were looked over.
pub(in crate::report) fn audits(facts: &Facts<'_>) -> Markup {
    let audits = &facts.proofs.audits;
    let body = html! {
        @for (id, audit) in audits {
            @match audit {
                Ok(report) => (audited(id, report)),
                Err(why) => (unread(id, why)),
            }
        }
    };
    section("audits", "Audits of images", Some(audits.len()), &body)
}

fn audited(id: &str, report: &Report) -> Markup {
    let (ended, verdict) = match report.verdict {
        Verdict::Right => (Ended::Done, "right"),
        Verdict::NothingToTell => (Ended::Done, "nothing to tell from"),
        Verdict::Forbidden => (Ended::Failed, "something forbidden"),
        Verdict::LabelWrong => (Ended::Failed, "wrong label"),
        Verdict::ContentWrong => (Ended::Failed, "wrong content"),
        Verdict::Mixed => (Ended::Failed, "mixed platforms"),
    };
    html! {
        details.audit open[!report.verdict.is_good()] {
            summary { (badge(ended, verdict)) " " (Plain(id)) }
            @for image in &report.images {
                dl.facts {
                    dt { "Image id" } dd { (digest(&image.id.to_string())) }
                    @if !image.names.is_empty() { dt { "Names" } dd { (Plain(&image.names.join(", "))) } }
                    dt { "Labelled" } dd { @if image.label.is_empty() { "no platform" } @else { (Plain(&image.label)) } }
                    @if let Some(wanted) = &image.wanted { dt { "Wanted" } dd { (Plain(wanted)) } }
                    dt { "Programs" } dd {
                        @if image.programs.is_empty() { "none to tell from" }
                        @for (index, some) in image.programs.iter().enumerate() {
                            @if index > 0 { ", " } (some.files) " of " (Plain(&some.platform))
                        }
                    }
                    dt { "Layers" } dd { (image.layers) }
                }
                ul.notes {
                    @for failure in &image.failures { li.bad { (Plain(failure)) } }
                    // The first says again what stands above.
                    @for line in image.lines().iter().skip(1) { li { (Plain(line)) } }
                }
            }
            @if !report.verdict.is_good() { p.help { strong { "What to do: " } (report.verdict.remedy()) } }
        }
    }
}

/// The nodes, and what their runtimes answered.
pub(in crate::report) fn nodes(facts: &Facts<'_>) -> Markup {
    let answers = &facts.proofs.answers;
    let known = facts.source.plan.map(|plan| &plan.nodes);
    let unasked: Vec<&Node> = known
        .into_iter()
        .flat_map(|nodes| nodes.values())
        .filter(|node| {
            !answers.iter().any(|(_, told)| told.as_ref().is_ok_and(|told| told.node == node.name))
        })
        .collect();
    if answers.is_empty() && unasked.is_empty() {
        return html! {};
    }
    let runtime = |name: &str| known.and_then(|nodes| nodes.get(name)).map(runtime).unwrap_or_default();
    let heads = ["Node", "Runtime", "Machine", "Verified", "Reference", "Image id", "Size", "Pinned"];
    let rows = html! {
        @for (id, told) in answers { @if let Ok(told) = told { (answered(id, told, &runtime(&told.node))) } }
        @for node in &unasked {
            tr {
                th scope="row" { (Plain(&node.name)) }
                td { (runtime(&node.name)) }
                td { @if let Some(platform) = &node.platform { (platform) } }
                td { (badge(Ended::NotStarted, "no answer")) }
                td {} td {} td {} td {}
            }
        }
    };
    let body = html! {
        (table("Nodes", &heads, &rows))
        @for (id, told) in answers { @if let Err(why) = told { (unread(id, why)) } }
    };
    section("nodes", "Nodes", known.map(std::collections::BTreeMap::len), &body)
}

fn answered(id: &str, told: &Answer, runtime: &str) -> Markup {
    html! {
        tr {
            th scope="row" { (Plain(&told.node)) }
            td { (runtime) }
            td { (Plain(told.machine.as_deref().unwrap_or_default())) }
            td { (badge(Ended::Done, "verified")) span.below { "by " (Plain(id)) } }
            td { code { (Plain(&told.reference)) } }
            td { (digest(&told.image.id)) }
            td.number { (bytes(told.image.size)) }
            td { @if told.image.pinned { "yes" } @else { "no: the kubelet may remove it" } }
        }
    }
}

fn runtime(node: &Node) -> String {
    format!("{:?}", node.runtime).to_lowercase().replace("crio", "cri-o")
}

/// What vouches for the archives.
pub(in crate::report) fn provenance(facts: &Facts<'_>) -> Markup {
    let proofs = facts.proofs;
    let heads = ["Archive", "sha256", "Image id", "Made of", "Finished", "Signed"];
    let rows = html! {
        @for (id, statement) in &proofs.statements {
            @if let Ok(statement) = statement { (stated(id, statement, proofs.signed.contains(id))) }
        }
    };
    if proofs.statements.is_empty() {
        return html! {};
    }
    let body = html! {
        (table("Provenance of archives", &heads, &rows))
        @for (id, statement) in &proofs.statements { @if let Err(why) = statement { (unread(id, why)) } }
    };
    section("provenance", "Provenance", Some(proofs.statements.len()), &body)
}

fn stated(id: &str, statement: &Statement, is_signed: bool) -> Markup {
    let subject = |number: usize| statement.subject.get(number);
    let sha256 = |number: usize| subject(number)?.digest.get("sha256").map(String::as_str);
    let made_of = &statement.predicate.build_definition.resolved_dependencies;
    html! {
        tr {
            th scope="row" { code { (Plain(subject(0).map_or("", |one| &one.name))) } span.below { "by " (Plain(id)) } }
            td { (digest(sha256(0).unwrap_or_default())) }
            td { (digest(sha256(1).unwrap_or_default())) }
            td {
                details {
                    summary { (count(made_of.len(), "input")) }
                    ul.notes {
                        @for one in made_of {
                            li {
                                (Plain(one.uri.as_deref().or(one.name.as_deref()).unwrap_or_default()))
                                @for (algorithm, hex) in &one.digest { " " span.below { (Plain(algorithm)) " " (digest(hex)) } }
                            }
                        }
                    }
                }
            }
            td { (Plain(&statement.predicate.run_details.metadata.finished_on)) }
            td { @if is_signed { "yes" } @else { "no" } }
        }
    }
}

/// What names stand for: by the file as it was when the run ended, else by the plan.
fn entries<'f>(facts: &'f Facts<'_>) -> Option<&'f Lock> {
    match &facts.proofs.lock {
        Some(Ok(lock)) => Some(lock),
        _ => facts.source.plan.map(|plan| &plan.lock),
    }
}

pub(super) fn has_lock(facts: &Facts<'_>) -> bool {
    matches!(facts.proofs.lock, Some(Err(_))) || entries(facts).is_some_and(|lock| !lock.is_empty())
}

/// `pipeline.lock`.
pub(in crate::report) fn lock(facts: &Facts<'_>) -> Markup {
    if !has_lock(facts) {
        return html! {};
    }
    let new: std::collections::BTreeSet<_> = facts
        .source
        .account
        .courses
        .values()
        .flat_map(|course| &course.pins)
        .filter_map(|(key, _, new)| new.then_some(key))
        .collect();
    let lock = entries(facts);
    let rows = html! {
        @for (key, pin) in lock.into_iter().flat_map(Lock::iter) {
            tr {
                td { (key.kind()) }
                th scope="row" { code { (Plain(&key.name())) } }
                td { (digest(&pin.to_string())) }
                td { @if new.contains(key) { span.tag { "new in this run" } } @else { "was there" } }
            }
        }
    };
    let body = html! {
        @if let Some(Err(why)) = &facts.proofs.lock { (unread("the lock", why)) }
        (table("Lock", &["Kind", "Name", "Stands for", "Entry"], &rows))
    };
    section("lock", "Lock", lock.map(|lock| lock.iter().len()), &body)
}
