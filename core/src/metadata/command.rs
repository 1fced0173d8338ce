//! What the metadata machine replicates, and its one codec. A new kind of command raises the feature level; a
//! node that meets one it does not know stops rather than skip it.

use super::Topic;
use crate::codec;
use crate::ids::TopicId;
use crate::machine::Undecodable;
use bytes::Bytes;

/// A change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Command {
    /// A topic exists, its replicas placed.
    TopicCreated {
        /// Its id, never used before.
        id: TopicId,
        /// All about it.
        topic: Topic,
    },
    /// A topic is gone; its replicas stop and their files go.
    TopicDeleted {
        /// Which.
        id: TopicId,
    },
    /// Producer ids below `next` are handed out.
    ProducerIdsTaken {
        /// The first id that is still free.
        next: i64,
    },
}

/// One entry's payload.
pub(super) fn encode(commands: &[Command]) -> Bytes {
    codec::encode(&commands)
}

/// The commands of one entry.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Command>, Undecodable> {
    codec::decode(bytes, "metadata commands")
}
