//! What comes in on a gRPC connection, looked at before HTTP/2 is: frames that carry nothing but ask for work (pings,
//! settings, resets, empty data) are counted, and a flood of them ends the connection. h2 bounds what each of them may
//! hold in memory; none of it bounds how often they come.
//!
//! Besides: whoever has not begun to speak HTTP/2 within `GRPC_HELLO_WAIT` goes.
//!
//! Only the nine bytes at the head of each frame are looked at (RFC 9113 section 4.1); nothing is copied.

use crate::limits::GRPC_FLOOD_POINTS;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes of HTTP/2's preface.
const PREFACE_BYTES: usize = 24;
/// Bytes of a frame's head.
const HEAD_BYTES: usize = 9;
/// What a reset costs of the points, because it undoes a call.
const RESET_POINTS: u32 = 5;

/// A connection whose frames are counted.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    frames: Frames,
    has_begun: Arc<AtomicBool>,
}

/// Follows a stream of frames.
#[derive(Debug)]
struct Frames {
    /// Bytes of the preface, or of a frame's payload, that are still to come.
    skip: usize,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// Frames so far.
    count: u64,
    since: Option<Instant>,
    points: u32,
}

impl Counted {
    /// Nothing has come yet.
    pub(super) fn new(stream: TcpStream) -> Counted {
        Counted { stream, frames: Frames::new(), has_begun: Arc::default() }
    }

    /// Whether the other side has sent its preface and a first frame.
    pub(super) fn has_begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_begun)
    }
}

impl Frames {
    fn new() -> Frames {
        Frames { skip: PREFACE_BYTES, head: [0; HEAD_BYTES], head_bytes: 0, count: 0, since: None, points: 0 }
    }

    /// Follows what has come; says whether it is too much of what carries nothing.
    fn see(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(HEAD_BYTES - self.head_bytes);
            if self.skip > 0 || taken == 0 {
                continue;
            }
            self.head[self.head_bytes..self.head_bytes + taken].copy_from_slice(&bytes[..taken]);
            self.head_bytes += taken;
            bytes = &bytes[taken..];
            if self.head_bytes == HEAD_BYTES {
                self.head_bytes = 0;
                self.count += 1;
                let [high, middle, low, kind, flags, ..] = self.head;
                self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.points = self.points.saturating_add(points(kind, flags, self.skip));
            }
        }
        if self.points <= GRPC_FLOOD_POINTS {
            return false;
        }
        // The clock is read only once a second's worth has come.
        let now = Instant::now();
        let is_flood = self.since.is_some_and(|since| now.duration_since(since) < Duration::from_secs(1));
        (self.since, self.points) = (Some(now), 0);
        is_flood
    }
}

/// What a frame counts.
fn points(kind: u8, flags: u8, bytes: usize) -> u32 {
    match kind {
        // DATA without any, and without the end of its stream.
        0 if bytes == 0 && flags & 1 == 0 => 1,
        0 => 0,
        // HEADERS, and WINDOW_UPDATE, of which a fast reader sends many.
        1 | 8 => 0,
        3 => RESET_POINTS,
        _ => 1,
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let is_flood = self.frames.see(&into.filled()[before..]);
        if self.frames.count > 0 {
            self.has_begun.store(true, Ordering::Relaxed);
        }
        if is_flood {
            return Poll::Ready(Err(io::Error::new(
                ErrorKind::InvalidData,
                "a flood of frames that carry nothing",
            )));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![0, (payload >> 8) as u8, payload as u8, kind, 0, 0, 0, 0, 0];
        frame.resize(HEAD_BYTES + payload, 7);
        frame
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let mut bytes = vec![b'P'; PREFACE_BYTES];
        for _ in 0..50 {
            // Data that looks like pings, and pings.
            bytes.extend([frame(0, 300), frame(6, 8)].concat());
        }
        for cut in [1, 7, 9, 64, bytes.len()] {
            let mut frames = Frames::new();
            assert!(!bytes.chunks(cut).any(|piece| frames.see(piece)));
            assert_eq!((frames.count, frames.points), (100, 50), "cut into {cut}");
        }
    }

    #[test]
    fn a_flood_is_noticed_and_data_is_none() {
        let mut frames = Frames::new();
        frames.see(&[b'P'; PREFACE_BYTES]);
        let (data, pings) = (frame(0, 100).repeat(10_000), frame(6, 8).repeat(10_000));
        assert!(!(0..10).any(|_| frames.see(&data)));
        assert!((0..5).any(|_| frames.see(&pings)));
        let mut frames = Frames::new();
        frames.see(&[b'P'; PREFACE_BYTES]);
        assert!((0..5).any(|_| frames.see(&frame(0, 0).repeat(10_000))), "data of nothing is one");
    }
}
