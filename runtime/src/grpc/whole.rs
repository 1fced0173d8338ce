//! Calls of one message and one answer, framed here: one byte that says whether it is compressed, four of length, the
//! message (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). They are what is called a hundred thousand
//! times a second, and each layer of a library that is ready for streams moves and allocates what one message in one
//! frame does not need. Streams are tonic's (`framing`).
//!
//! Nothing that we serve is compressed: who sends that is told UNIMPLEMENTED, as whoever did not ask first is.
//!
//! Invariant: an answer is its data and then its trailers, or trailers alone.

use super::arriving::Arriving;
use super::call::Call;
use crate::limits::{GRPC_ANSWER_BYTES_MAX, GRPC_MESSAGE_BYTES_MAX};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use prost::Message;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Status;
use tonic::codegen::http::{HeaderMap, HeaderValue, Response, header};

/// Before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const OK: HeaderValue = HeaderValue::from_static("0");

/// What leaves. The call ends when it has been taken, or its caller has gone.
pub(super) struct Leaving {
    body: What,
    _call: Arc<Call>,
}

enum What {
    /// A message, and then that all is well.
    Message(Bytes),
    /// That all is well.
    Trailers,
    /// Nothing any more.
    Nothing,
    /// What a library has framed.
    Framed(tonic::body::Body),
}

/// The message of a call that has one.
pub(super) async fn message(mut arriving: Arriving) -> Result<Bytes, Status> {
    let mut whole = Bytes::new();
    while let Some(frame) = arriving.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        whole = if whole.is_empty() { data } else { joined(whole, &data) };
        let Some(length) = length(&whole)? else { continue };
        if whole.len() > PREFIX_BYTES + length {
            return Err(Status::invalid_argument("more than the one message of this call"));
        }
    }
    match length(&whole)? {
        Some(length) if whole.len() == PREFIX_BYTES + length => {
            whole.advance(PREFIX_BYTES);
            Ok(whole)
        }
        _ => Err(Status::invalid_argument("the call ended before its message did")),
    }
}

/// More of a message. What comes in pieces is large, or from somebody who has much time.
fn joined(whole: Bytes, more: &[u8]) -> Bytes {
    let mut whole = whole.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    whole.extend_from_slice(more);
    whole.freeze()
}

/// The length of a message, once its prefix is there.
fn length(whole: &[u8]) -> Result<Option<usize>, Status> {
    let Some(prefix) = whole.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let [flag, length @ ..] = *prefix;
    match flag {
        0 => {}
        1 => return Err(Status::unimplemented("compressed messages are not understood here")),
        _ => return Err(Status::internal("neither a compressed message nor a plain one")),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > GRPC_MESSAGE_BYTES_MAX {
        let words = format!("a message of {length} bytes; at most {GRPC_MESSAGE_BYTES_MAX} are taken");
        return Err(Status::out_of_range(words));
    }
    Ok(Some(length))
}

/// An answer, or why there is none.
pub(super) fn answer(answer: Result<impl Message, Status>, call: Arc<Call>) -> Response<Leaving> {
    match answer.and_then(|answer| framed(&answer)) {
        Ok(message) => {
            let mut response = Response::new(Leaving { body: What::Message(message), _call: call });
            response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
            response
        }
        Err(status) => leaving(status.into_http(), call),
    }
}

/// What a library has framed.
pub(super) fn leaving(response: Response<tonic::body::Body>, call: Arc<Call>) -> Response<Leaving> {
    response.map(|body| Leaving { body: What::Framed(body), _call: call })
}

fn framed(answer: &impl Message) -> Result<Bytes, Status> {
    let length = answer.encoded_len();
    match u32::try_from(length) {
        Ok(prefix) if length <= GRPC_ANSWER_BYTES_MAX => {
            let mut whole = BytesMut::with_capacity(PREFIX_BYTES + length);
            whole.put_u8(0);
            whole.put_u32(prefix);
            answer.encode(&mut whole).map_err(|error| Status::internal(error.to_string()))?;
            Ok(whole.freeze())
        }
        _ => {
            let words = format!("an answer of {length} bytes; at most {GRPC_ANSWER_BYTES_MAX} leave");
            Err(Status::out_of_range(words))
        }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let What::Framed(body) = &mut self.body {
            return Pin::new(body).poll_frame(context);
        }
        match std::mem::replace(&mut self.body, What::Nothing) {
            What::Message(message) => {
                self.body = What::Trailers;
                Poll::Ready(Some(Ok(Frame::data(message))))
            }
            What::Trailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(Status::GRPC_STATUS, OK);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            What::Nothing | What::Framed(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            What::Message(_) | What::Trailers => false,
            What::Nothing => true,
            What::Framed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            What::Message(message) => SizeHint::with_exact(message.len() as u64),
            What::Trailers | What::Nothing => SizeHint::with_exact(0),
            What::Framed(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    #[test]
    fn a_prefix_says_how_long_a_message_is_or_why_it_is_not_taken() {
        assert_eq!(length(&[0, 0, 0, 1]).expect("it may still come"), None);
        assert_eq!(length(&[0, 0, 0, 1, 2, 7]).expect("it is plain"), Some(258));
        let code = |bytes: &[u8]| length(bytes).map_err(|status| status.code());
        assert_eq!(code(&[1, 0, 0, 0, 1]), Err(Code::Unimplemented));
        assert_eq!(code(&[2, 0, 0, 0, 1]), Err(Code::Internal));
        assert_eq!(code(&[0, 0xff, 0, 0, 0]), Err(Code::OutOfRange));
    }

    #[test]
    fn what_came_in_pieces_is_one() {
        let pieces: [&[u8]; 3] = [b"ab", b"", b"cd"];
        let whole = pieces.iter().fold(Bytes::new(), |whole, piece| joined(whole, piece));
        assert_eq!(whole, "abcd");
    }
}
