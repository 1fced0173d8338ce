//! A member of three whose two peers are played by hand: they are accepted, founded the cluster with it and made a
//! topic, and then say anything at all. Node 1 leads everything, as far as Raft can tell.
//!
//! What a peer may never do, whatever it says: end the process, or take records away that were committed.

use super::{Files, Stage, config};
use bytes::Bytes;
use rust_mq_core::codec;
use rust_mq_core::config::Config;
use rust_mq_core::ids::{LinkId, NodeId, ReplicaId, TopicId};
use rust_mq_core::level::Levels;
use rust_mq_core::link::LaneKind;
use rust_mq_core::metadata::{Command, Placed, TopicBirth};
use rust_mq_core::rng;
use rust_mq_proto::peer::codec::{parse, raft_parts};
use rust_mq_proto::peer::message::{Fetch, Found, FoundMember, Hello, IAm, PROTOCOL_NEWEST, PeerBody, Proof};
use rust_mq_proto::peer::raft::{RaftEntry, RaftKind, RaftMessage};
use rust_mq_proto::records::BatchBuilder;
use std::collections::BTreeMap;
use std::time::Duration;

/// Whose process it is.
pub const ME: i32 = 3;
/// The topic there is, of one partition.
pub const TOPIC: TopicId = TopicId([5; 16]);
/// The metadata replica of each node is its number, and its replica of the partition that many more.
pub const PARTITION: u64 = 10;
/// Records in the partition that are committed in the beginning, each a batch of its own.
pub const RECORDS: i64 = 3;
/// The term in which node 1 leads.
pub const TERM: u64 = 2;

const CLUSTER: u128 = 77;
/// Times that the node may ask who is there before it comes to rest. Chosen.
const ANSWERS_MAX: usize = 10;
/// Turns in which everything comes to rest. Chosen.
const TURNS_MAX: usize = 200;

/// The node and what is said to it.
pub struct Company {
    /// The node.
    pub stage: Stage,
    lanes: BTreeMap<(i32, LaneKind), LinkId>,
    heard: Vec<(LinkId, PeerBody)>,
    /// The disk of who answers at node 1's address.
    pub at_address: Bytes,
}

impl Company {
    /// A node that is no member yet, and has met nobody.
    pub fn alone() -> Company {
        let config = Config { node: NodeId(ME), bootstrap: false, ..config(3) };
        let stage = Stage::start(config, Files::new());
        let mut company = Company { stage, lanes: BTreeMap::new(), heard: Vec::new(), at_address: disk(1) };
        company.settle();
        company
    }

    /// A member that has a topic with records.
    pub fn member() -> Company {
        let mut company = Company::alone();
        for node in [1, 2] {
            for lane in [LaneKind::Raft, LaneKind::Bulk] {
                company.meet(node, lane);
            }
        }
        company.found();
        company.commands(&[Command::TopicCreated { id: TOPIC, topic: topic() }]);
        company.records();
        assert_eq!(company.log_end(), RECORDS, "the node has the records it was given");
        company
    }

    /// A peer comes, is greeted, and accepts.
    pub fn meet(&mut self, node: i32, lane: LaneKind) {
        let link = self.stage.open_peer(lane);
        self.settle();
        self.lanes.insert((node, lane), link);
        let hello = Hello {
            protocol_oldest: PROTOCOL_NEWEST.into(),
            protocol_newest: PROTOCOL_NEWEST.into(),
            level_oldest: Levels::BUILD.oldest.0,
            level_newest: Levels::BUILD.newest.0,
            node,
            disk: disk(node),
            boot: u64::from(node.unsigned_abs()),
            members_checksum: rng::hash(&[1, 2, 3]),
            nonce: Bytes::from(vec![9; 32]),
            ..Hello::default()
        };
        self.say(node, lane, PeerBody::Hello(hello));
        self.say(node, lane, PeerBody::Proof(Proof::default()));
    }

    /// A peer says something, and all that follows from it happens.
    pub fn say(&mut self, node: i32, lane: LaneKind, body: PeerBody) -> bool {
        let is_heard = self.say_bytes(node, lane, &body.into_parts(PROTOCOL_NEWEST).concat());
        self.settle();
        is_heard
    }

    /// A peer says these bytes; what follows from it has not happened yet.
    pub fn say_bytes(&mut self, node: i32, lane: LaneKind, bytes: &[u8]) -> bool {
        let link = self.lanes.get(&(node, lane)).copied();
        link.is_some_and(|link| self.stage.deliver(link, bytes))
    }

    /// A peer says this to a replica of its own group.
    pub fn say_raft(&mut self, node: i32, message: RaftMessage) {
        self.say_bytes(node, LaneKind::Raft, &raft_parts(&[message], PROTOCOL_NEWEST).concat());
        self.settle();
    }

    /// All that can happen now happens; returns whether it comes to an end.
    pub fn settle(&mut self) -> bool {
        for _ in 0..ANSWERS_MAX {
            let is_at_rest = self.stage.settle(TURNS_MAX);
            let said = self.stage.take_said();
            let bodies = said
                .into_iter()
                .filter_map(|(link, bytes)| Some((link, parse(bytes, PROTOCOL_NEWEST).ok()?)));
            let (asked, heard): (Vec<_>, Vec<_>) =
                bodies.partition(|(_, body)| matches!(body, PeerBody::WhoAreYou(_)));
            self.heard.extend(heard);
            if asked.is_empty() {
                return is_at_rest;
            }
            asked.into_iter().for_each(|(link, body)| self.answer_who(link, body));
        }
        false
    }

