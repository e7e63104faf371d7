//! Generated Dockerfiles: exactly the operands change.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{from, replace, stage};
use crate::dockerfile::{bases, rewrite};

/// A piece of a Dockerfile: text that stays, or the image of a stage that has no other.
#[derive(Debug, Clone)]
enum Piece {
    Text(&'static str),
    Image(&'static str),
}
use Piece::{Image, Text};

const SAME: &[&str] =
    &["alpine:3.4", "\"alpine:3.4\"", "al\\\npine:3.4", "$BASE", "${BASE}", "${NO:-alpine:3.4}"];

const STAYS: &[&str] = &[
    "RUN echo FROM alpine:3.4\n",
    "# FROM alpine:3.4\n",
    "\n",
    "   \t\n",
    "RUN a \\\n# FROM alpine:3.4\n\n  FROM b\n",
    "RUN <<EOF cat\nFROM alpine:3.4\nEOF\n",
    "COPY <<'X' <<-\"Y\" /\nFROM a\nX\n\tY\n",
    "COPY --from=busybox --chown=1:1 a b\r\n",
    "COPY --from=0 a b\n",
    "RUN --mount=type=cache,from=busybox,target=/a --network=none x\n",
    "ARG BASE=other\n",
    "ENV A=FROM B=\"x \\\n y\"\n",
    "CMD [\"FROM\", \"alpine:3.4\"]\n",
    "ONBUILD ADD a b\n",
    "HEALTHCHECK NONE\r\n",
    "LABEL été=\"✓\"\n",
    "from scratch\n",
    "FROM --platform=linux/arm64 scratch As unused\n",
];

fn stage_pieces() -> impl Strategy<Value = Vec<Piece>> {
    let open = select(vec!["FROM ", "from\t ", "  FROM \\\n  ", "From \\\n# FROM x\n\n "]);
    let close = select(vec!["\n", " \n", "\r\n", " AS\tnamed\n", " \\\n as \\\n x.y-z_1 \r\n"]);
    (open, select(SAME), close, vec(select(STAYS), 0..6)).prop_map(|(open, image, close, rest)| {
        let mut pieces = vec![Text(open), Image(image), Text(close)];
        pieces.extend(rest.into_iter().map(Text));
        pieces
    })
}

fn dockerfile() -> impl Strategy<Value = Vec<Piece>> {
    let start =
        select(vec!["", "\u{feff}", "# syntax=docker/dockerfile:1\n", "\u{feff}#escape=\\\r\n", "#\n\n"]);
    let end = select(vec!["", "RUN last", "# last", "RUN last \\\n", "\n\n"]);
    (start, vec(stage_pieces(), 1..5), end).prop_map(|(start, stages, end)| {
        let arg = Text("ARG BASE=alpine:3.4\n");
        [vec![Text(start), arg], stages.concat(), vec![Text(end)]].concat()
    })
}

fn text(pieces: &[Piece], new: Option<&str>) -> String {
    let piece = |piece: &Piece| match (piece, new) {
        (Text(text), _) | (Image(text), None) => (*text).to_owned(),
        (Image(_), Some(new)) => new.to_owned(),
    };
    pieces.iter().map(piece).collect()
}

proptest! {
    #[test]
    fn exactly_the_images_change(pieces in dockerfile(), new in "[a-z]{1,3}/[a-z0-9]{1,8}:1[0-9.]{0,2}") {
        let original = text(&pieces, None);
        let expected = text(&pieces, Some(&new));
        let once = rewrite(original.as_bytes(), &from(&new)).unwrap();
        prop_assert_eq!(std::str::from_utf8(&once.bytes).unwrap(), &expected);
        let images = pieces.iter().filter(|piece| matches!(piece, Image(_))).count();
        prop_assert_eq!(once.changes.len(), images);
        prop_assert_eq!(rewrite(&once.bytes, &from(&new)).unwrap().bytes, once.bytes.as_slice());
        let replaced = rewrite(original.as_bytes(), &replace(&[("alpine:3.4", &new)])).unwrap();
        prop_assert_eq!(std::str::from_utf8(&replaced.bytes).unwrap(), &expected);
        // A line that is shown as removed or added is one of the file.
        for line in once.diff().lines() {
            let (sign, rest) = line.split_at(1);
            let file = if sign == "-" { &original } else { &expected };
            prop_assert!(sign == "@" || file.contains(rest));
        }
    }

    #[test]
    fn an_image_in_its_own_place_changes_nothing(pieces in dockerfile()) {
        let original = text(&pieces, None);
        let found = bases(original.as_bytes()).unwrap();
        for base in found.iter().filter(|base| base.external && !base.image.contains('$')) {
            let image = base.expanded.as_deref().unwrap();
            let rewritten = rewrite(original.as_bytes(), &replace(&[(image, image)])).unwrap();
            let others = rewritten.changes.iter().any(|change| !change.from.contains('$'));
            prop_assert!(!others, "{:?}", rewritten.changes);
        }
        let plain: Vec<_> = pieces.iter().map(|piece| if matches!(piece, Image(_)) { Image("alpine:3.4") } else { piece.clone() }).collect();
        let plain = text(&plain, None);
        let rewritten = rewrite(plain.as_bytes(), &from("alpine:3.4")).unwrap();
        prop_assert_eq!(std::str::from_utf8(&rewritten.bytes).unwrap(), &plain);
        prop_assert!(rewritten.changes.is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in vec(prop_oneof![
            4 => select(STAYS).prop_map(|text| text.as_bytes().to_vec()),
            4 => select(SAME).prop_map(|text| text.as_bytes().to_vec()),
            4 => select(vec!["FROM ", "COPY --from=", "RUN --mount=", "ARG X=", "\\\n", "\r", "\"", "'", "${", "}", ",from=", "<<", "`", "\u{feff}"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..8),
        ], 0..12).prop_map(|parts| parts.concat()),
    ) {
        let _ = bases(&bytes);
        for rules in [from("x:1"), stage("0", "x:1"), replace(&[("alpine:3.4", "x:1")])] {
            if let Ok(rewritten) = rewrite(&bytes, &rules) {
                let kept = rewritten.bytes.len() + rewritten.changes.iter().map(|change| change.from.len()).sum::<usize>();
                prop_assert!(kept <= bytes.len() + rewritten.changes.iter().map(|change| change.to.len()).sum::<usize>());
                if !matches!(rules, crate::dockerfile::Rules::Replace(_)) {
                    prop_assert_eq!(&rewrite(&rewritten.bytes, &rules).unwrap().bytes, &rewritten.bytes);
                }
            }
        }
    }
}
