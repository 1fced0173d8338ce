//! Who is let in: the listeners, and the limits on connections.
//!
//! Own accept loop, because the two errors that matter must not end or spin it: a connection that died in the
//! queue is skipped, and without descriptors accepting rests for `ACCEPT_PAUSE`.
//!
//! Invariant: `per_address` counts exactly the connections let in and not yet `on_closed`.

use crate::limits::{
    ACCEPT_PAUSE, ACCEPTS_PER_TURN, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_SCARCE,
    REFUSED_LINES_PER_SECOND,
};
use crate::log::RateLimit;
use crate::log_levels::CLIENTS;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rust_mq_core::now::Mono;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

/// The listeners and the limits that they share.
#[derive(Debug)]
pub(super) struct Admission {
    /// None once nobody is let in any more.
    doors: Vec<Door>,
    /// Which of them is first in the next turn.
    first: usize,
    limit: usize,
    count: usize,
    per_address: BTreeMap<IpAddr, usize>,
    /// Out of descriptors until then.
    pub(super) paused_until: Option<Mono>,
    /// About the system, about there being no room, and about what clients speak: none of them hides another.
    lines: [RateLimit; 3],
    refused: u64,
}

/// Why connections are not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The system gives none.
    BySystem,
    /// There are too many.
    ForRoom,
    /// It is nothing that is spoken here.
    ForSpeech,
}

/// One listener.
#[derive(Debug)]
struct Door {
    listener: TcpListener,
    /// The kernel has said that someone waits.
    is_ready: bool,
}

impl Admission {
    /// Lets in at most `limit` connections at a time.
    pub(super) fn new(
        listeners: Vec<std::net::TcpListener>,
        registry: &Registry,
        limit: usize,
    ) -> io::Result<Admission> {
        if limit < CONNECTIONS_MAX {
            tracing::warn!(target: CLIENTS,
                "at most {limit} client connections, because of the limit on open files (ulimit -n)"
            );
        }
        let mut doors = Vec::new();
        for (number, listener) in listeners.into_iter().enumerate() {
            listener.set_nonblocking(true)?;
            let mut listener = TcpListener::from_std(listener);
            registry.register(&mut listener, token(number), Interest::READABLE)?;
            doors.push(Door { listener, is_ready: false });
        }
        Ok(Admission {
            doors,
            first: 0,
            limit,
            count: 0,
            per_address: BTreeMap::new(),
            paused_until: None,
            lines: std::array::from_fn(|_| RateLimit::per_second(REFUSED_LINES_PER_SECOND)),
            refused: 0,
        })
    }

    /// Whether `accept` has something to do.
    pub(super) fn wants_accept(&self, now: Mono) -> bool {
        self.doors.iter().any(|door| door.is_ready) && self.paused_until.is_none_or(|until| until <= now)
    }

    /// Whether so many connections are taken that others may soon find none.
    pub(super) fn is_scarce(&self) -> bool {
        self.count * CONNECTIONS_SCARCE >= self.limit
    }

    /// Takes note that someone waits at a listener, if the token is one's.
    pub(super) fn on_ready(&mut self, of: Token) -> bool {
        let door = self.doors.iter_mut().enumerate().find(|(number, _)| token(*number) == of);
        door.map(|(_, door)| door.is_ready = true).is_some()
    }

    /// The connections that came and are let in, each with the number of its listener. Of several listeners each is the
    /// first in its turn, so that none is kept waiting by another's crowd.
    pub(super) fn accept(&mut self, now: Mono) -> Vec<(TcpStream, SocketAddr, u16)> {
        let mut admitted = Vec::new();
        if !self.wants_accept(now) {
            return admitted;
        }
        self.paused_until = None;
        let count = self.doors.len();
        let mut left = ACCEPTS_PER_TURN;
        for number in (self.first..self.first + count).map(|number| number % count) {
            while left > 0 && self.doors[number].is_ready && self.paused_until.is_none() {
                left -= 1;
                if let Some((stream, remote)) = self.accept_one(number, now) {
                    admitted.push((stream, remote, number as u16));
                }
            }
        }
        self.first = (self.first + 1) % count;
        admitted
    }

    fn accept_one(&mut self, number: usize, now: Mono) -> Option<(TcpStream, SocketAddr)> {
        let door = &mut self.doors[number];
        match door.listener.accept() {
            Ok((stream, remote)) => {
                if !self.is_admitted(remote) {
                    return None;
                }
                // Small answers must not wait for the client's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                return Some((stream, remote));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => door.is_ready = false,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                self.paused_until = Some(now + ACCEPT_PAUSE);
                if let Some(not_logged) = self.lines[Refused::BySystem as usize].next_line() {
                    tracing::warn!(target: CLIENTS, not_logged, "cannot accept connections for now: {error}");
                }
            }
        }
        None
    }

    /// A connection that was let in is gone.
    pub(super) fn on_closed(&mut self, remote: SocketAddr) {
        self.count -= 1;
        if let Some(count) = self.per_address.get_mut(&remote.ip()) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&remote.ip());
            }
        }
    }

    /// Counts and logs that a connection is turned away.
    pub(super) fn refuse(&mut self, remote: SocketAddr, kind: Refused, why: &dyn fmt::Display) {
        self.refused += 1;
        if let Some(not_logged) = self.lines[kind as usize].next_line() {
            tracing::warn!(target: CLIENTS, not_logged, "refused a connection from {remote}: {why}");
        }
    }

    /// How many were turned away.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Closes the listeners.
    pub(super) fn close(&mut self, registry: &Registry) {
        for mut door in self.doors.drain(..) {
            let _ = registry.deregister(&mut door.listener);
        }
    }

    fn is_admitted(&mut self, remote: SocketAddr) -> bool {
        if self.count >= self.limit {
            let limit = self.limit;
            self.refuse(remote, Refused::ForRoom, &format_args!("all {limit} connections are taken"));
            return false;
        }
        let same = self.per_address.get(&remote.ip()).copied().unwrap_or(0);
        if same >= CONNECTIONS_PER_ADDRESS_MAX && !remote.ip().is_loopback() {
            self.refuse(
                remote,
                Refused::ForRoom,
                &format_args!("its address has {same} connections already"),
            );
            return false;
        }
        self.count += 1;
        *self.per_address.entry(remote.ip()).or_default() += 1;
        true
    }
}

/// The token of a listener: never a link's, which is a multiple of four, nor the waker's.
fn token(number: usize) -> Token {
    Token(4 * number + 2)
}
