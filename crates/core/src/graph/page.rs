//! A drawing laid out on a page: which way it goes, how large everything is, where it lies.

use super::Detail;
use super::keys;
use super::layout::{Item, Picture, Point, Task, Tie, layout};
use super::model::{Drawing, Group};

/// What a letter takes in the monospaced fonts that are usual, in tenths of a pixel: of names, of what is below, of labels.
const NAME: i32 = 80;
pub(super) const SMALL: i32 = 67;
const LABEL: i32 = 61;
/// Names are cut after so many letters, and so is what is below; all shows when the pointer rests on the box.
pub(super) const LETTERS: usize = 30;
pub(super) const LETTERS_BELOW: usize = 42;
/// Above everything: the title.
pub(super) const TOP: i32 = 44;
/// Below everything: what the colours mean.
pub(super) const BOTTOM: i32 = 40;
/// The name of a lane.
pub(super) const HEADING: i32 = 26;
/// The border of the page.
pub(super) const BORDER: i32 = 16;

/// Which way the flow goes on paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Down,
    Right,
}

/// A layout and how it lies on the page.
pub(super) struct Page<'d> {
    pub(super) drawing: &'d Drawing,
    pub(super) picture: Picture,
    pub(super) way: Way,
    /// The size of a box along the flow.
    depth: i32,
    /// Of lanes' names, beside lanes that go right.
    pub(super) headings: i32,
}

impl Drawing {
    /// Steps go down the page. Instances go down or right, whichever comes closer to the shape of a screen: targets then
    /// stand beside or below each other.
    pub(super) fn page(&self) -> Page<'_> {
        let down = Page::new(self, Way::Down);
        if self.detail == Detail::Steps {
            return down;
        }
        let right = Page::new(self, Way::Right);
        if right.oddness() < down.oddness() { right } else { down }
    }
}

pub(super) fn width(text: &str, letter: i32) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 100).saturating_mul(letter) / 10
}

pub(super) fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters - 1).chain(['…']).collect()
}

impl<'d> Page<'d> {
    pub(super) fn new(drawing: &'d Drawing, way: Way) -> Self {
        let captions = (0..drawing.boxes.len()).map(|index| drawing.caption(index)).collect::<Vec<_>>();
        let high = if captions.iter().any(|lines| lines.len() > 1) { 42 } else { 28 };
        let broad = |lines: &[String]| {
            let name = lines.first().map_or(0, |line| width(&cut(line, LETTERS), NAME));
            lines.get(1).map_or(0, |line| width(&cut(line, LETTERS_BELOW), SMALL)).max(name) + 24
        };
        let broadest = captions.iter().map(|lines| broad(lines)).max().unwrap_or(0);
        let instances = drawing.detail == Detail::Instances;
        let breadth = |lines: &[String]| match way {
            Way::Right => high,
            // Targets that do the same look the same.
            Way::Down if instances => broadest,
            Way::Down => broad(lines).max(96),
        };
        let items = drawing.boxes.iter().zip(&captions).map(|(one, lines)| Item {
            breadth: breadth(lines),
            lane: one.group.map_or(0, |group| group + 1),
        });
        let ties = drawing.links.iter().map(|link| Tie {
            from: link.from,
            to: link.to,
            dashed: link.is_gate(),
            carries: link.carries(),
            label: if instances { 0 } else { width(&cut(&link.label(), LETTERS), LABEL) },
        });
        let headings: Vec<i32> =
            drawing.groups.iter().map(|group| width(&heading(group), NAME) + 24).collect();
        let lane = |heading: &i32| if way == Way::Down { *heading } else { 0 };
        let task = Task {
            items: items.collect(),
            ties: ties.collect(),
            lanes: std::iter::once(0).chain(headings.iter().map(lane)).collect(),
            depth: if way == Way::Down { high } else { broadest },
            beside: if way == Way::Down { 22 } else { 10 },
            margin: if way == Way::Down { 14 } else { 8 },
            label_depth: if instances { 0 } else { 13 },
        };
        let headings = if way == Way::Right { headings.into_iter().max().unwrap_or(0) } else { 0 };
        Self { drawing, picture: layout(&task), way, depth: task.depth, headings }
    }

    /// The whole page.
    pub(super) fn size(&self) -> (i32, i32) {
        let (across, along) = (self.picture.breadth, self.picture.depth);
        let heading = if self.drawing.groups.is_empty() { 0 } else { HEADING };
        let (wide, high) = match self.way {
            Way::Down => (across, along + heading),
            Way::Right => (along + self.headings, across),
        };
        let least = width(&self.drawing.title, 88).max(keys::room());
        (wide.max(least) + 2 * BORDER, high + TOP + BOTTOM + 2 * BORDER)
    }

    /// How far the shape is from that of a screen; 0 is as good as can be.
    fn oddness(&self) -> i64 {
        let (wide, high) = self.size();
        let (wide, high) = (i64::from(wide) * 3, i64::from(high) * 4);
        1000 * wide.max(high) / wide.min(high).max(1) - 1000
    }

    pub(super) fn place(&self, (across, along): Point) -> Point {
        let heading = if self.drawing.groups.is_empty() { 0 } else { HEADING };
        match self.way {
            Way::Down => (BORDER + across, BORDER + TOP + heading + along),
            Way::Right => (BORDER + self.headings + along, BORDER + TOP + across),
        }
    }

    /// Left, top, width and height of a box.
    pub(super) fn rectangle(&self, index: usize) -> (i32, i32, i32, i32) {
        let (first, last, along) = self.picture.boxes[index];
        let (x, y) = self.place((first, along));
        match self.way {
            Way::Down => (x, y, last - first, self.depth),
            Way::Right => (x, y, self.depth, last - first),
        }
    }
}

pub(super) fn heading(group: &Group) -> String {
    format!("{} ({})", group.target, group.platform)
}
