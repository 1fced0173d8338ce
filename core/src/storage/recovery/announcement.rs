//! What a disk remembers, as the floor above is told.
//!
//! Owns nothing. How it was found is told by `reading` and `replay`, what was written before it is said by `resume`.

use crate::entry::{Entry, HardState, Members};
use crate::ids::{Index, Offset, ReplicaId, Term, TopicPartition};
use crate::paged::Folded;
use crate::storage::checkpoint::slot::{Record, Stored};
use crate::storage::node_meta::NodeMeta;
use bytes::Bytes;

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
    pub shortened: Vec<Shortened>,
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

/// A segment that is shorter than it was when it was synced, or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortened {
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
    pub state: Folded,
    /// The entries above `applied`, contiguous.
    pub entries: Vec<Entry>,
}

/// A record, as the floor above is told of it; with the bytes of its pages, in their order.
pub fn recovered(record: Record, pages: Vec<Bytes>) -> RecoveredReplica {
    let state = match record.state {
        Stored::Whole(bytes) => Folded::Whole(bytes),
        Stored::Pages { head, pages: named } => {
            Folded::Pages { head, pages: named.iter().map(|page| page.id).zip(pages).collect() }
        }
    };
    RecoveredReplica {
        replica: record.replica,
        of: record.of,
        hard_state: record.hard_state,
        members: record.members,
        applied: record.applied,
        applied_term: record.applied_term,
        log_start: record.log_start,
        log_end_of_segments: record.end,
        state,
        entries: record.entries,
    }
}
