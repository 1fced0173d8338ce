//! The network between some `Peers`: steps of one millisecond, messages take one, links can be cut (nothing
//! arrives), broken (both ends are told), or not read at one end.

use crate::action::{Action, Notice};
use crate::config::{Config, Member, Secret, Secrets};
use crate::event::Nonce;
use crate::ids::{BootId, ClusterId, DiskId, LinkId, NodeId};
use crate::level::Levels;
use crate::link::{Address, LaneKind};
use crate::now::Mono;
use crate::peer::{Identity, Outcome, Peers};
use bytes::BytesMut;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Some nodes and what lies between them.
pub struct World {
    pub now: Mono,
    pub nodes: BTreeMap<i32, Node>,
    pub wires: Vec<Wire>,
    /// Pairs between which nothing arrives and nothing is dialled, lower id first.
    pub cut: Vec<(i32, i32)>,
    pub dials: usize,
    /// What each node is told of the cluster's secret.
    pub secrets: BTreeMap<i32, Secrets>,
    /// Who answers at a member's address, where it is not that member.
    pub moved: BTreeMap<i32, i32>,
    members: i32,
    next_link: u64,
    nonces: u8,
}

/// One node.
pub struct Node {
    pub peers: Peers,
    pub outcomes: Vec<Outcome>,
    pub notices: Vec<Notice>,
    /// Messages handed to the driver, by lane: how many bytes each.
    pub sends: Vec<(LaneKind, usize)>,
    failed_dials: Vec<LinkId>,
}

/// One link: what flies towards each of its two ends.
pub struct Wire {
    pub lane: LaneKind,
    pub ends: [(i32, LinkId); 2],
    flying: [VecDeque<Vec<u8>>; 2],
    credit: [i64; 2],
    /// The nodes that do not read it.
    pub unread_by: Vec<i32>,
    is_broken: bool,
    /// One end was closed after all that it said.
    is_closing: bool,
}

pub fn secrets(texts: &[&str]) -> Secrets {
    let secret = |text: &&str| Secret::new(text.repeat(16).as_bytes()).expect("long enough");
    Secrets::new(texts.iter().map(secret).collect()).expect("few")
}

pub fn identity(node: i32, boot: u64) -> Identity {
    let disk = DiskId(u128::try_from(node).expect("positive"));
    Identity { disk, boot: BootId(boot), cluster: Some(ClusterId(7)), levels: Levels::BUILD }
}

pub fn config(node: i32, members: i32) -> Config {
    let member = |id: i32| Member {
        node: NodeId(id),
        api: Address::default(),
        rpc: Address { host: String::new(), port: u16::try_from(id).expect("small") },
    };
    Config { node: NodeId(node), members: (1..=members).map(member).collect(), ..Config::default() }
}

impl World {
    /// A cluster of so many members, none of them started.
    pub fn new(members: i32) -> World {
        World {
            now: Mono(1),
            nodes: BTreeMap::new(),
            wires: Vec::new(),
            cut: Vec::new(),
            dials: 0,
            secrets: BTreeMap::new(),
            moved: BTreeMap::new(),
            members,
            next_link: 2,
            nonces: 0,
        }
    }

    /// A cluster whose pairs are all up.
    pub fn settled(members: i32) -> World {
        let mut world = World::new(members);
        (1..=members).for_each(|node| world.start(node, identity(node, 1)));
        world.run(200);
        assert!(world.is_settled());
        world.nodes.values_mut().for_each(Node::clear);
        world
    }

    /// Starts a node, or starts it again; its old links, if any, hang.
    pub fn start(&mut self, node: i32, identity: Identity) {
        let secrets = self.secrets.get(&node).cloned().unwrap_or_default();
        let config = Config { secrets, ..config(node, self.members) };
        let mut peers = Peers::new(&config, u64::from(node.unsigned_abs()) ^ identity.boot.0);
        peers.started(identity, self.now);
        for wire in &mut self.wires {
            for end in &mut wire.ends {
                if end.0 == node {
                    end.0 = -node;
                }
            }
        }
        let (outcomes, notices, sends, failed_dials) = Default::default();
        self.nodes.insert(node, Node { peers, outcomes, notices, sends, failed_dials });
    }

    pub fn node(&mut self, node: i32) -> &mut Node {
        self.nodes.get_mut(&node).expect("started")
    }

    pub fn is_settled(&self) -> bool {
        let all = || 1..=self.members;
        let is_up = |a: i32, b: i32| {
            let peers = &self.nodes[&a].peers;
            a == b || peers.is_up(NodeId(b)) && peers.has_bulk(NodeId(b))
        };
        all().all(|a| all().all(|b| is_up(a, b)))
    }

    pub fn run(&mut self, milliseconds: u64) {
        (0..milliseconds).for_each(|_| self.step());
    }

    /// Ends all links between two nodes, in sight of both.
    pub fn break_links(&mut self, a: i32, b: i32, lane: Option<LaneKind>) {
        for wire in &mut self.wires {
            let joins = wire.ends.iter().all(|(node, _)| [a, b].contains(node));
            wire.is_broken |= joins && lane.is_none_or(|lane| lane == wire.lane);
        }
    }

