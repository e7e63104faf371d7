//! An SVG by itself: no script, no font, no program to make it. It follows the reader's light or dark colours.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Detail;
use super::keys;
use super::layout::Point;
use super::model::{Box, Drawing, Link};
use super::page::{BORDER, BOTTOM, HEADING, LETTERS, LETTERS_BELOW, Page, TOP, Way, cut, heading};

/// Corners of lines.
const ROUND: i32 = 6;
/// An arrow.
const TIP: i32 = 6;

const STYLE: &str = include_str!("svg.css");

impl Drawing {
    /// The picture as an SVG file.
    pub fn svg(&self) -> String {
        self.page().write()
    }

    /// The picture as a part of an HTML page, which has the styles for the classes that the file has. No title stands in
    /// it; each box has the id of its step or instance as `data-id`.
    pub fn svg_in_html(&self) -> String {
        self.page().write_in_html()
    }
}

/// For text and for attributes. What may not stand in XML at all is gone since the drawing was made.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Page<'_> {
    fn write(&self) -> String {
        let (wide, high) = self.size();
        let title = escape(&self.drawing.title);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" \
             role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"page\" width=\"{wide}\" height=\"{high}\"/>\n\
             <text class=\"title\" x=\"{}\" y=\"{}\">{title}</text>\n",
            BORDER + 8,
            BORDER + 16,
        );
        self.content(&mut out);
        keys::write(&mut out, self.drawing, (BORDER + 8, high - BORDER - 8));
        out + "</svg>\n"
    }

    fn write_in_html(&self) -> String {
        let (wide, high) = (self.size().0, self.size().1 - TOP - BOTTOM);
        let title = escape(&self.drawing.title);
        let mut out = format!(
            "<svg width=\"{wide}\" height=\"{high}\" viewBox=\"0 {TOP} {wide} {high}\" role=\"img\" \
             aria-label=\"{title}\">\n",
        );
        self.content(&mut out);
        out + "</svg>\n"
    }

    fn content(&self, out: &mut String) {
        self.lanes(out);
        self.lines(out);
        for (index, one) in self.drawing.boxes.iter().enumerate() {
            self.one(out, index, one);
        }
        self.labels(out);
    }

    fn lanes(&self, out: &mut String) {
        for (group, (first, last)) in self.drawing.groups.iter().zip(self.picture.lanes.iter().skip(1)) {
            let (x, y) = self.place((*first, 0));
            let (wide, high) = (last - first, self.picture.depth);
            let (x, y, wide, high) = match self.way {
                Way::Down => (x, y - HEADING, wide, high + HEADING + 10),
                Way::Right => (x - self.headings, y, high + self.headings + 10, wide),
            };
            let _ = writeln!(
                out,
                "<rect class=\"lane\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" rx=\"8\"/>\
                 <text class=\"heading\" x=\"{}\" y=\"{}\">{}</text>",
                x + 12,
                y + 18,
                escape(&heading(group)),
            );
        }
    }

    fn lines(&self, out: &mut String) {
        let mut tips = BTreeSet::new();
        for (link, line) in self.drawing.links.iter().zip(&self.picture.lines) {
            let mut points: Vec<Point> = line.iter().map(|point| self.place(*point)).collect();
            let class = if link.is_gate() { "gate " } else { "" };
            if let [.., before, end] = points.as_mut_slice() {
                let towards = ((end.0 - before.0).signum(), (end.1 - before.1).signum());
                tips.insert((class, *end, towards));
                *end = (end.0 - towards.0 * TIP, end.1 - towards.1 * TIP);
            }
            let _ = writeln!(
                out,
                "<path class=\"{class}line\" d=\"{}\"><title>{}</title></path>",
                path(&points),
                escape(&self.sentence(link)),
            );
        }
        for (class, (x, y), (right, down)) in tips {
            // Back along the line, and as far to both sides.
            let (back, side) = ((x - right * (TIP + 1), y - down * (TIP + 1)), (down * 4, right * 4));
            let _ = writeln!(
                out,
                "<path class=\"{class}tip\" d=\"M{x} {y}L{} {}L{} {}Z\"/>",
                back.0 + side.0,
                back.1 + side.1,
                back.0 - side.0,
                back.1 - side.1,
            );
        }
    }

    fn sentence(&self, link: &Link) -> String {
        let name = |index: usize| &self.drawing.boxes[index].id;
        format!("{} → {}: {}", name(link.from), name(link.to), link.sentence())
    }

    fn one(&self, out: &mut String, index: usize, one: &Box) {
        let (x, y, wide, high) = self.rectangle(index);
        let class = match (one.on_node, one.check) {
            (true, _) => " class=\"node\"",
            (false, true) => " class=\"check\"",
            (false, false) => "",
        };
        let _ = write!(
            out,
            "<g{class} data-id=\"{}\"><title>{}</title>\
             <rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" rx=\"6\"/>",
            escape(&one.id),
            escape(&self.hint(one)),
        );
        let lines = self.drawing.caption(index);
        let first = if lines.len() > 1 { high / 2 - 3 } else { high / 2 + 5 };
        let places = [("name", LETTERS, first), ("small", LETTERS_BELOW, first + 15)];
        for (line, (class, letters, down)) in lines.iter().zip(places) {
            let _ = write!(
                out,
                "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
                x + wide / 2,
                y + down,
                escape(&cut(line, letters)),
            );
        }
        out.push_str("</g>\n");
    }

    /// What a pointer on the box shows: everything, also what is cut or not drawn.
    fn hint(&self, one: &Box) -> String {
        let platform =
            one.group.and_then(|group| self.drawing.groups.get(group)).map(|group| &group.platform);
        let about: Vec<&str> = [&one.kind, &one.extent]
            .into_iter()
            .chain(platform)
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let mut lines = vec![format!("{} ({})", one.id, about.join("; "))];
        lines.extend(one.waits.iter().cloned());
        lines.join("\n")
    }

    /// Why each line is there, beside its end.
    fn labels(&self, out: &mut String) {
        if self.drawing.detail == Detail::Instances {
            return;
        }
        let mut written = BTreeSet::new();
        for (link, line) in self.drawing.links.iter().zip(&self.picture.lines) {
            let Some((x, y)) = line.last().map(|point| self.place(*point)) else { continue };
            let label = cut(&link.label(), LETTERS);
            // Lines that join and bring the same say it once.
            if written.insert((x, y, label.clone())) {
                let _ = writeln!(
                    out,
                    "<text class=\"label\" x=\"{}\" y=\"{}\">{}</text>",
                    x + 6,
                    y - 5,
                    escape(&label)
                );
            }
        }
    }
}

/// A line with rounded corners.
fn path(points: &[Point]) -> String {
    let Some(first) = points.first() else { return String::new() };
    let mut path = format!("M{} {}", first.0, first.1);
    for corner in points.windows(3) {
        let [from, at, to] = [corner[0], corner[1], corner[2]];
        let towards = |other: Point| {
            let (x, y) = (other.0 - at.0, other.1 - at.1);
            let round = ROUND.min(i32::midpoint(x.abs(), y.abs()));
            (at.0 + x.signum() * round, at.1 + y.signum() * round)
        };
        let (near, far) = (towards(from), towards(to));
        let _ = write!(path, "L{} {}Q{} {} {} {}", near.0, near.1, at.0, at.1, far.0, far.1);
    }
    if let Some(last) = points.last() {
        let _ = write!(path, "L{} {}", last.0, last.1);
    }
    path
}
