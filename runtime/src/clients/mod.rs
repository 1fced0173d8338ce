//! The clients' sockets, all on the core thread: accepts, reads what is ready, writes what a turn sends.
//!
//! Readiness comes from one edge-triggered epoll set (mio), by link, without a task, waker or lock per
//! connection. A turn reads each ready link once, in the order they became ready, so that none starves
//! another; all replies of a turn to one link leave in one vectored write.
//!
//! Link ids are multiples of four; accepted peers have the other even numbers (law 10). Sockets have those of eight, the
//! calls of clients that speak gRPC the others: such a socket is handed on (`grpc`), and only counted here.
//!
//! Slow clients are waited for as long as idle ones, unless connections are scarce.
//!
//! Invariants: `Opened` precedes every other event of a link, one `Closed` follows them all; a link that never
//! showed its first four bytes was never opened. `links.len()` + connections that were handed on `<= limit`.

mod admission;
mod first_bytes;
mod link;
mod transport;

use crate::clock::Clock;
use crate::counts::Counts;
use crate::grpc::Grpc;
use crate::limits::{FIRST_BYTES_WAIT, IDLE_WAIT, LAST_WORDS_WAIT, SWEEP, UNREAD_WAIT};
use crate::mailbox::Room;
use admission::{Admission, Refused};
use bytes::Bytes;
use first_bytes::{Protocol, recognise};
use link::{Arrival, Link, ReadBuffers, Stage};
use mio::{Interest, Registry, Token};
use rust_mq_core::action::Action;
use rust_mq_core::event::{CloseReason, Event, LinkKind};
use rust_mq_core::ids::LinkId;
use rust_mq_core::link::Address;
use rust_mq_core::now::Mono;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use transport::Transport;

/// Distance between the ids of two links, which are their tokens, too.
const STEP: u64 = 8;

/// All connections of clients.
#[derive(Debug)]
pub struct Clients {
    registry: Registry,
    clock: Clock,
    admission: Admission,
    links: BTreeMap<LinkId, Box<Link>>,
    grpc: Grpc,
    to_read: VecDeque<LinkId>,
    to_flush: Vec<LinkId>,
    /// Events that no read brings: opened, sent, closed.
    pending: VecDeque<Event>,
    buffers: ReadBuffers,
    last: LinkId,
    /// The time of this turn.
    now: Mono,
    next_sweep: Option<Mono>,
    is_grpc_first: bool,
}

impl Clients {
    /// Serves the clients that come to `listeners`, which are numbered as the core's, at most `limit` at a time; those of
    /// them that speak gRPC, by `grpc`.
    pub fn new(
        listeners: Vec<std::net::TcpListener>,
        registry: Registry,
        clock: Clock,
        limit: usize,
        grpc: Grpc,
    ) -> io::Result<Clients> {
        let admission = Admission::new(listeners, &registry, limit)?;
        Ok(Clients {
            registry,
            clock,
            admission,
            links: BTreeMap::new(),
            grpc,
            to_read: VecDeque::new(),
            to_flush: Vec::new(),
            pending: VecDeque::new(),
            buffers: ReadBuffers::new(),
            last: LinkId(0),
            now: clock.mono(),
            next_sweep: None,
            is_grpc_first: false,
        })
    }

    /// Whether a link is a client's.
    pub fn owns(link: LinkId) -> bool {
        link.0.is_multiple_of(STEP) || Grpc::owns(link)
    }

    /// Takes note of why a link is about to be closed.
    pub fn rejected(&mut self, link: LinkId, reason: &str) {
        if Grpc::owns(link) {
            self.grpc.rejected(link, reason);
        }
    }

    /// Notes what the kernel says.
    pub fn on_ready(&mut self, event: &mio::event::Event) {
        if self.admission.on_ready(event.token()) {
            return;
        }
        let id = LinkId(event.token().0 as u64);
        let Some(link) = self.links.get_mut(&id) else { return };
        let (is_readable, is_writable) = link.transport.on_ready(event);
        if is_readable {
            // Without credit it will not be read, and this edge is the last.
            let is_unread = link.credit == 0 && link.stage != Stage::Silent;
            if is_unread && link.transport.has_hung_up() && link.transport.is_gone() {
                return self.end(id, CloseReason::Remote);
            }
            self.queue_read(id);
        }
        if is_writable {
            self.queue_flush(id);
        }
    }

    /// Whether there is work that no edge will announce again.
    pub fn has_more(&self) -> bool {
        !self.pending.is_empty()
            || !self.to_read.is_empty()
            || self.grpc.has_more()
            || self.admission.wants_accept(self.clock.mono())
            || !self.to_flush.is_empty()
    }

