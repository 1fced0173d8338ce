//! A connection that came to the peers' door. Until the core believes who is there it is a stranger's: it may bring
//! `PEER_STRANGER_BYTES_MAX` and has `PEER_HELLO_MAX` to show who it is, whatever HTTP/2 or gRPC would let it do. What
//! it sends beyond stays in the kernel's buffers. Once it had a lane and has none any more, it has `PEER_LANELESS_WAIT`.
//!
//! HTTP/2 knows no such bounds: a connection that says nothing, or only answers pings, would stay for ever and keep a
//! descriptor; one that sends a large message and withholds its last byte would be buffered up to the largest message.
//!
//! Invariant: at most `PEER_VISITORS_MAX` strangers are in. Where one more comes, the oldest goes: strangers who only
//! stay keep no member out.
//! Invariant: who is believed is never let go for a stranger's sake.

use crate::limits::{PEER_LANELESS_WAIT, PEER_VISITORS_MAX};
use crate::log::RateLimit;
use crate::log_levels::PEERS;
use rust_mq_core::limits::{PEER_HELLO_MAX, PEER_STRANGER_BYTES_MAX};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tonic::transport::server::Connected;

/// Lets visitors in, so many at a time.
#[derive(Debug)]
pub(super) struct Door {
    /// Who is in, in the order they came.
    inside: Vec<Pass>,
    limit: usize,
    lines: RateLimit,
}

impl Door {
    /// A door for so many, strangers and others.
    pub(super) fn new(limit: usize) -> Door {
        Door { inside: Vec::new(), limit, lines: RateLimit::default() }
    }

    /// Lets a connection in, if there is a place for it.
    pub(super) fn admit(&mut self, stream: TcpStream, remote: SocketAddr) -> Option<Visitor> {
        self.inside.retain(|pass| !pass.0.is_gone.load(Ordering::Relaxed));
        let strangers = self.inside.iter().filter(|pass| !pass.0.is_believed.load(Ordering::Relaxed));
        let is_full = self.inside.len() >= self.limit;
        if is_full || strangers.count() >= PEER_VISITORS_MAX.min(self.limit.div_ceil(2)) {
            let oldest = self.inside.iter().position(|pass| !pass.0.is_believed.load(Ordering::Relaxed));
            match oldest {
                Some(oldest) => self.inside.remove(oldest).end(),
                None => {
                    if self.lines.allows() {
                        let limit = self.limit;
                        tracing::warn!(target: PEERS, "refused a peer's connection from {remote}: all {limit} are taken");
                    }
                    return None;
                }
            }
        }
        // A vote must not wait for a delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let patience = Box::pin(tokio::time::sleep(PEER_HELLO_MAX));
        let pass = Pass::default();
        self.inside.push(pass.clone());
        Some(Visitor { stream, pass, had_lane: false, patience, taken_bytes: 0 })
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Visitor {
    stream: TcpStream,
    pass: Pass,
    had_lane: bool,
    patience: Pin<Box<Sleep>>,
    taken_bytes: usize,
}

impl Visitor {
    /// Whether it has been a stranger, or without a lane, for too long.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let has_lane = self.pass.is_believed() && self.pass.0.lanes.load(Ordering::Relaxed) > 0;
        if self.had_lane && !has_lane {
            self.patience.as_mut().reset(Instant::now() + PEER_LANELESS_WAIT);
        }
        self.had_lane = has_lane;
        !has_lane && self.patience.as_mut().poll(context).is_ready()
    }

    /// Reads what a stranger may still bring.
    fn poll_stranger(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = PEER_STRANGER_BYTES_MAX.saturating_sub(self.taken_bytes).min(into.remaining());
        if room == 0 {
            // Whoever comes to believe in it wakes it.
            return Poll::Pending;
        }
        let mut part = ReadBuf::new(into.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let taken = part.filled().len();
        into.advance(taken);
        self.taken_bytes += taken;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.pass.0.is_gone.store(true, Ordering::Relaxed);
    }
}

/// What is known of a connection, by which its lanes and the door reach it. Travels with each of its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Pass(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    lanes: AtomicUsize,
    is_believed: AtomicBool,
    is_ended: AtomicBool,
    is_gone: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Pass {
    /// The connection has a lane as long as what is returned is kept; `None` if it has one already.
    pub(super) fn stay(&self) -> Option<Stay> {
        let free = self.0.lanes.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
        free.is_ok().then(|| Stay(self.clone()))
    }

    /// The core believes who is there.
    pub(super) fn believe(&self) {
        if !self.0.is_believed.swap(true, Ordering::Relaxed) {
            self.wake();
        }
    }

    fn is_believed(&self) -> bool {
        self.0.is_believed.load(Ordering::Relaxed)
    }

    /// The connection is to go.
    fn end(&self) {
        self.0.is_ended.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    /// Wakes this task when something of the above happens.
    fn wakes(&self, context: &Context<'_>) {
        let mut waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner);
        *waker = Some(context.waker().clone());
    }
}

/// One lane's claim to its connection.
#[derive(Debug)]
pub(super) struct Stay(Pass);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.0.lanes.store(0, Ordering::Relaxed);
    }
}

impl Connected for Visitor {
    type ConnectInfo = Pass;

    fn connect_info(&self) -> Pass {
        self.pass.clone()
    }
}

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_overdue(context) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        if self.pass.is_believed() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        // First the waker, then another look: what happens in between is not missed.
        self.pass.wakes(context);
        if self.pass.0.is_ended.load(Ordering::SeqCst) {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        if self.pass.is_believed() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        self.poll_stranger(context, into)
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
