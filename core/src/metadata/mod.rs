//! The metadata machine: which topics exist, where their replicas are, who may hand out which producer ids.
//! It is the only owner of these facts; every node applies the same commands and reads its own copy, the
//! *image*, which is simply the committed state.
//!
//! `request` is what it is asked, `command` what it replicates, `creation` and `deletion` decide about topics,
//! `machine_topic` about those of machines, `configuring` about settings, `widening` about more partitions,
//! `registry` about nodes and the feature level, `assignment` tells birth members from the target, `room`
//! counts what that takes, `placement` says where replicas go, `topic_name` which names are allowed, `fitting` which
//! commands and states can be, `shape` and `coded` what is written of them.
//!
//! Not here: Raft, storage, clients. The host (`host/`) keeps the two copies; the node starts and stops
//! replicas as committed commands say.
//!
//! - Invariant: a [`ReplicaId`] and a [`TopicId`] are given once, ever: `next_replica` only rises, and ids of
//!   topics are drawn until they are new (claim C14).
//! - Invariant: the feature level only rises, and every node of the registry reads it.
//! - Invariant: producer-id blocks never overlap: `next_producer` only rises.
//! - Invariant: every name in `names` leads to a topic of that name, and back.
//! - Invariant: the encoded state <= `state_bytes_max` of the room that `decide` is given: what is accepted can be
//!   kept, sent and read back (`room`).
//!
//! Left out, and what that costs: other members, which are a command more.

mod assignment;
mod coded;
mod command;
mod configuring;
mod creation;
mod deletion;
mod fitting;
mod machine_topic;
mod placement;
mod registered;
mod registry;
mod request;
mod room;
mod shape;
#[cfg(test)]
mod tests;
mod topic_name;
mod widening;

pub use assignment::{Assignment, Placed};
pub use command::{Command, TopicBirth};
pub use registered::{Place, Registered};
pub use request::{
    Alteration, Altered, CreatedTopic, Deletion, NewTopic, Refusal, Reply, Request, Resource, Setting,
    TopicRef, Widened, Wider,
};
pub use topic_name::{fault as topic_name_fault, is_of_machine};

use crate::codec::{self, Shape};
use crate::entry::Stamp;
use crate::ids::PageId;
use crate::ids::{ClusterId, DiskId, NodeId, PartitionId, ReplicaId, TopicId, TopicPartition};
use crate::level::{Level, Levels};
use crate::limits::PRODUCER_ID_BLOCK;
use crate::machine::{Context, Decision, Machine, Undecodable, Waiter};
use crate::mutant::{Mutant, is_planted};
use crate::paged::Paged;
use crate::settings::{Holder, Layers, NOTHING, Settings, TopicConfig};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// The replicated state, and on every node the image of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    cluster: ClusterId,
    /// The level that the cluster was founded with, and the one that it has.
    first_level: Level,
    level: Level,
    nodes: BTreeMap<NodeId, Registered>,
    voters: BTreeMap<NodeId, ReplicaId>,
    topics: Paged<TopicId, Topic>,
    names: Paged<String, TopicId>,
    /// What brokers and groups have set; topics have theirs with them. None is empty.
    settings: Paged<Holder, Settings>,
    next_replica: u64,
    next_producer: i64,
    partitions: u64,
}

/// A node that the cluster is founded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Founder {
    /// Which.
    pub node: NodeId,
    /// Its replica of the metadata partition.
    pub replica: ReplicaId,
    /// The disk that its replicas are bound to.
    pub disk: DiskId,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// By number, where each partition's replicas are.
    pub partitions: Vec<Assignment>,
    /// What its creator set, by Kafka's names; the rest is default.
    pub configs: BTreeMap<String, String>,
}

impl Metadata {
    /// The state that a cluster is founded with: its level, and its first nodes, all voters, of which no more is known
    /// than that they read that level. It is the same whenever it is told. Its producer
    /// ids begin at a place of its own, so that a producer that outlived another cluster at this address, such as a
    /// broker in memory before its restart, does not share its id with one that is new here.
    pub fn founded(cluster: ClusterId, level: Level, founders: &[Founder]) -> Metadata {
        // Blocks below 2^42 keep ids below 2^53: clients that hold numbers as doubles can tell them apart.
        let block = i64::try_from(cluster.0 & ((1 << 42) - 1)).expect("42 bits fit");
        let next_replica = founders.iter().map(|founder| founder.replica.0).max().unwrap_or(0) + 1;
        let next_producer = block * PRODUCER_ID_BLOCK;
        let voters = founders.iter().map(|founder| (founder.node, founder.replica)).collect();
        let levels = Levels { oldest: level, newest: level };
        let registered = |disk| Registered { disk, levels, place: None };
        let nodes = founders.iter().map(|founder| (founder.node, registered(founder.disk))).collect();
        let first_level = level;
        Metadata {
            cluster,
            first_level,
            level,
            nodes,
            voters,
            next_replica,
            next_producer,
            ..Metadata::default()
        }
    }

