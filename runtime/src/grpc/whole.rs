//! gRPC's framing: before each message a byte that says whether it is compressed and four of its length, behind all of
//! them trailers with the status (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). Messages are what is
//! called a hundred thousand times a second, and gigabytes of batches: each layer of a library that is ready for
//! everything moves and copies what is not needed here.
//!
//! A message that came in one piece is that piece. One that came in several is put together in memory of its own, so that
//! a batch in it can become the broker's without another copy.
//!
//! Nothing that we serve is compressed: who sends that is told UNIMPLEMENTED, as whoever did not ask first is.
//!
//! Invariants: an answer is its data and then its trailers, or trailers alone; `whole` is empty, or holds a message that
//! is not complete, and then nothing is held besides.

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
    /// Messages as they come, and then how it ended.
    Messages(Box<dyn Messages>),
    /// That all is well.
    Trailers,
    /// Nothing any more.
    Nothing,
    /// What a library has framed.
    Framed(tonic::body::Body),
}

/// Framed messages as they come.
pub(super) trait Messages: Send {
    /// The next one, or why there is none.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>>;
}

/// The messages of a call, as they arrive.
pub(super) struct Incoming {
    arriving: Arriving,
    /// What has come of the next message, or of several.
    held: Bytes,
    /// A message that comes in pieces, and how long it becomes.
    whole: BytesMut,
    length: usize,
}

impl Incoming {
    /// What arrives of a call.
    pub(super) fn new(arriving: Arriving) -> Incoming {
        Incoming { arriving, held: Bytes::new(), whole: BytesMut::new(), length: 0 }
    }

    /// The next message; `None` is the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            match self.arriving.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.add(data);
                    }
                }
                None if self.held.is_empty() && self.whole.is_empty() => return Ok(None),
                None => return Err(Status::invalid_argument("the call ended before its message did")),
            }
        }
    }

    /// The message of a call that has one.
    pub(super) async fn only(mut self) -> Result<Bytes, Status> {
        let Some(message) = self.next().await? else {
            return Err(Status::invalid_argument("a call without a message"));
        };
        // Decoded it may be large: not before its caller has ended it.
        match self.next().await? {
            None => Ok(message),
            Some(_) => Err(Status::invalid_argument("more than the one message of this call")),
        }
    }

    fn add(&mut self, data: Bytes) {
        if self.held.is_empty() {
            self.held = data;
        } else if !data.is_empty() {
            let mut both = BytesMut::with_capacity(self.held.len() + data.len());
            both.extend_from_slice(&self.held);
            both.extend_from_slice(&data);
            self.held = both.freeze();
        }
    }

    /// A message, if it is all there.
    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        if self.whole.is_empty() {
            let Some(length) = length(&self.held)? else { return Ok(None) };
            if self.held.len() - PREFIX_BYTES >= length {
                self.held.advance(PREFIX_BYTES);
                return Ok(Some(self.held.split_to(length)));
            }
            if self.held.len() == PREFIX_BYTES {
                return Ok(None);
            }
            self.held.advance(PREFIX_BYTES);
            (self.whole, self.length) = (BytesMut::with_capacity(length), length);
        }
        let some = self.held.len().min(self.length - self.whole.len());
        self.whole.extend_from_slice(&self.held.split_to(some));
        let is_whole = self.whole.len() == self.length;
        Ok(is_whole.then(|| std::mem::take(&mut self.whole).freeze()))
    }
}

/// The length of a message, once its prefix is there.
fn length(held: &[u8]) -> Result<Option<usize>, Status> {
    let Some(prefix) = held.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
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
        Ok(message) => well(What::Message(message), call),
        Err(status) => leaving(status.into_http(), call),
    }
}

/// Answers, as they come.
pub(super) fn answers(answers: impl Messages + 'static, call: Arc<Call>) -> Response<Leaving> {
    well(What::Messages(Box::new(answers)), call)
}

fn well(body: What, call: Arc<Call>) -> Response<Leaving> {
    let mut response = Response::new(Leaving { body, _call: call });
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    response
}

/// What a library has framed.
pub(super) fn leaving(response: Response<tonic::body::Body>, call: Arc<Call>) -> Response<Leaving> {
    response.map(|body| Leaving { body: What::Framed(body), _call: call })
}

/// A message with what stands before it.
pub(super) fn framed(answer: &impl Message) -> Result<Bytes, Status> {
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
        match std::mem::replace(&mut self.body, What::Nothing) {
            What::Message(message) => {
                self.body = What::Trailers;
                Poll::Ready(Some(Ok(Frame::data(message))))
            }
            What::Messages(mut messages) => {
                let next = messages.poll_next(context);
                match next {
                    Poll::Pending | Poll::Ready(Some(Ok(_))) => self.body = What::Messages(messages),
                    Poll::Ready(Some(Err(status))) => return Poll::Ready(Some(Ok(trailers(Err(status))))),
                    Poll::Ready(None) => return Poll::Ready(Some(Ok(trailers(Ok(()))))),
                }
                next.map(|message| message.map(|message| message.map(Frame::data)))
            }
            What::Trailers => Poll::Ready(Some(Ok(trailers(Ok(()))))),
            What::Nothing => Poll::Ready(None),
            What::Framed(mut body) => {
                let next = Pin::new(&mut body).poll_frame(context);
                self.body = What::Framed(body);
                next
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            What::Message(_) | What::Messages(_) | What::Trailers => false,
            What::Nothing => true,
            What::Framed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            What::Message(message) => SizeHint::with_exact(message.len() as u64),
            What::Messages(_) => SizeHint::new(),
            What::Trailers | What::Nothing => SizeHint::with_exact(0),
            What::Framed(body) => body.size_hint(),
        }
    }
}

/// How a call ended, behind its data.
fn trailers(end: Result<(), Status>) -> Frame<Bytes> {
    let mut trailers = HeaderMap::with_capacity(1);
    let status = match end {
        Ok(()) => {
            trailers.insert(Status::GRPC_STATUS, OK);
            return Frame::trailers(trailers);
        }
        Err(status) => status,
    };
    // What does not fit into a header is left out; the code always does.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from(status.code() as i32));
    }
    Frame::trailers(trailers)
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
}
