//! Cold reads that clients wait for: who asks for what is being read already joins that read. Many consumers that
//! begin at the same old place then cost the disk one read, and memory one answer.
//!
//! Invariant: a read is in both maps, from its beginning to its end.

use crate::ids::{Offset, ReplicaId};
use crate::storage::ReadId;
use std::collections::BTreeMap;

/// What is looked for on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sought {
    /// Batches from `from` on that end below `below`.
    Batches { from: Offset, below: Offset, max_bytes: usize },
    /// The first batch from `from` on with a record of that time or later.
    Time { from: Offset, timestamp: i64 },
}

/// The reads under way.
#[derive(Debug, Default)]
pub(super) struct ColdReads {
    of: BTreeMap<(ReplicaId, Sought), ReadId>,
    sought: BTreeMap<ReadId, (ReplicaId, Sought)>,
}

impl ColdReads {
    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The read that looks for this.
    pub fn find(&self, replica: ReplicaId, sought: Sought) -> Option<ReadId> {
        self.of.get(&(replica, sought)).copied()
    }

    /// One has begun.
    pub fn began(&mut self, read: ReadId, replica: ReplicaId, sought: Sought) {
        self.of.insert((replica, sought), read);
        self.sought.insert(read, (replica, sought));
    }

    /// One has ended. Nothing happens to a read of somebody else.
    pub fn ended(&mut self, read: ReadId) {
        if let Some(sought) = self.sought.remove(&read) {
            self.of.remove(&sought);
        }
    }
}
