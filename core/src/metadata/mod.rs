//! The metadata machine: which topics exist, where their replicas are, who may hand out which producer ids.
//! It is the only owner of these facts; every node applies the same commands and reads its own copy, the
//! *image*, which is simply the committed state.
//!
//! `request` is what it is asked, `command` what it replicates, `creation` and `deletion` decide about topics, `room`
//! counts what that takes, `placement` says where replicas go, `topic_name` which names are allowed, `fitting` which
//! commands and states can be.
//!
//! Not here: Raft, storage, clients. The host (`host/`) keeps the two copies; the node starts and stops
//! replicas as committed commands say.
//!
//! - Invariant: a [`ReplicaId`] and a [`TopicId`] are given once, ever: `next_replica` only rises, and ids of
//!   topics are drawn until they are new (claim C14).
//! - Invariant: producer-id blocks never overlap: `next_producer` only rises.
//! - Invariant: every name in `names` leads to a topic of that name, and back.
//! - Invariant: the encoded state <= `state_bytes_max` of the room that `decide` is given: what is accepted can be
//!   kept, sent and read back (`room`).
//!
//! Left out, and what that costs: configurations changed after creation, more partitions, other members.
//! Each is a command more.

mod command;
mod creation;
mod deletion;
mod fitting;
mod placement;
mod request;
mod room;
#[cfg(test)]
mod tests;
mod topic_name;

pub use command::Command;
pub use request::{CreatedTopic, Deletion, NewTopic, Refusal, Reply, Request, TopicRef};
pub use topic_name::fault as topic_name_fault;

use crate::codec;
use crate::entry::Stamp;
use crate::ids::PageId;
use crate::ids::{ClusterId, DiskId, NodeId, PartitionId, ReplicaId, TopicId, TopicPartition};
use crate::limits::PRODUCER_ID_BLOCK;
use crate::machine::{Context, Decision, Machine, Undecodable, Waiter};
use crate::mutant::{Mutant, is_planted};
use crate::paged::Paged;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// The replicated state, and on every node the image of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Metadata {
    cluster: ClusterId,
    feature_level: u32,
    members: BTreeMap<NodeId, Member>,
    topics: Paged<TopicId, Topic>,
    names: Paged<String, TopicId>,
    next_replica: u64,
    next_producer: i64,
    partitions: u64,
}

/// A node of the cluster and what binds its replicas to its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Member {
    /// Its replica of the metadata partition.
    pub replica: ReplicaId,
    /// The disk that its replicas are on.
    pub disk: DiskId,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// By number, where each partition's replicas are; the first is the preferred leader.
    pub partitions: Vec<Vec<Placed>>,
    /// What its creator set, by Kafka's names; the rest is default.
    pub configs: BTreeMap<String, String>,
}

/// A replica and the node it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Placed {
    /// Which replica.
    pub replica: ReplicaId,
    /// Where.
    pub node: NodeId,
}

/// The feature level that this build writes: it rises with every new kind of command.
pub const FEATURE_LEVEL: u32 = 1;

impl Metadata {
    /// The state that a cluster is founded with: its members, each with its metadata replica and disk. Its producer
    /// ids begin at a place of its own, so that a producer that outlived another cluster at this address, such as a
    /// broker in memory before its restart, does not share its id with one that is new here.
    pub fn founded(cluster: ClusterId, members: BTreeMap<NodeId, Member>) -> Metadata {
        // Blocks below 2^42 keep ids below 2^53: clients that hold numbers as doubles can tell them apart.
        let block = i64::try_from(cluster.0 & ((1 << 42) - 1)).expect("42 bits fit");
        let next_replica = members.values().map(|member| member.replica.0).max().unwrap_or(0) + 1;
        let next_producer = block * PRODUCER_ID_BLOCK;
        let feature_level = FEATURE_LEVEL;
        Metadata { cluster, feature_level, members, next_replica, next_producer, ..Metadata::default() }
    }

    /// The cluster's identity.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The nodes by rising id.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, Member)> + '_ {
        self.members.iter().map(|(node, member)| (*node, *member))
    }

    /// All topics by name.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &Topic)> + '_ {
        self.names.values().filter_map(|id| Some((*id, self.topics.get(id)?)))
    }

    /// The topic of that id.
    pub fn topic(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// The name of a topic; its id where there is none.
    pub fn name_of(&self, id: TopicId) -> String {
        self.topic(id).map_or_else(|| id.to_string(), |topic| topic.name.clone())
    }

    /// The id of the topic of that name.
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.names.get(name).copied()
    }

    /// Every partition with the replica that `node` holds of it.
    #[cfg(feature = "simulation")]
    pub fn replicas_on(&self, node: NodeId) -> impl Iterator<Item = (TopicPartition, ReplicaId)> + '_ {
        self.topics.iter().flat_map(move |(id, topic)| {
            topic.partitions.iter().enumerate().filter_map(move |(number, placed)| {
                let here = placed.iter().find(|placed| placed.node == node)?;
                Some((partition_of(*id, number), here.replica))
            })
        })
    }

    /// Bytes of the state, encoded, but for a few numbers: counted as it changes.
    pub fn bytes(&self) -> usize {
        codec::encoded_bytes(&self.members) + self.topics.bytes() + self.names.bytes()
    }

    /// Whether a topic's name differs from `name` in nothing but '.' and '_': Kafka refuses the second, since both would
    /// share a metric's name. Looks only where names begin as it does.
    fn collides(&self, name: &str) -> bool {
        self.begins_like(String::new(), name)
    }

    fn begins_like(&self, mut begun: String, rest: &str) -> bool {
        let (plain, rest) = rest.split_at(rest.find(['.', '_']).unwrap_or(rest.len()));
        begun.push_str(plain);
        let is_begun =
            |begun: &str| self.names.from(begun).next().is_some_and(|(name, _)| name.starts_with(begun));
        let mut after = rest.chars();
        match after.next() {
            None => self.names.contains_key(begun.as_str()),
            Some(_) => {
                is_begun(&begun)
                    && ['.', '_']
                        .into_iter()
                        .any(|mark| self.begins_like(format!("{begun}{mark}"), after.as_str()))
            }
        }
    }

    fn insert(&mut self, id: TopicId, topic: &Topic) {
        let ids = topic.partitions.iter().flatten().map(|placed| placed.replica.0);
        self.next_replica = self.next_replica.max(ids.max().map_or(0, |highest| highest + 1));
        self.partitions += topic.partitions.len() as u64;
        self.names.insert(topic.name.clone(), id);
        self.topics.insert(id, topic.clone());
    }

    fn remove(&mut self, id: TopicId) {
        if let Some(topic) = self.topics.remove(&id) {
            self.partitions -= topic.partitions.len() as u64;
            self.names.remove(&topic.name);
        }
    }
}

