//! What a Raft log holds, in our own words: the shapes that `replica/`, `storage/` and the floors above
//! hand to each other. raft-rs's types stay inside `replica/`.

use crate::ids::{Index, ReplicaId, Term};
use crate::now::Wall;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What an entry's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum EntryKind {
    /// A new leader's first entry: no payload, no offset.
    NoOp = 0,
    /// One record batch, its base offset and leader epoch already in its header.
    Batch = 1,
    /// The commands of one decision, in their room's codec. Takes no offset.
    Commands = 2,
    /// A change of the replica's members, in raft-rs's codec. Takes no offset.
    Members = 3,
}

impl EntryKind {
    /// The kind that `byte` stands for in the journal and between peers.
    pub fn parse(byte: u8) -> Option<EntryKind> {
        Some(match byte {
            0 => EntryKind::NoOp,
            1 => EntryKind::Batch,
            2 => EntryKind::Commands,
            3 => EntryKind::Members,
            _ => return None,
        })
    }
}

/// One entry of a replica's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub index: Index,
    /// The term of the leader that proposed it.
    pub term: Term,
    /// What the payload is.
    pub kind: EntryKind,
    /// The proposing leader's wall clock, clamped not to fall along the log.
    pub wall: Wall,
    /// One record batch or a decision's commands; shared, never copied.
    pub payload: Bytes,
}

/// What Raft must remember across a crash besides the entries (Raft paper, figure 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardState {
    /// The newest term seen.
    pub term: Term,
    /// Whom this replica voted for in it; [`ReplicaId::NOBODY`] if no one.
    pub vote: ReplicaId,
    /// The newest index known committed. Written lazily: a hint, never a reason to sync.
    pub commit: Index,
}

/// The members of a partition, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Members {
    /// Who counts for a majority.
    pub voters: Vec<ReplicaId>,
    /// Who only receives.
    pub learners: Vec<ReplicaId>,
}

/// A committed entry's circumstances, as `Machine::apply` sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Where the entry stands.
    pub index: Index,
    /// The term it was proposed in.
    pub term: Term,
    /// The only clock that `apply` knows.
    pub wall: Wall,
}
