//! What storage tells the floor above, and the shapes of what it is told about a replica's memory.
//!
//! Owns nothing. The rules are in the room's essay.

use super::node_meta::NodeMeta;
use super::reads::cold::{Chunk, ReadFault, ReadId};
use crate::entry::{Entry, HardState, Members};
use crate::file::File;
use crate::ids::{Index, Offset, ReplicaId, Term, TopicPartition};
use bytes::Bytes;
use std::fmt;

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
    Settled {
        /// Whose.
        replica: ReplicaId,
        /// Where its log ended when it was asked to settle.
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
    /// A checkpoint is durable: what its parts covered is not needed in the journal any more.
    Checkpointed,
    /// A `write_meta` is durable.
    MetaWritten,
}

/// What a disk remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Who the disk is; `None` on an empty one.
    pub meta: Option<NodeMeta>,
    /// The replicas it holds, by id, without the dead.
    pub replicas: Vec<RecoveredReplica>,
    /// The dead that this start has met: those found now, and those whose data is here (all that ever were are in
    /// the meta). After a loss in the journal the meta's disk is a new one, too: what was bound to the old one is
    /// void, known here or not.
    pub dead: Vec<(ReplicaId, TopicPartition)>,
    /// What lies in segments, whole as far as their lengths tell.
    pub segments: Files,
    /// Segments of which the disk does not have all that was synced.
    pub cut: Vec<Cut>,
    /// Bytes of journal that were replayed.
    pub journal_bytes: u64,
}

/// How many files, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// Together.
    pub bytes: u64,
}

/// Where a journal stopped being what was synced to it. What the frames from there on said nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalLoss {
    /// The journal's file.
    pub file: u32,
    /// The byte where the first frame begins that is not as it was written.
    pub at: u64,
    /// Its number.
    pub sequence: u64,
    /// The file is not there, or ends before that byte.
    pub is_missing: bool,
}

impl fmt::Display for JournalLoss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JournalLoss { file, at, sequence, is_missing } = *self;
        let file = File::Journal(file);
        if is_missing {
            write!(out, "{file} is missing, or ends before byte {at}, where frame {sequence} was to follow")
        } else {
            write!(out, "frame {sequence} at byte {at} of {file} was synced and cannot be read any more")
        }
    }
}

/// A segment that is shorter than it was when it was synced, or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Whose.
    pub replica: ReplicaId,
    /// Its first offset.
    pub from: Offset,
    /// The offset after its last.
    pub below: Offset,
}

/// A replica as it was when the last synced frame was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredReplica {
    /// Who.
    pub replica: ReplicaId,
    /// Of which partition.
    pub of: TopicPartition,
    /// Term and vote as acknowledged; the commit at least `applied` and at most the last entry.
    pub hard_state: HardState,
    /// The members as of `applied`.
    pub members: Members,
    /// The index that `state` and the segments reflect.
    pub applied: Index,
    /// Its term.
    pub applied_term: Term,
    /// First offset that may be read.
    pub log_start: Offset,
    /// Offset after the last batch in segments: where `keep` goes on.
    pub log_end_of_segments: Offset,
    /// The floor above's state.
    pub state: Bytes,
    /// The entries above `applied`, contiguous.
    pub entries: Vec<Entry>,
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
