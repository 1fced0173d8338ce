//! What the metadata machine is asked and answers. Both travel between nodes when the asked node does not
//! lead the metadata partition, so both have the codec of `codec`.

use crate::codec;
use crate::error_code::ErrorCode;
use crate::ids::{NodeId, TopicId};
use crate::limits::{ASKED_BYTES_MAX, ASKED_ELEMENTS_MAX, CREATE_PARTITIONS_MAX, PARTITIONS_MAX};
use crate::machine::Undecodable;
use crate::topic_config::ConfigEntry;
use bytes::Bytes;

/// A question to the metadata leader.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
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
    /// A block of producer ids for one node.
    ProducerIds {
        /// For whom.
        node: NodeId,
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

/// A topic, by either of its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id.
    Id(TopicId),
}

/// A definite no, with words for a person.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
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
    pub configs: Vec<ConfigEntry>,
}

/// What became of one topic of a DeleteTopics request.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Deletion {
    /// Its name, where known.
    pub name: Option<String>,
    /// Its id; zero where unknown.
    pub id: TopicId,
    /// Kafka's code.
    pub code: ErrorCode,
}

/// An answer of the metadata leader.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
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
    /// The request as a whole would never be decided: what it asks is too much at once.
    Refused(Refusal),
    /// The asked node does not lead, or stopped leading before it could say. What was asked may still happen.
    NotController,
}

impl Request {
    /// Why this is too much at once for anyone to decide, or nothing. What passes can be sent to another node and
    /// read there, and so can its answer.
    pub fn excess(&self) -> Option<Refusal> {
        let bytes = codec::encoded_bytes(self);
        let too_many = match self {
            Request::CreateTopics { topics, .. } => many_elements(topics),
            Request::DeleteTopics { topics } if topics.len() > PARTITIONS_MAX => {
                Some(format!("one request deletes at most {PARTITIONS_MAX} topics"))
            }
            Request::DeleteTopics { .. } | Request::ProducerIds { .. } => None,
        };
        let too_long = || format!("the request takes {bytes} bytes; one has at most {ASKED_BYTES_MAX}");
        let message = too_many.or_else(|| (bytes > ASKED_BYTES_MAX).then(too_long))?;
        Some(Refusal { code: ErrorCode::PolicyViolation, message })
    }

    /// For the way between nodes.
    pub fn encode(&self) -> Bytes {
        codec::encode(self)
    }

    /// From another node.
    pub fn decode(bytes: &[u8]) -> Result<Request, Undecodable> {
        codec::decode(bytes, "metadata request")
    }
}

impl Reply {
    /// For the way between nodes.
    pub fn encode(&self) -> Bytes {
        codec::encode(self)
    }

    /// From another node.
    pub fn decode(bytes: &[u8]) -> Result<Reply, Undecodable> {
        codec::decode(bytes, "metadata reply")
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
