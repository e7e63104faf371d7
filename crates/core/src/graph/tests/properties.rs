//! What holds for the graph of any plan.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::kit::{any_plan, delivery};
use crate::graph::model::Link;
use crate::graph::page::{Page, Way};
use crate::graph::{Detail, Drawing};
use crate::plan::{NodeIndex, Plan};

const BOTH: [Detail; 2] = [Detail::Steps, Detail::Instances];

/// From which box to which others the drawn links lead, over however many.
fn reached(drawing: &Drawing) -> Vec<BTreeSet<usize>> {
    let mut after = vec![Vec::new(); drawing.boxes.len()];
    for link in &drawing.links {
        after[link.from].push(link.to);
    }
    (0..after.len())
        .map(|from| {
            let mut seen = BTreeSet::new();
            let mut open = after[from].clone();
            while let Some(at) = open.pop() {
                if seen.insert(at) {
                    open.extend(&after[at]);
                }
            }
            seen
        })
        .collect()
}

/// A box without the outermost pixels, where lines may end.
fn inside(page: &Page<'_>, index: usize) -> (i32, i32, i32, i32) {
    let (x, y, wide, high) = page.rectangle(index);
    (x + 1, y + 1, x + wide - 1, y + high - 1)
}

fn check_layout(drawing: &Drawing, way: Way) {
    let page = Page::new(drawing, way);
    let (wide, high) = page.size();
    let boxes: Vec<_> = (0..drawing.boxes.len()).map(|index| inside(&page, index)).collect();
    let crosses =
        |a: &(i32, i32, i32, i32), b: &(i32, i32, i32, i32)| a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3;
    for (index, one) in boxes.iter().enumerate() {
        assert!(one.0 > 0 && one.1 > 0 && one.2 < wide && one.3 < high, "{one:?} is not on the page");
        for other in &boxes[..index] {
            assert!(!crosses(one, other), "{one:?} and {other:?} overlap");
        }
    }
    for (link, line) in drawing.links.iter().zip(&page.picture.lines) {
        let points: Vec<_> = line.iter().map(|point| page.place(*point)).collect();
        for pair in points.windows(2) {
            let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
            assert!(x == to_x || y == to_y, "{points:?} has a slope");
            let piece = (x.min(to_x), y.min(to_y), x.max(to_x) + 1, y.max(to_y) + 1);
            for (index, one) in boxes.iter().enumerate() {
                let name = &drawing.boxes[index].id;
                assert!(!crosses(&piece, one), "{link:?} runs through {name}: {points:?}");
            }
        }
    }
}

/// Pieces of lines that have neither end in common and lie on each other: they would be taken for one line.
fn overlaps(drawing: &Drawing) -> usize {
    let page = Page::new(drawing, Way::Down);
    let pieces: Vec<Vec<_>> = page
        .picture
        .lines
        .iter()
        .map(|line| {
            line.windows(2)
                .map(|pair| {
                    let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
                    (x.min(to_x), y.min(to_y), x.max(to_x), y.max(to_y))
                })
                .collect()
        })
        .collect();
    let on_each_other = |a: &(i32, i32, i32, i32), b: &(i32, i32, i32, i32)| {
        let across = a.1 == a.3 && b.1 == b.3 && a.1 == b.1 && a.0.max(b.0) < a.2.min(b.2);
        let along = a.0 == a.2 && b.0 == b.2 && a.0 == b.0 && a.1.max(b.1) < a.3.min(b.3);
        across || along
    };
    let mut count = 0;
    for (at, one) in drawing.links.iter().enumerate() {
        for (other_at, other) in drawing.links.iter().enumerate().skip(at + 1) {
            // One in a circle of steps goes up, and shares its upper end with those that go down.
            let ends = |link: &Link| (link.from.min(link.to), link.from.max(link.to));
            let ((upper, lower), (other_upper, other_lower)) = (ends(one), ends(other));
            if upper != other_upper && lower != other_lower {
                let found = pieces[at].iter().any(|a| pieces[other_at].iter().any(|b| on_each_other(a, b)));
                count += usize::from(found);
            }
        }
    }
    count
}

