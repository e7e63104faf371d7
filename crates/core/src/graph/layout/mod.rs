//! Where boxes and lines go: a layered drawing with a lane for each target.
//!
//! The layout does not know which way is down. Boxes stand in ranks *along* the flow, beside each other *across* it; the
//! caller says which of the two is which on paper. Ranks are the same in all lanes, so targets that do the same look the
//! same. The steps are those of Sugiyama's method: ranks ([`rank`]), an order with few crossings ([`order`]), straight
//! lines ([`align`]), and lines in right angles between ranks ([`route`], [`tracks`]). A line from one box to many others is one line
//! with branches, and many lines to one box join.

mod align;
mod layers;
mod order;
mod rank;
mod route;
mod tracks;

/// A box to be placed.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its size across the flow; a box becomes broader when the labels above it need it.
    pub(super) breadth: i32,
    pub(super) lane: usize,
}

/// A line from one box to another.
#[derive(Debug, Clone)]
pub(super) struct Tie {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) dashed: bool,
    /// It brings something, and does not only say what comes first.
    pub(super) carries: bool,
    /// Room for a label beside its end; 0 for none.
    pub(super) label: i32,
}

/// What is placed, and how much room there is between.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) items: Vec<Item>,
    pub(super) ties: Vec<Tie>,
    /// For each lane the least breadth.
    pub(super) lanes: Vec<i32>,
    /// The size of every box along the flow.
    pub(super) depth: i32,
    /// Between two boxes beside each other.
    pub(super) beside: i32,
    /// Between the outermost boxes of a lane and its border, and between lanes.
    pub(super) margin: i32,
    /// The height of labels, where lines have some.
    pub(super) label_depth: i32,
}

/// A place: across and along.
pub(super) type Point = (i32, i32);

/// The finished layout.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// For each item its two edges across, and where it begins along.
    pub(super) boxes: Vec<(i32, i32, i32)>,
    /// For each tie the corners of its line, from its box to where it leads.
    pub(super) lines: Vec<Vec<Point>>,
    /// For each lane its two borders across.
    pub(super) lanes: Vec<(i32, i32)>,
    pub(super) breadth: i32,
    pub(super) depth: i32,
}

/// Places everything.
pub(super) fn layout(task: &Task) -> Picture {
    let mut layers = layers::Layers::new(task, &rank::ranks(task));
    order::order(&mut layers);
    layers.place_ends();
    let across = align::align(&layers, task);
    route::route(&layers, task, &across)
}

/// A count as a length; no drawing is so large that it matters.
fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