    /// When to be called although nothing happens.
    pub fn deadline(&self) -> Option<Mono> {
        [self.next_sweep, self.admission.paused_until].into_iter().flatten().min()
    }

    /// Takes in connections and bytes, as many as the turn has room for.
    pub fn gather(&mut self, into: &mut Vec<Event>, room: &mut Room) {
        let now = self.clock.mono();
        self.now = now;
        self.sweep(now);
        self.accept(now);
        self.flush();
        room.fill(&mut self.pending, into);
        for remote in self.grpc.take_gone() {
            self.admission.on_closed(remote);
        }
        // Who is first this turn is last in the next: neither can fill all of them.
        self.is_grpc_first = !self.is_grpc_first;
        if self.is_grpc_first {
            self.grpc.take(into, room);
        }
        self.read_ready(into, room, now);
        room.fill(&mut self.pending, into);
        if !self.is_grpc_first {
            self.grpc.take(into, room);
        }
    }

    fn read_ready(&mut self, into: &mut Vec<Event>, room: &mut Room, now: Mono) {
        for _ in 0..self.to_read.len() {
            if room.is_full() {
                return;
            }
            let Some(id) = self.to_read.pop_front() else { break };
            self.read(id, into, room, now);
        }
    }

    /// Queues bytes towards a client; they leave in `flush`.
    pub fn send(&mut self, id: LinkId, parts: Vec<Bytes>) {
        if Grpc::owns(id) {
            return self.grpc.perform(Action::Send { link: id, parts });
        }
        if let Some(link) = self.links.get_mut(&id)
            && link.stage == Stage::Open
        {
            link.queue(parts, self.now);
            self.queue_flush(id);
        }
    }

    /// Adds to a link's credit.
    pub fn allow(&mut self, id: LinkId, bytes: u64) {
        if Grpc::owns(id) {
            return self.grpc.perform(Action::Allow { link: id, bytes });
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.credit = link.credit.saturating_add(bytes);
            self.queue_read(id);
        }
    }

    /// Closes a link once everything has left.
    pub fn close(&mut self, id: LinkId) {
        if Grpc::owns(id) {
            return self.grpc.perform(Action::Close { link: id });
        }
        if let Some(link) = self.links.get_mut(&id)
            && link.stage == Stage::Open
        {
            link.stage = Stage::Closing;
            self.queue_flush(id);
        }
    }

    /// Closes a link now.
    pub fn abort(&mut self, id: LinkId) {
        if Grpc::owns(id) {
            return self.grpc.perform(Action::Abort { link: id });
        }
        self.end(id, CloseReason::Asked);
    }

    /// Takes no more connections.
    pub fn stop_accepting(&mut self) {
        self.admission.close(&self.registry);
    }

    /// Writes what the turn has queued.
    pub fn flush(&mut self) {
        self.grpc.end_turn();
        let now = self.clock.mono();
        for id in std::mem::take(&mut self.to_flush) {
            let Some(link) = self.links.get_mut(&id) else { continue };
            link.is_to_flush = false;
            match link.flush(now) {
                Ok(0) => {}
                Ok(bytes) => self.pending.push_back(Event::Sent { link: id, bytes }),
                Err(_) => {
                    self.end(id, CloseReason::Failed);
                    continue;
                }
            }
            if link.stage == Stage::Closing && link.unsent == 0 {
                self.pending.push_back(Event::Closed { link: id, why: CloseReason::Asked });
                if link.linger(now) {
                    self.queue_read(id);
                } else {
                    self.end(id, CloseReason::Asked);
                }
            }
        }
    }

    /// Says how many connections there are, and how many were not let in.
    pub fn count(&self, counts: &Counts) {
        counts.kafka_connections.set(self.links.len() as u64);
        counts.grpc_connections.set(self.grpc.connections() as u64);
        counts.refused_connections.set(self.admission.refused());
    }

    /// Whether answers wait for clients to take them.
    pub fn has_unsent(&self) -> bool {
        self.links.values().any(|link| link.unsent > 0) || self.grpc.has_unsent()
    }

