//! What machines are asked and answer, whichever they are, and how that travels when the asked node does not lead the
//! machine's partition: the number of the machine, then what its own codec makes of it. Not all travels: who asks a
//! coordinator that is none finds the one that is.
//!
//! Invariant: a machine's number is never given to another.

use super::METADATA;
use crate::codec;
use crate::group;
use crate::ids::{PartitionId, TopicId, TopicPartition};
use crate::level::Level;
use crate::machine::{Machine, Undecodable};
use crate::metadata::{self, Metadata};
use bytes::{BufMut, Bytes, BytesMut};

/// The metadata machine's number.
const METADATA_NUMBER: u8 = 0;

/// What a machine is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The metadata machine.
    Metadata(metadata::Request),
    /// The groups of a partition of their topic.
    Group(PartitionId, group::Request),
}

/// What a machine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The metadata machine.
    Metadata(metadata::Reply),
    /// Groups.
    Group(group::Reply),
}

impl Request {
    /// The partition whose machine is asked.
    pub fn of(&self) -> TopicPartition {
        match self {
            Request::Metadata(_) => METADATA,
            Request::Group(partition, _) => {
                TopicPartition { topic: TopicId::CONSUMER_OFFSETS, partition: *partition }
            }
        }
    }

    /// Whether it is for the machine here alone: elsewhere nobody is asked, and nobody is waited for.
    pub fn is_for_here(&self) -> bool {
        matches!(self, Request::Group(..))
    }

    /// The answer where nobody will ever decide this: it is too much at once, or nothing that a cluster of that level
    /// knows.
    pub fn refusal(&self, level: Level) -> Option<Reply> {
        match self {
            Request::Metadata(request) => {
                let refusal = request.early(level).or_else(|| request.excess())?;
                Some(Reply::Metadata(metadata::Reply::Refused(refusal)))
            }
            Request::Group(..) => None,
        }
    }

    /// The answer where nobody decides, or nobody can say what was decided.
    pub fn not_leader(&self) -> Reply {
        match self {
            Request::Metadata(_) => Reply::Metadata(Metadata::not_leader()),
            Request::Group(..) => Reply::Group(group::Reply::NotCoordinator),
        }
    }

    /// For the way between nodes of a cluster of that level; `None` for what does not travel.
    pub fn encode(&self, level: Level) -> Option<Bytes> {
        match self {
            Request::Metadata(request) if codec::since(request) > level => None,
            Request::Metadata(request) => Some(numbered(METADATA_NUMBER, &request.encode(level))),
            Request::Group(..) => None,
        }
    }

    /// From another node.
    ///
    /// # Errors
    /// Bytes that are no request of this build's.
    pub fn decode(bytes: &[u8]) -> Result<Request, Undecodable> {
        match bytes.split_first() {
            Some((&METADATA_NUMBER, body)) => Ok(Request::Metadata(metadata::Request::decode(body)?)),
            number => Err(unknown("request of a machine", number)),
        }
    }
}

impl Reply {
    /// For the way between nodes of a cluster of that level; `None` for what does not travel.
    pub fn encode(&self, level: Level) -> Option<Bytes> {
        match self {
            Reply::Metadata(reply) => Some(numbered(METADATA_NUMBER, &reply.encode(level))),
            Reply::Group(_) => None,
        }
    }

    /// From another node.
    ///
    /// # Errors
    /// Bytes that are no reply of this build's.
    pub fn decode(bytes: &[u8]) -> Result<Reply, Undecodable> {
        match bytes.split_first() {
            Some((&METADATA_NUMBER, body)) => Ok(Reply::Metadata(metadata::Reply::decode(body)?)),
            number => Err(unknown("reply of a machine", number)),
        }
    }
}

impl From<metadata::Request> for Request {
    fn from(request: metadata::Request) -> Request {
        Request::Metadata(request)
    }
}

impl From<metadata::Reply> for Reply {
    fn from(reply: metadata::Reply) -> Reply {
        Reply::Metadata(reply)
    }
}

fn numbered(number: u8, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + body.len());
    bytes.put_u8(number);
    bytes.put_slice(body);
    bytes.freeze()
}

fn unknown(what: &'static str, number: Option<(&u8, &[u8])>) -> Undecodable {
    let reason = match number {
        Some((number, _)) => format!("there is no machine {number}"),
        None => "it is empty".into(),
    };
    Undecodable { what, reason }
}
