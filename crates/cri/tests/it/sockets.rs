//! Sockets behind which nobody speaks HTTP/2: an error that says so, in time, and no panic.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixListener,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use pipeline_cri::{Client, Error};

const LIMIT: Duration = Duration::from_millis(300);

fn refused(socket: &Path) -> Error {
    let started = Instant::now();
    let error = Client::connect(socket, LIMIT).expect_err("nobody speaks CRI here");
    assert!(started.elapsed() < LIMIT + Duration::from_secs(2), "{:?}", started.elapsed());
    let shown = error.to_string();
    assert!(shown.contains(&socket.display().to_string()), "{shown}");
    assert!(!error.help().is_empty());
    error
}

#[test]
fn a_missing_socket_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let error = refused(&dir.path().join("none.sock"));
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.help().contains("/run/containerd/containerd.sock"), "{}", error.help());
}

#[test]
fn a_socket_whose_server_is_gone_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stale.sock");
    drop(UnixListener::bind(&path).unwrap());
    let error = refused(&path);
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.help().contains("gone"), "{}", error.help());
}

#[test]
fn a_plain_file_is_unreachable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(refused(file.path()), Error::Unreachable { .. }));
}

#[test]
fn a_path_too_long_for_a_socket_is_unreachable() {
    assert!(matches!(refused(Path::new(&format!("/{}", "x".repeat(200)))), Error::Unreachable { .. }));
}

#[test]
fn a_silent_socket_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("silent.sock");
    // Never accepted, only queued: for the client the same as accepted and ignored.
    let _listener = UnixListener::bind(&path).unwrap();
    let error = refused(&path);
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(error.to_string().contains("runtime.v1.RuntimeService/Version` within 300ms"), "{error}");
}

#[test]
fn a_socket_that_accepts_and_says_nothing_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mute.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        // Until the client hangs up.
        let _ = peer.read_to_end(&mut heard);
        heard
    });
    assert!(matches!(refused(&path), Error::Timeout { .. }));
    assert!(server.join().unwrap().starts_with(b"PRI * HTTP/2.0"));
}

#[test]
fn a_socket_that_closes_at_once_is_unreachable() {
    // Whether the close comes before, amid or after the client's first write is a race: try some.
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("closing.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || drop(listener.accept().unwrap()));
        let error = refused(&path);
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("closed the connection"), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn a_server_of_http_1_is_not_cri() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("http1.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request").unwrap();
        let _ = peer.read_to_end(&mut Vec::new());
    });
    let error = refused(&path);
    assert!(matches!(error, Error::NotCri { .. }), "{error:?}");
    server.join().unwrap();
}
