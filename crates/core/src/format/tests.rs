#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{FormatError, format};

#[track_caller]
fn check(before: &str, after: &str) {
    let formatted = format(before).unwrap();
    assert_eq!(formatted, after, "\n{formatted}");
    assert_eq!(format(after).unwrap(), after);
}

#[test]
fn keys_and_comments_of_a_block_stand_in_columns() {
    check(
        "\n\n  [ pipeline ]#c\nname=\"x\"\n  description = 'a # b' # what\nx.\"y z\" . w = 1   #   why  \n\n\n\n\
         a=1\n# apart\nlonger = 2 # c",
        "[pipeline] #c\nname        = \"x\"\ndescription = 'a # b' # what\nx.\"y z\".w   = 1       #   why\n\n\
         a = 1\n# apart\nlonger = 2 # c\n",
    );
}

#[test]
fn what_is_on_one_line_stays_there_while_it_fits() {
    check(
        "a = [ 1,2 , [ ], [3,],]\nbb = {x=1,  y = { } , z={ q=[ 1 ] }}\n",
        "a  = [1, 2, [], [3]]\nbb = { x = 1, y = {}, z = { q = [1] } }\n",
    );
    let item = format!("\"{}\"", "x".repeat(40));
    check(
        &format!("a = 1\nlist = [{item}, [1], {item}, {item}]\nb = 1 # c\n"),
        &format!("a = 1\nlist = [\n    {item},\n    [1],\n    {item},\n    {item},\n]\nb = 1 # c\n"),
    );
    // An inline table over several lines is read by few tools: nobody gets one who has none.
    let table = format!("t = {{ a = [{item}, {item}], b = [{item}] }}\n");
    check(&table, &table);
}

#[test]
fn lines_in_an_array_are_its_authors() {
    check(
        "argv = [\"a\",\n\n  \"--flag\",\"value\"  # one\n\n\n, \"--longer\", \"v\", # two\n# alone\n  \"z\" ]\n",
        "argv = [\n    \"a\",\n\n    \"--flag\", \"value\", # one\n\n    \"--longer\", \"v\", # two\n    # alone\n    \"z\",\n]\n",
    );
    check(
        "step = [ # all\n{ uses=\"a\" }, { uses = \"b\" }, {\n  uses=\"c\", # why\n  argv = [\n1],},\n]\n",
        "step = [ # all\n    { uses = \"a\" }, { uses = \"b\" }, {\n        uses = \"c\", # why\n        argv = [\n            1,\n        ],\n    },\n]\n",
    );
    check("a = [\n\n]\nb = [\n# c\n]\nc = [[\n1]]\n", "a = []\nb = [\n    # c\n]\nc = [[\n    1,\n]]\n");
}

#[test]
fn the_bytes_of_strings_the_line_ends_and_the_mark_stay() {
    check(
        "\u{feff}a = \"\"\"\n  x \n\ty\"\"\"   # c\r\nbb  = '''\r\n'''\r\n",
        "\u{feff}a = \"\"\"\n  x \n\ty\"\"\" # c\r\nbb = '''\r\n'''\r\n",
    );
    check("a=1\r\nbb=\"\\e\\x41\"\n", "a  = 1\r\nbb = \"\\e\\x41\"\r\n");
    check("", "");
    check(" \n\t\n", "");
    check("\u{feff}", "\u{feff}");
    check(
        "a = [nan, -inf, 1_0, 0xFF, 1979-05-27 07:32:00]",
        "a = [nan, -inf, 1_0, 0xFF, 1979-05-27 07:32:00]\n",
    );
}

#[test]
fn what_is_no_toml_is_refused() {
    let deep = format!("a = {}", "[".repeat(1_000_000));
    let closed = format!("a = {}{}", "[".repeat(5_000), "]".repeat(5_000));
    for text in ["a", "a = ", "[", "a = 1 b = 2", "a = \"\0\"", "a = 1\ra = 2", &deep, &closed] {
        assert_eq!(format(text), Err(FormatError::Syntax), "{text:.20}");
    }
}

#[test]
fn what_is_too_deep_is_refused_and_what_is_not_is_formatted() {
    let nested = |parts: usize, tables: usize| {
        let key = vec!["a"; parts].join(".");
        format!("[{key}]\n{}a = 1{}\n", format!("{key} = {{ ").repeat(tables), " }".repeat(tables))
    };
    for (parts, tables) in [(79, 1), (1, 79), (10, 20), (4, 50)] {
        let text = nested(parts, tables);
        assert_eq!(format(&text).unwrap(), text);
    }
    for text in [nested(79, 79), nested(79, 79).replace('}', ""), nested(4, 70)] {
        assert_eq!(format(&text), Err(FormatError::TooDeep));
    }
}

proptest! {
    #[test]
    fn what_can_be_read_is_formatted_once_and_for_all(parts in prop::collection::vec(prop::sample::select(vec![
        "\n", "\n", "\n", " ", "\t", "# c \n", "#\n", ",", ",", "[", "]", "{", "}", "=", "a = ", "b.c = ", "\"d\"=", "e=",
        "1", "1.5", "\"s\"", "'''\nx\n'''", "true", "[t]", "[[u]]\n", "a=[\n", "z = {", "\r\n", "x=[[\n1, 2],\n[3]]\n",
        "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
    ]), 0..24)) {
        match format(&parts.concat()) {
            Ok(_) | Err(FormatError::Syntax) => {}
            Err(error) => panic!("{error}: {:?}", parts.concat()),
        }
    }

    #[test]
    fn values_in_any_spelling_are_formatted(spaces in prop::collection::vec(prop::sample::select(vec![
        "", "", " ", "\n", "# c\n", " # d\n\n", "\t\n \n",
    ]), 16), wide in any::<bool>()) {
        let mut spaces = spaces.into_iter();
        let mut s = || spaces.next().unwrap_or_default();
        let long = if wide { "\"0123456789012345678901234567890123456789012345678901234567890123456789\"" } else { "2" };
        let text = format!(
            "k = [{}1{},{}{long}{},{}{{{}a = 1{},{}b = [{}3, {long}{}]{}}}{},{}[{}]{}]{}\nlast = 1 # e",
            s(), s(), s(), s(), s(), s(), s(), s(), s(), s(), s(), s(), s(), s(), s(), s(),
        );
        prop_assert!(format(&text).is_ok(), "{:?}: {:?}", format(&text), text);
    }
}
