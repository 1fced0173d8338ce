//! The accepting side: one gRPC service with one call. Every HTTP/2 limit is set here, because tonic sets none.
//!
//! Own accept loop: without descriptors accepting rests for `ACCEPT_PAUSE`, where tonic's own would spin; and
//! connections are counted, and strangers' are held short until the core believes who is there (`visitor`), which
//! tonic does not ask of them.

use super::codec::RawCodec;
use super::lane::{Lanes, Outgoing};
use super::visitor::{Door, Pass, Visitor};
use super::{LANE_HEADER, PATH};
use crate::limits::{
    ACCEPT_PAUSE, PEER_HEADERS_BYTES_MAX, PEER_KEEPALIVE, PEER_KEEPALIVE_WAIT, PEER_PENDING_RESETS_MAX,
    PEER_RESETS_MAX, PEER_STREAMS_MAX, PEER_WINDOW_BYTES,
};
use crate::log_levels::PEERS;
use bytes::{Bytes, BytesMut};
use rust_mq_core::limits::PEER_MESSAGE_BYTES_MAX;
use rust_mq_core::link::LaneKind;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Sender, channel};
use tonic::body::Body;
use tonic::codegen::tokio_stream::StreamExt;
use tonic::codegen::tokio_stream::adapters::Map;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, StreamingService};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// Connections that wait between the accept loop and tonic.
const HANDED_OVER: usize = 16;

/// Serves peers until the runtime ends.
pub(super) async fn serve(listener: TcpListener, lanes: Arc<Lanes>, connections: usize) {
    let (accepted, incoming) = channel(HANDED_OVER);
    tokio::spawn(accept(listener, Door::new(connections), accepted));
    let served = Server::builder()
        .max_concurrent_streams(PEER_STREAMS_MAX)
        .http2_max_local_error_reset_streams(Some(PEER_RESETS_MAX))
        .http2_max_pending_accept_reset_streams(Some(PEER_PENDING_RESETS_MAX))
        .http2_max_header_list_size(PEER_HEADERS_BYTES_MAX)
        .http2_keepalive_interval(Some(PEER_KEEPALIVE))
        .http2_keepalive_timeout(Some(PEER_KEEPALIVE_WAIT))
        .http2_adaptive_window(Some(false))
        .initial_stream_window_size(PEER_WINDOW_BYTES)
        .initial_connection_window_size(PEER_WINDOW_BYTES)
        .serve_with_incoming(PeerService { lanes }, ReceiverStream::new(incoming))
        .await;
    if let Err(error) = served {
        tracing::error!(target: PEERS, "peers are no longer served: {error}");
    }
}

async fn accept(listener: TcpListener, mut door: Door, accepted: Sender<io::Result<Visitor>>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let Some(visitor) = door.admit(stream, remote) else { continue };
                if accepted.send(Ok(visitor)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(target: PEERS, "cannot accept a peer for now: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What a link sends, as a server's answers.
type Responses = Map<Outgoing, fn(Vec<Bytes>) -> Result<Vec<Bytes>, Status>>;

#[derive(Clone, Debug)]
struct PeerService {
    lanes: Arc<Lanes>,
}

impl Service<http::Request<Body>> for PeerService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<http::Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != PATH {
                return Ok(Status::unimplemented("peers call Lane only").into_http());
            }
            let mut grpc = Grpc::new(RawCodec)
                .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
            Ok(grpc.streaming(service, request).await)
        })
    }
}

impl StreamingService<BytesMut> for PeerService {
    type Response = Vec<Bytes>;
    type ResponseStream = Responses;
    type Future = BoxFuture<Response<Responses>, Status>;

    fn call(&mut self, request: Request<Streaming<BytesMut>>) -> Self::Future {
        let answer = self.open(request);
        Box::pin(async move { answer })
    }
}

impl PeerService {
    fn open(&self, request: Request<Streaming<BytesMut>>) -> Result<Response<Responses>, Status> {
        let lane = match request.metadata().get(LANE_HEADER).map(|value| value.as_bytes()) {
            Some(b"raft") => LaneKind::Raft,
            Some(b"bulk") => LaneKind::Bulk,
            _ => return Err(Status::invalid_argument("which lane?")),
        };
        let pass = request.extensions().get::<Pass>().cloned();
        let pass = pass.ok_or_else(|| Status::internal("a connection without a pass"))?;
        // The connection may stay as long as its lane.
        let stay = pass.stay().ok_or_else(|| Status::resource_exhausted("a connection has one lane"))?;
        let outgoing = self.lanes.add(self.lanes.next_accepted(), lane, Some(pass));
        let listener = outgoing.listener();
        tokio::spawn(async move {
            let _stay = stay;
            listener.run(request.into_inner()).await;
        });
        Ok(Response::new(outgoing.map(Ok)))
    }
}
