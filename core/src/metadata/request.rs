//! What the metadata machine is asked and answers. Both travel between nodes when the asked node does not
//! lead the metadata partition: the types here are their shapes, which never change (`codec`). What changes is a type
//! more, beside the old one.

use super::registered::Registered;
use crate::codec::{self, Broken, Kind, Reading, SECOND, Shape, Writing};
use crate::ids::{NodeId, TopicId};
use crate::level::{Level, Levels};
use crate::limits::{ASKED_BYTES_MAX, ASKED_ELEMENTS_MAX, CREATE_PARTITIONS_MAX, PARTITIONS_MAX};
use crate::machine::Undecodable;
use crate::settings::{Change, Described, Source};
use bytes::Bytes;
use rust_mq_proto::kafka::ErrorCode;

/// A question to the metadata leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Make topics, each by itself: one may fail while its neighbour succeeds.
    CreateTopics {
        /// Which.
        topics: Vec<NewTopic>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Delete topics, each by itself.
    DeleteTopics {
        /// Which.
        topics: Vec<TopicRef>,
    },
    /// A block of producer ids for the node that asks.
    ProducerIds,
    /// Raise the cluster's feature level.
    RaiseLevel {
        /// To this one.
        to: Level,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Make the topic of a machine, if it is not there.
    MakeMachineTopic {
        /// Its id: one that is reserved.
        id: TopicId,
        /// How many partitions.
        partitions: i32,
        /// How many replicas each, if there are so many nodes.
        replication_factor: i16,
    },
    /// Change settings, each resource by itself.
    AlterConfigs {
        /// Which, and how.
        resources: Vec<Alteration>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// Make topics wider, each by itself.
    CreatePartitions {
        /// Which.
        topics: Vec<Wider>,
        /// Only say what would happen.
        validate_only: bool,
    },
    /// What a node says of itself.
    Register {
        /// Which.
        node: NodeId,
        /// All about it.
        registered: Registered,
    },
}

/// A topic to make.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct NewTopic {
    /// Its name, as given.
    pub name: String,
    /// How many partitions. The asking node has put its default for Kafka's -1.
    pub partitions: i32,
    /// How many replicas each. The asking node has put its default for Kafka's -1.
    pub replication_factor: i16,
    /// Where, if the client said: by partition number, the nodes. Empty: the machine places.
    pub assignments: Vec<(i32, Vec<NodeId>)>,
    /// Settings by Kafka's names; `None` means the default, as in Kafka.
    pub configs: Vec<(String, Option<String>)>,
}

/// Who is to have other settings, as clients name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub enum Resource {
    /// A topic, by its name.
    Topic(String),
    /// All brokers that do not have their own.
    Cluster,
    /// One broker.
    Node(NodeId),
    /// A consumer group.
    Group(String),
}

/// What is to become of somebody's settings.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Alteration {
    /// Whose.
    pub of: Resource,
    /// Whether those that are not named go (AlterConfigs), or stay as they are (IncrementalAlterConfigs).
    pub is_whole: bool,
    /// In order.
    pub changes: Vec<Change>,
}

/// A topic that is to have more partitions.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Wider {
    /// Its name, as given.
    pub name: String,
    /// How many it is to have, with those that it has.
    pub count: i32,
    /// Where the new ones go, if the client said.
    pub assignments: Option<Vec<Vec<NodeId>>>,
}

/// What became of it.
pub type Widened = (String, Result<(), Refusal>);

/// What became of it.
pub type Altered = (Resource, Result<(), Refusal>);

/// A topic, by either of its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id.
    Id(TopicId),
}

/// A definite no, with words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// Why; names the limit that was hit.
    pub message: String,
}

/// What a created topic became.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct CreatedTopic {
    /// Its id.
    pub id: TopicId,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas each.
    pub replication_factor: i16,
    /// All settings, defaults included.
    pub settings: Vec<Setting>,
}

/// A topic's setting with its value in force.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Setting {
    /// Kafka's name for it.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// Whether no one set it.
    pub is_default: bool,
}

impl From<Described<'_>> for Setting {
    fn from(described: Described<'_>) -> Setting {
        let (name, value) = (described.name.into(), described.value().into());
        Setting { name, value, is_default: described.source() != Source::Topic }
    }
}

