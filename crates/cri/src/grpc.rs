//! One unary gRPC call on an HTTP/2 connection: framing, trailers, and where a failure belongs.

use std::{io, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode, header::CONTENT_TYPE};
use prost::Message;

use crate::error::Code;

/// The largest answer that is read, in bytes: kubelet's own limit for CRI.
const MAX_ANSWER: usize = 16 << 20;

/// A compression flag and a big-endian length go before each message.
const PREFIX: usize = 5;

/// Why a call gave no message; the client adds the socket and the call's name.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection is gone.
    Gone(io::Error),
    /// The other end does not speak gRPC, or not these messages.
    Foreign(String),
    /// A status other than `OK`.
    Status(Code, String),
}

/// Calls `path` (`/service/Method`) and waits for the whole answer. `limit` is told to the server, so
/// that it stops too; the caller enforces it.
pub(crate) async fn unary<Q: Message, A: Message + Default>(
    sender: SendRequest<Bytes>,
    path: &'static str,
    question: &Q,
    limit: Duration,
) -> Result<A, Failure> {
    // The header takes eight digits at most: 27 hours in milliseconds, clamped.
    let limit = limit.as_millis().clamp(1, 99_999_999);
    let request = Request::post(format!("http://localhost{path}"))
        .version(http::Version::HTTP_2)
        .header(CONTENT_TYPE, "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", format!("{limit}m"))
        .header("user-agent", concat!("pipeline-cri/", env!("CARGO_PKG_VERSION")))
        .body(())
        .map_err(|error| Failure::Foreign(error.to_string()))?;

    let mut sender = sender.ready().await.map_err(classify)?;
    let (response, mut stream) = sender.send_request(request, false).map_err(classify)?;
    stream.send_data(frame(question), true).map_err(classify)?;

    let response = response.await.map_err(classify)?;
    if response.status() != StatusCode::OK {
        return Err(Failure::Foreign(format!("it answers with HTTP status {}", response.status().as_u16())));
    }
    if !is_grpc(response.headers()) {
        return Err(Failure::Foreign("it answers in HTTP/2, but not in gRPC".into()));
    }
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(classify)?;
        if bytes.len() + chunk.len() > MAX_ANSWER + PREFIX {
            return Err(Failure::Foreign(format!("its answer is longer than {MAX_ANSWER} bytes")));
        }
        // Given back at once: the window is only about bytes in flight.
        let _ = body.flow_control().release_capacity(chunk.len());
        bytes.extend_from_slice(&chunk);
    }
    let trailers = body.trailers().await.map_err(classify)?;
    // A failed call may have no body; its status then is in the only header block.
    let (code, message) = status(trailers.as_ref().unwrap_or(&head.headers))?;
    if code != Code::OK {
        return Err(Failure::Status(code, message));
    }
    unframe(bytes.freeze())
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    // A question holds one image reference, far below 4 GiB.
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    bytes.put(message.encode_to_vec().as_slice());
    bytes.freeze()
}

fn unframe<A: Message + Default>(mut bytes: Bytes) -> Result<A, Failure> {
    if bytes.len() < PREFIX {
        return Err(Failure::Foreign("it says OK, but its answer is cut short".into()));
    }
    if bytes.get_u8() != 0 {
        return Err(Failure::Foreign("it compresses its answers without being asked to".into()));
    }
    if usize::try_from(bytes.get_u32()).ok() != Some(bytes.len()) {
        return Err(Failure::Foreign("it says OK, but its answer is not one whole message".into()));
    }
    A::decode(bytes).map_err(|error| Failure::Foreign(format!("its answer is not CRI v1: {error}")))
}

/// Reads `grpc-status` and `grpc-message`.
fn status(headers: &HeaderMap) -> Result<(Code, String), Failure> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(code) = text("grpc-status") else {
        return Err(Failure::Foreign("its answer ends without a gRPC status".into()));
    };
    let code = code.parse().map_or(Code::UNKNOWN, Code);
    Ok((code, text("grpc-message").map(|message| percent_decode(&message)).unwrap_or_default()))
}

/// gRPC writes all but printable ASCII in messages as `%xx`; what is not well-formed stays as it is.
fn percent_decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Tells a lost connection from an end that speaks something else.
pub(crate) fn classify(error: h2::Error) -> Failure {
    let text = error.to_string();
    if error.is_io() {
        let why = error.into_io().unwrap_or_else(|| io::Error::other(text));
        return Failure::Gone(match why.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                io::Error::new(why.kind(), "it closed the connection without an answer")
            }
            _ => why,
        });
    }
    match error.reason() {
        // What a polite server says when it stops: the call may be made again elsewhere or later.
        Some(h2::Reason::NO_ERROR | h2::Reason::CANCEL | h2::Reason::REFUSED_STREAM) => {
            Failure::Gone(io::Error::new(io::ErrorKind::ConnectionAborted, text))
        }
        _ => Failure::Foreign(format!("it does not speak HTTP/2 ({text})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::VersionResponse;

    fn foreign(result: Result<VersionResponse, Failure>) -> String {
        match result {
            Err(Failure::Foreign(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_framed_message_reads_back() {
        let message = VersionResponse { runtime_name: "x".into(), ..Default::default() };
        let bytes = frame(&message);
        assert_eq!(&bytes[..], [0, 0, 0, 0, 3, 0x12, 1, b'x']);
        assert_eq!(unframe::<VersionResponse>(bytes).unwrap(), message);
    }

    #[test]
    fn malformed_answers_are_told_apart() {
        let read = |bytes: &'static [u8]| foreign(unframe(Bytes::from_static(bytes)));
        assert!(read(&[]).contains("cut short"));
        assert!(read(&[1, 0, 0, 0, 0]).contains("compresses"));
        assert!(read(&[0, 0, 0, 0, 9, 1]).contains("one whole message"));
        assert!(read(&[0, 0, 0, 0, 2, 0x12, 9]).contains("not CRI v1"));
        assert!(read(&[0, 0, 0, 0, 3, 0x12, 1, 0xff]).contains("not CRI v1"));
    }

    #[test]
    fn messages_are_percent_decoded() {
        assert_eq!(percent_decode("a%20b%c3%a9"), "a b\u{e9}");
        assert_eq!(percent_decode("100% %zz %2"), "100% %zz %2");
    }
}
