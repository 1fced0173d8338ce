//! What this node holds of one replica, besides what the journal and the floors above know: its log of
//! committed batches, its newest hard state, and how far its items are.
//!
//! Invariant: commit <= last after every append and reset, and both are put into the same frame or the entries into
//! an earlier one. So the commit is within the log at every durable prefix of the journal: a replica that is found
//! with less than it knew committed has lost something, and never runs again (`replay`).
//!
//! Kept small: 10,000 idle partitions are 10,000 of these.

use super::journal::frame::Filling;
use super::segments::log::Log;
use crate::entry::{Entry, HardState};
use crate::ids::{Index, ReplicaId};
use std::collections::BTreeMap;

/// One replica.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) log: Log,
    /// The newest, whether or not it is on the disk.
    pub(super) hard_state: HardState,
    /// The newest entry appended.
    pub(super) last: Index,
    /// The sequence of the newest frame with an item of it that must not be lost.
    pub(super) frame: u64,
}

impl Local {
    /// Appends entries, which are in `frame` from now on with the hard state that may speak of them.
    pub(super) fn append(&mut self, replica: ReplicaId, entries: &[Entry], frame: &mut Filling) {
        for entry in entries {
            let follows = entry.index.0 >= 1 && entry.index.0 <= self.last.0 + 1;
            assert!(follows, "entries are appended without a gap");
            self.last = entry.index;
            frame.entry(replica, entry);
        }
        assert!(
            self.hard_state.commit <= self.last,
            "what is committed here is in the journal no later than that"
        );
    }
}

/// All of them.
pub(super) type Locals = BTreeMap<ReplicaId, Local>;
