//! One HTTP request, as much of it as a check needs: no redirects, no encodings, a bounded answer.

use std::io::{self, Read, Write};

/// More of an answer is not read.
const MOST: u64 = 1 << 20;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Asks for `path`. HTTP/1.0, so that the answer comes in one piece and ends with the connection.
pub(super) fn get(mut way: impl Read + Write, host: &str, path: &str) -> io::Result<Answer> {
    // In one piece: who answers when the first has come, and closes, would break the pipe of the second.
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: pipeline\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    way.write_all(request.as_bytes())?;
    way.flush()?;
    let mut bytes = Vec::new();
    let read = way.take(MOST).read_to_end(&mut bytes);
    // Who closes a connection at once, after all was said, is not wrong.
    if bytes.is_empty() {
        read?;
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection was closed without an answer",
        ));
    }
    parse(&bytes)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers does not speak HTTP"))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut words = head.lines().next()?.split(' ');
    let status = words.next().filter(|word| word.starts_with("HTTP/")).and_then(|_| words.next())?;
    Some(Answer { status: status.parse().ok()?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_what_is_none() {
        let answer = parse(b"HTTP/1.1 404 Not Found\r\nX: y\r\n\r\nno\r\n\r\nsuch").unwrap();
        assert_eq!(answer, Answer { status: 404, body: "no\r\n\r\nsuch".into() });
        assert_eq!(parse(b"HTTP/1.0 204 \r\n\r\n").unwrap().status, 204);
        for bad in [&b"SSH-2.0-x\r\n"[..], b"HTTP/1.1", b"HTTP/1.1 abc\r\n\r\n", b"\xff\xfe"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_request_over_a_socket() {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || {
            let mut request = [0; 512];
            let read = theirs.read(&mut request).unwrap();
            theirs.write_all(b"HTTP/1.0 200 OK\r\n\r\n{}").unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        assert_eq!(get(ours, "127.0.0.1:5000", "/v2/").unwrap(), Answer { status: 200, body: "{}".into() });
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /v2/ HTTP/1.0\r\nHost: 127.0.0.1:5000\r\n"), "{request}");
    }
}
