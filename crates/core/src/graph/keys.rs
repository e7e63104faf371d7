//! What the colours of the SVG mean.

use std::fmt::Write as _;

use super::layout::Point;
use super::model::{Box, Drawing};
use super::page::{SMALL, width};

/// What a colour means, where it is used.
struct Key {
    class: &'static str,
    text: &'static str,
    shown: fn(&Box) -> bool,
}

const KEYS: [Key; 4] = [
    Key { class: "here", text: "on this machine", shown: |one| !one.on_node && !one.check },
    Key { class: "check", text: "check", shown: |one| one.check },
    Key { class: "node", text: "on a node", shown: |one| one.on_node },
    Key { class: "gate line", text: "waits for a check", shown: |one| one.check },
];

impl Key {
    fn room(&self) -> i32 {
        width(self.text, SMALL) + 44
    }
}

/// What all of them together take.
pub(super) fn room() -> i32 {
    KEYS.iter().map(Key::room).sum()
}

/// Those that the drawing has.
pub(super) fn write(out: &mut String, drawing: &Drawing, (mut x, y): Point) {
    let shown: Vec<&Key> =
        KEYS.iter().filter(|key| drawing.boxes.iter().any(|one| (key.shown)(one))).collect();
    // One colour says nothing.
    for key in shown.iter().filter(|_| shown.len() > 1) {
        if key.class == "gate line" {
            let _ = write!(out, "<path class=\"{}\" d=\"M{x} {}h18\"/>", key.class, y - 4);
        } else {
            let _ = write!(
                out,
                "<g class=\"{}\"><rect class=\"box\" x=\"{x}\" y=\"{}\" width=\"18\" height=\"12\" rx=\"3\"/></g>",
                key.class,
                y - 10,
            );
        }
        let _ = writeln!(out, "<text class=\"key\" x=\"{}\" y=\"{y}\">{}</text>", x + 24, key.text);
        x += key.room();
    }
}