fn check_text(drawing: &Drawing) {
    for width in [20, 40, 80, 100, 400] {
        let text = drawing.text(width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
    }
    let text = drawing.text(400);
    for one in &drawing.boxes {
        let start = |line: &&str| line.split_whitespace().any(|word| word == one.id) && line.contains('●');
        assert!(text.lines().any(|line| start(&line)), "{}:\n{text}", one.id);
    }
}

fn check_svg(drawing: &Drawing) {
    let svg = drawing.svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let of_class = |class: &str| {
        document
            .descendants()
            .filter(|node| node.attribute("class").is_some_and(|all| all.contains(class)))
            .count()
    };
    let lines = drawing.links.len();
    // The key has some of both besides.
    assert!((lines..=lines + 1).contains(&of_class("line")));
    assert!((drawing.boxes.len()..=drawing.boxes.len() + 3).contains(&of_class("box")));
}

fn check_paths(plan: &Plan, drawing: &Drawing, detail: Detail) {
    let reached = reached(drawing);
    let place = |index: NodeIndex| {
        let instance = &plan.graph[index];
        let id = if detail == Detail::Steps { &instance.step } else { instance.id.as_str() };
        drawing.boxes.iter().position(|one| one.id == id).unwrap()
    };
    for edge in plan.graph.edge_indices() {
        let (from, to) = plan.graph.edge_endpoints(edge).unwrap();
        let (from, to) = (place(from), place(to));
        assert!(from == to || reached[from].contains(&to), "{from} does not lead to {to}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_instance_is_drawn_once(plan in any_plan()) {
        let drawing = Drawing::of(&plan, Detail::Instances);
        let mut drawn: Vec<&str> = drawing.boxes.iter().map(|one| one.id.as_str()).collect();
        let mut planned: Vec<&str> = plan.graph.node_weights().map(|one| one.id.as_str()).collect();
        drawn.sort_unstable();
        planned.sort_unstable();
        prop_assert_eq!(drawn, planned);
        // What comes first stands first.
        prop_assert!(drawing.links.iter().all(|link| link.from < link.to));
    }

    #[test]
    fn every_edge_is_a_line_or_implied_by_lines(plan in any_plan()) {
        for detail in BOTH {
            check_paths(&plan, &Drawing::of(&plan, detail), detail);
        }
    }

    #[test]
    fn boxes_do_not_overlap_and_no_line_runs_through_one(plan in any_plan()) {
        for detail in BOTH {
            let drawing = Drawing::of(&plan, detail);
            check_layout(&drawing, Way::Down);
            check_layout(&drawing, Way::Right);
        }
    }

    #[test]
    fn lines_of_different_boxes_do_not_lie_on_each_other(plan in any_plan()) {
        for detail in BOTH {
            prop_assert_eq!(overlaps(&Drawing::of(&plan, detail)), 0);
        }
    }

    #[test]
    fn the_text_fits_its_width_and_the_svg_is_xml(plan in any_plan()) {
        for detail in BOTH {
            let drawing = Drawing::of(&plan, detail);
            check_text(&drawing);
            check_svg(&drawing);
        }
    }
}

#[test]
fn a_thousand_instances_are_drawn_like_ten() {
    let plan = delivery(60, 7);
    assert_eq!(plan.graph.node_count(), 1023);
    let drawing = Drawing::of(&plan, Detail::Instances);
    check_svg(&drawing);
    check_text(&drawing);
    let page = drawing.page();
    // Targets that do the same look the same.
    let shape = |target: usize| -> Vec<(i32, i32)> {
        let of_target =
            || (0..drawing.boxes.len()).filter(|index| drawing.boxes[*index].group == Some(target));
        let places: Vec<_> = of_target().map(|index| page.rectangle(index)).collect();
        places.iter().map(|place| (place.0 - places[0].0, place.1 - places[0].1)).collect()
    };
    for target in 1..drawing.groups.len() {
        assert_eq!(shape(target), shape(0));
    }
    let steps = Drawing::of(&plan, Detail::Steps);
    assert_eq!(steps.boxes.len(), 8);
    check_layout(&steps, Way::Down);
}

#[test]
fn the_order_of_edges_in_the_plan_changes_nothing() {
    let plan = delivery(3, 2);
    let mut other = plan.clone();
    let edges: Vec<_> = plan.graph.edge_indices().collect();
    other.graph.clear_edges();
    for edge in edges.into_iter().rev() {
        let (from, to) = plan.graph.edge_endpoints(edge).unwrap();
        other.graph.add_edge(from, to, plan.graph[edge].clone());
    }
    for detail in BOTH {
        let (one, two) = (Drawing::of(&plan, detail), Drawing::of(&other, detail));
        assert_eq!((one.svg(), one.dot(), one.text(100)), (two.svg(), two.dot(), two.text(100)));
    }
}
