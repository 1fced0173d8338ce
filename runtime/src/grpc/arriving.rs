//! A call's bytes on their way in: counted, and held back while there is no room for them. HTTP/2's windows hold the
//! caller back then.
//!
//! What is counted is given back when the core has the message (`Call::handed_over`); the core has charged it by then.
//! A message that has begun becomes whole within `GRPC_ARRIVAL_MAX`, or its call ends.

use super::call::{Call, Waiting};
use crate::limits::GRPC_ARRIVAL_MAX;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::{Sleep, sleep_until};
use tonic::Status;

/// The body of a request.
pub(super) struct Arriving {
    body: Incoming,
    call: Arc<Call>,
    /// A frame for which there is no room yet.
    held: Option<(Frame<Bytes>, Waiting)>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Arriving {
    /// What arrives of a call.
    pub(super) fn new(body: Incoming, call: Arc<Call>) -> Arriving {
        Arriving { body, call, held: None, patience: None }
    }

    /// Whether a message has taken too long. Looked at only while nothing comes.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let Some(since) = self.call.arriving_since() else {
            self.patience = None;
            return false;
        };
        let until = since + GRPC_ARRIVAL_MAX;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if patience.deadline() != until {
            patience.as_mut().reset(until);
        }
        patience.as_mut().poll(context).is_ready()
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some((_, waiting)) = &mut self.held {
            let taken = ready!(waiting.as_mut().poll(context));
            let frame = self.held.take().map(|(frame, _)| frame);
            return Poll::Ready(match taken {
                Ok(taken) => {
                    self.call.has_taken(taken);
                    frame.map(Ok)
                }
                Err(status) => Some(Err(status)),
            });
        }
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending if self.is_overdue(context) => {
                return Poll::Ready(Some(Err(Status::deadline_exceeded("half a message for too long"))));
            }
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(Status::from_error(Box::new(error)))));
            }
            Poll::Ready(None) => return Poll::Ready(None),
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match self.call.room_for(bytes) {
            None => Poll::Ready(Some(Ok(frame))),
            Some(more) => {
                self.held = Some((frame, more));
                self.poll_frame(context)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
