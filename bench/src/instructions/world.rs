//! A tiny world around one or three brokers: disks that never fail, wires that never break, one client, and time that
//! passes only when nothing else is left to happen. No threads, no clock, no chance: the same script is the same
//! instructions.

use crate::instructions::disk::Disk;
use bytes::BytesMut;
use rust_mq_core::action::Action;
use rust_mq_core::broker::Broker;
use rust_mq_core::config::{Config, Member};
use rust_mq_core::event::{CloseReason, Event, LinkKind, Nonce};
use rust_mq_core::ids::{LinkId, NodeId};
use rust_mq_core::link::Address;
use rust_mq_core::now::{Mono, Now, Wall};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Rounds after which a world that does not come to rest never will.
const ROUNDS_MAX: usize = 200_000;
/// When every script begins, ms since 1970.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// The world.
pub struct World {
    nodes: Vec<Node>,
    /// From an end of a wire to its other end.
    wires: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    /// Messages towards an end, and how much it takes.
    ends: BTreeMap<(usize, LinkId), End>,
    now: Duration,
    is_measured: bool,
    /// How many wires there were: what their ends draw as nonces.
    nonces: u64,
}

struct Node {
    broker: Broker,
    config: Config,
    disk: Disk,
    inbox: Vec<Event>,
    wake_at: Option<Mono>,
    links: u64,
}

#[derive(Default)]
struct End {
    flying: VecDeque<BytesMut>,
    credit: i64,
    /// What a client was answered; unused on wires.
    received: BytesMut,
}

/// The one call that is counted. Never inlined, because callgrind finds it by its name.
#[inline(never)]
pub fn measured_turn(broker: &mut Broker, now: Now, events: &mut Vec<Event>, actions: &mut Vec<Action>) {
    broker.handle(now, events, actions);
}

impl World {
    /// So many nodes, started, and at rest.
    pub fn start(count: u16) -> World {
        let member = |number: u16| Member {
            node: NodeId(i32::from(number)),
            api: Address { host: "client".into(), port: 9092 },
            // The port says which node it is.
            rpc: Address { host: "node".into(), port: number },
        };
        let members: Vec<Member> = (1..=count).map(member).collect();
        let config = |number: u16| Config {
            node: NodeId(i32::from(number)),
            members: members.clone(),
            bootstrap: number == 1,
            ..Config::default()
        };
        let mut world = World {
            nodes: (1..=count)
                .map(|number| Node::start(config(number), Disk::default(), u64::from(number)))
                .collect(),
            wires: BTreeMap::new(),
            ends: BTreeMap::new(),
            now: Duration::ZERO,
            nonces: 0,
            is_measured: false,
        };
        world.pass(Duration::from_secs(20));
        world
    }

    /// From now on turns are counted.
    pub fn measure(&mut self) {
        self.is_measured = true;
    }

    /// The node is gone as if killed, and starts on its disk.
    pub fn restart(&mut self) {
        let old = self.nodes.remove(0);
        self.wires.clear();
        self.ends.clear();
        self.nodes.insert(0, Node::start(old.config, old.disk, 100));
        self.settle();
    }

    /// A client's connection to a node.
    pub fn connect(&mut self, node: usize) -> LinkId {
        let link = self.nodes[node].accept();
        let address = || Address { host: "client".into(), port: 1 };
        let kind = LinkKind::Kafka { listener: 0, local: address(), remote: address() };
        self.nodes[node].inbox.push(Event::Opened { link, kind });
        self.ends.insert((node, link), End::default());
        self.settle();
        link
    }

    /// Sends a request on a connection and lets happen what can; the answer, if it has come.
    pub fn ask(&mut self, node: usize, link: LinkId, request: &[u8]) -> Option<BytesMut> {
        self.send(node, link, request);
        self.settle();
        let received = &mut self.ends.get_mut(&(node, link))?.received;
        let length = u32::from_be_bytes(*received.first_chunk::<4>()?) as usize;
        (received.len() == 4 + length).then(|| received.split_off(4))
    }

    /// Sends a request on a connection, and forgets what was answered there before.
    pub fn send(&mut self, node: usize, link: LinkId, request: &[u8]) {
        if let Some(end) = self.ends.get_mut(&(node, link)) {
            end.received.clear();
            end.flying.push_back(BytesMut::from(request));
        }
    }

    /// How many whole answers have come on a connection since something was sent.
    pub fn answers(&self, node: usize, link: LinkId) -> usize {
        let mut rest = self.ends.get(&(node, link)).map_or(&[][..], |end| &end.received[..]);
        std::iter::from_fn(|| {
            let length = u32::from_be_bytes(*rest.first_chunk::<4>()?) as usize;
            rest = rest.get(4 + length..)?;
            Some(())
        })
        .count()
    }

    /// Lets time pass, and everything happen meanwhile.
    pub fn pass(&mut self, length: Duration) {
        let end = self.now + length;
        self.settle();
        while self.now < end {
            let next = self.nodes.iter().filter_map(|node| node.wake_at).min();
            let next = next.map_or(end, |at| Duration::from_nanos(at.0));
            self.now = next.clamp(self.now, end);
            self.settle();
        }
    }

