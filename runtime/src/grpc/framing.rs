//! How a call's messages travel, around a function of one message (`whole`) or of a stream of them, whose framing is
//! tonic's.
//!
//! A message is decoded only when it is turned into Kafka's words, within one poll: its bytes may become fifty times as
//! many, and a client that holds back the end of its stream holds only the bytes.

use super::arriving::Arriving;
use super::call::Call;
use super::whole::{self, Leaving, leaving};
use crate::limits::{GRPC_ANSWER_BYTES_MAX, GRPC_DECODED_BYTES_MAX, GRPC_MESSAGE_BYTES_MAX};
use bytes::{Buf, Bytes};
use prost::{Message, Name};
use rust_mq_proto::translation::weight;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::Instant;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

/// What a stream answers.
pub(super) type Answers<A> = Sender<Result<A, Status>>;

/// A call's answer, some time. hyper hands it from hand to hand, so that it is a pointer, and to no more than this call
/// needs.
pub(super) type Answered = Pin<Box<dyn Future<Output = Result<http::Response<Leaving>, Infallible>> + Send>>;

/// One message in, one out.
pub(super) fn unary<Q, A, H, F>(call: Arc<Call>, request: http::Request<Arriving>, handle: H) -> Answered
where
    Q: Message + Name + Default + 'static,
    A: Message + 'static,
    H: Fn(Arc<Call>, Q) -> F + Send + 'static,
    F: Future<Output = Result<A, Status>> + Send + 'static,
{
    let arriving = request.into_body();
    Box::pin(async move {
        let asked = whole::message(arriving).await;
        // Decoded and turned into Kafka's words within one poll.
        let answer = match asked.and_then(decoded::<Q>) {
            Ok(asked) => handle(Arc::clone(&call), asked).await,
            Err(status) => Err(status),
        };
        Ok(whole::answer(answer, call))
    })
}

/// Messages in, messages out, each side at its own pace.
pub(super) fn streaming<Q, A, H, F>(call: Arc<Call>, request: http::Request<Arriving>, handle: H) -> Answered
where
    Q: Message + Name + Default + 'static,
    A: Message + 'static,
    H: Fn(Arc<Call>, Asked<Q>, Answers<A>) -> F + Send + 'static,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    call.is_streamed();
    let handler = StreamHandler { call: Arc::clone(&call), handle, handled: PhantomData::<fn(Q, A) -> F> };
    Box::pin(async move { Ok(leaving(framing::<A>().streaming(handler, request).await, call)) })
}

fn framing<A: Message + 'static>() -> Grpc<Messages<A>> {
    Grpc::new(Messages(PhantomData))
        .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(GRPC_ANSWER_BYTES_MAX)
}

/// What answers one stream.
struct StreamHandler<H, Q, A, F> {
    call: Arc<Call>,
    handle: H,
    handled: PhantomData<fn(Q, A) -> F>,
}

/// The messages of a stream, one after the other.
pub(super) struct Asked<Q> {
    messages: Streaming<Bytes>,
    asked: PhantomData<fn(Q)>,
}

impl<Q, A, H, F> StreamingService<Bytes> for StreamHandler<H, Q, A, F>
where
    Q: Message + Name + Default + 'static,
    A: Message + 'static,
    H: Fn(Arc<Call>, Asked<Q>, Answers<A>) -> F,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    type Response = A;
    type ResponseStream = ReceiverStream<Result<A, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        // One message waits for the caller's window, and no more.
        let (sender, answers) = channel(1);
        let asked = Asked { messages: request.into_inner(), asked: PhantomData };
        let deadline = self.call.deadline();
        let handled = (self.handle)(Arc::clone(&self.call), asked, sender.clone());
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = handled => ended,
                () = until(deadline) => Err(too_late()),
                // Its caller has gone.
                () = sender.closed() => return,
            };
            if let Err(status) = ended {
                // If nobody wants to know, so be it.
                let _ = sender.send(Err(status)).await;
            }
        });
        ready(Ok(Response::new(ReceiverStream::new(answers))))
    }
}

impl<Q: Message + Name + Default> Asked<Q> {
    /// The next one; `None` is the end.
    pub(super) async fn next(&mut self) -> Result<Option<Q>, Status> {
        let Some(message) = self.messages.message().await? else { return Ok(None) };
        decoded(message).map(Some)
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Nobody waits any longer.
pub(super) fn too_late() -> Status {
    Status::deadline_exceeded("the call's deadline has passed")
}

fn decoded<Q: Message + Name + Default>(message: Bytes) -> Result<Q, Status> {
    if !weight::fits(&Q::full_name(), &message, GRPC_DECODED_BYTES_MAX) {
        return Err(Status::resource_exhausted("too many small parts in one message: send fewer at a time"));
    }
    Q::decode(message).map_err(|error| Status::invalid_argument(format!("an unreadable message: {error}")))
}

/// Messages out, bytes in.
#[derive(Clone, Copy, Debug)]
struct Messages<A>(PhantomData<fn(A)>);

impl<A: Message + 'static> Codec for Messages<A> {
    type Encode = A;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Messages(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Messages(PhantomData)
    }
}

impl<A: Message> Encoder for Messages<A> {
    type Item = A;
    type Error = Status;

    fn encode(&mut self, message: A, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        // It grows as it must: there is no message that does not fit.
        message.encode(into).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<A> Decoder for Messages<A> {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
