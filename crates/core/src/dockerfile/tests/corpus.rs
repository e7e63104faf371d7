//! Dockerfiles that naive editing gets wrong. `«old»` marks what must be replaced by `new/base:1`; all else stays.

use super::{from, replace, rewritten, stage};
use crate::dockerfile::{BaseKind, Rules, bases, rewrite};

const NEW: &str = "new/base:1";

/// Rewrites the text without its marks, and expects the new image in place of each mark.
#[track_caller]
fn check(marked: &str, rules: &Rules) {
    let plain = marked.replace(['«', '»'], "");
    let mut expected = String::new();
    for (index, part) in marked.split('«').enumerate() {
        expected.push_str(if index == 0 { "" } else { NEW });
        expected.push_str(part.split_once('»').map_or(part, |(_, rest)| rest));
    }
    let once = rewritten(&plain, rules);
    assert_eq!(once, expected);
    if !matches!(rules, Rules::Replace(_)) {
        assert_eq!(rewritten(&once, rules), once, "again");
    }
}

#[test]
fn one_base_is_found_in_every_spelling() {
    for marked in [
        "FROM «alpine:3.4»",
        "FROM «alpine:3.4»\n",
        "from «alpine:3.4» as Build\nRUN x\n",
        "FROM \t «alpine:3.4»\t \n",
        "# FROM debian\n\n  FROM «alpine:3.4»\n#FROM debian",
        "FROM «alpine:3.4»\r\nRUN echo a\\\r\n  b\r\nCMD [\"x\"]\r\n",
        "\u{feff}FROM «alpine:3.4»\nRUN x\n",
        "\u{feff}# syntax=docker/dockerfile:1\r\nFROM «alpine:3.4»\r\n",
        "# syntax=docker/dockerfile:1\n# escape=`\nFROM `\n  «alpine:3.4»\nRUN dir C:\\\nRUN FROM x\n",
        "# escape=`\nFROM «al`\npine:3.4»\nCOPY a `\n b\n",
        "FROM \\\n# a comment between\n\n   «alpine:3.4» \\\n  AS x\n",
        "FROM «alp\\\nine:3.4» AS x\n",
        "FR\\\nOM «alpine:3.4»\n",
        "FROM «\"alpine:3.4\"»\n",
        "FROM --platform=linux/arm64 «alpine:3.4» AS x\n",
        "FROM --platform=$BUILDPLATFORM \\\n    «alpine:3.4»\n",
        "ARG BASE=alpine:3.4\nFROM «${BASE}»\nRUN echo ${BASE}\n",
        "ARG V=3.4\nARG BASE=alpine:$V\nFROM «$BASE» AS a\nFROM «alpine:${V}» AS b\n",
        "ARG BASE\nFROM «${BASE:-alpine:3.4}»\nENV FROM=x\n",
        "ARG BASE\nFROM «$BASE»\n",
        "FROM «alpine:3.4»\nRUN <<EOF\nFROM debian\nEOF\nCOPY <<-'A' <<C /\nFROM x\n\tA\nFROM y\nC\nRUN true\n",
        "FROM «alpine:3.4»\nRUN echo 'FROM debian' && \\\n# FROM debian\nFROM=1 x\nLABEL a=\"FROM b\"\n",
        "FROM «alpine:3.4»\nONBUILD COPY --from=alpine:3.4 a b\nONBUILD RUN FROM debian\n",
        "FROM «alpine:3.4» AS build\nFROM scratch\nCOPY --from=build /a /a\n",
        "FROM «alpine:3.4» AS build\nRUN a\nFROM build AS test\nRUN b\nFROM Build\nCOPY --from=0 /a /a\n",
        "FROM «alpine:3.4» AS a\nFROM «alpine:3.4» AS b\nFROM \"alpine:3.4\" AS c\n"
            .replace("\"alpine:3.4\"", "«\"alpine:3.4\"»")
            .as_str(),
        "FROM «alpine» AS alpine\nFROM alpine\n",
        "FROM «later»\nFROM scratch AS later\n",
        "FROM «alpine:3.4» AS build-amd64\nFROM scratch AS build-arm64\nFROM build-$TARGETARCH\n",
        "FROM «alpine:3.4»\nCOPY --from=busybox /bin/sh /\nRUN --mount=type=bind,from=debian,target=/x true\n",
        "FROM «alpine:3.4@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855»\n",
        "ARG A=x\nARG B\nFROM «localhost:5000/${A}/y»\nARG BASE=z\n",
        "FROM «alpine:3.4»\nHEALTHCHECK --interval=1s CMD FROM x\nSHELL [\"FROM\", \"x\"]\nUSER from\n",
        "FROM «alpine:3.4»\nENTRYPOINT []\ncmd [ ]  \r\nRUN [ -e x ]\n",
        "FROM «alpine:3.4» AS été\nRUN ü\n",
    ] {
        check(marked, &from(NEW));
    }
}

