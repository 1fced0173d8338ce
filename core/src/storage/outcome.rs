//! What storage tells the floor above, and the shapes of what it is told about a replica's memory.
//!
//! Owns nothing. The rules are in the room's essay.

use super::disk::ticket::ReadId;
use super::reads::cold::ReadFault;
use super::recovery::announcement::Recovery;
use super::segments::chunk::Chunk;
use crate::entry::{HardState, Members};
use crate::ids::{Index, Offset, ReplicaId, Term};
use bytes::Bytes;

/// What the floor above is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The disk is read, and can be worked with.
    Recovered(Recovery),
    /// All appends of this replica up to this number are durable.
    Persisted {
        /// Whose.
        replica: ReplicaId,
        /// The number given with the append.
        number: u64,
    },
    /// Everything kept of this replica up to `end` lies in synced segments: a reset may name it.
    Drained {
        /// Whose.
        replica: ReplicaId,
        /// Where its log ended when it was asked to drain.
        end: Offset,
    },
    /// A cold read ended.
    Read {
        /// Which.
        read: ReadId,
        /// Of which replica.
        replica: ReplicaId,
        /// What it brought.
        result: Result<Chunk, ReadFault>,
    },
    /// A read met bytes that are not what was written: a peer's can be written over them.
    Damaged {
        /// Whose.
        replica: ReplicaId,
        /// First offset that cannot be read.
        from: Offset,
        /// The first after it that may be readable.
        below: Offset,
    },
    /// A mending ended.
    Mended {
        /// Whose.
        replica: ReplicaId,
        /// Where the damage was.
        from: Offset,
        /// Whether good bytes are there now, durably.
        is_mended: bool,
    },
    /// A write of batches into the file that is to take the place of closed segments ended, or the sync that ends it, by
    /// which it takes the place.
    Rewritten {
        /// Whose.
        replica: ReplicaId,
        /// Whether it was done. If not, what was written before is gone too.
        is_done: bool,
    },
    /// A checkpoint is durable: what its parts covered is not needed in the journal any more.
    Checkpointed,
    /// A `write_meta` is durable.
    MetaWritten,
}

/// The start of a replica's memory: at its founding, or when a snapshot replaced what it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The entry that `state` is as of; everything up to it is forgotten.
    pub index: Index,
    /// Its term.
    pub term: Term,
    /// The members as of it.
    pub members: Members,
    /// Term, vote and commit from here on.
    pub hard_state: HardState,
    /// The offset after the last batch that `state` reflects. Unless the log ends there already, it starts
    /// anew there, empty.
    pub segment_end: Offset,
    /// First offset that may be read.
    pub log_start: Offset,
    /// The floor above's state.
    pub state: Bytes,
}

/// When an append is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// It is: there was nothing to write, and nothing of the replica is outstanding. No outcome follows.
    Already,
    /// An [`Outcome::Persisted`] will say.
    Later,
}
