//! What each format writes.

use super::kit::{Made, delivery};
use crate::graph::{Detail, Drawing, Mermaid};
use crate::plan::{Artifact, Edge, Plan};

fn formats(plan: &Plan, detail: Detail) -> [String; 4] {
    let drawing = Drawing::of(plan, detail);
    [drawing.text(100), drawing.dot(), drawing.mermaid().text, drawing.svg()]
}

#[test]
fn steps_of_several_targets() {
    let [text, dot, mermaid, svg] = formats(&delivery(2, 3), Detail::Steps);
    insta::assert_snapshot!("steps_text", text);
    insta::assert_snapshot!("steps_dot", dot);
    insta::assert_snapshot!("steps_mermaid", mermaid);
    insta::assert_snapshot!("steps_svg", svg);
}

#[test]
fn instances_of_two_targets() {
    let [text, dot, mermaid, svg] = formats(&delivery(2, 1), Detail::Instances);
    insta::assert_snapshot!("instances_text", text);
    insta::assert_snapshot!("instances_dot", dot);
    insta::assert_snapshot!("instances_mermaid", mermaid);
    insta::assert_snapshot!("instances_svg", svg);
}

#[test]
fn what_many_instances_wait_for_is_said_once() {
    let text = Drawing::of(&delivery(4, 2), Detail::Instances).text(100);
    assert!(text.contains("\n●          report           run           after load × 8\n"), "{text}");
}

#[test]
fn names_are_quoted_for_each_format() {
    let mut made = Made::new();
    let evil = "a\"b\\n<c>&]--;`#\u{1b}\u{202e}\nd";
    let first = made.add(evil, "run", Some(evil), None);
    let second = made.add("end", "run", Some(evil), None);
    made.link(first, second, Edge::Output(evil.into()));
    for detail in [Detail::Steps, Detail::Instances] {
        let [text, dot, mermaid, svg] = formats(&made.0, detail);
        for all in [&text, &dot, &mermaid, &svg] {
            assert!(!all.contains(['\u{1b}', '\u{202e}']), "{all}");
        }
        assert!(text.lines().all(|line| !line.starts_with('d')), "{text}");
        assert!(dot.contains(r#""a\"b\\n<c>&]--;`#��"#), "{dot}");
        assert!(mermaid.contains("a#34;b#92;n#60;c#62;#38;#93;--#59;#96;#35;"), "{mermaid}");
        assert!(svg.contains("a&quot;b\\n&lt;c&gt;&amp;]--;`#��"), "{svg}");
        roxmltree::Document::parse(&svg).unwrap();
    }
}

#[test]
fn a_longer_path_stands_for_what_moves_nothing() {
    let mut made = Made::new();
    let ids = ["a", "b", "c"].map(|step| made.add(step, "run", None, None));
    made.link(ids[0], ids[1], Edge::Needs);
    made.link(ids[1], ids[2], Edge::Gate);
    made.link(ids[0], ids[2], Edge::Needs);
    let drawn = |plan: &Plan| Drawing::of(plan, Detail::Steps).links.len();
    assert_eq!(drawn(&made.0), 2);
    // The box still says it.
    assert!(Drawing::of(&made.0, Detail::Steps).svg().contains("a: needs it\nb: waits for this check"));
    let edge = made.0.graph.find_edge(ids[0], ids[2]).unwrap();
    made.0.graph[edge] = Edge::Artifact(Artifact::Image);
    assert_eq!(drawn(&made.0), 3);
}

#[test]
fn steps_may_go_in_a_circle_where_instances_do_not() {
    let mut made = Made::new();
    let [x, y] = ["x", "y"].map(|target| ["a", "b"].map(|step| made.add(step, "run", Some(target), None)));
    made.link(x[0], x[1], Edge::Artifact(Artifact::Image));
    made.link(y[1], y[0], Edge::Needs);
    let [text, dot, mermaid, svg] = formats(&made.0, Detail::Steps);
    assert!(
        text.contains("●  a  run  × 2: 2 targets  after b\n●  b  run  × 2: 2 targets  Image of a\n"),
        "{text}"
    );
    assert!(dot.contains("\"a\" -> \"b\"") && dot.contains("\"b\" -> \"a\""), "{dot}");
    assert!(
        mermaid.contains("n0 -->|\"Image\"| n1") && mermaid.contains("n1 -->|\"needs\"| n0"),
        "{mermaid}"
    );
    assert!(svg.contains("b → a: needs it"), "{svg}");
}

#[test]
fn nothing_is_a_graph_too() {
    let [text, _, _, svg] = formats(&Made::new().0, Detail::Instances);
    assert_eq!(text, "made: 0 steps\n\n");
    roxmltree::Document::parse(&svg).unwrap();
}

#[test]
fn large_charts_say_so() {
    let fits = |targets| {
        let chart: Mermaid = Drawing::of(&delivery(targets, 7), Detail::Instances).mermaid();
        chart.fits_viewers()
    };
    assert!(fits(1) && !fits(60));
}
