//! A connection that came to the peers' door. Until it opens a lane it is anybody's, and has `PEER_LANELESS_WAIT`
//! to do so; so it has after its last lane. HTTP/2 knows no such deadline: a connection that says nothing, or
//! only answers pings, would stay for ever and keep a descriptor.
//!
//! Invariant: at most as many visitors are in as the door was made for.

use crate::limits::PEER_LANELESS_WAIT;
use crate::log::RateLimit;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tonic::transport::server::Connected;

/// Lets visitors in, so many at a time.
#[derive(Debug)]
pub(super) struct Door {
    places: Arc<Semaphore>,
    limit: usize,
    lines: RateLimit,
}

impl Door {
    /// A door for so many.
    pub(super) fn new(limit: usize) -> Door {
        Door { places: Arc::new(Semaphore::new(limit)), limit, lines: RateLimit::default() }
    }

    /// Lets a connection in, if there is a place for it.
    pub(super) fn admit(&mut self, stream: TcpStream, remote: SocketAddr) -> Option<Visitor> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            if self.lines.allows() {
                let limit = self.limit;
                tracing::warn!("refused a peer's connection from {remote}: all {limit} are taken");
            }
            return None;
        };
        // A vote must not wait for a delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let patience = Box::pin(tokio::time::sleep(PEER_LANELESS_WAIT));
        Some(Visitor { stream, pass: Pass::default(), had_lane: false, patience, _place: place })
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub(super) struct Visitor {
    stream: TcpStream,
    pass: Pass,
    had_lane: bool,
    patience: Pin<Box<Sleep>>,
    /// Given back when the connection ends.
    _place: OwnedSemaphorePermit,
}

impl Visitor {
    /// Whether it has been without a lane for too long.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        let has_lane = self.pass.lanes.load(Ordering::Relaxed) > 0;
        if self.had_lane && !has_lane {
            self.patience.as_mut().reset(Instant::now() + PEER_LANELESS_WAIT);
        }
        self.had_lane = has_lane;
        !has_lane && self.patience.as_mut().poll(context).is_ready()
    }
}

/// By which a connection's lanes tell it that they are there. Travels with each of its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Pass {
    lanes: Arc<AtomicUsize>,
}

impl Pass {
    /// The connection has a lane as long as this is kept.
    pub(super) fn stay(&self) -> Stay {
        self.lanes.fetch_add(1, Ordering::Relaxed);
        Stay(Arc::clone(&self.lanes))
    }
}

/// One lane's claim to its connection.
#[derive(Debug)]
pub(super) struct Stay(Arc<AtomicUsize>);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
        Pin::new(&mut self.stream).poll_read(context, into)
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