/// The partition of that number.
pub fn partition_of(topic: TopicId, number: usize) -> TopicPartition {
    let number = i32::try_from(number).expect("a topic has at most limits::CREATE_PARTITIONS_MAX partitions");
    TopicPartition { topic, partition: PartitionId(number) }
}

/// Its maps, among the state's pages.
const TOPICS: u8 = 0;
const NAMES: u8 = 1;

impl Machine for Metadata {
    type Request = Request;
    type Reply = Reply;
    type Command = Command;
    type Soft = ();
    type Image = ();

    fn decide(
        &self,
        _soft: &mut (),
        context: &mut Context<'_, ()>,
        waiter: Waiter,
        request: Request,
    ) -> Decision<Command, Reply> {
        let (commands, reply) = match request {
            Request::CreateTopics { topics, validate_only } => {
                let (commands, results) = creation::decide(self, context, topics);
                let commands = if validate_only { Vec::new() } else { commands };
                (commands, Reply::CreateTopics(results))
            }
            Request::DeleteTopics { topics } => {
                let (commands, results) = deletion::decide(self, topics, context.room);
                (commands, Reply::DeleteTopics(results))
            }
            Request::ProducerIds { .. } => {
                let first = self.next_producer;
                let next = first + PRODUCER_ID_BLOCK;
                let is_overlapping = is_planted(context.mutant, Mutant::IdBlocksOverlap);
                let taken = if is_overlapping { first + PRODUCER_ID_BLOCK / 2 } else { next };
                (vec![Command::ProducerIdsTaken { next: taken }], Reply::ProducerIds { first, next })
            }
        };
        Decision::confirmed(commands, waiter, reply)
    }

    fn not_leader() -> Reply {
        Reply::NotController
    }

    fn apply(&mut self, _at: Stamp, command: &Command) {
        // Total: what does not fit changes nothing. It cannot come from our own `decide`.
        if !self.takes(command) {
            return;
        }
        match command {
            Command::TopicCreated { id, topic } => self.insert(*id, topic),
            Command::TopicDeleted { id } => self.remove(*id),
            Command::ProducerIdsTaken { next } => self.next_producer = *next,
        }
        assert!(self.names.len() == self.topics.len(), "every topic has one name of its own");
    }

    fn encode(&self, into: &mut BytesMut) {
        codec::encode_into(self, into);
    }

    fn decode(bytes: &[u8]) -> Result<Metadata, Undecodable> {
        let state: Metadata = codec::decode(bytes, "metadata state")?;
        match state.fault() {
            Some(reason) => Err(Undecodable { what: "metadata state", reason: reason.into() }),
            None => Ok(state),
        }
    }

    fn state_bytes(&self) -> usize {
        self.bytes()
    }

    fn head(&self) -> Bytes {
        let (topics, names) = (Paged::default(), Paged::default());
        codec::encode(&Metadata { topics, names, members: self.members.clone(), ..*self })
    }

    fn page_ids(&self) -> Vec<PageId> {
        let topics = self.topics.editions().map(|edition| PageId { table: TOPICS, edition });
        topics.chain(self.names.editions().map(|edition| PageId { table: NAMES, edition })).collect()
    }

    fn page(&self, number: usize) -> Option<Bytes> {
        let topics = self.topics.editions().count();
        let page = match number.checked_sub(topics) {
            None => self.topics.page(number),
            Some(number) => self.names.page(number),
        };
        page.map(|(_, bytes)| bytes)
    }

    fn unfold(head: &[u8], pages: &[(PageId, Bytes)]) -> Result<Metadata, Undecodable> {
        let mut state: Metadata = codec::decode(head, "metadata state")?;
        for (id, bytes) in pages {
            let pushed = match id.table {
                TOPICS => state.topics.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
                NAMES => state.names.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
                table => Err(format!("there is no table {table}")),
            };
            pushed.map_err(|reason| Undecodable { what: "page of the metadata", reason })?;
        }
        match state.fault() {
            Some(reason) => Err(Undecodable { what: "metadata state", reason: reason.into() }),
            None => Ok(state),
        }
    }

    fn encode_commands(commands: &[Command]) -> Bytes {
        command::encode(commands)
    }

    fn decode_commands(bytes: &[u8]) -> Result<Vec<Command>, Undecodable> {
        command::decode(bytes)
    }
}