#[test]
fn a_named_stage_is_rewritten_alone() {
    let text = "FROM golang:1 AS build\nFROM «alpine:3.4» AS Final\nFROM golang:1 AS other\n";
    check(text, &stage("final", NEW));
    check(text, &stage("1", NEW));
    check("FROM golang:1\nFROM «scratch» AS out\n", &stage("out", NEW));
    check("FROM a AS x\nFROM «b» AS 1\n", &stage("1", NEW));
}

#[test]
fn all_bases_are_rewritten() {
    let text = "ARG A=golang:1\nFROM --platform=$BUILDPLATFORM «$A» AS a\nFROM «alpine»\nFROM a\nFROM scratch\nCOPY --from=busybox b c\n\
                FROM «x-$TARGETARCH»\nFROM «alpine» AS last";
    check(text, &Rules::All(NEW.into()));
    assert!(rewrite(b"FROM scratch\n", &Rules::All(NEW.into())).is_err());
}

/// An edit that joined the lines would be right for the build, and is more than was asked for.
#[test]
fn what_continues_a_line_behind_the_image_stays() {
    check("FROM «alpine»\\\n AS x\n", &from(NEW));
    check("FROM «alpine»\\\n", &from(NEW));
    check("# escape=`\nFROM «alpine»`\r\n  AS x\n", &from(NEW));
}

/// A shell's here-documents are anywhere in the line, and there may be several.
#[test]
fn here_documents_are_no_instructions() {
    for document in [
        "RUN cat <<EOF >/etc/x && \\\n  true\nFROM debian\nEOF\n",
        "RUN a <<-\"A\" <<B\n\tA\nFROM debian\nB\n",
        "RUN --mount=type=cache,target=/x sh -c 'x' 3<<EOF\nFROM debian\nEOF\n",
        "COPY --chown=1 <<a.conf <<b.conf /etc/\nFROM x\na.conf\nFROM y\nb.conf\n",
        "ONBUILD RUN <<EOF\nFROM debian\nEOF\n",
        "RUN echo it\\'s \"<<A\" '<<B' $((1<<2)) a<<C\nRUN [\"cat\", \"<<EOF\"]\n",
    ] {
        check(&format!("FROM «alpine»\n{document}USER x\n"), &from(NEW));
    }
}

#[test]
fn named_images_are_rewritten_everywhere() {
    let map = replace(&[("alpine:3.4", NEW), ("busybox", NEW), ("docker:cli", NEW)]);
    check(
        "FROM «alpine:3.4» AS a\nFROM golang\nCOPY --chown=1 --from=«busybox» a b\nCOPY --from=a x y\nFROM «alpine:3.4»\n\
         RUN --mount=type=bind,from=«docker:cli»,target=/x --mount=\"type=cache\" true\nRUN echo from=busybox\n",
        &map,
    );
    check("ARG V=3.4\nFROM «alpine:$V»\n", &replace(&[("alpine:3.4", NEW)]));
    check("ARG V=3.4\nFROM «alpine:$V»\n", &replace(&[("alpine:$V", NEW)]));
    check(
        "FROM x\nRUN --mount=from=«y» --mount=\"from=«y»\",FROM=«y» z\n"
            .replacen("FROM=«y»", "a=b", 1)
            .as_str(),
        &replace(&[("y", NEW)]),
    );
    check("FROM x\nCOPY --from=«bu\\\nsy» a b\n", &replace(&[("busy", NEW)]));
    check(
        "FROM x\nRUN --mount=type=bind,\\\nfrom=«y» --mount=target=/z,from=\\\n# no\n\n«y» z\n",
        &replace(&[("y", NEW)]),
    );
    check("FROM x\nCOPY --from='«y»' a b\nRUN --mount=\"target=/a b,from=«y»\" z\n", &replace(&[("y", NEW)]));
    // Simultaneously: what is written is not looked up again.
    assert_eq!(rewritten("FROM a\nFROM b\n", &replace(&[("a", "b"), ("b", "c")])), "FROM b\nFROM c\n");
}

#[test]
fn bytes_that_are_no_text_stay() {
    let text = b"# caf\xe9\nFROM a\nRUN \xff\xfe\n";
    let new = rewrite(text, &from(NEW)).unwrap();
    assert_eq!(new.bytes, b"# caf\xe9\nFROM new/base:1\nRUN \xff\xfe\n");
    assert_eq!(new.diff(), "@@ -2 +2 @@\n-FROM a\n+FROM new/base:1\n");
}

