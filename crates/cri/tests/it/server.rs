//! A gRPC server in this process that answers in all the ways the protocol allows, and some it does not.

use std::{path::PathBuf, thread, time::Duration};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use pipeline_cri::{Client, Code, Error};
use tokio::net::UnixListener;

/// `VersionResponse { runtime_name: "fake" }`, framed.
const VERSION: &[u8] = b"\0\0\0\0\x06\x12\x04fake";

type Reply = fn(&str, SendResponse<Bytes>);

/// Serves each call with `reply`, which is given the path; ends with the process.
fn serve(reply: Reply) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("fake.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = UnixListener::from_std(listener).unwrap();
            while let Ok((peer, _)) = listener.accept().await {
                let mut connection = h2::server::handshake(peer).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    check(&request);
                    reply(request.uri().path(), respond);
                }
            }
        });
    });
    (dir, socket)
}

fn check(request: &Request<h2::RecvStream>) {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("content-type"), Some("application/grpc"));
    assert_eq!(header("te"), Some("trailers"));
    assert_eq!(header("grpc-timeout"), Some("2000m"));
}

fn connect(reply: Reply) -> (tempfile::TempDir, Result<Client, Error>) {
    let (dir, socket) = serve(reply);
    let client = Client::connect(&socket, Duration::from_secs(2));
    (dir, client)
}

fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

/// A whole answer: head, the body in pieces, trailers.
fn answer(mut respond: SendResponse<Bytes>, pieces: &[&'static [u8]], status: &'static str) {
    let mut stream = respond.send_response(head(), false).unwrap();
    for piece in pieces {
        stream.send_data(Bytes::from_static(piece), false).unwrap();
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    stream.send_trailers(trailers).unwrap();
}

/// A failure in the one header block.
fn fail(mut respond: SendResponse<Bytes>, status: &str, message: &str) {
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", status)
        .header("grpc-message", message)
        .body(())
        .unwrap();
    respond.send_response(response, true).unwrap();
}

#[test]
fn an_answer_in_pieces_is_one_answer() {
    let (_dir, client) = connect(|_, respond| {
        let (first, rest) = VERSION.split_at(3);
        let (second, third) = rest.split_at(4);
        answer(respond, &[first, b"", second, third], "0");
    });
    let version = client.unwrap().version().unwrap();
    assert_eq!(version.runtime_name, "fake");
    assert_eq!(version.runtime_version, "");
}

#[test]
fn a_server_without_runtime_v1_is_told_from_a_refusal() {
    let (_dir, client) =
        connect(|_, respond| fail(respond, "12", "unknown service runtime.v1.RuntimeService"));
    let error = client.unwrap_err();
    assert!(matches!(error, Error::Unimplemented { .. }), "{error:?}");
    assert!(error.to_string().ends_with("unknown service runtime.v1.RuntimeService"), "{error}");
    assert!(error.help().contains("disabled_plugins"), "{}", error.help());
}

#[test]
fn a_status_keeps_code_and_message() {
    let (_dir, client) = connect(|path, respond| match path {
        "/runtime.v1.RuntimeService/Version" => answer(respond, &[VERSION], "0"),
        "/runtime.v1.ImageService/ImageStatus" => fail(respond, "5", "no such image"),
        _ => fail(respond, "14", "stopping%3A na%C3%AFve"),
    });
    let mut client = client.unwrap();
    assert_eq!(client.image_status("x").unwrap(), None);
    let error = client.list_images().unwrap_err();
    let Error::Status { code, message, call, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*code, message.as_str()), (Code(14), "stopping: na\u{ef}ve"));
    assert_eq!(*call, "runtime.v1.ImageService/ListImages");
    assert!(error.to_string().contains("(UNAVAILABLE, gRPC code 14)"), "{error}");
}

#[test]
fn a_deadline_noticed_by_the_server_is_a_timeout() {
    let (_dir, client) = connect(|_, respond| fail(respond, "4", "context deadline exceeded"));
    assert!(matches!(client.unwrap_err(), Error::Timeout { .. }));
}

#[test]
fn other_protocols_are_not_cri() {
    let replies: [(Reply, &str); 5] = [
        (
            |_, mut respond| {
                let page = Response::builder().header("content-type", "text/html").body(()).unwrap();
                respond.send_response(page, true).unwrap();
            },
            "not in gRPC",
        ),
        (
            |_, mut respond| {
                respond.send_response(Response::builder().status(404).body(()).unwrap(), true).unwrap();
            },
            "HTTP status 404",
        ),
        (
            |_, mut respond| {
                let mut stream = respond.send_response(head(), false).unwrap();
                stream.send_data(Bytes::from_static(VERSION), true).unwrap();
            },
            "without a gRPC status",
        ),
        (|_, respond| answer(respond, &[b"\0\0\0\0\x02\xff\xff"], "0"), "not CRI v1"),
        (|_, respond| answer(respond, &[], "0"), "cut short"),
    ];
    for (reply, why) in replies {
        let (_dir, client) = connect(reply);
        let error = client.unwrap_err();
        assert!(matches!(error, Error::NotCri { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn an_endless_answer_is_given_up() {
    let (_dir, client) = connect(|_, mut respond| {
        let mut stream = respond.send_response(head(), false).unwrap();
        tokio::spawn(async move {
            while stream.send_data(Bytes::from(vec![0; 1 << 20]), false).is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    });
    let error = client.unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn a_client_survives_as_an_error_when_the_server_goes() {
    let (_dir, client) = connect(|path, mut respond| match path {
        "/runtime.v1.RuntimeService/Version" => answer(respond, &[VERSION], "0"),
        _ => respond.send_reset(h2::Reason::REFUSED_STREAM),
    });
    let error = client.unwrap().list_images().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}