    /// Node 1 is at its address.
    fn answer_who(&mut self, link: LinkId, body: PeerBody) {
        let PeerBody::WhoAreYou(asked) = body else { return };
        let cluster = Bytes::copy_from_slice(&CLUSTER.to_be_bytes());
        let said = IAm { nonce: asked.nonce, node: 1, disk: self.at_address.clone(), boot: 1, cluster };
        self.stage.deliver(link, &PeerBody::IAm(said).into_parts(PROTOCOL_NEWEST).concat());
    }

    /// What the node said to a peer since the last call.
    pub fn heard(&mut self, node: i32, lane: LaneKind) -> Vec<PeerBody> {
        let link = self.lanes.get(&(node, lane)).copied();
        let (of_it, rest) =
            std::mem::take(&mut self.heard).into_iter().partition(|(at, _)| Some(*at) == link);
        self.heard = rest;
        of_it.into_iter().map(|(_, body): (LinkId, PeerBody)| body).collect()
    }

    /// Time goes on.
    pub fn pass(&mut self, time: Duration) {
        self.stage.pass(time, 0);
        self.settle();
    }

    /// Where the node's log of the partition ends, as it tells node 2; -1 if it says nothing.
    pub fn log_end(&mut self) -> i64 {
        self.heard(2, LaneKind::Bulk);
        let asked = PeerBody::Fetch(Fetch { id: 9, from: 0, ..fetch() });
        if !self.say(2, LaneKind::Bulk, asked.clone()) {
            // The lane was ended for what was said on it.
            self.meet(2, LaneKind::Bulk);
            self.say(2, LaneKind::Bulk, asked);
        }
        let end = self.heard(2, LaneKind::Bulk).into_iter().find_map(|body| match body {
            PeerBody::Fetched(fetched) if fetched.error == 0 => Some(fetched.high_watermark),
            _ => None,
        });
        end.unwrap_or(-1)
    }

    /// Node 1, or who passes for it, says how the cluster was founded.
    pub fn found(&mut self) {
        let hellos = self.heard(1, LaneKind::Raft);
        let mine = hellos.into_iter().find_map(|body| match body {
            PeerBody::Hello(hello) => Some(hello.disk),
            _ => None,
        });
        let mine = mine.expect("it answers a hello with its own");
        let member = |node: i32| FoundMember {
            replica: u64::from(node.unsigned_abs()),
            node,
            disk: if node == ME { mine.clone() } else { disk(node) },
        };
        let found = Found {
            cluster: Bytes::copy_from_slice(&CLUSTER.to_be_bytes()),
            level: Levels::BUILD.newest.0,
            members: (1..=3).map(member).collect(),
        };
        self.say(1, LaneKind::Raft, PeerBody::Found(found));
    }

    fn commands(&mut self, commands: &[Command]) {
        let payload = codec::encode_all(commands, Levels::BUILD.newest);
        self.say_raft(1, append(0, 1, 1, vec![entry(2, payload)]));
    }

    fn records(&mut self) {
        let entries = (0..RECORDS).map(|base| entry(1, batch(base))).collect();
        self.say_raft(1, append(PARTITION, 0, 0, entries));
    }
}

/// A message that asks for nothing else: a fetch of the partition.
pub fn fetch() -> Fetch {
    Fetch { id: 1, topic: Bytes::copy_from_slice(&TOPIC.0), partition: 0, from: 0, max_bytes: 1 << 20 }
}

/// Entries from node 1's replica, which commits all of them; `base` is 0 for the metadata partition.
pub fn append(base: u64, index: u64, log_term: u64, entries: Vec<RaftEntry>) -> RaftMessage {
    RaftMessage {
        kind: RaftKind::Append as i32,
        to: base + u64::from(ME.unsigned_abs()),
        from: base + 1,
        term: TERM,
        log_term,
        index,
        commit: index + entries.len() as u64,
        entries,
        ..RaftMessage::default()
    }
}

/// An entry of node 1's term; kind 1 is a batch, 2 are commands.
pub fn entry(kind: u32, payload: Bytes) -> RaftEntry {
    RaftEntry { term: TERM, kind, wall: 1_700_000_000_000, payload }
}

/// A batch of one record.
pub fn batch(base: i64) -> Bytes {
    let mut builder = BatchBuilder::new().place(base, TERM as i32);
    builder.push(1_700_000_000_000, None, Some(b"record"), &[]);
    builder.build().freeze()
}

fn topic() -> TopicBirth {
    let placed = |node: i32| Placed {
        replica: ReplicaId(PARTITION + u64::from(node.unsigned_abs())),
        node: NodeId(node),
    };
    TopicBirth {
        name: "topic".into(),
        partitions: vec![(1..=3).map(placed).collect()],
        configs: BTreeMap::new(),
    }
}

fn disk(node: i32) -> Bytes {
    Bytes::copy_from_slice(&(1000 + u128::from(node.unsigned_abs())).to_be_bytes())
}
