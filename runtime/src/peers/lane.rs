//! One link to a peer: a stream of messages out, one in, and its credit. Both ends are the same from here on;
//! who dialled only decides whether the outgoing stream is a request or a response.
//!
//! Invariants: `Opened` precedes every `Received`, one `Closed` follows them all; a message is handed over only
//! while credit is above 0 (law 6), so at most one decoded message per link waits here.

use super::codec::RawCodec;
use super::visitor::Pass;
use super::{LANE_HEADER, PATH};
use crate::limits::{
    LAST_WORDS_WAIT, PEER_CONNECT_WAIT, PEER_HEADERS_BYTES_MAX, PEER_KEEPALIVE, PEER_KEEPALIVE_WAIT,
    PEER_RESETS_MAX, PEER_WINDOW_BYTES,
};
use crate::log_levels::PEERS;
use crate::mailbox::Mailbox;
use bytes::{Bytes, BytesMut};
use rust_mq_core::event::{CloseReason, Event, LinkKind, Nonce};
use rust_mq_core::ids::LinkId;
use rust_mq_core::limits::{PEER_MESSAGE_BYTES_MAX, PEER_STRANGER_BYTES_MAX};
use rust_mq_core::link::{Address, LaneKind};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::Stream;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

/// All lanes of this node, and the mailboxes their events go to.
#[derive(Debug)]
pub(super) struct Lanes {
    links: Mutex<BTreeMap<LinkId, Lane>>,
    last_accepted: AtomicU64,
    pub(super) raft: Mailbox,
    pub(super) bulk: Mailbox,
}

#[derive(Debug)]
struct Lane {
    /// `None` once the core asked to close it.
    out: Option<UnboundedSender<Vec<Bytes>>>,
    state: Arc<LaneState>,
}

#[derive(Debug)]
struct LaneState {
    link: LinkId,
    kind: LaneKind,
    /// The connection it came on, if this side accepted it.
    pass: Option<Pass>,
    allowed_bytes: AtomicU64,
    credit: AtomicI64,
    credit_came: Notify,
    /// The core asked to close it: what still comes is thrown away.
    is_closing: AtomicBool,
    /// Everything that was sent before a close is with HTTP/2.
    drained: Notify,
    end: Notify,
}

impl Lanes {
    /// No lane yet.
    pub(super) fn new(raft: Mailbox, bulk: Mailbox) -> Lanes {
        // Two above a multiple of four: the clients' ids are the multiples of four.
        Lanes { links: Mutex::default(), last_accepted: AtomicU64::new(2), raft, bulk }
    }

    /// A link that was accepted or is being dialled; what is returned yields what it sends.
    pub(super) fn add(self: &Arc<Self>, link: LinkId, kind: LaneKind, pass: Option<Pass>) -> Outgoing {
        let (out, messages) = unbounded_channel();
        let state = Arc::new(LaneState {
            link,
            kind,
            pass,
            allowed_bytes: AtomicU64::new(0),
            credit: AtomicI64::new(0),
            credit_came: Notify::new(),
            is_closing: AtomicBool::new(false),
            drained: Notify::new(),
            end: Notify::new(),
        });
        self.lock().insert(link, Lane { out: Some(out), state: Arc::clone(&state) });
        Outgoing { messages, state, lanes: Arc::clone(self) }
    }

    /// The id of the next accepted link.
    pub(super) fn next_accepted(&self) -> LinkId {
        LinkId(self.last_accepted.fetch_add(4, Ordering::Relaxed))
    }

    pub(super) fn send(&self, link: LinkId, parts: Vec<Bytes>) {
        if let Some(Lane { out: Some(out), .. }) = self.lock().get(&link) {
            // Fails when the lane has just ended, and its `Closed` is on the way.
            let _ = out.send(parts);
        }
    }

    pub(super) fn allow(&self, link: LinkId, bytes: u64) {
        if let Some(lane) = self.lock().get(&link) {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            let before = lane.state.allowed_bytes.fetch_add(bytes.unsigned_abs(), Ordering::Relaxed);
            // More than strangers get: the core knows who it is.
            if before.saturating_add(bytes.unsigned_abs()) > PEER_STRANGER_BYTES_MAX as u64
                && let Some(pass) = &lane.state.pass
            {
                pass.believe();
            }
            // Credits are sums of message lengths; the core never lets them near 2^63.
            lane.state.credit.fetch_add(bytes, Ordering::Relaxed);
            lane.state.credit_came.notify_one();
        }
    }