    fn queue_read(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id)
            && link.wants_read()
            && !link.is_queued
        {
            link.is_queued = true;
            self.to_read.push_back(id);
        }
    }

    fn queue_flush(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id)
            && (link.unsent > 0 || link.stage == Stage::Closing)
            && !link.is_to_flush
        {
            link.is_to_flush = true;
            self.to_flush.push(id);
        }
    }

    fn read(&mut self, id: LinkId, into: &mut Vec<Event>, room: &mut Room, now: Mono) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.is_queued = false;
        match link.stage {
            Stage::Silent => return self.sniff(id),
            Stage::Lingering => {
                let may_speak = link.transport.discard(&mut self.buffers.shared);
                return if may_speak { self.queue_read(id) } else { self.end(id, CloseReason::Asked) };
            }
            Stage::Open if link.wants_read() => {}
            Stage::Open | Stage::Closing => return,
        }
        match link.read(&mut self.buffers, now) {
            Arrival::Bytes(bytes) => {
                let event = Event::Received { link: id, bytes };
                room.charge(&event);
                into.push(event);
                self.queue_read(id);
            }
            Arrival::Nothing => self.queue_read(id),
            Arrival::End(why) => self.end(id, why),
        }
    }

    fn sniff(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let remote = link.remote;
        match link.transport.peek().map(|first| first.map(recognise)) {
            Ok(None) => {}
            Ok(Some(Protocol::Other(what))) => {
                self.admission.refuse(remote, Refused::ForSpeech, &format_args!("it looks like {what}"));
                self.end(id, CloseReason::Refused);
            }
            Ok(Some(Protocol::Grpc)) => self.hand_on(id),
            Ok(Some(Protocol::Kafka)) => match link.transport.local() {
                Ok(local) => {
                    link.stage = Stage::Open;
                    let listener = link.listener;
                    let kind = LinkKind::Kafka { listener, local: address(local), remote: address(remote) };
                    self.pending.push_back(Event::Opened { link: id, kind });
                }
                Err(_) => self.end(id, CloseReason::Failed),
            },
            Err(_) => self.end(id, CloseReason::Remote),
        }
    }

    /// A socket that speaks gRPC leaves, and keeps its place among the connections.
    fn hand_on(&mut self, id: LinkId) {
        let Some(mut link) = self.links.remove(&id) else { return };
        let remote = link.remote;
        let local = link.transport.local();
        let listener = link.listener;
        let handed_on = self.registry.deregister(link.transport.source()).and(local).and_then(|local| {
            let kind = LinkKind::Kafka { listener, local: address(local), remote: address(remote) };
            self.grpc.adopt(link.transport.into_stream(), kind, remote)
        });
        if let Err(error) = handed_on {
            self.admission.on_closed(remote);
            self.admission.refuse(remote, Refused::ForRoom, &error);
        }
    }

    fn accept(&mut self, now: Mono) {
        for (stream, remote, listener) in self.admission.accept(now) {
            let mut transport = Transport::plain(stream);
            self.last = LinkId(self.last.0 + STEP);
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.registry.register(transport.source(), Token(self.last.0 as usize), interest).is_ok() {
                self.links.insert(self.last, Box::new(Link::new(transport, remote, listener, now)));
                self.next_sweep.get_or_insert(now + SWEEP);
            } else {
                self.admission.on_closed(remote);
            }
        }
    }

    fn end(&mut self, id: LinkId, why: CloseReason) {
        let Some(link) = self.links.remove(&id) else { return };
        self.admission.on_closed(link.remote);
        if matches!(link.stage, Stage::Open | Stage::Closing) {
            self.pending.push_back(Event::Closed { link: id, why });
        }
    }

    /// Closes the links that have been silent, or have not read, for too long.
    fn sweep(&mut self, now: Mono) {
        if self.next_sweep.is_none_or(|due| due > now) {
            return;
        }
        let is_scarce = self.admission.is_scarce();
        let wait = |short: Duration| if is_scarce { short } else { IDLE_WAIT };
        let is_overdue = |link: &Link| match link.stage {
            Stage::Silent => now.since(link.heard) >= wait(FIRST_BYTES_WAIT),
            Stage::Lingering => now.since(link.took) >= LAST_WORDS_WAIT,
            _ if link.unsent > 0 => now.since(link.took) >= wait(UNREAD_WAIT),
            _ => now.since(link.heard.max(link.took)) >= IDLE_WAIT,
        };
        let overdue: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| is_overdue(link)).map(|(id, _)| *id).collect();
        for id in overdue {
            self.end(id, CloseReason::Refused);
        }
        self.next_sweep = (!self.links.is_empty()).then(|| now + SWEEP);
    }
}

fn address(socket: SocketAddr) -> Address {
    // An IPv4 client of a dual-stack listener is known by its IPv4 address.
    Address { host: socket.ip().to_canonical().to_string(), port: socket.port() }
}
