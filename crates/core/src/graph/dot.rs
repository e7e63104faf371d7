//! For Graphviz.

use std::fmt::Write as _;

use super::model::{Box, Drawing};

const HEAD: &str = r##"    graph [fontname="Helvetica,sans-serif", fontsize=12, labelloc=t, nodesep=0.3, ranksep=0.45]
    node [shape=box, style="rounded,filled", fillcolor="#f6f8fa", color="#8c959f", fontname="Helvetica,sans-serif", fontsize=12]
    edge [color="#57606a", fontname="Helvetica,sans-serif", fontsize=10, arrowsize=0.7]
"##;

impl Drawing {
    /// A digraph. Nodes have the ids of steps or instances, targets are clusters.
    pub fn dot(&self) -> String {
        let mut out = format!("digraph {} {{\n", quote(&self.recipe));
        let _ = writeln!(out, "    label={}", quote(&self.title));
        out += HEAD;
        for (index, one) in self.boxes.iter().enumerate() {
            if one.group.is_none() {
                node(&mut out, "    ", one, &self.caption(index));
            }
        }
        for (at, group) in self.groups.iter().enumerate() {
            let _ = writeln!(out, "    subgraph {} {{", quote(&format!("cluster_{}", group.target)));
            let label = format!("{} ({})", group.target, group.platform);
            let _ = writeln!(out, "        label={}", quote(&label));
            out += "        style=\"rounded\"\n        color=\"#d0d7de\"\n";
            for (index, one) in self.boxes.iter().enumerate() {
                if one.group == Some(at) {
                    node(&mut out, "        ", one, &self.caption(index));
                }
            }
            out += "    }\n";
        }
        for link in &self.links {
            let mut attributes = format!("label={}", quote(&link.label()));
            if link.is_gate() {
                attributes += ", style=dashed, color=\"#2da44e\"";
            }
            let (from, to) = (quote(&self.boxes[link.from].id), quote(&self.boxes[link.to].id));
            let _ = writeln!(out, "    {from} -> {to} [{attributes}]");
        }
        out + "}\n"
    }
}

fn node(out: &mut String, indent: &str, one: &Box, caption: &[String]) {
    let colour = match (one.on_node, one.check) {
        (true, _) => ", fillcolor=\"#ddf4ff\", color=\"#218bff\"",
        (false, true) => ", fillcolor=\"#dafbe1\", color=\"#2da44e\"",
        (false, false) => "",
    };
    let _ = writeln!(out, "{indent}{} [label={}{colour}]", quote(&one.id), quote(&caption.join("\n")));
}

/// In double quotes. A backslash is doubled, as Graphviz reads `\N` and the like in labels.
fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