    /// The cluster's identity.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The feature level that the cluster was founded with.
    pub fn first_level(&self) -> Level {
        self.first_level
    }

    /// The nodes by rising id.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Registered)> + '_ {
        self.nodes.iter().map(|(node, registered)| (*node, registered))
    }

    /// What is known of a node.
    pub fn node(&self, node: NodeId) -> Option<&Registered> {
        self.nodes.get(&node)
    }

    /// The members of the metadata's own partition: their nodes by rising id, and their replicas.
    pub fn voters(&self) -> impl Iterator<Item = (NodeId, ReplicaId)> + '_ {
        self.voters.iter().map(|(node, replica)| (*node, *replica))
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

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// The names of topics behind that one, in order.
    pub fn topic_names_after<'a>(&'a self, after: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let names = self.names.from(after.unwrap_or_default()).map(|(name, _)| name.as_str());
        names.filter(move |name| Some(*name) != after)
    }

    /// How many replicas were ever placed: who has seen a topic made knows a higher number than who has not.
    pub fn replicas_placed(&self) -> u64 {
        self.next_replica
    }

    /// Where a partition's replicas are.
    pub fn assignment(&self, of: TopicPartition) -> Option<&Assignment> {
        self.topics.get(&of.topic)?.partitions.get(usize::try_from(of.partition.0).ok()?)
    }

    /// What somebody has set.
    pub fn settings(&self, of: &Holder) -> &Settings {
        match of {
            Holder::Topic(id) => self.topic(*id).map_or(&NOTHING, |topic| &topic.configs),
            of => self.settings.get(of).unwrap_or(&NOTHING),
        }
    }

    /// All who have set something, topics excepted.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> + '_ {
        self.settings.keys()
    }

    /// What decides on a node about somebody's settings; `fixed` is what its configuration says.
    pub fn layers<'a>(&'a self, own: &'a Settings, node: NodeId, fixed: &'a Settings) -> Layers<'a> {
        let (node, cluster) = (self.settings(&Holder::Node(node)), self.settings(&Holder::Cluster));
        Layers { own, node, cluster, fixed }
    }

    /// What a topic's settings mean on a node.
    pub fn topic_config(&self, topic: &Topic, node: NodeId) -> TopicConfig {
        TopicConfig::read(&self.layers(&topic.configs, node, &NOTHING))
    }

    /// Bytes of the state, encoded, but for a few numbers: counted as it changes.
    pub fn bytes(&self) -> usize {
        codec::encoded_bytes(&self.nodes)
            + codec::encoded_bytes(&self.voters)
            + self.topics.bytes()
            + self.names.bytes()
            + self.settings.bytes()
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

    fn insert(&mut self, id: TopicId, birth: &TopicBirth) {
        let TopicBirth { name, partitions, configs } = birth;
        let partitions: Vec<Assignment> =
            partitions.iter().filter_map(|placed| Assignment::born(placed)).collect();
        assert!(partitions.len() == birth.partitions.len(), "`takes` has looked how they are numbered");
        let next = partitions.iter().map(Assignment::next_replica).max().unwrap_or(0);
        self.next_replica = self.next_replica.max(next);
        self.partitions += partitions.len() as u64;
        self.names.insert(name.clone(), id);
        self.topics.insert(id, Topic { name: name.clone(), partitions, configs: configs.clone() });
    }

    fn widen(&mut self, id: TopicId, partitions: &[Vec<Placed>]) {
        let Some(topic) = self.topics.get(&id) else { return };
        let mut topic = topic.clone();
        let born: Vec<Assignment> = partitions.iter().filter_map(|placed| Assignment::born(placed)).collect();
        assert!(born.len() == partitions.len(), "`takes` has looked how they are numbered");
        let next = born.iter().map(Assignment::next_replica).max().unwrap_or(0);
        self.next_replica = self.next_replica.max(next);
        self.partitions += born.len() as u64;
        topic.partitions.extend(born);
        self.topics.insert(id, topic);
    }

    fn configure(&mut self, of: &Holder, settings: &Settings) {
        if let Holder::Topic(id) = of {
            let Some(topic) = self.topics.get(id) else { return };
            let topic = Topic { configs: settings.clone(), ..topic.clone() };
            self.topics.insert(*id, topic);
        } else if settings.is_empty() {
            self.settings.remove(of);
        } else {
            self.settings.insert(of.clone(), settings.clone());
        }
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
const SETTINGS: u8 = 2;

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
            Request::ProducerIds => {
                let first = self.next_producer;
                let next = first + PRODUCER_ID_BLOCK;
                let is_overlapping = is_planted(context.mutant, Mutant::IdBlocksOverlap);
                let taken = if is_overlapping { first + PRODUCER_ID_BLOCK / 2 } else { next };
                (vec![Command::ProducerIdsTaken { next: taken }], Reply::ProducerIds { first, next })
            }
            Request::RaiseLevel { to, validate_only } => match registry::raise(self, to) {
                Ok(_) if validate_only => (Vec::new(), Reply::LevelRaised(Ok(()))),
                Ok(commands) => (commands, Reply::LevelRaised(Ok(()))),
                Err(refusal) => (Vec::new(), Reply::LevelRaised(Err(refusal))),
            },
            Request::MakeMachineTopic { id, partitions, replication_factor } => {
                match machine_topic::decide(self, context, id, partitions, replication_factor) {
                    Ok(commands) => (commands, Reply::MachineTopic(Ok(id))),
                    Err(refusal) => (Vec::new(), Reply::MachineTopic(Err(refusal))),
                }
            }
            Request::AlterConfigs { resources, validate_only } => {
                let (commands, results) = configuring::decide(self, context, resources);
                let commands = if validate_only { Vec::new() } else { commands };
                (commands, Reply::AlterConfigs(results))
            }
            Request::CreatePartitions { topics, validate_only } => {
                let (commands, results) = widening::decide(self, context, topics);
                let commands = if validate_only { Vec::new() } else { commands };
                (commands, Reply::CreatePartitions(results))
            }
            Request::Register { node, registered } => {
                match registry::register(self, context, node, registered) {
                    Ok(commands) => (commands, Reply::Registered(Ok(()))),
                    Err(refusal) => (Vec::new(), Reply::Registered(Err(refusal))),
                }
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
            Command::TopicCreated { id, topic } | Command::MachineTopicCreated { id, topic } => {
                self.insert(*id, topic);
            }
            Command::TopicDeleted { id } => self.remove(*id),
            Command::ProducerIdsTaken { next } => self.next_producer = *next,
            Command::LevelRaised { to } => self.level = *to,
            Command::Configured { of, settings } => self.configure(of, settings),
            Command::PartitionsAdded { id, partitions } => self.widen(*id, partitions),
            Command::NodeRegistered { node, registered } => {
                self.nodes.insert(*node, registered.clone());
            }
        }
        assert!(
            self.nodes.values().all(|node| node.levels.contains(self.level)),
            "every node reads the cluster's level"
        );
        assert!(self.names.len() == self.topics.len(), "every topic has one name of its own");
    }

    fn encode(&self, into: &mut BytesMut) {
        codec::encode_into(self, self.level, into);
    }

    fn decode(bytes: &[u8], reads: Level) -> Result<Metadata, Undecodable> {
        codec::decode::<Metadata>(bytes, reads)?.checked()
    }

    fn state_bytes(&self) -> usize {
        self.bytes()
    }

    fn head(&self) -> Bytes {
        let (topics, names, settings) = (Paged::default(), Paged::default(), Paged::default());
        let (nodes, voters) = (self.nodes.clone(), self.voters.clone());
        codec::encode(&Metadata { topics, names, settings, nodes, voters, ..*self }, self.level)
    }

    fn page_ids(&self) -> Vec<PageId> {
        let topics = self.topics.editions().map(|edition| PageId { table: TOPICS, edition });
        let names = self.names.editions().map(|edition| PageId { table: NAMES, edition });
        let settings = self.settings.editions().map(|edition| PageId { table: SETTINGS, edition });
        topics.chain(names).chain(settings).collect()
    }

    fn page(&self, number: usize) -> Option<Bytes> {
        let (topics, names) = (self.topics.editions().count(), self.names.editions().count());
        let page = match (number.checked_sub(topics), number.checked_sub(topics + names)) {
            (None, _) => self.topics.page(number),
            (Some(number), None) => self.names.page(number),
            (_, Some(number)) => self.settings.page(number),
        };
        page.map(|(_, bytes)| bytes)
    }

    fn unfold(head: &[u8], reads: Level) -> Result<Metadata, Undecodable> {
        codec::decode(head, reads)
    }

    fn push_page(&mut self, id: PageId, bytes: &[u8]) -> Result<(), Undecodable> {
        let pushed = match id.table {
            TOPICS => self.topics.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
            NAMES => self.names.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
            SETTINGS => self.settings.push_page(id.edition, bytes).map_err(|fault| fault.to_string()),
            table => Err(format!("there is no table {table}")),
        };
        pushed.map_err(|reason| Undecodable { what: "page of the metadata", reason })
    }

    fn checked(self) -> Result<Metadata, Undecodable> {
        match self.fault() {
            Some(reason) => Err(Undecodable { what: Metadata::WHAT, reason: reason.into() }),
            None => Ok(self),
        }
    }

    fn level(&self) -> Level {
        self.level
    }

    fn since(command: &Command) -> Level {
        codec::since(command)
    }

    fn encode_commands(commands: &[Command], level: Level) -> Bytes {
        codec::encode_all(commands, level)
    }

    fn decode_commands(bytes: &[u8], reads: Level) -> Result<Vec<Command>, Undecodable> {
        codec::decode_all(bytes, reads)
    }
}
