//! Who is let in: the listener, and the limits on connections.
//!
//! Own accept loop, because the two errors that matter must not end or spin it: a connection that died in the
//! queue is skipped, and without descriptors accepting rests for `ACCEPT_PAUSE`.
//!
//! Invariant: `per_address` counts exactly the connections let in and not yet `on_closed`.

use crate::limits::{
    ACCEPT_PAUSE, ACCEPTS_PER_TURN, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, CONNECTIONS_SCARCE,
};
use crate::log::RateLimit;
use crate::log_levels::CLIENTS;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use rust_mq_core::now::Mono;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

/// The listener and its limits.
#[derive(Debug)]
pub(super) struct Admission {
    listener: Option<TcpListener>,
    limit: usize,
    count: usize,
    per_address: BTreeMap<IpAddr, usize>,
    /// The kernel has said that someone waits.
    pub(super) is_ready: bool,
    /// Out of descriptors until then.
    pub(super) paused_until: Option<Mono>,
    lines: RateLimit,
}

impl Admission {
    /// Lets in at most `limit` connections at a time.
    pub(super) fn new(
        listener: std::net::TcpListener,
        registry: &Registry,
        limit: usize,
    ) -> io::Result<Admission> {
        if limit < CONNECTIONS_MAX {
            tracing::warn!(target: CLIENTS,
                "at most {limit} client connections, because of the limit on open files (ulimit -n)"
            );
        }
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        registry.register(&mut listener, super::LISTENER, Interest::READABLE)?;
        Ok(Admission {
            listener: Some(listener),
            limit,
            count: 0,
            per_address: BTreeMap::new(),
            is_ready: false,
            paused_until: None,
            lines: RateLimit::default(),
        })
    }

    /// Whether `accept` has something to do.
    pub(super) fn wants_accept(&self, now: Mono) -> bool {
        self.is_ready && self.listener.is_some() && self.paused_until.is_none_or(|until| until <= now)
    }

    /// Whether so many connections are taken that others may soon find none.
    pub(super) fn is_scarce(&self) -> bool {
        self.count * CONNECTIONS_SCARCE >= self.limit
    }

    /// The connections that came and are let in.
    pub(super) fn accept(&mut self, now: Mono) -> Vec<(TcpStream, SocketAddr)> {
        let mut admitted = Vec::new();
        if !self.wants_accept(now) {
            return admitted;
        }
        self.paused_until = None;
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = &self.listener else { break };
            match listener.accept() {
                Ok((stream, remote)) => {
                    if self.is_admitted(remote) {
                        // Small answers must not wait for the client's delayed acknowledgement.
                        let _ = stream.set_nodelay(true);
                        admitted.push((stream, remote));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_ready = false;
                    break;
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    self.paused_until = Some(now + ACCEPT_PAUSE);
                    if self.lines.allows() {
                        tracing::warn!(target: CLIENTS, "cannot accept connections for now: {error}");
                    }
                    break;
                }
            }
        }
        admitted
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

    /// Logs that a connection is turned away.
    pub(super) fn refuse(&mut self, remote: SocketAddr, why: &dyn fmt::Display) {
        if self.lines.allows() {
            tracing::warn!(target: CLIENTS, "refused a connection from {remote}: {why}");
        }
    }

    /// Closes the listener.
    pub(super) fn close(&mut self, registry: &Registry) {
        if let Some(mut listener) = self.listener.take() {
            let _ = registry.deregister(&mut listener);
        }
    }

    fn is_admitted(&mut self, remote: SocketAddr) -> bool {
        if self.count >= self.limit {
            let limit = self.limit;
            self.refuse(remote, &format_args!("all {limit} connections are taken"));
            return false;
        }
        let same = self.per_address.get(&remote.ip()).copied().unwrap_or(0);
        if same >= CONNECTIONS_PER_ADDRESS_MAX && !remote.ip().is_loopback() {
            self.refuse(remote, &format_args!("its address has {same} connections already"));
            return false;
        }
        self.count += 1;
        *self.per_address.entry(remote.ip()).or_default() += 1;
        true
    }
}