/// What became of one topic of a DeleteTopics request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its name, where known.
    pub name: Option<String>,
    /// Its id; zero where unknown.
    pub id: TopicId,
    /// Kafka's code.
    pub code: ErrorCode,
}

/// An answer of the metadata leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// In the order asked.
    CreateTopics(Vec<(String, Result<CreatedTopic, Refusal>)>),
    /// In the order asked.
    DeleteTopics(Vec<Deletion>),
    /// The ids from `first` up to, not including, `next` are the asker's.
    ProducerIds {
        /// First id.
        first: i64,
        /// The one after the last.
        next: i64,
    },
    /// The cluster has the level that was asked for, or why not.
    LevelRaised(Result<(), Refusal>),
    /// The topic is there, or why not.
    MachineTopic(Result<TopicId, Refusal>),
    /// In the order asked.
    AlterConfigs(Vec<Altered>),
    /// In the order asked.
    CreatePartitions(Vec<Widened>),
    /// The registry says of the asker what it has told, or why not.
    Registered(Result<(), Refusal>),
    /// The request as a whole would never be decided: what it asks is too much at once.
    Refused(Refusal),
    /// The asked node does not lead, or stopped leading before it could say. What was asked may still happen.
    NotController,
}

impl Request {
    /// Why this cannot be asked in a cluster of that level, or nothing.
    pub fn early(&self, level: Level) -> Option<Refusal> {
        let since = codec::since(self);
        let message = format!("this needs feature level {since}; the cluster has level {level}");
        (since > level).then_some(Refusal { code: ErrorCode::UnsupportedVersion, message })
    }

    /// Why this is too much at once for anyone to decide, or nothing. What passes can be sent to another node and
    /// read there, and so can its answer.
    pub fn excess(&self) -> Option<Refusal> {
        let bytes = codec::shape_bytes(self, Levels::BUILD.newest);
        let too_many = match self {
            Request::CreateTopics { topics, .. } => many_elements(topics),
            Request::AlterConfigs { resources, .. } => many_changes(resources),
            Request::CreatePartitions { topics, .. } => many_assigned(topics),
            Request::DeleteTopics { topics } if topics.len() > PARTITIONS_MAX => {
                Some(format!("one request deletes at most {PARTITIONS_MAX} topics"))
            }
            _ => None,
        };
        let too_long = || format!("the request takes {bytes} bytes; one has at most {ASKED_BYTES_MAX}");
        let message = too_many.or_else(|| (bytes > ASKED_BYTES_MAX).then(too_long))?;
        Some(Refusal { code: ErrorCode::PolicyViolation, message })
    }

    /// For the way between nodes of a cluster of that level.
    pub fn encode(&self, level: Level) -> Bytes {
        codec::encode(self, level)
    }

    /// From another node.
    ///
    /// # Errors
    /// Bytes that are none that this build reads.
    pub fn decode(bytes: &[u8]) -> Result<Request, Undecodable> {
        codec::decode(bytes, Levels::READABLE)
    }
}

impl Reply {
    /// For the way between nodes of a cluster of that level.
    pub fn encode(&self, level: Level) -> Bytes {
        codec::encode(self, level)
    }

    /// From another node.
    ///
    /// # Errors
    /// Bytes that are none that this build reads.
    pub fn decode(bytes: &[u8]) -> Result<Reply, Undecodable> {
        codec::decode(bytes, Levels::READABLE)
    }
}

const CREATE_TOPICS: u8 = 48;
const DELETE_TOPICS: u8 = 49;
const PRODUCER_IDS: u8 = 50;
const RAISE_LEVEL: u8 = 51;
const REGISTER: u8 = 52;
const MAKE_MACHINE_TOPIC: u8 = 53;
const ALTER_CONFIGS: u8 = 54;
const CREATE_PARTITIONS: u8 = 55;

