//! Newtypes for everything that is counted or named, so that no bare `u64` crosses a room's door.
//!
//! Owns nothing. A value of one of these types has already been checked by the decoder that made it.
//!
//! Invariant: a `Term` is at most [`Term::MAX`], because Kafka's leader epoch has 31 bits.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            bincode::Encode, bincode::Decode,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number!(
    /// One broker process of the cluster; Kafka's broker id.
    NodeId(i32), "n"
);
number!(
    /// Drawn at every start of a process, so that a peer notices a restart.
    BootId(u64), "boot"
);
number!(
    /// Drawn once for a data directory: a wiped disk is another disk.
    DiskId(u128), "disk"
);
number!(
    /// A node's member of one partition: its Raft id and its key in the journal. Drawn by the metadata
    /// machine at every addition, never reused, bound to a [`DiskId`]. 0 is nobody, as in raft-rs.
    ReplicaId(u64), "r"
);
number!(
    /// Position in a replica's Raft log. The first entry has index 1.
    Index(u64), "i"
);
number!(
    /// Position of a record in a partition. The first record has offset 0.
    Offset(i64), "o"
);
number!(
    /// Raft's term and Kafka's leader epoch, one number.
    Term(u64), "t"
);
number!(
    /// Number of a partition within its topic.
    PartitionId(i32), "p"
);
number!(
    /// One ordered channel with credit. Even: accepted by the driver; odd: dialled by the core.
    LinkId(u64), "link"
);
number!(
    /// Ties an action to the one `Done` that answers it.
    Ticket(u64), "#"
);
number!(
    /// A producer's identity for deduplication (KIP-98). -1 is none.
    ProducerId(i64), "pid"
);

impl ReplicaId {
    /// raft-rs's "no one".
    pub const NOBODY: ReplicaId = ReplicaId(0);
    /// No cluster gives out as many; beyond, counting up would overflow.
    pub const MAX: ReplicaId = ReplicaId(1 << 62);
}

impl Offset {
    /// No log is as long; beyond, arithmetic on an offset would overflow.
    pub const MAX: Offset = Offset(1 << 62);
}

impl Index {
    /// Far beyond any log, and far below where arithmetic on an index would overflow.
    pub const MAX: Index = Index(1 << 62);

    /// The index after this one.
    pub fn next(self) -> Index {
        Index(self.0 + 1)
    }
}

impl Term {
    /// The last term a cluster can reach: Kafka's leader epoch is an `i32` and never negative.
    pub const MAX: Term = Term(i32::MAX as u64);

    /// The term as Kafka's leader epoch.
    pub fn epoch(self) -> i32 {
        i32::try_from(self.0).expect("terms above Term::MAX are refused where they would arise")
    }
}

/// A topic's identity, which a deleted and recreated topic does not share (KIP-516). All zero is "none".
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// Kafka's "no id given".
    pub const ZERO: TopicId = TopicId([0; 16]);
    /// The partition of the metadata machine. Kafka reserves the same id (Uuid.METADATA_TOPIC_ID).
    pub const METADATA: TopicId = TopicId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    /// Consumer groups and what they have committed: the topic that clients know as `__consumer_offsets`. It is known by
    /// this id, of those that Kafka reserves, and is never deleted.
    pub const CONSUMER_OFFSETS: TopicId = TopicId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

    /// The id of 32 lower-case hexadecimal digits, as it stands in file names.
    pub fn parse(text: &str) -> Option<TopicId> {
        if text.len() != 32 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| TopicId(number.to_be_bytes()))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A partition, named by its topic's id.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicId,
    /// The number within the topic.
    pub partition: PartitionId,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.topic, self.partition.0)
    }
}

/// The identity of a cluster: 22 characters of URL-safe base64 towards clients, as Kafka's are.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct ClusterId(pub u128);

impl fmt::Display for ClusterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 128 bits in digits of six: 21 whole ones and one of two bits, padded below (RFC 4648).
        for position in 0..21 {
            let digit = (self.0 >> (122 - 6 * position)) & 63;
            write!(out, "{}", char::from(DIGITS[digit as usize]))?;
        }
        write!(out, "{}", char::from(DIGITS[((self.0 & 3) << 4) as usize]))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Which content of a page: new after each change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edition(pub u64);

/// Names a page of a state, and which content of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageId {
    /// Which of the state's maps it belongs to, as their owner counts them.
    pub table: u8,
    /// Which content.
    pub edition: Edition,
}