    /// Lets everything happen that can without time passing.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.deliver();
            let is_busy: Vec<bool> = (0..self.nodes.len()).map(|at| self.turn(at)).collect();
            if !is_busy.contains(&true) {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    fn turn(&mut self, at: usize) -> bool {
        let nanoseconds = u64::try_from(self.now.as_nanos()).expect("a script is short");
        let wall = i64::try_from(BEGIN_MS + nanoseconds / 1_000_000).expect("a script is short");
        let now = Now { mono: Mono(nanoseconds), wall: Wall(wall) };
        let node = &mut self.nodes[at];
        let mut events = std::mem::take(&mut node.inbox);
        if node.wake_at.is_some_and(|wake| wake <= now.mono) {
            node.wake_at = None;
            events.push(Event::Woke);
        }
        // The door's order: what is done, the deadline, then links.
        events.sort_by_key(|event| match event {
            Event::Started | Event::Done { .. } => 0,
            Event::Woke => 1,
            _ => 2,
        });
        if events.is_empty() {
            return false;
        }
        let mut actions = Vec::new();
        if self.is_measured {
            measured_turn(&mut node.broker, now, &mut events, &mut actions);
        } else {
            node.broker.handle(now, &mut events, &mut actions);
        }
        actions.into_iter().for_each(|action| self.perform(at, action));
        true
    }

    fn perform(&mut self, at: usize, action: Action) {
        match action {
            Action::Dial { link, address, lane } => {
                let to = usize::from(address.port) - 1;
                let accepted = self.nodes[to].accept();
                for ((node, link), other) in [((at, link), (to, accepted)), ((to, accepted), (at, link))] {
                    self.wires.insert((node, link), other);
                    self.ends.insert((node, link), End::default());
                    self.nonces += 1;
                    let mut nonce = Nonce::default();
                    nonce.0[..8].copy_from_slice(&self.nonces.to_be_bytes());
                    let kind = LinkKind::Peer { lane, nonce };
                    self.nodes[node].inbox.push(Event::Opened { link, kind });
                }
            }
            Action::Send { link, parts } => {
                let bytes = parts.concat();
                let sent = Event::Sent { link, bytes: bytes.len() as u64 };
                self.nodes[at].inbox.push(sent);
                if let Some(other) = self.wires.get(&(at, link)) {
                    let end = self.ends.get_mut(other).expect("a wire has two ends");
                    end.flying.push_back(BytesMut::from(&bytes[..]));
                } else if let Some(end) = self.ends.get_mut(&(at, link)) {
                    end.received.extend_from_slice(&bytes);
                }
            }
            Action::Allow { link, bytes } => {
                if let Some(end) = self.ends.get_mut(&(at, link)) {
                    end.credit += i64::try_from(bytes).expect("credit is small");
                }
            }
            Action::WakeAt { mono } => self.nodes[at].wake_at = Some(mono),
            Action::Halt(reason) => panic!("node {at} stops: {reason:?}"),
            Action::Close { link } | Action::Abort { link } => self.close((at, link)),
            other => {
                let done = self.nodes[at].disk.perform(other);
                self.nodes[at].inbox.extend(done);
            }
        }
    }

    /// A node ends a wire, as it does with one on which it only asked who is there. What was sent before arrives.
    fn close(&mut self, (node, link): (usize, LinkId)) {
        let Some(other) = self.wires.remove(&(node, link)) else {
            assert!(!self.ends.contains_key(&(node, link)), "node {node} closes a client's {link}");
            // The other side was quicker.
            return;
        };
        self.wires.remove(&other);
        self.ends.remove(&(node, link));
        self.nodes[node].inbox.push(Event::Closed { link, why: CloseReason::Asked });
        let (witness, link) = other;
        let flying = self.ends.remove(&other).map(|end| end.flying).unwrap_or_default();
        let arrived = flying.into_iter().map(|bytes| Event::Received { link, bytes });
        self.nodes[witness].inbox.extend(arrived);
        self.nodes[witness].inbox.push(Event::Closed { link, why: CloseReason::Remote });
    }

    /// Whatever an end has credit for arrives: whole messages on wires, any cut of the stream from a client.
    fn deliver(&mut self) {
        for ((node, link), end) in &mut self.ends {
            let is_wire = self.wires.contains_key(&(*node, *link));
            while end.credit > 0
                && let Some(mut bytes) = end.flying.pop_front()
            {
                let most = usize::try_from(end.credit).unwrap_or(usize::MAX);
                if !is_wire && bytes.len() > most {
                    end.flying.push_front(bytes.split_off(most));
                }
                end.credit -= i64::try_from(bytes.len()).expect("messages are small");
                self.nodes[*node].inbox.push(Event::Received { link: *link, bytes });
            }
        }
    }
}

impl Node {
    fn start(config: Config, disk: Disk, seed: u64) -> Node {
        let broker = Broker::new(config.clone(), seed);
        Node { broker, config, disk, inbox: vec![Event::Started], wake_at: None, links: 0 }
    }

    /// An id for a link that the driver accepts: even.
    fn accept(&mut self) -> LinkId {
        self.links += 2;
        LinkId(self.links)
    }
}