    pub(super) fn close(&self, link: LinkId) {
        if let Some(lane) = self.lock().get_mut(&link) {
            lane.out = None;
            lane.state.is_closing.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn abort(&self, link: LinkId) {
        if let Some(lane) = self.lock().get(&link) {
            lane.state.end.notify_one();
        }
    }

    fn remove(&self, state: &LaneState, why: CloseReason) {
        if self.lock().remove(&state.link).is_some() {
            self.tell(state, Event::Closed { link: state.link, why });
        }
    }

    fn tell(&self, state: &LaneState, event: Event) {
        match state.kind {
            LaneKind::Raft => self.raft.put([event]),
            LaneKind::Bulk => self.bulk.put([event]),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkId, Lane>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a link sends, as gRPC pulls it; each pull is a `Sent`.
#[derive(Debug)]
pub(super) struct Outgoing {
    messages: UnboundedReceiver<Vec<Bytes>>,
    state: Arc<LaneState>,
    lanes: Arc<Lanes>,
}

impl Outgoing {
    /// Announces the link and hands over what comes in, until it ends.
    pub(super) fn listener(&self) -> Listener {
        Listener { state: Arc::clone(&self.state), lanes: Arc::clone(&self.lanes) }
    }
}

impl Stream for Outgoing {
    type Item = Vec<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Vec<Bytes>>> {
        let message = self.messages.poll_recv(context);
        match &message {
            Poll::Ready(Some(parts)) => {
                let bytes = parts.iter().map(|part| part.len() as u64).sum();
                self.lanes.tell(&self.state, Event::Sent { link: self.state.link, bytes });
            }
            Poll::Ready(None) => self.state.drained.notify_one(),
            Poll::Pending => {}
        }
        message
    }
}

/// The incoming side of a link.
#[derive(Debug)]
pub(super) struct Listener {
    state: Arc<LaneState>,
    lanes: Arc<Lanes>,
}

impl Listener {
    /// Runs the link to its end.
    pub(super) async fn run(self, mut incoming: Streaming<BytesMut>) {
        let Ok(nonce) = draw_nonce() else {
            return self.lanes.remove(&self.state, CloseReason::Failed);
        };
        let kind = LinkKind::Peer { lane: self.state.kind, nonce };
        self.lanes.tell(&self.state, Event::Opened { link: self.state.link, kind });
        let why = tokio::select! {
            why = self.hand_over(&mut incoming) => why,
            () = self.state.end.notified() => CloseReason::Asked,
            () = self.see_off() => CloseReason::Asked,
        };
        let is_asked = self.state.is_closing.load(Ordering::Relaxed);
        let why = if is_asked { CloseReason::Asked } else { why };
        self.lanes.remove(&self.state, why);
    }

    /// After a close the other side has a while to take what was sent, and close too.
    async fn see_off(&self) {
        self.state.drained.notified().await;
        tokio::time::sleep(LAST_WORDS_WAIT).await;
    }

    async fn hand_over(&self, incoming: &mut Streaming<BytesMut>) -> CloseReason {
        loop {
            let bytes = match incoming.message().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return CloseReason::Remote,
                Err(_) => return CloseReason::Failed,
            };
            if bytes.is_empty() || self.state.is_closing.load(Ordering::Relaxed) {
                continue;
            }
            while self.state.credit.load(Ordering::Relaxed) <= 0 {
                self.state.credit_came.notified().await;
            }
            let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            self.state.credit.fetch_sub(len, Ordering::Relaxed);
            self.lanes.tell(&self.state, Event::Received { link: self.state.link, bytes });
        }
    }
}

/// Connects to a peer and runs the link; a failure is its `Closed`.
pub(super) async fn dial(lanes: Arc<Lanes>, address: Address, outgoing: Outgoing) {
    let listener = outgoing.listener();
    let state = Arc::clone(&outgoing.state);
    let connected = tokio::select! {
        connected = tokio::time::timeout(PEER_CONNECT_WAIT, call(&address, outgoing)) => connected.ok(),
        () = state.end.notified() => return lanes.remove(&state, CloseReason::Asked),
    };
    match connected {
        // The channel is held while the lane lives: it is the connection.
        Some(Ok((_channel, incoming))) => listener.run(incoming).await,
        Some(Err(reason)) => {
            tracing::debug!(target: PEERS, "dialling {address}: {reason}");
            lanes.remove(&state, CloseReason::Failed);
        }
        None => lanes.remove(&state, CloseReason::Failed),
    }
}

/// Of the system's own source of chance: nobody can guess it.
fn draw_nonce() -> std::io::Result<Nonce> {
    let mut nonce = Nonce::default();
    let taken = rustix::rand::getrandom(&mut nonce.0, rustix::rand::GetRandomFlags::empty())?;
    if taken < nonce.0.len() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(nonce) }
}

type Connected = (tonic::client::Grpc<Channel>, Streaming<BytesMut>);

async fn call(
    address: &Address,
    outgoing: Outgoing,
) -> Result<Connected, Box<dyn std::error::Error + Send + Sync>> {
    let lane = match outgoing.state.kind {
        LaneKind::Raft => "raft",
        LaneKind::Bulk => "bulk",
    };
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .connect_timeout(PEER_CONNECT_WAIT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PEER_KEEPALIVE)
        .keep_alive_timeout(PEER_KEEPALIVE_WAIT)
        .keep_alive_while_idle(true)
        .http2_adaptive_window(false)
        .http2_max_header_list_size(PEER_HEADERS_BYTES_MAX)
        .http2_max_local_error_reset_streams(PEER_RESETS_MAX)
        .initial_stream_window_size(PEER_WINDOW_BYTES)
        .initial_connection_window_size(PEER_WINDOW_BYTES)
        .connect()
        .await?;
    let mut grpc = tonic::client::Grpc::new(channel)
        .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX);
    grpc.ready().await?;
    let mut request = Request::new(outgoing);
    request.metadata_mut().insert(LANE_HEADER, AsciiMetadataValue::from_static(lane));
    let response = grpc.streaming(request, PathAndQuery::from_static(PATH), RawCodec).await?;
    Ok((grpc, response.into_inner()))
}
