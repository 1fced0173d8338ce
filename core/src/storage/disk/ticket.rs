//! The tickets of all file actions: what each was for. `storage/` is the only room that issues any.
//!
//! Invariant: a ticket is drawn once and redeemed at most once.

use crate::file::{File, SegmentName};
use crate::ids::{Offset, ReplicaId, Ticket};
use std::collections::VecDeque;

/// Names a read under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadId(pub u64);

/// Segments handed to a sync, each with the length that the sync will have made durable.
pub type Synced = Vec<(SegmentName, u64)>;

/// What a ticket was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// A step of recovery.
    Recovery,
    /// node.meta: a write or its sync.
    Meta,
    /// A frame: its write or its sync.
    Frame,
    /// Zeros for a journal file to come, up to here.
    Zero { file: u32, end: u64 },
    /// Their sync, which ends a step of zeroing.
    ZeroSync,
    /// A journal file that is no longer needed.
    JournalRemoved(u32),
    /// A partition's batches on their way to a segment.
    Segment(ReplicaId, SegmentName),
    /// Entries of a segment's index: nobody waits for them.
    Index(File),
    /// Segments a checkpoint needs.
    CheckpointSegments(Synced),
    /// Segments that a replica's reset will name.
    Drain(ReplicaId, Synced),
    /// A checkpoint's slot: its write or its sync.
    Slot,
    /// A piece of a file of state: its write or its sync.
    State,
    /// A file that no checkpoint names.
    Removed(File),
    /// A cold read.
    Read(ReadId),
    /// Batches on their way into a file that is to take the place of closed segments.
    Rewrite(ReplicaId, SegmentName),
    /// The sync of that file, when it is whole.
    Replace(ReplicaId, SegmentName),
    /// Good bytes over the damaged ones of this segment from this offset on.
    Mend(ReplicaId, SegmentName, Offset),
}

/// The open tickets, oldest first: a disk answers about in the order in which it was asked, so that the one that is
/// redeemed is near the front.
#[derive(Debug, Default)]
pub struct Tickets {
    drawn: u64,
    open: VecDeque<(Ticket, Job)>,
}

impl Tickets {
    /// How many are open.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.open.len()
    }

    /// The number of the oldest that is open for a cold read.
    pub fn oldest_read(&self) -> Option<u64> {
        self.open.iter().find(|(_, job)| matches!(job, Job::Read(_))).map(|(ticket, _)| ticket.0)
    }

    pub fn draw(&mut self, job: Job) -> Ticket {
        self.drawn += 1;
        self.open.push_back((Ticket(self.drawn), job));
        Ticket(self.drawn)
    }

    pub fn redeem(&mut self, ticket: Ticket) -> Option<Job> {
        let at = self.open.binary_search_by_key(&ticket, |(open, _)| *open).ok()?;
        self.open.remove(at).map(|(_, job)| job)
    }
}
