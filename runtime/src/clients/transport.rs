//! How a client's bytes travel: a TCP stream, as they are. Who keeps a link knows when it wants to read and what it wants
//! to write; what the socket has said about being ready is known here alone.
//!
//! Readiness is edge-triggered: the kernel says once that there is something, and says it again only after a read has
//! found nothing. So "there is something" is kept until a read finds less than it asked for.
//!
//! What else will travel here: TLS decrypts within `read`, has something left although the socket has not (`is_readable`
//! stays true), and writes when it reads. A socket that another server takes over leaves with the bytes that were only
//! looked at (`peek`) still in it.
//!
//! Invariant: while `is_readable` is false, the next byte, or the end, is announced by an edge.

use bytes::{Bytes, BytesMut};
use mio::event::{Event, Source};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

/// One connection's way.
#[derive(Debug)]
pub(super) struct Transport {
    stream: TcpStream,
    /// There is something to read, as far as is known.
    is_readable: bool,
    /// The other side has sent its last byte: a read that fills less than it could is not the end of it.
    has_hung_up: bool,
}

impl Transport {
    /// Bytes as they are.
    pub(super) fn plain(stream: TcpStream) -> Transport {
        Transport { stream, is_readable: false, has_hung_up: false }
    }

    /// What edges come from.
    pub(super) fn source(&mut self) -> &mut impl Source {
        &mut self.stream
    }

    /// The socket, for another server. What was only looked at is still in it.
    pub(super) fn into_stream(self) -> std::net::TcpStream {
        self.stream.into()
    }

    /// The address the client connected to.
    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Notes an edge. Whether there may be something to read, and whether something may be written.
    pub(super) fn on_ready(&mut self, event: &Event) -> (bool, bool) {
        let is_end = event.is_read_closed() || event.is_error();
        let is_readable = event.is_readable() || is_end;
        self.is_readable |= is_readable;
        self.has_hung_up |= is_end;
        (is_readable, event.is_writable())
    }

    /// Whether a read may find something, or the end.
    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Whether the other side has sent its last byte.
    pub(super) fn has_hung_up(&self) -> bool {
        self.has_hung_up
    }

    /// The first four bytes, left where they are; `None` while they are not all here.
    pub(super) fn peek(&mut self) -> io::Result<Option<[u8; 4]>> {
        let mut first = [0; 4];
        match self.stream.peek(&mut first) {
            Ok(4) => Ok(Some(first)),
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) if self.has_hung_up => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if !is_passing(&error) => Err(error),
            // More bytes are a new edge; so is the end.
            Ok(_) | Err(_) => {
                self.is_readable = false;
                Ok(None)
            }
        }
    }

    /// Whether the other side is gone and left nothing to read.
    pub(super) fn is_gone(&self) -> bool {
        match self.stream.peek(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => !is_passing(&error),
        }
    }

    /// Reads once into `room`, which is copied out to the exact size. Empty is the end.
    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<BytesMut> {
        let read = self.stream.read(room);
        let count = self.noted(read, room.len())?;
        Ok(BytesMut::from(&room[..count]))
    }

    /// Reads once, at most `asked` bytes, into memory that is given away if it is well filled. Empty is the end.
    pub(super) fn read_bulk(&mut self, bulk: &mut Vec<u8>, asked: usize) -> io::Result<BytesMut> {
        bulk.clear();
        // Exactly so large, or more would be read than there is credit for.
        if bulk.capacity() != asked {
            *bulk = Vec::with_capacity(asked);
        }
        let read = rustix::io::read(&self.stream, rustix::buffer::spare_capacity(bulk));
        let count = self.noted(read.map_err(io::Error::from), asked)?;
        if count < asked / 2 {
            // Most of it is empty: the core would keep more than twice what it counts.
            return Ok(BytesMut::from(&bulk[..]));
        }
        Ok(BytesMut::from(Bytes::from(std::mem::take(bulk))))
    }

    /// Throws away what has come; says whether more may come.
    pub(super) fn discard(&mut self, room: &mut [u8]) -> bool {
        match self.stream.read(room) {
            Ok(count) => count > 0,
            Err(error) => {
                self.is_readable = false;
                is_passing(&error)
            }
        }
    }

    /// Writes once: how many bytes the kernel took.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(slices)
    }

    /// Ends our side of the stream; says whether the other side may still speak.
    pub(super) fn end(&self) -> bool {
        self.stream.shutdown(Shutdown::Write).is_ok()
    }

    fn noted(&mut self, read: io::Result<usize>, asked: usize) -> io::Result<usize> {
        match &read {
            // A stream socket that gave less than asked is empty, and new bytes are a new edge.
            Ok(count) => self.is_readable = *count == asked || self.has_hung_up,
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_readable = false,
            Err(_) => {}
        }
        read
    }
}

/// Whether it says only that there is nothing now.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
