//! How a call's messages travel (`whole`), around a function of one message or of a stream of them.
//!
//! A message is decoded only when it is turned into Kafka's words, within one poll: its bytes may become fifty times as
//! many, and a client that holds back the end of its stream holds only the bytes.

use super::arriving::Arriving;
use super::call::Call;
use super::whole::{self, Incoming, Leaving, Messages, framed};
use crate::limits::GRPC_DECODED_BYTES_MAX;
use bytes::Bytes;
use prost::{Message, Name};
use rust_mq_proto::translation::weight;
use std::convert::Infallible;
use std::future::ready;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;
use tonic::Status;
use tonic::codegen::http;

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
        let asked = Incoming::new(arriving).only().await;
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
    H: FnOnce(Arc<Call>, Asked<Q>, Answers<A>) -> F,
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    call.is_streamed();
    // One message waits for the caller's window, and no more.
    let (sender, answers) = channel(1);
    let asked = Asked { incoming: Incoming::new(request.into_body()), asked: PhantomData };
    let deadline = call.deadline();
    let handled = handle(Arc::clone(&call), asked, sender.clone());
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
    Box::pin(ready(Ok(whole::answers(Stream(answers), call))))
}

/// The messages of a stream, one after the other.
pub(super) struct Asked<Q> {
    incoming: Incoming,
    asked: PhantomData<fn(Q)>,
}

impl<Q: Message + Name + Default> Asked<Q> {
    /// The next one; `None` is the end.
    pub(super) async fn next(&mut self) -> Result<Option<Q>, Status> {
        self.incoming.next().await?.map(decoded).transpose()
    }
}

/// What a stream answers, framed.
struct Stream<A>(Receiver<Result<A, Status>>);

impl<A: Message> Messages for Stream<A> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        self.0.poll_recv(context).map(|answer| Some(answer?.and_then(|answer| framed(&answer))))
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
