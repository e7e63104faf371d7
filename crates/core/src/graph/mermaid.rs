//! For Mermaid, which GitHub and GitLab draw in Markdown.

use std::fmt::Write as _;

use super::model::{Box, Drawing};

/// Edges that viewers draw unless `maxEdges` is raised. It cannot be raised in the text: Mermaid counts it as secure.
pub const VIEWER_EDGES: usize = 500;
/// Characters that they read unless `maxTextSize` is raised, which the text cannot do either.
pub const VIEWER_CHARACTERS: usize = 50_000;

/// A flowchart.
#[derive(Debug, Clone)]
pub struct Mermaid {
    /// The text.
    pub text: String,
    /// Its edges.
    pub edges: usize,
}

impl Mermaid {
    /// Viewers draw it as they come.
    pub fn fits_viewers(&self) -> bool {
        self.edges <= VIEWER_EDGES && self.text.chars().count() <= VIEWER_CHARACTERS
    }
}

impl Drawing {
    /// A flowchart, with targets as subgraphs. Ids are numbers, as many names are words of Mermaid's (`end`).
    pub fn mermaid(&self) -> Mermaid {
        let mut out = String::from("flowchart TD\n");
        let node = |out: &mut String, indent: &str, index: usize, one: &Box| {
            let class = match (one.on_node, one.check) {
                (true, _) => ":::remote",
                (false, true) => ":::check",
                (false, false) => "",
            };
            let label = self.caption(index).iter().map(|line| escape(line)).collect::<Vec<_>>().join("<br>");
            let _ = writeln!(out, "{indent}n{index}(\"{label}\"){class}");
        };
        for (index, one) in self.boxes.iter().enumerate() {
            if one.group.is_none() {
                node(&mut out, "    ", index, one);
            }
        }
        for (at, group) in self.groups.iter().enumerate() {
            let _ = writeln!(
                out,
                "    subgraph g{at} [\"{} ({})\"]",
                escape(&group.target),
                escape(&group.platform)
            );
            for (index, one) in self.boxes.iter().enumerate() {
                if one.group == Some(at) {
                    node(&mut out, "        ", index, one);
                }
            }
            out += "    end\n";
        }
        for link in &self.links {
            let arrow = if link.is_gate() { "-.->" } else { "-->" };
            let _ = writeln!(out, "    n{} {arrow}|\"{}\"| n{}", link.from, escape(&link.label()), link.to);
        }
        out += "    classDef remote stroke:#0969da,stroke-width:2px\n";
        out += "    classDef check stroke:#1a7f37,stroke-width:2px\n";
        Mermaid { text: out, edges: self.links.len() }
    }
}

/// For a place between double quotes. What HTML, Markdown or Mermaid could read becomes `#number;`.
fn escape(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " -_.,:@/×·()…".contains(c);
    text.chars().map(|c| if plain(c) { c.to_string() } else { format!("#{};", u32::from(c)) }).collect()
}
