//! One client's socket: its credit, what waits to leave, and how it is read.
//!
//! Small reads go through the core thread's one shared buffer and are copied out to their exact size, so that
//! what the core keeps of them pins nothing else. A link whose read filled that buffer is read in bulk
//! straight into memory of its own, without a copy.
//!
//! Invariants: bytes given to the core <= credit it allowed (law 6); `unsent` == sum of `out`.

use super::transport::Transport;
use crate::limits::{BULK_READ_BYTES, READ_BYTES, WRITE_SLICES};
use bytes::{Buf, Bytes, BytesMut};
use rust_mq_core::event::CloseReason;
use rust_mq_core::now::Mono;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;

/// A client's connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) transport: Transport,
    pub(super) remote: SocketAddr,
    /// The listener that it came to.
    pub(super) listener: u16,
    pub(super) stage: Stage,
    pub(super) credit: u64,
    /// Stands in the queue of links to read.
    pub(super) is_queued: bool,
    /// Stands in the list of links to write.
    pub(super) is_to_flush: bool,
    is_bulk: bool,
    out: VecDeque<Bytes>,
    pub(super) unsent: u64,
    /// When it last sent us something, or came.
    pub(super) heard: Mono,
    /// When it last took something, or had taken all.
    pub(super) took: Mono,
}

/// Where the core thread reads to.
#[derive(Debug)]
pub(super) struct ReadBuffers {
    /// Small reads end here and are copied out.
    pub(super) shared: Box<[u8]>,
    /// A bulk read's memory, given away if it is well filled.
    bulk: Vec<u8>,
}

impl ReadBuffers {
    pub(super) fn new() -> ReadBuffers {
        ReadBuffers { shared: vec![0; READ_BYTES].into_boxed_slice(), bulk: Vec::new() }
    }
}

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its first four bytes are not all here. The core does not know it.
    Silent,
    /// The core knows it.
    Open,
    /// The core asked to close it once everything has left.
    Closing,
    /// Everything has left and the core is told. What still comes is thrown away until the other side closes:
    /// closing with bytes unread is a reset, which would overtake the last answer.
    Lingering,
}

/// What a read brought.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Bytes.
    Bytes(BytesMut),
    /// Nothing now.
    Nothing,
    /// Nothing ever again.
    End(CloseReason),
}

impl Link {
    /// A connection that has just come.
    pub(super) fn new(transport: Transport, remote: SocketAddr, listener: u16, now: Mono) -> Link {
        Link {
            transport,
            remote,
            listener,
            stage: Stage::Silent,
            credit: 0,
            is_queued: false,
            is_to_flush: false,
            is_bulk: false,
            out: VecDeque::new(),
            unsent: 0,
            heard: now,
            took: now,
        }
    }

    /// Whether a read may bring something that the core wants.
    pub(super) fn wants_read(&self) -> bool {
        match self.stage {
            Stage::Silent | Stage::Lingering => self.transport.is_readable(),
            Stage::Open => self.transport.is_readable() && self.credit > 0,
            Stage::Closing => false,
        }
    }

    /// Ends our side of the stream; says whether the other side may still speak.
    pub(super) fn linger(&mut self, now: Mono) -> bool {
        self.stage = Stage::Lingering;
        self.took = now;
        self.transport.end()
    }

    /// Reads once, at most the credit, which is not 0.
    pub(super) fn read(&mut self, buffers: &mut ReadBuffers, now: Mono) -> Arrival {
        let ReadBuffers { shared, bulk } = buffers;
        let is_bulk = self.is_bulk && self.credit > shared.len() as u64;
        let most = if is_bulk { BULK_READ_BYTES } else { shared.len() };
        let asked = (most as u64).min(self.credit) as usize;
        let transport = &mut self.transport;
        let read =
            if is_bulk { transport.read_bulk(bulk, asked) } else { transport.read(&mut shared[..asked]) };
        match read {
            Ok(bytes) if bytes.is_empty() => Arrival::End(CloseReason::Remote),
            Ok(bytes) => {
                self.credit -= bytes.len() as u64;
                self.is_bulk = bytes.len() >= shared.len();
                self.heard = now;
                Arrival::Bytes(bytes)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_bulk = false;
                Arrival::Nothing
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Arrival::Nothing,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Arrival::End(CloseReason::Remote),
            Err(_) => Arrival::End(CloseReason::Failed),
        }
    }

    /// Adds to what shall leave.
    pub(super) fn queue(&mut self, parts: Vec<Bytes>, now: Mono) {
        if self.out.is_empty() {
            self.took = now;
        }
        for part in parts {
            self.unsent += part.len() as u64;
            if !part.is_empty() {
                self.out.push_back(part);
            }
        }
    }

    /// Writes until all has left or the kernel takes no more; says how many bytes left.
    pub(super) fn flush(&mut self, now: Mono) -> io::Result<u64> {
        let mut left = 0;
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
            let mut asked = 0;
            let mut count = 0;
            for (slice, part) in slices.iter_mut().zip(&self.out) {
                *slice = IoSlice::new(part);
                asked += part.len();
                count += 1;
            }
            match self.transport.write(&slices[..count]) {
                Ok(written) => {
                    self.took = now;
                    left += written as u64;
                    self.drop_written(written);
                    if written < asked {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent -= left;
        Ok(left)
    }

    fn drop_written(&mut self, mut written: usize) {
        while let Some(front) = self.out.front_mut()
            && written > 0
        {
            if front.len() > written {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.out.pop_front();
        }
    }
}