impl Shape for Request {
    const WHAT: &'static str = "metadata request";
    const KINDS: &'static [Kind] = &[
        Kind::first(CREATE_TOPICS, "CreateTopics"),
        Kind::first(DELETE_TOPICS, "DeleteTopics"),
        Kind::first(PRODUCER_IDS, "ProducerIds"),
        Kind::first(RAISE_LEVEL, "RaiseLevel"),
        Kind::first(REGISTER, "Register"),
        Kind::new(MAKE_MACHINE_TOPIC, "MakeMachineTopic", SECOND),
        Kind::new(ALTER_CONFIGS, "AlterConfigs", SECOND),
        Kind::new(CREATE_PARTITIONS, "CreatePartitions", SECOND),
    ];

    fn kind(&self) -> u8 {
        match self {
            Request::AlterConfigs { .. } => ALTER_CONFIGS,
            Request::CreatePartitions { .. } => CREATE_PARTITIONS,
            Request::CreateTopics { .. } => CREATE_TOPICS,
            Request::DeleteTopics { .. } => DELETE_TOPICS,
            Request::ProducerIds => PRODUCER_IDS,
            Request::RaiseLevel { .. } => RAISE_LEVEL,
            Request::Register { .. } => REGISTER,
            Request::MakeMachineTopic { .. } => MAKE_MACHINE_TOPIC,
        }
    }

    fn write(&self, _version: u8, to: &mut Writing<'_>) {
        match self {
            Request::CreateTopics { topics, validate_only } => {
                to.put(topics);
                to.put(validate_only);
            }
            Request::DeleteTopics { topics } => to.put(topics),
            Request::ProducerIds => {}
            Request::RaiseLevel { to: level, validate_only } => {
                to.put(level);
                to.put(validate_only);
            }
            Request::MakeMachineTopic { id, partitions, replication_factor } => {
                to.put(id);
                to.put(partitions);
                to.put(replication_factor);
            }
            Request::AlterConfigs { resources, validate_only } => {
                to.put(resources);
                to.put(validate_only);
            }
            Request::CreatePartitions { topics, validate_only } => {
                to.put(topics);
                to.put(validate_only);
            }
            Request::Register { node, registered } => {
                to.put(node);
                to.put(registered);
            }
        }
    }

    fn read(kind: u8, _version: u8, from: &mut Reading<'_>) -> Result<Request, Broken> {
        Ok(match kind {
            CREATE_TOPICS => Request::CreateTopics { topics: from.take()?, validate_only: from.take()? },
            DELETE_TOPICS => Request::DeleteTopics { topics: from.take()? },
            PRODUCER_IDS => Request::ProducerIds,
            RAISE_LEVEL => Request::RaiseLevel { to: from.take()?, validate_only: from.take()? },
            MAKE_MACHINE_TOPIC => Request::MakeMachineTopic {
                id: from.take()?,
                partitions: from.take()?,
                replication_factor: from.take()?,
            },
            CREATE_PARTITIONS => {
                Request::CreatePartitions { topics: from.take()?, validate_only: from.take()? }
            }
            ALTER_CONFIGS => Request::AlterConfigs { resources: from.take()?, validate_only: from.take()? },
            REGISTER => Request::Register { node: from.take()?, registered: from.take()? },
            _ => return Err(Broken::Unread),
        })
    }
}

const TOPICS_CREATED: u8 = 64;
const TOPICS_DELETED: u8 = 65;
const PRODUCER_IDS_GIVEN: u8 = 66;
const REFUSED: u8 = 67;
const NOT_CONTROLLER: u8 = 68;
const LEVEL_RAISED: u8 = 69;
const REGISTERED: u8 = 70;
const MACHINE_TOPIC: u8 = 71;
const CONFIGS_ALTERED: u8 = 72;
const PARTITIONS_CREATED: u8 = 73;

