//! A lane: one `ProduceStream` to one node.

use super::Shared;
use crate::connections::Connections;
use crate::machine::error::Error;
use crate::machine::producer::Event;
use crate::machine::producer::lane::LaneId;
use crate::machine::question::Ticket;
use rust_mq_proto::grpc::{ProduceRequest, ProduceResponse};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic_prost::ProstCodec;

const PATH: &str = "/rustmq.v1.KafkaBroker/ProduceStream";

/// Where the driver puts requests. The machine bounds how many are unanswered.
#[derive(Debug)]
pub(super) struct Sender {
    requests: UnboundedSender<ProduceRequest>,
    unanswered: Tickets,
}

/// Where the lane takes them.
#[derive(Debug)]
pub(super) struct Requests {
    requests: UnboundedReceiver<ProduceRequest>,
    unanswered: Tickets,
}

/// The requests that were sent, in order.
type Tickets = Arc<Mutex<VecDeque<Ticket>>>;

/// Both ends.
pub(super) fn channel() -> (Sender, Requests) {
    let (sender, requests) = unbounded_channel();
    let unanswered = Tickets::default();
    (Sender { requests: sender, unanswered: unanswered.clone() }, Requests { requests, unanswered })
}

impl Sender {
    pub(super) fn send(&self, ticket: Ticket, request: ProduceRequest) {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).push_back(ticket);
        // A lane that broke is told as such.
        let _ = self.requests.send(request);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.requests.is_closed()
    }
}

/// Sends requests and tells of answers, until the lane breaks: why it did.
pub(super) async fn run(
    shared: &Shared,
    connections: &Connections,
    lane: LaneId,
    address: &str,
    requests: Requests,
) -> Error {
    let Requests { requests, unanswered } = requests;
    let mut lent = match connections.lend(address).await {
        Ok(lent) => lent,
        Err(error) => return error,
    };
    if let Err(error) = lent.ready(address).await {
        return error;
    }
    let request = connections.request(UnboundedReceiverStream::new(requests));
    let codec = ProstCodec::<ProduceRequest, ProduceResponse>::default();
    let stream = lent.grpc().streaming(request, PathAndQuery::from_static(PATH), codec).await;
    let mut answers = match stream {
        Ok(stream) => stream.into_inner(),
        Err(status) => return lent.failed(address, &status),
    };
    loop {
        let response = match answers.message().await {
            Ok(Some(response)) => response,
            Ok(None) => {
                let why = "it ended the stream".into();
                return Error::Unreachable { node: address.to_owned(), why, was_sent: true };
            }
            Err(status) => return lent.failed(address, &status),
        };
        let ticket = unanswered.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(ticket) = ticket else {
            let why = "an answer to nothing".into();
            return Error::Unreadable { node: address.to_owned(), why };
        };
        shared.hear(Event::Produced { lane, ticket, response });
    }
}
