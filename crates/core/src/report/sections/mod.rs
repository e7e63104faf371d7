//! The sections of the page, each as HTML that needs no script.

mod compared;
mod proofs;
mod results;
mod steps;
mod top;

use std::time::Duration;

use maud::{Markup, html};

use super::course::Row;
use super::proofs::Proofs;
use super::verdict::Ended;
use super::{Plain, Source};
use crate::history::Outcome;
use crate::output::seconds;

pub(super) use compared::compared;
pub(super) use proofs::{audits, lock, nodes, provenance};
pub(super) use results::results;
pub(super) use steps::{failures, graph_begin, graph_end, steps, timeline};
pub(super) use top::{circumstances, foot, top};

/// All that a section may tell of.
pub(super) struct Facts<'s> {
    pub(super) source: &'s Source<'s>,
    pub(super) rows: &'s [Row<'s>],
    pub(super) outcome: &'s Outcome,
    pub(super) proofs: &'s Proofs,
    pub(super) ended: Ended,
    pub(super) sentence: &'s str,
}

/// A section with its heading; nothing where it would be empty.
fn section(id: &str, title: &str, count: Option<usize>, body: &Markup) -> Markup {
    if body.0.is_empty() {
        return html! {};
    }
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) @if let Some(count) = count { " " span.count { (count) } } }
            (body)
        }
    }
}

/// A table that may be wider than the screen: whoever has no mouse moves it by the arrow keys.
fn table(label: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div.wide role="region" tabindex="0" aria-label=(label) {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A status: sign, colour and word.
fn badge(ended: Ended, word: &str) -> Markup {
    html! { span class={ "badge " (ended.class()) } { span.sign aria-hidden="true" { (ended.sign()) } (Plain(word)) } }
}

/// A digest: as much as tells it apart, all of it where it is asked for.
fn digest(text: &str) -> Markup {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_digest = hex.len() >= 40 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    html! {
        @if is_digest { code.digest title=(text) { @if hex.len() == 64 { "sha256:" } (hex[..12]) "…" } }
        @else { code { (Plain(text)) } }
    }
}

fn time(time: Option<Duration>) -> String {
    time.map_or_else(String::new, seconds)
}

/// No more than so many letters of a text.
fn cut(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// `1 node`, `2 nodes`.
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