    fn step(&mut self) {
        self.now = self.now + Duration::from_millis(1);
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            let now = self.now;
            let node = self.node(id);
            if node.peers.next_deadline().is_some_and(|at| at <= now) {
                node.peers.woke(now);
            }
            let mut actions = Vec::new();
            node.peers.flush(now, &mut actions);
            node.outcomes.extend(std::iter::from_fn(|| node.peers.next_outcome()));
            actions.into_iter().for_each(|action| self.act(id, action));
        }
        self.end_broken();
        self.deliver();
    }

    fn act(&mut self, id: i32, action: Action) {
        match action {
            Action::Dial { link, address, lane } => self.dial(id, link, i32::from(address.port), lane),
            Action::Send { link, parts } => {
                let bytes = parts.concat();
                let Some((wire, end)) = self.wire(id, link) else { return };
                wire.flying[1 - end].push_back(bytes.clone());
                let lane = wire.lane;
                self.node(id).sends.push((lane, bytes.len()));
            }
            Action::Allow { link, bytes } => {
                if let Some((wire, end)) = self.wire(id, link) {
                    wire.credit[end] += i64::try_from(bytes).expect("small");
                }
            }
            Action::Abort { link } => {
                if let Some((wire, end)) = self.wire(id, link) {
                    // The aborting side needs no news of it, and would not mind any.
                    wire.ends[end].0 = -id;
                    wire.is_broken = true;
                }
            }
            Action::Close { link } => {
                if let Some((wire, end)) = self.wire(id, link) {
                    wire.ends[end].0 = -id;
                    wire.is_closing = true;
                }
            }
            Action::Note(notice) => self.node(id).notices.push(notice),
            other => panic!("unexpected {other}"),
        }
    }

    fn dial(&mut self, from: i32, link: LinkId, to: i32, lane: LaneKind) {
        self.dials += 1;
        let to = self.moved.get(&to).copied().unwrap_or(to);
        if self.is_cut(from, to) || !self.nodes.contains_key(&to) {
            self.node(from).failed_dials.push(link);
            return;
        }
        let other = LinkId(self.next_link);
        self.next_link += 2;
        let now = self.now;
        for (node, link) in [(from, link), (to, other)] {
            self.nonces = self.nonces.wrapping_add(1);
            let nonce = Nonce([self.nonces; 32]);
            self.node(node).peers.opened(link, lane, nonce, now);
        }
        self.wires.push(Wire {
            lane,
            ends: [(from, link), (to, other)],
            flying: Default::default(),
            credit: [0; 2],
            unread_by: Vec::new(),
            is_broken: false,
            is_closing: false,
        });
    }

    fn wire(&mut self, id: i32, link: LinkId) -> Option<(&mut Wire, usize)> {
        self.wires.iter_mut().find_map(|wire| {
            let end = wire.ends.iter().position(|end| *end == (id, link))?;
            Some((wire, end))
        })
    }

    fn is_cut(&self, a: i32, b: i32) -> bool {
        self.cut.contains(&(a.abs().min(b.abs()), a.abs().max(b.abs())))
    }

    fn end_broken(&mut self) {
        let now = self.now;
        let wires = std::mem::take(&mut self.wires);
        let (broken, whole): (Vec<Wire>, Vec<Wire>) = wires.into_iter().partition(|wire| wire.is_broken);
        self.wires = whole;
        for (id, link) in broken.iter().flat_map(|wire| wire.ends) {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.peers.closed(link, now);
            }
        }
        for node in self.nodes.values_mut() {
            for link in std::mem::take(&mut node.failed_dials) {
                node.peers.closed(link, now);
            }
        }
    }

    fn deliver(&mut self) {
        let mut wires = std::mem::take(&mut self.wires);
        for wire in &mut wires {
            for end in 0..2 {
                let ((to, link), (from, back)) = (wire.ends[end], wire.ends[1 - end]);
                if self.is_cut(to, from) || wire.unread_by.contains(&to) || to < 0 {
                    continue;
                }
                while wire.credit[end] > 0
                    && let Some(bytes) = wire.flying[end].pop_front()
                {
                    wire.credit[end] -= i64::try_from(bytes.len()).expect("small");
                    let now = self.now;
                    if let Some(node) = self.nodes.get_mut(&from) {
                        node.peers.sent(back, bytes.len() as u64, now);
                    }
                    self.node(to).peers.received(link, BytesMut::from(&bytes[..]), now);
                }
            }
        }
        for wire in &mut wires {
            let ends = wire.ends.iter().zip(&wire.flying);
            wire.is_broken |=
                wire.is_closing && ends.into_iter().all(|((to, _), flying)| *to < 0 || flying.is_empty());
        }
        wires.append(&mut self.wires);
        self.wires = wires;
    }
}

impl Node {
    pub fn clear(&mut self) {
        self.outcomes.clear();
        self.notices.clear();
        self.sends.clear();
    }

    /// Who came up (by boot) and went down, in order.
    pub fn ups_and_downs(&self) -> Vec<(i32, Option<u64>)> {
        let told = |outcome: &Outcome| match outcome {
            Outcome::Up(greeting) => Some((greeting.node.0, Some(greeting.boot.0))),
            Outcome::Down(node) => Some((node.0, None)),
            _ => None,
        };
        self.outcomes.iter().filter_map(told).collect()
    }

    /// Kinds of the Raft messages that came.
    pub fn raft_kinds(&self) -> Vec<i32> {
        let kinds = |outcome: &Outcome| match outcome {
            Outcome::Raft(_, messages) => messages.iter().map(|message| message.kind).collect(),
            _ => Vec::new(),
        };
        self.outcomes.iter().flat_map(kinds).collect()
    }
}