#[test]
fn what_is_there_already_is_not_touched() {
    for text in [
        "FROM new/base:1",
        "FROM \"new/base:1\"\n",
        "FROM new/\\\nbase:1 AS x\n",
        "FROM new/base:1 AS a\nFROM a\n",
    ] {
        assert_eq!(rewritten(text, &from(NEW)), text);
        assert!(rewrite(text.as_bytes(), &from(NEW)).unwrap().diff().is_empty());
    }
    // But a variable is no promise.
    assert_eq!(rewritten("ARG B=new/base:1\nFROM $B\n", &from(NEW)), "ARG B=new/base:1\nFROM new/base:1\n");
}

#[test]
fn bases_are_listed_with_their_places() {
    let text = "\u{feff}ARG V=3.4\n\nFROM --platform=$P alpine:$V AS a\nFROM a AS b\nFROM scratch\nFROM $X\nCOPY --from=img \\\n a b\n\
                RUN --mount=type=bind,\\\nfrom=img2 c\nCOPY --from=a x y\nCOPY --from=3 x y\n";
    let listed: Vec<_> = bases(text.as_bytes())
        .unwrap()
        .into_iter()
        .map(|base| (base.stage, base.line, base.kind, base.image, base.expanded, base.external))
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        listed,
        [
            (0, 3, BaseKind::From, "alpine:$V".into(), some("alpine:3.4"), true),
            (1, 4, BaseKind::From, "a".into(), some("a"), false),
            (2, 5, BaseKind::From, "scratch".into(), some("scratch"), false),
            (3, 6, BaseKind::From, "$X".into(), None, true),
            (3, 7, BaseKind::CopyFrom, "img".into(), some("img"), true),
            (3, 10, BaseKind::MountFrom, "img2".into(), some("img2"), true),
        ]
    );
    let first = bases(text.as_bytes()).unwrap().remove(0);
    assert_eq!((first.name.as_deref(), first.platform.as_deref()), (Some("a"), Some("$P")));
}

#[test]
fn the_diff_shows_changed_lines_only() {
    let text = "FROM a AS x\nRUN 1\nRUN 2\nFROM \\\n  a \\\n  AS y\r\nCOPY --from=b --from=b c d\nFROM al\\\npine AS z";
    let diff = rewrite(
        text.as_bytes(),
        &replace(&[("a", "A/a".to_lowercase().as_str()), ("b", "bb"), ("alpine", "c")]),
    )
    .unwrap();
    assert_eq!(
        diff.diff(),
        "@@ -1 +1 @@\n-FROM a AS x\n+FROM a/a AS x\n@@ -5 +5 @@\n-  a \\\n+  a/a \\\n\
         @@ -7 +7 @@\n-COPY --from=b --from=b c d\n+COPY --from=bb --from=bb c d\n\
         @@ -8,2 +8 @@\n-FROM al\\\n-pine AS z\n+FROM c AS z\n"
    );
}

/// What reads a line more than once, or all that came before it, would take minutes.
#[test]
fn time_grows_with_the_size_alone() {
    for filler in [
        "RUN echo FROM alpine\n",
        "#\n",
        "\\\n",
        "RUN <<E\nFROM x\nE\n",
        "\"",
        "RUN a <<E b\nE\n",
        "COPY --from=0 --x a b\n",
        "${",
        "<<",
    ] {
        let text = format!("FROM alpine AS a\nRUN {}\nFROM a\n", filler.repeat(1_000_000 / filler.len()));
        let began = std::time::Instant::now();
        let _ = rewrite(text.as_bytes(), &from(NEW));
        assert!(began.elapsed().as_secs() < 10, "{filler:?} took {:?}", began.elapsed());
    }
}

#[test]
fn what_a_build_is_given_decides_what_is_an_image() {
    use crate::dockerfile::{BuildArgs, bases_given, rewrite_given};
    let text =
        b"ARG ON=build\nFROM debian:12 AS build\nFROM ${ON}\nFROM --platform=$BUILDPLATFORM golang:1\n";
    let given = [("ON".to_owned(), "alpine:3.20".to_owned())].into();
    let automatic = [("BUILDPLATFORM".to_owned(), "linux/amd64".to_owned())].into();
    let args = BuildArgs { given, automatic };
    let found = bases_given(text, &args).unwrap();
    let images: Vec<_> =
        found.iter().filter(|base| base.external).filter_map(|base| base.expanded.as_deref()).collect();
    assert_eq!(images, ["debian:12", "alpine:3.20", "golang:1"]);
    assert_eq!(found[2].expanded_platform.as_deref(), Some("linux/amd64"));
    let rules = Rules::Replace([("${ON}".to_owned(), "alpine:3.21".to_owned())].into());
    let rewritten = rewrite_given(text, &rules, &args).unwrap();
    assert!(String::from_utf8(rewritten.bytes).unwrap().contains("\nFROM alpine:3.21\n"));
    // Without it, the stage of that name is meant.
    assert!(rewrite(text, &rules).is_err());
}