impl Shape for Reply {
    const WHAT: &'static str = "metadata answer";
    const KINDS: &'static [Kind] = &[
        Kind::first(TOPICS_CREATED, "CreateTopics"),
        Kind::first(TOPICS_DELETED, "DeleteTopics"),
        Kind::first(PRODUCER_IDS_GIVEN, "ProducerIds"),
        Kind::first(REFUSED, "Refused"),
        Kind::first(NOT_CONTROLLER, "NotController"),
        Kind::first(LEVEL_RAISED, "RaiseLevel"),
        Kind::first(REGISTERED, "Register"),
        Kind::new(MACHINE_TOPIC, "MakeMachineTopic", SECOND),
        Kind::new(CONFIGS_ALTERED, "AlterConfigs", SECOND),
        Kind::new(PARTITIONS_CREATED, "CreatePartitions", SECOND),
    ];

    fn kind(&self) -> u8 {
        match self {
            Reply::CreateTopics(_) => TOPICS_CREATED,
            Reply::DeleteTopics(_) => TOPICS_DELETED,
            Reply::ProducerIds { .. } => PRODUCER_IDS_GIVEN,
            Reply::Refused(_) => REFUSED,
            Reply::NotController => NOT_CONTROLLER,
            Reply::LevelRaised(_) => LEVEL_RAISED,
            Reply::Registered(_) => REGISTERED,
            Reply::MachineTopic(_) => MACHINE_TOPIC,
            Reply::AlterConfigs(_) => CONFIGS_ALTERED,
            Reply::CreatePartitions(_) => PARTITIONS_CREATED,
        }
    }

    fn write(&self, _version: u8, to: &mut Writing<'_>) {
        match self {
            Reply::CreateTopics(topics) => to.put(topics),
            Reply::DeleteTopics(topics) => to.put(topics),
            Reply::AlterConfigs(results) => to.put(results),
            Reply::CreatePartitions(results) => to.put(results),
            Reply::ProducerIds { first, next } => {
                to.put(first);
                to.put(next);
            }
            Reply::Refused(refusal) => to.put(refusal),
            Reply::NotController => {}
            Reply::LevelRaised(result) | Reply::Registered(result) => to.put(result),
            Reply::MachineTopic(result) => to.put(result),
        }
    }

    fn read(kind: u8, _version: u8, from: &mut Reading<'_>) -> Result<Reply, Broken> {
        Ok(match kind {
            TOPICS_CREATED => Reply::CreateTopics(from.take()?),
            TOPICS_DELETED => Reply::DeleteTopics(from.take()?),
            PRODUCER_IDS_GIVEN => Reply::ProducerIds { first: from.take()?, next: from.take()? },
            REFUSED => Reply::Refused(from.take()?),
            NOT_CONTROLLER => Reply::NotController,
            LEVEL_RAISED => Reply::LevelRaised(from.take()?),
            PARTITIONS_CREATED => Reply::CreatePartitions(from.take()?),
            CONFIGS_ALTERED => Reply::AlterConfigs(from.take()?),
            REGISTERED => Reply::Registered(from.take()?),
            MACHINE_TOPIC => Reply::MachineTopic(from.take()?),
            _ => return Err(Broken::Unread),
        })
    }
}

/// Decoded, a list's elements take many times the bytes that they have on the way, so that they are counted too.
fn many_elements(topics: &[NewTopic]) -> Option<String> {
    let (mut assigned, mut nodes, mut settings) = (0, 0, 0);
    for topic in topics {
        assigned += topic.assignments.len();
        nodes += topic.assignments.iter().map(|(_, nodes)| nodes.len()).sum::<usize>();
        settings += topic.configs.len();
    }
    if topics.len().max(assigned) > CREATE_PARTITIONS_MAX {
        return Some(format!("one request makes at most {CREATE_PARTITIONS_MAX} partitions"));
    }
    (nodes.max(settings) > ASKED_ELEMENTS_MAX)
        .then(|| format!("one request has at most {ASKED_ELEMENTS_MAX} settings, and as many replicas"))
}

fn many_changes(resources: &[Alteration]) -> Option<String> {
    if resources.len() > CREATE_PARTITIONS_MAX {
        return Some(format!(
            "one request changes the settings of at most {CREATE_PARTITIONS_MAX} resources"
        ));
    }
    let changes: usize = resources.iter().map(|alteration| 1 + alteration.changes.len()).sum();
    (changes > ASKED_ELEMENTS_MAX)
        .then(|| format!("one request changes at most {ASKED_ELEMENTS_MAX} settings"))
}

fn many_assigned(topics: &[Wider]) -> Option<String> {
    let assignments = || topics.iter().flat_map(|topic| topic.assignments.iter().flatten());
    let nodes: usize = assignments().map(Vec::len).sum();
    if topics.len().max(assignments().count()) > CREATE_PARTITIONS_MAX {
        return Some(format!("one request makes at most {CREATE_PARTITIONS_MAX} partitions"));
    }
    (nodes > ASKED_ELEMENTS_MAX).then(|| format!("one request places at most {ASKED_ELEMENTS_MAX} replicas"))
}
