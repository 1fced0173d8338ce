//! A consumer as a stream.

use super::Consumer;
use crate::machine::consumer::Message;
use crate::machine::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::watch::Receiver;
use tonic::codegen::tokio_stream::Stream;

/// The records that a consumer is handed, as a stream without an end.
pub struct Messages<'a> {
    consumer: &'a Consumer,
    arrival: Pin<Box<dyn Future<Output = Receiver<u64>> + Send>>,
}

impl Messages<'_> {
    pub(super) fn new(consumer: &Consumer) -> Messages<'_> {
        let arrivals = consumer.shared.arrivals.subscribe();
        Messages { consumer, arrival: Box::pin(next(arrivals)) }
    }
}

impl Stream for Messages<'_> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.consumer.shared.hand_out() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            // Looked at again after each arrival since the last look.
            match self.arrival.as_mut().poll(context) {
                Poll::Ready(arrivals) => self.arrival = Box::pin(next(arrivals)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl fmt::Debug for Messages<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Messages").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}

/// Waits for an arrival that was not seen yet.
async fn next(mut arrivals: Receiver<u64>) -> Receiver<u64> {
    // The sender lives as long as the consumer does.
    let _ = arrivals.changed().await;
    arrivals
}
